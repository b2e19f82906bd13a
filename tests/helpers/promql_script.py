"""Prometheus' own test scripts (`load`, `eval instant`, `eval range`, `clear`), run against our evaluator."""

import math
import re
from dataclasses import dataclass, field

import numpy as np
from promql_names import needs_delayed_names

from llm_canaries.rules.duration import read_duration
from llm_canaries.rules.matcher import Matchers
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import Compiler, NotPromql, Refused, parse_series
from llm_canaries.rules.promql.plan import Plan, Text, selectors
from llm_canaries.rules.promql.problem import EvaluationError, SameLabels
from llm_canaries.rules.samples import Ranges
from llm_canaries.rules.series import Stale, read_values
from llm_canaries.rules.vector import Vector
from llm_canaries.rules.window import GAP, STALE, Window

_INSTANT = re.compile(r"eval(_fail|_warn|_info|_ordered)? instant at (\S+)\s+(.*)", re.DOTALL)
_RANGE = re.compile(r"eval(_fail|_warn|_info|_ordered)? range from (\S+) to (\S+) step (\S+)\s+(.*)", re.DOTALL)
_LINE = re.compile(r"((?:[a-zA-Z_:][\w:]*)?(?:\{(?:[^\"'}]|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')*\})?)\s*(.*)")
_RANGE_VECTOR = re.compile(r"expect range vector from (\S+) to (\S+) step (\S+)")
_STRING = re.compile(r"expect string ([\"`])(.*)\1")
Key = tuple[tuple[str, str], ...]


@dataclass
class Tally:
    """What a script came to; `annotations` are the warnings expected of statements that ran, which nobody checks."""

    right: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    annotations: int = 0

    @property
    def evals(self) -> int:
        return self.right + len(self.refused) + len(self.wrong)


@dataclass
class _Data:
    """The loaded series, by time in milliseconds; `histograms` are the native ones, which nothing here can hold."""

    samples: dict[Key, dict[int, float | Stale]] = field(default_factory=dict)
    histograms: set[Key] = field(default_factory=set)
    window: Window | None = None


@dataclass
class _Statement:
    """One `eval`: the times of its steps, and what is expected."""

    expression: str
    times: list[float]
    step: float
    expected: list[str]
    directives: list[str]
    fails: bool
    ordered: bool


