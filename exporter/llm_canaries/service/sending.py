"""Carries out runs of the sidecar: within budgets and against no hold, those that compare failures like any other."""

from collections.abc import Mapping
from typing import Any

from llm_canaries.canary.budget import Allowance, cost_of, day_end, day_of
from llm_canaries.canary.canary import Case, Run
from llm_canaries.canary.holds import Hold, HoldReason, Holds, holds_after
from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.attributing import Replay
from llm_canaries.service.gateway_metrics import GatewayMetrics
from llm_canaries.service.plant import Plant
from llm_canaries.service.recorder import Recorder
from llm_canaries.service.store import Store
from llm_canaries.wire.nonce import Draw


class Sending:
    """What is spent is in `store`, what is withheld in `holds`; both are the sidecar's own."""

    def __init__(
        self, store: Store, holds: Holds, recorder: Recorder, metrics: GatewayMetrics, clock: Clock, draw: Draw
    ) -> None:
        self._store, self._holds, self._recorder, self._metrics = store, holds, recorder, metrics
        self._clock, self._draw = clock, draw

    async def holds_on(self, plant: Plant, case: Case) -> Mapping[HoldReason, float]:
        """What withholds the case now, the budget of its gateway included."""
        now = self._clock.wall()
        if case.gateway not in plant.assembly.mirrored:
            budget = plant.settings.config.gateways[case.gateway].budget
            allowance = Allowance(budget.requests, budget.tokens)
            cost = cost_of(case, SCENARIOS[case.scenario])
            spent, reserved = await self._store.spent(case.gateway, day_of(now)), self._store.reserved(case.gateway)
            self._recorder.budget(case.gateway, allowance.tokens - spent[1])
            if not allowance.covers((spent[0] + reserved[0], spent[1] + reserved[1]), cost):
                self._holds.add(Hold(case.gateway, case.model, HoldReason.BUDGET, day_end(now)))
        return self._holds.of(case.gateway, case.model, now)

    async def play(self, plant: Plant, case: Case, memory: Any) -> Run:
        """One run; what it will cost is set aside at once."""
        scenario = SCENARIOS[case.scenario]
        cost = cost_of(case, scenario)
        self._store.reserve(case.gateway, cost)
        try:
            return await run_case(
                case,
                scenario,
                plant.lanes[case.gateway],
                draw=self._draw,
                now=self._clock.wall(),
                memory=memory,
                mirror=plant.assembly.mirror_behind(case.gateway, case.model),
            )
        finally:
            self._store.reserve(case.gateway, cost, -1)

    def comparing(self, plant: Plant, failed: Case) -> Replay:
        """Plays cases to compare the failure of `failed` with: as confirmations of it, and in no ledger."""

        async def replay(case: Case, memory: Any) -> Run | None:
            if await self.holds_on(plant, case):
                return None
            run = await self.play(plant, case, memory)
            self._recorder.compared(failed, run.finding.outcome)
            self._metrics.answered(run, self._clock.wall())
            for hold in holds_after(run, self._clock.wall()):
                self._holds.add(hold)
            await self._store.charge(run)
            return run

        return replay
