"""The whole proof: mutants on this process' loop, healthy controls and the simulated month in one beside it."""

import asyncio
import multiprocessing
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from msgspec import Struct

from llm_canaries.canary.canary import Run
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.mutants.bench import bench_cases, bench_settings, play
from llm_canaries.service.mutants.catalogue import HEALTHY, Caught, Mutant
from llm_canaries.service.mutants.controls import Controls, control
from llm_canaries.service.mutants.replays import stored, unlike
from llm_canaries.service.mutants.simulation import Figures, simulated
from llm_canaries.service.rule_files import read_groups
from llm_canaries.wire.nonce import Draw

SEED = 20260101


class Proof(Struct, frozen=True, kw_only=True):
    """What became of every mutant, of the healthy runs, and of the simulated month (None where it was left out).

    `unlike`: runs that are judged otherwise from their evidence.
    """

    caught: Sequence[Caught]
    controls: Controls
    figures: Figures | None
    unlike: Sequence[str] = ()

    @property
    def missed(self) -> list[Caught]:
        """The mutants that nobody told of."""
        return [each for each in self.caught if each.missed]

    @property
    def wrong(self) -> list[Caught]:
        """The mutants that somebody told of in other words than declared."""
        return [each for each in self.caught if each.wrong and not each.mutant.control]

    @property
    def false(self) -> int:
        """How often something healthy was failed: runs of the controls, and sound gateways that are only unusual."""
        return len(self.controls.failures) + sum(each.wrong for each in self.caught if each.mutant.control)

    @property
    def holds(self) -> bool:
        """Whether every mutant is caught as declared, nothing healthy fails, and the month is as promised.

        And, where runs were judged again, as before.
        """
        quiet = self.figures is None or self.figures.within()
        return not (self.missed or self.wrong or self.false or self.unlike) and quiet

    def report(self) -> dict[str, Any]:
        """The numbers, as plain values."""
        mutants = [each for each in self.caught if not each.mutant.control]
        figures = self.figures
        return {
            "mutants": len(mutants),
            "caught": len(mutants) - len(self.missed) - len(self.wrong),
            "missed": len(self.missed),
            "wrong_reason": len(self.wrong),
            "controls": self.controls.runs,
            "false_failures": self.false,
            "simulation": None if figures is None else {
                "notifications": figures.notifications,
                "runs_to_10pct": figures.runs_to_10pct,
                "intervals_to_outage": round(figures.intervals_to_outage, 2),
            },
        }  # fmt: skip

    def matrix(self) -> dict[str, Any]:
        """What every mutant was caught as: mutant, scenario, reason, number of cases."""
        return {each.mutant.name: {name: dict(row) for name, row in each.found.items()} for each in self.caught}


async def prove(
    mutants: Sequence[Mutant],
    *,
    without: Collection[str],
    controls: int,
    simulate: bool,
    again: bool,
    clock: Clock,
    draw: Draw,
    report: Callable[[Caught], None],
) -> Proof:
    """The proof; what does nothing but reckon has a process of its own: healthy runs, the month, and replays.

    `again`: every run is judged again from its evidence.
    """
    settings = bench_settings()
    context = multiprocessing.get_context("spawn")  # a fork would take the loop's threads along
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        loop = asyncio.get_running_loop()
        healthy = loop.run_in_executor(pool, healthy_runs, controls, tuple(without)) if controls else None
        month = loop.run_in_executor(pool, simulated_month) if simulate else None
        replays: list[asyncio.Future[list[str]]] = []

        def see(mutant: Mutant, runs: Sequence[Run]) -> None:
            if again:
                replays.append(loop.run_in_executor(pool, unlike, mutant.name, stored(runs)))

        caught = await play(
            mutants, settings=settings, without=without, clock=clock, draw=draw, report=report, see=see
        )
        return Proof(
            caught=caught,
            controls=await healthy if healthy is not None else Controls(0, {}, []),
            figures=await month if month is not None else None,
            unlike=[line for each in replays for line in await each],
        )


def healthy_runs(runs: int, without: Collection[str]) -> Controls:
    """The healthy controls over the default matrix."""
    cases = bench_cases(bench_settings(), HEALTHY, without)
    return control(cases, runs, seed=SEED) if cases else Controls(0, {}, [])


def simulated_month() -> Figures:
    """The simulation, with the rules that are shipped."""
    settings = bench_settings()
    case = next(each for each in bench_cases(settings, HEALTHY) if each.scenario == "known-good")
    return simulated(case, read_groups(settings.config.rules), SEED)
