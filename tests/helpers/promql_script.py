"""Prometheus' own test scripts (`load`, `eval instant`, `eval range`, `clear`), run against our evaluator."""

import math
import re
from dataclasses import dataclass, field

import numpy as np

from llm_canaries.rules.duration import read_duration
from llm_canaries.rules.matcher import Matchers
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import Refused, parse, parse_series
from llm_canaries.rules.promql.plan import selectors
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.series import Stale, read_values
from llm_canaries.rules.vector import Vector
from llm_canaries.rules.window import GAP, STALE, Window

_INSTANT = re.compile(r"eval(_fail|_warn|_info|_ordered)? instant at (\S+) (.*)", re.DOTALL)
_RANGE = re.compile(r"eval(_fail|_warn|_info|_ordered)? range from (\S+) to (\S+) step (\S+) (.*)", re.DOTALL)
_LINE = re.compile(r"((?:[a-zA-Z_:][\w:]*)?(?:\{(?:[^\"'}]|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')*\})?)\s*(.*)")
Key = tuple[tuple[str, str], ...]


@dataclass
class Tally:
    """What a script came to."""

    ran: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass
class _Data:
    """The loaded series, by time."""

    samples: dict[Key, dict[float, float | Stale]] = field(default_factory=dict)
    histograms: set[Key] = field(default_factory=set)
    window: Window | None = None


def run_script(name: str, text: str) -> Tally:
    """Runs every statement that is within what we evaluate; the others are refused, not judged."""
    tally, data = Tally(), _Data()
    for number, block in _blocks(text):
        if block[0].split()[0] == "clear":
            data = _Data()
        elif block[0].startswith("load_with_nhcb"):
            data.histograms.add(())  # everything after it may be a histogram
            data.window = None
        elif block[0].startswith("load"):
            _load(data, block)
        elif block[0].startswith("eval"):
            _judge(tally, data, f"{name}:{number}", block)
    return tally


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    """Commands with the indented lines below them, and where they stand."""
    blocks: list[tuple[int, list[str]]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.rstrip()
        if not line.strip() or line.strip().startswith("#"):
            continue
        if re.match(r"(load|eval|clear)", line):
            blocks.append((number, [line]))
        elif blocks:
            blocks[-1][1].append(line.strip())
    return blocks


def _load(data: _Data, block: list[str]) -> None:
    step = read_duration(block[0].split()[1])
    assert step is not None
    data.window = None
    for line in block[1:]:
        series, values = _split(line)
        key = tuple(sorted(parse_series(series).items()))
        if "{{" in values:
            data.histograms.add(key)
            continue
        samples = data.samples.setdefault(key, {})
        for index, value in enumerate(read_values(values)):
            if value is not None:
                samples[round(index * step, 3)] = value


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
                    bits = STALE if isinstance(value, Stale) else np.float64(value).view(np.uint64)
                    row[column] = bits
            data.window.append(at, row.view(np.float64))
    return data.window


def _judge(tally: Tally, data: _Data, place: str, block: list[str]) -> None:
    head, rest = block[0], block[1:]
    if (found := _INSTANT.fullmatch(head)) is not None:
        times = [_at(found[2])]
        flavour, expression = found[1], found[3]
    else:
        found = _RANGE.fullmatch(head)
        assert found is not None, head
        start, end, step = (_at(found[index]) for index in (2, 3, 4))
        times = [start + index * step for index in range(int((end - start) / step + 1e-9) + 1)]
        flavour, expression = found[1], found[5]
    wanted = [line for line in rest if not line.startswith("expect")]
    fails = flavour == "_fail" or any(line.startswith("expect fail") for line in rest)
    try:
        plan = parse(expression)
    except Refused as refused:
        if fails and str(refused).startswith("not PromQL"):
            tally.ran += 1
            return
        tally.refused.append(f"{place}: {expression}: {refused}")
        return
    if any(_may_be_histogram(data, matchers) for matchers in selectors(plan)) or any("{{" in each for each in wanted):
        tally.refused.append(f"{place}: {expression}: histograms")
        return
    tally.ran += 1
    try:
        got = [Tick(_window(data), at).vector(plan) for at in times]
    except EvaluationError as error:
        if not fails:
            tally.wrong.append(f"{place}: {expression}: {error}")
        return
    if fails:
        tally.wrong.append(f"{place}: {expression}: evaluates, and must not")
        return
    problem = _differs(got, _expected(wanted, len(times)))
    if problem:
        tally.wrong.append(f"{place}: {expression}: {problem}")


def _at(text: str) -> float:
    at = read_duration(text)
    return float(text) if at is None else at


def _may_be_histogram(data: _Data, matchers: Matchers) -> bool:
    for key in data.histograms:
        labels = dict(key)
        if not key or all(matcher.holds(labels.get(matcher.name, "")) for matcher in matchers):
            return True
    return False


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


def _differs(got: list[Vector], expected: list[dict[Key, float]]) -> str:
    for index, (vector, wanted) in enumerate(zip(got, expected, strict=True)):
        there = {
            tuple(sorted(labels.items())): value
            for labels, value in zip(vector.labels, vector.values.tolist(), strict=True)
        }
        if there.keys() != wanted.keys():
            return f"step {index}: has {sorted(there)}, wants {sorted(wanted)}"
        for key, value in wanted.items():
            if not _close(there[key], value):
                return f"step {index}: {key} is {there[key]}, wants {value}"
    return ""


def _close(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-300)
