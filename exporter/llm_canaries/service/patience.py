"""Waits, within a bound, while a gateway wants no asks, and tells its own cooldown from a fault.

A gateway that refuses by itself after asks that failed has not failed the next case: a breaker that one case opened
says nothing of another. Such a refusal is set aside, and the case asked again when the gateway said so. One that comes
again after the wait that it asked for, or for which there is no time to wait and no failure before it, is an answer
like any other. Cases that wait at the same time wait for the same seconds: those count once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from llm_canaries.canary.attribution import Sign
from llm_canaries.canary.canary import Case, Finding, Outcome, Run
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.report.evidence import moment
from llm_canaries.canary.signs import sign_of
from llm_canaries.canary.verdict import skipped
from llm_canaries.canary.withheld import asks_directly
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gating import Turns
from llm_canaries.wire.nonce import Draw

Sleep = Callable[[float], Awaitable[None]]
MARGIN = 0.5  # seconds beyond a wait: who said 5 s opens in 5 s by a clock of its own


class Patience:
    """The turns of the gateway that is called `name`; it waits for `seconds` in all, and `tell` hears of each wait."""

    def __init__(
        self,
        name: str,
        turns: Turns,
        clock: Clock,
        seconds: float,
        tell: Callable[[str], None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._name, self._turns, self._clock = name, turns, clock
        self._most, self._waited_for, self._wakes = seconds, 0.0, 0.0
        self._tell, self._sleep = tell, sleep
        self._failed: dict[str, Run] = {}
        self._cause: dict[str, Run] = {}
        self._said: set[tuple[str, float]] = set()

    async def run(self, case: Case, draw: Draw, memory: Any) -> Run | Finding:
        """The run, or the skip that says why it was withheld: what the gateway wants, since when, what would help."""
        again = False
        while True:
            holds = self._turns.held(case)
            if HoldReason.SUPPORT_ERROR in holds:  # no wait helps
                told = f"{self._name} has said that it does not support {case.model}: it is not asked again"
                return skipped(HoldReason.SUPPORT_ERROR, told)
            if holds and not await self._waited(case, max(holds.values())):
                return skipped(HoldReason.RETRY_AFTER, self._told(case, max(holds.values())))
            run = await self._turns.run(case, draw, memory)
            if isinstance(run, str):
                continue  # the pause came while it waited for its turn
            if not _by_itself(run):
                self._note(run)
                return run
            cause = self._failed.pop(case.model, None)
            until = max(self._turns.held(case).values(), default=None)
            if until is None or (cause is None and (again or not self._enough(until))):
                return run
            if cause is not None:
                self._cause[case.model] = cause
            again = True

    def _more(self, until: float) -> float:
        """The seconds that waiting until then adds to a wait that goes on."""
        return max(0.0, until + MARGIN - max(self._clock.wall(), self._wakes))

    def _enough(self, until: float) -> bool:
        return self._waited_for + self._more(until) <= self._most

    async def _waited(self, case: Case, until: float) -> bool:
        if not self._enough(until):
            return False
        self._waited_for += self._more(until)
        self._wakes = max(self._wakes, until + MARGIN)
        seconds = until + MARGIN - self._clock.wall()
        if (case.model, until) not in self._said:
            self._said.add((case.model, until))
            self._tell(f"waiting {seconds:.0f} s, for {self._name} wants no asks of {case.model}{self._since(case)}")
        await self._sleep(seconds)
        return True

    def _told(self, case: Case, until: float) -> str:
        """Why a case is not asked: the same words for all that one pause withholds."""
        told = f"{self._name} wants no more asks of {case.model} until {moment(until)[:19]} UTC{self._since(case)}"
        help = f"a longer --wait would go on, {self._waited_for:.0f} s were waited for in all"
        if case.model in self._cause:
            help += "; docs/compare.md says how to switch its cooldown off"
        return f"{told}; {help}"

    def _since(self, case: Case) -> str:
        """After what the gateway began to refuse by itself."""
        cause = self._cause.get(case.model)
        if cause is None:
            return ""
        what = f"{cause.finding.reason} of {cause.case.canary} {cause.case.dialect} stream={cause.case.stream_word}"
        return f": by its own cooldown, after {what} at {moment(cause.started)}"

    def _note(self, run: Run) -> None:
        if run.finding.outcome is Outcome.FAIL:
            self._failed[run.case.model] = run
        elif run.finding.outcome is Outcome.PASS:
            self._failed.pop(run.case.model, None)
            self._cause.pop(run.case.model, None)


def _by_itself(run: Run) -> bool:
    """Whether the gateway refused by itself, and that is not what the case is about."""
    if asks_directly(run.case):
        return False
    sign = run.attributed.evidence.sign if run.attributed is not None else sign_of(run)
    return run.finding.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE) and sign is Sign.LOCAL
