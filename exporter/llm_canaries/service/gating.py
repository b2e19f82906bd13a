"""Plays groups of cases until each is decided: one group beside the other, in turns, and never after a 429.

Whose fault the failures are is found out once all is decided: what that asks can spoil no decision.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llm_canaries.canary.canary import Case, Outcome, Run
from llm_canaries.canary.gating import Group, Why
from llm_canaries.canary.holds import Hold, HoldReason, Holds, holds_after
from llm_canaries.canary.withheld import held
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.attributing import Witnesses
from llm_canaries.service.playing import Order, Playing, playing
from llm_canaries.wire.nonce import Draw


async def gating(
    order: Order,
    groups: Sequence[Group],
    *,
    clock: Clock,
    draw: Draw,
    redact: Callable[[str], str],
    report: Callable[[Run], None],
    end: Callable[[Group], None],
    learn: Callable[[str], None] = lambda secret: None,
) -> Mapping[int, Run]:
    """Runs the groups' cases at the gateways of `order`; `report` is told each run and `end` each group that is done.

    The groups hold what was found, also when this is interrupted. The value: by `id` of a run that was reported, the
    same run with whose fault it is.
    """
    async with playing(order, clock=clock, redact=redact, report=report, learn=learn) as play:
        turns = Turns(play, clock)
        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                tasks.create_task(_play(group, turns, draw, end))
        found = dict[int, Run]()
        for failures in turns.failures():
            judged = await turns.asked_about(failures, draw)
            found |= {id(before): after for before, after in zip(failures, judged, strict=True)}
        return found


class Turns:
    """Runs one after the other at each gateway, as many at once as it gets asks, and none while it wants a pause."""

    def __init__(self, play: Playing, clock: Clock) -> None:
        self._play, self._clock = play, clock
        self._holds = Holds()
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._failed: dict[tuple[str, str], list[Run]] = {}

    def width(self, cases: Sequence[Case]) -> int:
        """How many of `cases` may run at once; of several gateways the one with the least room sets the pace."""
        return min(self._play.width(case.gateway) for case in cases)

    async def run(self, case: Case, draw: Draw, memory: Any) -> Run | str:
        """The run, or why it was withheld; a pause that came while it waited for its turn holds it as well."""
        turn = self._turns.setdefault(case.gateway, asyncio.Semaphore(self._play.width(case.gateway)))
        async with turn:
            if holds := self.held(case):
                wait = max(holds.values()) - self._clock.wall()
                return f"{case.gateway} wants no more asks of {case.model} for {wait:.0f} s"
            run = await self._play.run(case, draw, memory)
            self._heed(run)
        if run.finding.outcome is Outcome.FAIL:
            self._failed.setdefault((case.key, str(run.finding.reason)), []).append(run)
        return run

    def held(self, case: Case) -> Mapping[HoldReason, float]:
        """Why the gateway wants no asks like those of `case`, each reason with its end (Unix time)."""
        return held(self._holds, case, self._clock.wall())

    def failures(self) -> list[list[Run]]:
        """The runs that failed, those of one case for one reason together."""
        return list(self._failed.values())

    async def asked_about(self, failures: Sequence[Run], draw: Draw, known: Witnesses | None = None) -> list[Run]:
        """`failures`, all of one case for one reason, with whose fault it is; who wants a pause is not asked."""

        async def replay(case: Case, memory: Any) -> Run | None:
            if self.held(case):
                return None
            run = await self._play.once(case, draw, memory)
            self._heed(run)
            return run

        return await self._play.asked_about(failures, replay, draw, known or Witnesses())

    def _heed(self, run: Run) -> None:
        for hold in holds_asked(run, self._clock.wall()):
            self._holds.add(hold)


def holds_asked(run: Run, now: float) -> list[Hold]:
    """The pauses that a run's answers ask for; what was refused in one that passed was meant to be."""
    return holds_after(run, now, refusals=run.finding.outcome is not Outcome.PASS)


async def _play(group: Group, turns: Turns, draw: Draw, end: Callable[[Group], None]) -> None:
    memory: dict[str, Any] = {}
    width = turns.width(group.cases)
    while cases := group.next(width):
        for found in await asyncio.gather(*(turns.run(case, draw, memory.get(case.key)) for case in cases)):
            if isinstance(found, str):
                group.hold(Why.HELD, found)
            elif found.finding.outcome is not Outcome.PASS and (holds := holds_asked(found, found.started)):
                # its answer says nothing of the claim, and another ask would be unkind
                wait = max(hold.until for hold in holds) - found.started
                told = f"{found.finding.reason} ({found.finding.detail}): no more asks for {wait:.0f} s"
                group.hold(Why.HELD, told, made=1)
            else:
                memory[found.case.key] = found.finding.memory
                group.add(found)
    end(group)
