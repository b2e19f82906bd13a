"""Faults that no single run shows: a model that changes over days, on a clock that is stepped, told by the rules.

A model without a network answers every run; what the runs measured goes to the board, and the shipped rules are
evaluated after each. So a verdict is the reason of a run that failed, or the alert that fired for its case.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Outcome, Run
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.rules.group import RuleGroup
from llm_canaries.service.board import Board
from llm_canaries.service.mutants.answerer import Answerer
from llm_canaries.service.mutants.controls import START, played
from llm_canaries.service.mutants.expected import THINKING
from llm_canaries.service.mutants.expected_loopback import Catches
from llm_canaries.service.mutants.habits import HABITS, Temper, temper
from llm_canaries.service.recorder import Recorder, case_labels
from llm_canaries.service.rulebook import Rulebook

SOUND, CHANGED = 60, 60  # runs of each case before and after the change: a baseline, and as many of late
_SEED = 20260101


class Drift(Struct, frozen=True, kw_only=True):
    """One change: after so many runs of `scenario` a model of `habit` reasons `longer` times what it did."""

    help: str
    scenario: str
    habit: str
    longer: float = 1.0
    expected: Catches = {}
    control: bool = False


def drifted(drift: Drift, cases: Sequence[Case], groups: tuple[RuleGroup, ...]) -> Catches:
    """The verdicts on the cases of the drift's scenario: how many came to each reason or alert, ever."""
    its = [case for case in cases if case.scenario == drift.scenario]
    draw = random.Random(_SEED).randrange  # noqa: S311 # habits, not secrets
    sound = temper(next(habit for habit in HABITS if habit.name == drift.habit), draw)
    days = _Days(its, groups)
    for number in range(SOUND + CHANGED):
        model = sound if number < SOUND else replace(sound, longer=drift.longer)
        days.run(number, model, draw)
    told = [verdict for case in its for verdict in sorted(days.told[case.key])]
    return {drift.scenario: {verdict: told.count(verdict) for verdict in told}} if told else {}


class _Days:
    """Cases with what they remember, a board, and the rules; `told` is what was said of each case."""

    def __init__(self, cases: Sequence[Case], groups: tuple[RuleGroup, ...]) -> None:
        self._cases = cases
        self._memory: dict[str, Any] = {}
        self._board = Board()
        self._recorder = Recorder(self._board, START)
        self._recorder.introduce(cases)
        self._now = START
        self._rules = Rulebook(groups, max(case.every for case in cases) if cases else 1.0, lambda: self._now)
        self.told: Mapping[str, set[str]] = {case.key: set() for case in cases}

    def run(self, number: int, model: Temper, draw: Any) -> None:
        """One run of each case with `model`, and one evaluation."""
        for case in self._cases:
            self._now = START + number * case.every
            answerer = Answerer(model, draw, self._now)
            finding = played(case, SCENARIOS[case.scenario], answerer, draw, self._memory.get(case.key))
            self._memory[case.key] = finding.memory
            self._recorder.ran(Run(case=case, finding=finding, started=self._now, answers=()), confirmation=False)
            if finding.outcome is not Outcome.PASS:
                form = "{}" if finding.outcome is Outcome.FAIL else "[{}]"
                self.told[case.key].add(form.format(finding.reason))
        self._rules.sample(self._board, self._now)
        for firing in self._rules.evaluate(self._now).firings:
            for case in self._cases:
                if case_labels(case).items() <= dict(firing.labels).items():
                    self.told[case.key].add(firing.alertname)


DRIFTS: Mapping[str, Drift] = {
    "growing-thinking": Drift(
        help="a model that reasons 1.6 times what it did, at the same level, from one day on",
        scenario=THINKING,
        habit="gpt-5.4",
        longer=1.6,
        expected={THINKING: {"ReasoningGrowth": 4}},
    ),
    **{
        f"steady-{habit.name}": Drift(
            help=f"a model that reasons as {habit.name} does, for as many runs", scenario=THINKING,
            habit=habit.name, control=True,
        )
        for habit in HABITS
    },
}  # fmt: skip
