"""Tests of rules carried out: the groups run over the made-up series tick by tick, and are asked at their times."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from llm_canaries.rules.evaluate import RuleState, evaluate
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.outputs import Outputs, Together
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.plan import reach
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.series import Stale
from llm_canaries.rules.unittest import AlertTest, ExpressionTest, Input, Labels, RuleTest, RuleTests
from llm_canaries.rules.vector import Floats, Vector
from llm_canaries.rules.window import GAP, LOOKBACK, STALE, Window, slots_needed

Shown = tuple[tuple[str, str], ...]


class Failure(Struct, frozen=True):
    """What a test wanted and what there was, by the line of its file."""

    file: str
    line: int
    test: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.test}: {self.message}"


def run_tests(tests: RuleTests) -> list[Failure]:
    """Every expectation that is not met."""
    failures = []
    for test in tests.tests:
        trial = _Trial(tests, test)
        failures += [Failure(tests.file, line, test.name, message) for line, message in trial.failures()]
    return failures


class _Trial:
    """One test under way."""

    def __init__(self, tests: RuleTests, test: RuleTest) -> None:
        self._groups: Sequence[RuleGroup] = tests.groups
        self._every, self._test = tests.evaluation_interval, test
        plans = [rule.plan for group in tests.groups for rule in group.rules] + [each.plan for each in test.expressions]
        latest = max([0.0, *(each.at for each in test.alerts), *(each.at for each in test.expressions)])
        span = max([LOOKBACK, *(min(reach(plan), latest + LOOKBACK) for plan in plans)])
        self._window = Window(slots_needed(test.interval, span), span)
        self._outputs = Outputs(tests.evaluation_interval, span)
        self._window.align([each.labels for each in test.series])
        self._columns = _columns(test.series)
        self._shown = 0  # columns that the window has been shown
        self._states: dict[int, Sequence[RuleState]] = {}
        self._found: list[tuple[int, str]] = []

    def failures(self) -> list[tuple[int, str]]:
        """The lines of the expectations that are not met, with what there was."""
        waiting: list[AlertTest | ExpressionTest] = [*self._test.alerts, *self._test.expressions]
        tick = 0
        for each in sorted(waiting, key=lambda each: each.at):
            while tick * self._every <= each.at:
                self._evaluate(tick * self._every)
                tick += 1
            if isinstance(each, AlertTest):
                self._judge_alerts(each)
            else:
                self._judge_expression(each)
        return self._found

    def _evaluate(self, at: float) -> None:
        self._show(at)
        for index, group in enumerate(self._groups):
            result = evaluate(group, self._window, at, self._states.get(index, ()), self._outputs)
            self._states[index] = result.states
            self._found += [(self._test.line, f"at {at:g} s: {each.rule}: {each.message}") for each in result.problems]

    def _show(self, at: float) -> None:
        """Shows the window what was sampled up to `at`."""
        while self._shown < len(self._columns) and self._shown * self._test.interval <= at:
            self._window.append(self._shown * self._test.interval, self._columns[self._shown])
            self._shown += 1

    def _judge_alerts(self, wanted: AlertTest) -> None:
        firing = [
            alert
            for states in self._states.values()
            for state in states
            for alert in state.alerts.values()
            if alert.state == "firing" and alert.labels["alertname"] == wanted.alertname
        ]
        got = [_alert_shown(alert.labels, alert.annotations) for alert in firing]
        expected = [_alert_shown(each.labels, each.annotations) for each in wanted.expected]
        self._compare(wanted.line, f"{wanted.alertname} at {wanted.at:g} s", got, expected)

    def _judge_expression(self, wanted: ExpressionTest) -> None:
        self._show(wanted.at)
        source = Together(self._window, self._outputs)
        try:
            value = Tick(source, wanted.at).vector(wanted.plan)
        except EvaluationError as error:
            self._found.append((wanted.line, f"`{wanted.text}`: {error}"))
            return
        expected = [
            _sample_shown(labels, number) + (", which equals nothing" if math.isnan(number) else "")  # as in promtool
            for labels, number in wanted.expected
        ]
        self._compare(wanted.line, f"`{wanted.text}` at {wanted.at:g} s", _samples_shown(value), expected)

    def _compare(self, line: int, what: str, got: list[str], expected: list[str]) -> None:
        missing, surplus = Counter(expected) - Counter(got), Counter(got) - Counter(expected)
        told = [f"\n  wanted, not there: {each}" for each in sorted(missing.elements())]
        told += [f"\n  there, not wanted: {each}" for each in sorted(surplus.elements())]
        if told:
            self._found.append((line, f"{what}:{''.join(told)}"))


def _columns(series: Sequence[Input]) -> list[Floats]:
    """A row of values for each interval; what was not sampled is a gap."""
    ticks = max((len(each.values) for each in series), default=0)
    matrix = np.full((ticks, len(series)), GAP, dtype=np.uint64)
    values = matrix.view(np.float64)
    for column, each in enumerate(series):
        for row, value in enumerate(each.values):
            if isinstance(value, Stale):
                matrix[row, column] = STALE
            elif value is not None:
                values[row, column] = value
    return list(values)


def _alert_shown(labels: Labels, annotations: Labels) -> str:
    return f"{_shown(labels)} {_shown(annotations)}"


def _samples_shown(vector: Vector) -> list[str]:
    return [_sample_shown(labels, value) for labels, value in zip(vector.labels, vector.values.tolist(), strict=True)]


def _sample_shown(labels: Labels, value: float) -> str:
    return f"{_shown(labels)} {value!r}"


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={text!r}" for name, text in sorted(labels.items()) if text) + "}"
