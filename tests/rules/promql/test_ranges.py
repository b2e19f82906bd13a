"""Functions over ranges, subqueries, `offset` and `@` over a window: what the scripts of Prometheus do not say."""

import math

import numpy as np
import pytest

from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import Compiler, parse
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.sources import Sources
from llm_canaries.rules.window import GAP, STALE, Window

GAP_VALUE, STALE_VALUE = (float(np.uint64(bits).view(np.float64)) for bits in (GAP, STALE))


def window(rows: dict[float, list[float]], names: list[str]) -> Window:
    made = Window(len(rows))
    made.align([{"__name__": "x", "i": name} for name in names])
    for at, row in rows.items():
        made.append(at, np.array(row))
    return made


def values(source, expression: str, at: float) -> dict[str, float]:
    vector = Tick(source, at).vector(parse(expression))
    return {row.get("i", ""): value for row, value in zip(vector.labels, vector.values.tolist(), strict=True)}


GROWING = window({10.0 * tick: [float(tick), GAP_VALUE if tick % 2 else 2.0 * tick] for tick in range(7)}, ["a", "b"])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("count_over_time(x[30s])", {"a": 3.0, "b": 2.0}),
        ("rate(x[1m])", {"a": 0.1, "b": 0.2}),
        ("increase(x[20s])", {"a": 2.0}),
        ("x offset 15s", {"a": 4.0, "b": 8.0}),
        ("x offset -15s", {"a": 6.0, "b": 12.0}),
        ("x @ 31", {"a": 3.0, "b": 4.0}),
        ("x @ 31 offset -10s", {"a": 4.0, "b": 8.0}),
        ("timestamp(x offset 5s)", {"a": 50.0, "b": 40.0}),
        ("timestamp(x + 0)", {"a": 60.0, "b": 60.0}),
        ("max_over_time((x * 2)[30s:20s])", {"a": 12.0, "b": 24.0}),
        ("sum_over_time(sum(x)[30s:20s])", {"": 4 + 8 + 6 + 12}),
        ("predict_linear(x[1m], 10)", {"a": 7.0, "b": 14.0}),
        ("deriv(x[1m])", {"a": 0.1, "b": 0.2}),
        ("last_over_time(x[1ms])", {"a": 6.0, "b": 12.0}),
        ("absent_over_time(x[1m])", {}),
        ('absent_over_time(x{i="c"}[1m])', {"c": 1.0}),
        ("quantile_over_time(0.5, x[1m])", {"a": 3.5, "b": 8.0}),
        ("start() + end() + range() + step()", {"": 120.0}),
    ],
)
def test_value(expression, expected):
    assert values(GROWING, expression, 60.0) == pytest.approx(expected)


def test_series_with_other_times_keep_their_own():
    """Two series with as many samples, but not the same ones."""
    rows = {0.0: [1.0, GAP_VALUE], 10.0: [GAP_VALUE, 1.0], 20.0: [3.0, 5.0]}
    source = window(rows, ["a", "b"])
    assert values(source, "timestamp(x)", 20.0) == {"a": 20.0, "b": 20.0}
    assert values(source, "irate(x[30s])", 20.0) == {"a": 0.1, "b": 0.4}
    late = window({0.0: [1.0, GAP_VALUE], 10.0: [GAP_VALUE, 1.0]}, ["a", "b"])
    assert values(late, "timestamp(x)", 20.0) == {"a": 0.0, "b": 10.0}


def test_a_stale_series_has_past_samples_and_no_present():
    source = window({0.0: [1.0], 10.0: [2.0], 20.0: [STALE_VALUE], 30.0: [GAP_VALUE]}, ["a"])
    assert values(source, "x", 30.0) == {}
    assert values(source, "timestamp(x)", 30.0) == {}
    assert values(source, "count_over_time(x[1m])", 30.0) == {"a": 2.0}


def test_nan_is_a_sample():
    source = window({0.0: [1.0], 10.0: [math.nan], 20.0: [4.0]}, ["a"])
    assert values(source, "count_over_time(x[1m])", 20.0) == {"a": 3.0}
    assert values(source, "max_over_time(x[1m])", 20.0) == {"a": 4.0}
    assert values(source, "changes(x[1m])", 20.0) == {"a": 2.0}
    assert math.isnan(values(source, "sum_over_time(x[1m])", 20.0)["a"])


def test_sources_with_times_of_their_own_are_one():
    one, other = window({0.0: [1.0], 10.0: [2.0]}, ["a"]), window({3.0: [5.0], 6.0: [6.0], 9.0: [7.0]}, ["b"])
    source = Sources([one, other])
    assert values(source, "x", 10.0) == {"a": 2.0, "b": 7.0}
    assert values(source, "count_over_time(x[20s])", 10.0) == {"a": 2.0, "b": 3.0}
    assert values(source, "sum(x)", 10.0) == {"": 9.0}
    assert values(source, "timestamp(x)", 10.0) == {"a": 10.0, "b": 9.0}


def test_what_the_window_holds_no_more_is_an_error_and_no_wrong_number():
    source = Window(3)
    source.align([{"__name__": "x"}])
    for tick in range(10):
        source.append(10.0 * tick, np.array([float(tick)]))
    assert Tick(source, 90.0).vector(parse("rate(x[20s])")).values.tolist() == [0.1]
    with pytest.raises(EvaluationError, match="reaches back"):
        Tick(source, 90.0).vector(parse("rate(x[1m])"))


def test_equal_parts_are_computed_once_a_tick():
    class Counting:
        def __init__(self) -> None:
            self.asked = 0

        def select(self, matchers, at):
            raise AssertionError

        def ranges(self, matchers, span):
            self.asked += 1
            return GROWING.ranges(matchers, span)

    source, compiler = Counting(), Compiler()
    tick = Tick(source, 60.0)
    for threshold in range(5):
        tick.vector(compiler.parse(f"sum(rate(x[1m])) / sum(increase(x[1m])) > {threshold}"))
    assert source.asked == 1


def test_frames_last_as_long_as_the_series_do():
    """What is worked out of labels at one tick serves the next."""
    source = window({0.0: [1.0, 2.0], 10.0: [3.0, 5.0], 20.0: [5.0, 8.0]}, ["a", "b"])
    plan = parse("sum by (i) (rate(x[15s]))")
    first, second = (Tick(source, at).vector(plan) for at in (10.0, 20.0))
    assert first.frame.table is second.frame.table
