"""Carries out runs of the sidecar: within budgets and against no hold, those that compare failures like any other."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from llm_canaries.canary.canary import Case, Run
from llm_canaries.canary.holds import HoldReason, Holds, holds_after
from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.withheld import held
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.attributing import Asking
from llm_canaries.service.client_env import in_environment
from llm_canaries.service.control import at_own_mirror
from llm_canaries.service.gateway_metrics import GatewayMetrics
from llm_canaries.service.plant import Plant
from llm_canaries.service.recorder import Recorder
from llm_canaries.service.spending import Spending
from llm_canaries.wire.nonce import Draw


class Sending:
    """What is spent is in `spending`, what is withheld in `holds` as well; both are the sidecar's own."""

    def __init__(
        self,
        spending: Spending,
        holds: Holds,
        recorder: Recorder,
        metrics: GatewayMetrics,
        clock: Clock,
        draw: Draw,
    ) -> None:
        self._spending, self._holds, self._recorder, self._metrics = spending, holds, recorder, metrics
        self._clock, self._draw = clock, draw

    async def holds_on(
        self, plant: Plant, case: Case, last: float | None, *, extra: bool
    ) -> Mapping[HoldReason, float]:
        """What withholds a run of the case now, the budget included; `last` is when it last ran.

        `extra` runs, confirmations and those to compare with, are the first to be given up.
        """
        holds = held(self._holds, case, self._clock.wall())
        free = plant.assembly.mirror_behind(case.gateway, case.model) is not None
        return holds or await self._spending.holds(case, last, extra=extra, free=free)

    async def play(self, plant: Plant, case: Case, memory: Any) -> Run:
        """One run; what each ask may cost is set aside before it is sent."""
        mirror = plant.assembly.mirror_behind(case.gateway, case.model)
        ways, direct = plant.lanes[case.gateway], plant.assembly.twins.get(case.gateway)
        config, learn = plant.settings.config, plant.settings.redactor.learn
        surround = in_environment(case, ways, config=config, clock=self._clock, learn=learn)
        async with surround as (case, ways):
            return await run_case(
                case,
                SCENARIOS[case.scenario],
                self._spending.lanes(case, ways, direct=direct, free=mirror is not None),
                draw=self._draw,
                now=self._clock.wall(),
                memory=memory,
                mirror=mirror,
            )

    def comparing(self, plant: Plant, failed: Case) -> Asking:
        """Plays cases to compare the failure of `failed` with: as confirmations of it, and in no ledger."""

        async def replay(case: Case, memory: Any) -> Run | None:
            if await self.holds_on(plant, case, None, extra=True):
                return None
            run = await self.play(plant, case, memory)
            self._recorder.compared(failed, run.finding.outcome)
            self._metrics.answered(run, self._clock.wall())
            for hold in holds_after(run, self._clock.wall()):
                self._holds.add(hold)
            self._recorder.spent(run)
            return run

        return Asking(replay, partial(at_own_mirror, clock=self._clock, draw=self._draw))
