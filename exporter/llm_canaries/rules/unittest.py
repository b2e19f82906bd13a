"""Unit tests of rules in promtool's format: read here, carried out in `trial`; the verdicts are promtool's."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from llm_canaries.config.problems import ConfigError, Path, Problems, allowed, quoted, shape
from llm_canaries.config.source import read_source
from llm_canaries.rules.duration import read_duration
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.load import load
from llm_canaries.rules.promql.parse import Refused, parse, parse_series
from llm_canaries.rules.promql.plan import Number, Plan
from llm_canaries.rules.series import Value, read_values

T = TypeVar("T")
Labels = Mapping[str, str]
Read = Callable[[str], Mapping[str, str]]
"""The rule files that a name or pattern in a test file means, name to text."""

MOST_TICKS = 200_000
_FILE_KEYS = ("rule_files", "evaluation_interval", "group_eval_order", "tests")
_TEST_KEYS = ("name", "interval", "input_series", "alert_rule_test", "promql_expr_test")


class Input(Struct, frozen=True):
    """One series that the rules are shown."""

    labels: Labels
    values: tuple[Value, ...]


class ExpectedAlert(Struct, frozen=True):
    """A firing alert as a test states it, `alertname` among its labels."""

    labels: Labels
    annotations: Labels


class AlertTest(Struct, frozen=True):
    """Which alerts of one name fire at a time."""

    at: float
    alertname: str
    expected: tuple[ExpectedAlert, ...]
    line: int


class ExpressionTest(Struct, frozen=True):
    """What an expression is at a time: label sets with values."""

    at: float
    text: str
    plan: Plan
    expected: tuple[tuple[Labels, float], ...]
    line: int


class RuleTest(Struct, frozen=True):
    """One run of the rules over made-up series."""

    name: str
    line: int
    interval: float
    series: tuple[Input, ...]
    alerts: tuple[AlertTest, ...]
    expressions: tuple[ExpressionTest, ...]


class RuleTests(Struct, frozen=True):
    """A file of tests with the groups that they try, in the order of evaluation."""

    file: str
    groups: tuple[RuleGroup, ...]
    evaluation_interval: float
    tests: tuple[RuleTest, ...]


def read_tests(file: str, text: str, read: Read) -> RuleTests:
    """The tests in `text`. Raises ConfigError with every problem of the file, or of the rule files it names."""
    reading = _Reading(file, text)
    found = reading.file(read) if reading.readable else None
    problems = reading.problems.all()
    if found is None or problems:
        raise ConfigError(problems)
    return found


class _Reading:
    """The walk through one file."""

    def __init__(self, file: str, text: str) -> None:
        source = read_source(text)
        self._name, self._data = file, source.data
        self.problems = Problems(file, source.places, root=0)
        for fault in source.faults:
            self.problems.add_line(fault.line, fault.message)
        self.readable = source.data is not None or not source.faults

    def file(self, read: Read) -> RuleTests:
        """The whole file, with what can be read of it."""
        fields = self._mapping((), self._data, _FILE_KEYS)
        every = self._duration(("evaluation_interval",), fields, 60.0)
        groups = self._groups(fields, read)
        tests = [self._test(("tests", i), each, every) for i, each in enumerate(self._list(("tests",), fields))]
        return RuleTests(self._name, groups, every, tuple(tests))

    def _groups(self, fields: Mapping[str, Any], read: Read) -> tuple[RuleGroup, ...]:
        texts: dict[str, str] = {}
        for index, pattern in enumerate(self._list(("rule_files",), fields)):
            found = read(str(pattern))
            if not found:
                self.problems.add(("rule_files", index), f"no file {quoted(pattern)}")
            texts |= found
        order = [str(each) for each in self._list(("group_eval_order",), fields)]
        try:
            groups = load(texts)
        except ConfigError as error:
            raise ConfigError([*self.problems.all(), *error.problems]) from None
        for index, name in enumerate(order):
            if name not in {group.name for group in groups}:
                self.problems.add(("group_eval_order", index), f"no group {quoted(name)}")
        places = {name: place for place, name in enumerate(order)}
        return tuple(sorted(groups, key=lambda group: places.get(group.name, len(order))))

    def _test(self, path: Path, data: object, every: float) -> RuleTest:
        fields = self._mapping(path, data, _TEST_KEYS)
        test = RuleTest(
            name=str(fields.get("name") or f"test {int(path[-1]) + 1}"),
            line=self.problems.line(path),
            interval=self._duration((*path, "interval"), fields, every),
            series=tuple(self._each((*path, "input_series"), fields, self._input)),
            alerts=tuple(self._each((*path, "alert_rule_test"), fields, self._alert_test)),
            expressions=tuple(self._each((*path, "promql_expr_test"), fields, self._expression_test)),
        )
        latest = max([0.0, *(each.at for each in test.alerts), *(each.at for each in test.expressions)])
        if latest / every > MOST_TICKS:
            self.problems.add(path, f"more than {MOST_TICKS:,} evaluations; a longer `evaluation_interval` needs fewer")
        return test

    def _input(self, path: Path, data: object) -> Input:
        fields = self._mapping(path, data, ("series", "values"))
        labels = self._series((*path, "series"), fields.get("series"))
        try:
            values = read_values(str(fields.get("values", "")))
        except Refused as refused:
            self.problems.add((*path, "values"), str(refused))
            values = []
        return Input(labels, tuple(values))

    def _alert_test(self, path: Path, data: object) -> AlertTest:
        fields = self._mapping(path, data, ("eval_time", "alertname", "exp_alerts"))
        name = fields.get("alertname")
        if not isinstance(name, str) or not name:
            self.problems.add((*path, "alertname"), "needs an `alertname`")
        expected = self._each((*path, "exp_alerts"), fields, self._expected_alert)
        labelled = tuple(ExpectedAlert({**each.labels, "alertname": str(name)}, each.annotations) for each in expected)
        at = self._duration((*path, "eval_time"), fields, 0.0)
        return AlertTest(at, str(name), labelled, self.problems.line(path))

    def _expected_alert(self, path: Path, data: object) -> ExpectedAlert:
        fields = self._mapping(path, data, ("exp_labels", "exp_annotations"))
        return ExpectedAlert(*(self._texts((*path, key), fields.get(key)) for key in ("exp_labels", "exp_annotations")))

    def _expression_test(self, path: Path, data: object) -> ExpressionTest:
        fields = self._mapping(path, data, ("expr", "eval_time", "exp_samples"))
        text, plan = str(fields.get("expr", "")), Number("nan")
        try:
            plan = parse(text)  # type: ignore[assignment]
        except Refused as refused:
            self.problems.add((*path, "expr"), str(refused))
        expected = tuple(self._each((*path, "exp_samples"), fields, self._sample))
        at = self._duration((*path, "eval_time"), fields, 0.0)
        return ExpressionTest(at, text, plan, expected, self.problems.line(path))

    def _sample(self, path: Path, data: object) -> tuple[Labels, float]:
        fields = self._mapping(path, data, ("labels", "value"))
        value = fields.get("value", 0)
        try:
            number = float(re.sub(r"^([-+]?)\.(?=[in])", r"\1", value.lower()) if isinstance(value, str) else value)
        except (TypeError, ValueError):
            self.problems.add((*path, "value"), f"`value` is a number, not {quoted(value)}")
            number = 0.0
        return self._series((*path, "labels"), fields.get("labels")), number

    def _series(self, path: Path, data: object) -> Labels:
        try:
            return parse_series(str(data or ""))
        except Refused as refused:
            self.problems.add(path, str(refused))
            return {}

    def _texts(self, path: Path, data: object) -> Labels:
        texts = {} if data is None else self._mapping(path, data, None)
        for name, text in texts.items():
            if not isinstance(text, str):
                self.problems.add((*path, name), f"{quoted(name)} is text; put {quoted(text)} in quotes")
        return texts

    def _duration(self, path: Path, fields: Mapping[str, Any], otherwise: float) -> float:
        data = fields.get(str(path[-1]))
        if data is None:
            return otherwise
        seconds = read_duration(str(data)) if isinstance(data, str | int) else None
        if seconds is None or (seconds == 0 and "interval" in str(path[-1])):
            self.problems.add(path, f"`{path[-1]}` is a duration such as `5m` or `1h30m`, not {quoted(data)}")
            return otherwise
        return seconds

    def _each(self, path: Path, fields: Mapping[str, Any], read: Callable[[Path, object], T]) -> list[T]:
        return [read((*path, index), each) for index, each in enumerate(self._list(path, fields))]

    def _list(self, path: Path, fields: Mapping[str, Any]) -> list[object]:
        data = fields.get(str(path[-1]))
        if data is None:
            return []
        if not isinstance(data, list):
            self.problems.add(path, f"`{path[-1]}` is a list, not {shape(data)}")
            return []
        return data

    def _mapping(self, path: Path, data: object, keys: tuple[str, ...] | None) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.problems.add(path, f"a mapping is wanted here, not {shape(data)}")
            return {}
        for key in data if keys is not None else ():
            if key not in (keys or ()):
                message = f"{quoted(key)} is not understood here; {allowed(key, keys or ())}"
                self.problems.add((*path, key), message, key=True)
        return data