def run_script(name: str, text: str) -> Tally:
    """Runs every statement that is within what we evaluate; the others are refused, not judged."""
    tally, data = Tally(), _Data()
    for number, block in _blocks(text):
        word = block[0].split()[0]
        if word == "clear":
            data = _Data()
        elif word.startswith("load"):
            _load(data, block)
        elif word.startswith("eval"):
            _judge(tally, data, f"{name}:{number}", _statement(block))
        else:
            raise AssertionError(f"{name}:{number}: {block[0]}")
    return tally


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    """Commands with the indented lines below them, and where they stand."""
    blocks: list[tuple[int, list[str]]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if re.match(r"(load|eval|clear)\b|(load|eval)_", line):
            blocks.append((number, [line]))
        else:
            blocks[-1][1].append(line)
    return blocks


def _load(data: _Data, block: list[str]) -> None:
    step = read_duration(block[0].split()[1])
    assert step is not None
    data.window = None
    for line in block[1:]:
        series, values = _split(line)
        labels = parse_series(series)
        key = tuple(sorted(labels.items()))
        if block[0].startswith("load_with_nhcb"):
            data.histograms.add(_native(labels))
        if "{{" in values:
            data.histograms.add(key)
            continue
        samples = data.samples.setdefault(key, {})
        for index, value in enumerate(read_values(values)):
            if value is not None:
                samples[round(1000 * index * step)] = value


def _native(labels: dict[str, str]) -> Key:
    """The native histogram that `load_with_nhcb` makes of a classic one's series."""
    name = re.sub("_(bucket|count|sum)$", "", labels["__name__"])
    return tuple(sorted({**{key: text for key, text in labels.items() if key != "le"}, "__name__": name}.items()))


def _window(data: _Data) -> Window:
    if data.window is None:
        times = sorted({at for samples in data.samples.values() for at in samples})
        data.window = Window(max(1, len(times)))
        data.window.align([dict(key) for key in data.samples])
        for at in times:
            row = np.full(len(data.samples), GAP, dtype=np.uint64)
            for column, samples in enumerate(data.samples.values()):
                value = samples.get(at)
                if value is not None:
                    row[column] = STALE if isinstance(value, Stale) else np.float64(value).view(np.uint64)
            data.window.append(at / 1000, row.view(np.float64))
    return data.window


def _statement(block: list[str]) -> _Statement:
    head, rest = block[0], block[1:]
    if (found := _INSTANT.fullmatch(head)) is not None:
        times, step, flavour, expression = [_at(found[2])], 0.0, found[1], found[3]
    else:
        found = _RANGE.fullmatch(head)
        assert found is not None, head
        start, end, step = (_at(found[index]) for index in (2, 3, 4))
        times = _stepped(start, end, step)
        flavour, expression = found[1], found[5]
    directives = [line for line in rest if line.startswith("expect ")]
    return _Statement(
        expression,
        times,
        step,
        [line for line in rest if not line.startswith("expect ")],
        directives,
        flavour == "_fail" or any(line.startswith("expect fail") for line in directives),
        flavour == "_ordered" or "expect ordered" in directives,
    )


def _judge(tally: Tally, data: _Data, place: str, statement: _Statement) -> None:
    said = f"{place}: {statement.expression}"
    try:
        plan = Compiler().parse(statement.expression, ("scalar", "vector", "range", "text"))
    except Refused as refused:
        if statement.fails and isinstance(refused, NotPromql):
            tally.right += 1
        else:
            tally.refused.append(f"{said}: {refused}")
        return
    reason = _out_of_reach(data, plan, statement)
    if reason:
        tally.refused.append(f"{said}: {reason}")
        return
    tally.annotations += sum(bool(re.match("expect (no_)?(warn|info)", each)) for each in statement.directives)
    try:
        problem = _problem(plan, data, statement)
    except SameLabels as error:
        if not statement.fails:
            tally.refused.append(f"{said}: names are removed at once here, as is Prometheus' default: {error}")
            return
        problem = ""
    except EvaluationError as error:
        problem = "" if statement.fails else str(error)
    if problem:
        tally.wrong.append(f"{said}: {problem}")
    else:
        tally.right += 1


def _out_of_reach(data: _Data, plan: Plan, statement: _Statement) -> str:
    if any("{{" in each for each in statement.expected):
        return "native histograms"
    if any(_may_be_histogram(data, matchers) for matchers in selectors(plan)):
        return "native histograms"
    return "names are removed at once here, as is Prometheus' default" if needs_delayed_names(plan) else ""


def _problem(plan: Plan, data: _Data, statement: _Statement) -> str:
    """What is wrong with the values; raises EvaluationError where there are none."""
    window, times = _window(data), statement.times
    if isinstance(plan, Text):
        found = _STRING.fullmatch(" ".join(statement.directives))
        return "" if found and found[2] == plan.text else f"the text {plan.text!r}"
    values = [Tick(window, at, (times[0], times[-1], statement.step)).value(plan) for at in times]
    if statement.fails:
        return "evaluates, and must not"
    if isinstance(values[0], Ranges):
        found = next(filter(None, map(_RANGE_VECTOR.fullmatch, statement.directives)))
        times = _stepped(*(_at(each) for each in found.groups()))
        return _differs(_rows_of(values[0], times), _expected(statement.expected, len(times)))
    vectors = [_row_of(value) for value in values]
    wanted = _expected(statement.expected, len(times))
    if statement.ordered and list(vectors[0]) != list(wanted[0]):
        return f"the order is {list(vectors[0])}, wants {list(wanted[0])}"
    return _differs(vectors, wanted)


def _row_of(value: object) -> dict[Key, float]:
    if not isinstance(value, Vector):
        assert isinstance(value, float)
        return {(): value}
    rows = [tuple(sorted(labels.items())) for labels in value.labels]
    assert len(set(rows)) == len(rows), "two rows have the same labels"
    return dict(zip(rows, value.values.tolist(), strict=True))


def _rows_of(ranges: Ranges, times: list[float]) -> list[dict[Key, float]]:
    """The samples of a range, time by time; one that stands at none of the times is there under its own."""
    rows: dict[float, dict[Key, float]] = {at: {} for at in times}
    for part in ranges.parts:
        for column, labels in enumerate(part.frame.rows()):
            for row in range(int(part.samples.counts[column])):
                at = part.samples.times[row, column if part.samples.times.shape[1] > 1 else 0] / 1000
                rows.setdefault(at, {})[tuple(sorted(labels.items()))] = float(part.samples.values[row, column])
    return list(rows.values())


def _at(text: str) -> float:
    at = read_duration(text)
    return float(text) if at is None else at


def _stepped(start: float, end: float, step: float) -> list[float]:
    return [start + index * step for index in range(int((end - start) / step + 1e-9) + 1)]


def _may_be_histogram(data: _Data, matchers: Matchers) -> bool:
    return any(
        all(matcher.holds(dict(key).get(matcher.name, "")) for matcher in matchers) for key in data.histograms
    )


def _expected(lines: list[str], steps: int) -> list[dict[Key, float]]:
    expected: list[dict[Key, float]] = [{} for _ in range(steps)]
    for line in lines:
        series, values = _split(line)
        key = tuple(sorted(parse_series(series).items()))
        for step, value in zip(expected, read_values(values), strict=False):
            if isinstance(value, float):
                step[key] = value
    return expected


def _split(line: str) -> tuple[str, str]:
    """The series of an expected line and its values; a scalar has no series."""
    if "{" not in line and len(line.split()) == 1:
        return "", line
    found = _LINE.fullmatch(line)
    assert found is not None, line
    return found[1], found[2]


def _differs(got: list[dict[Key, float]], expected: list[dict[Key, float]]) -> str:
    if len(got) != len(expected):
        return f"{len(got)} steps, wants {len(expected)}"
    for index, (there, wanted) in enumerate(zip(got, expected, strict=True)):
        if there.keys() != wanted.keys():
            return f"step {index}: has {sorted(there)}, wants {sorted(wanted)}"
        for key, value in wanted.items():
            if not _close(there[key], value):
                return f"step {index}: {key} is {there[key]}, wants {value}"
    return ""


def _close(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-300)
