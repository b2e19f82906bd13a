"""A month of canaries on a clock that is stepped: the ledger, the shipped rules and the incidents, as they are.

Runs are drawn, not sent. Between a failure and the next nothing begins that a rule could see, so rules are evaluated
after every failure and, every tick, for as long as an alert is pending or fires.
"""

import heapq
import random
from collections.abc import Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.alerts.incident import Flip, Incident, Kind, advance, hears
from llm_canaries.canary.canary import Case, Finding, Outcome, Run
from llm_canaries.canary.ledger import Ledger
from llm_canaries.rules.group import RuleGroup
from llm_canaries.service.app import CONFIRM_AFTER
from llm_canaries.service.board import Board
from llm_canaries.service.recorder import Recorder, case_labels
from llm_canaries.service.replay import covered
from llm_canaries.service.rulebook import Rulebook
from llm_canaries.wire.fault import Domain, FaultReason
from llm_canaries.wire.nonce import Draw

START = 1_767_225_600.0
DAY = 86400.0
TICK = 15.0
CANARIES, DAYS, EVERY = 100, 30, 600.0
BACKGROUND, FAULT, OUTAGE = 0.005, 0.1, 1.0
WARM = 24  # runs before a fault begins: more than `recent` holds
LONGEST = 400  # runs after which a fault that nobody noticed counts as that many
_FINE = 1_000_000

_PASSED = Finding(outcome=Outcome.PASS)
_FAILED = Finding(outcome=Outcome.FAIL, reason=FaultReason.UPSTREAM_ERROR, fault_domain=Domain.PROVIDER)


class Figures(Struct, frozen=True):
    """What a month costs in false notifications, and how soon a fault of a tenth (the median) and an outage are told.

    The outage is the latest of all canaries, from its beginning.
    """

    notifications: int
    runs_to_10pct: float
    intervals_to_outage: float

    def within(self) -> bool:
        """Whether all are as promised: none in a month, 60 runs, 2 intervals."""
        return self.notifications < 1 and self.runs_to_10pct <= 60 and self.intervals_to_outage <= 2


def simulated(case: Case, groups: tuple[RuleGroup, ...], seed: int) -> Figures:
    """The figures for a hundred canaries like `case` under the rules of `groups`."""
    quiet, _ = covered(groups)
    draw = random.Random(seed).randrange  # noqa: S311 # weather, not secrets
    month = World(_hundred(case), quiet, draw)
    month.live(START + DAYS * DAY, BACKGROUND)
    tenth = delays(World(_hundred(case), quiet, draw), FAULT)
    outage = delays(World(_hundred(case), quiet, draw), OUTAGE)
    return Figures(
        notifications=len(month.flips),
        runs_to_10pct=median(runs for runs, _ in tenth),
        intervals_to_outage=max(seconds for _, seconds in outage) / EVERY,
    )


def delays(world: "World", share: float) -> list[tuple[int, float]]:
    """Runs, and seconds, from when `share` of all runs begin to fail until each case was notified of."""
    since = START + WARM * EVERY
    world.live(since, BACKGROUND)
    before, found = list(world.runs), dict[int, tuple[int, float]]()
    world.told.clear()
    while len(found) < len(before) and world.now < since + LONGEST * EVERY:
        world.live(world.now + EVERY, share)
        for number in set(world.told) - set(found):
            told = world.told[number]
            found[number] = (world.runs_by(number, told) - before[number], told - since)
            world.retire(number)
    return [found.get(number, (LONGEST, LONGEST * EVERY)) for number in range(len(before))]


def _hundred(case: Case) -> list[Case]:
    return [replace(case, gateway=f"gateway{n // 10}", model=f"model{n}", every=EVERY) for n in range(CANARIES)]


class World:
    """Cases with their ledgers, a board, rules and incidents, moved on from event to event."""

    def __init__(self, cases: Sequence[Case], groups: tuple[RuleGroup, ...], draw: Draw) -> None:
        self._cases, self._draw = list(cases), draw
        self._board = Board()
        self._recorder = Recorder(self._board, START)
        self._recorder.introduce(cases)
        self._ledgers = [Ledger() for _ in cases]
        self.now = START
        self._rules = Rulebook(groups, TICK, lambda: self.now)
        self._incidents: dict[str, Incident] = {}
        self._due = [(START + EVERY * draw(_FINE) / _FINE, number, False) for number in range(len(cases))]
        self.first_due = [at for at, _, _ in self._due]
        heapq.heapify(self._due)
        self.runs = [0] * len(cases)
        self.flips: list[Flip] = []
        self.told: dict[int, float] = {}
        self._tick_at: float | None = START

    def live(self, until: float, share: float) -> None:
        """Runs up to `until` (Unix time) of which `share` fail, each by itself."""
        limit = round(share * _FINE)
        while self._due and min(self._due[0][0], self._tick_at or until) < until:
            at, number, confirmation = self._due[0]
            if self._tick_at is not None and self._tick_at <= at:
                self._tick(self._tick_at)
                continue
            heapq.heappop(self._due)
            self.now = at
            self._run(number, at, failed=self._draw(_FINE) < limit, confirmation=confirmation)
        self.now = until

    def runs_by(self, number: int, at: float) -> int:
        """How many scheduled runs of the case had begun at `at`."""
        return int((at - self.first_due[number]) // EVERY) + 1

    def retire(self, number: int) -> None:
        """The case is no longer run."""
        self._due = [each for each in self._due if each[1] != number]
        heapq.heapify(self._due)
        self._recorder.forget(self._cases[number])

    def _run(self, number: int, at: float, *, failed: bool, confirmation: bool) -> None:
        case, ledger = self._cases[number], self._ledgers[number]
        ledger.add(at, failed=failed, confirmation=confirmation)
        run = Run(case=case, finding=_FAILED if failed else _PASSED, started=at, answers=())
        self._recorder.ran(run, confirmation=confirmation)
        if not confirmation:
            self.runs[number] += 1
            heapq.heappush(self._due, (at + EVERY, number, False))
        if failed and ledger.unconfirmed:
            heapq.heappush(self._due, (at + CONFIRM_AFTER, number, True))
        if failed:
            soon = START + ((at - START) // TICK + 1) * TICK
            self._tick_at = min(soon, self._tick_at or soon)

    def _tick(self, at: float) -> None:
        self.now = at
        for case, ledger in zip(self._cases, self._ledgers, strict=True):
            self._recorder.stands(case, ledger, at)
        self._rules.sample(self._board, at)
        found = self._rules.evaluate(at)
        self._incidents, flips = advance(self._incidents, found.firings, unknown=found.unknown, now=at)
        self.flips += [flip for flip in flips if hears(("warning", "critical"), flip)]
        for flip in flips:
            if flip.kind is Kind.OPENED:
                for number, case in enumerate(self._cases):
                    if case_labels(case).items() <= dict(flip.incident.labels).items():
                        self.told.setdefault(number, at)
        states = {alert["state"] for alert in self._rules.shown()}
        # what fires may only end, which nobody waits for
        self._tick_at = at + (TICK if "pending" in states else EVERY) if states or self._incidents else None
