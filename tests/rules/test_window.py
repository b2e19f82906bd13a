"""The ring of the last minutes: rules/window.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.rules.matcher import Matcher
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.samples import Span
from llm_canaries.rules.window import GAP, LOOKBACK, STALE, Window, slots_needed
from llm_canaries.service.board import ABSENT, Board

ALL = (Matcher("=~", "__name__", ".+"),)
GAP_VALUE, STALE_VALUE = (np.uint64(bits).view(np.float64) for bits in (GAP, STALE))


def named(*names: str) -> list[dict[str, str]]:
    return [{"__name__": name} for name in names]


def seen(window: Window, at: float, matchers: tuple[Matcher, ...] = ALL) -> dict[str, float]:
    vector = window.select(matchers, at)
    return {row["__name__"]: value for row, value in zip(vector.labels, vector.values.tolist(), strict=True)}


def counts(window: Window, start: float, end: float) -> dict[str, int]:
    """How many samples each series has after `start` and up to `end`."""
    found = window.ranges(ALL, Span(round(1000 * start), round(1000 * end), round(1000 * end)))
    return {
        row["__name__"]: int(count)
        for part in found.parts
        for row, count in zip(part.frame.rows(), part.samples.counts, strict=True)
    }


def test_a_value_holds_for_five_minutes():
    window = Window(10)
    window.align(named("x"))
    window.append(100.0, np.array([1.0]))
    assert seen(window, 99.9) == {}
    assert seen(window, 100.0) == {"x": 1.0}
    assert seen(window, 100 + LOOKBACK - 0.1) == {"x": 1.0}
    assert seen(window, 100 + LOOKBACK) == {}


def test_a_gap_a_stale_marker_and_nan_are_three_things():
    window = Window(10)
    window.align(named("gap", "stale", "nan"))
    window.append(0.0, np.array([1.0, 1.0, 1.0]))
    window.append(15.0, np.array([GAP_VALUE, STALE_VALUE, math.nan]))
    assert seen(window, 14.0) == {"gap": 1.0, "stale": 1.0, "nan": 1.0}
    found = seen(window, 15.0)
    assert found.keys() == {"gap", "nan"}
    assert found["gap"] == 1.0 and math.isnan(found["nan"])
    assert window.samples == 4


def test_the_board_writes_stale_markers():
    assert ABSENT == STALE
    board, window = Board(), Window(4)
    slot = board.slot("llm_sidecar_active")
    window.align(board.names())
    for at, value in enumerate((None, 1.0, None)):
        if value is None:
            board.clear(slot)
        else:
            board.set(slot, value)
        window.append(float(at), board.values)
    assert seen(window, 0.0) == {}
    assert seen(window, 1.0) == {"llm_sidecar_active": 1.0}
    assert seen(window, 2.0) == {}


def test_series_come_and_go_and_keep_their_history():
    window = Window(10)
    x, y = named("x", "y")
    window.align([x, y])
    window.append(0.0, np.array([1.0, 2.0]))
    window.align([dict(y), {"__name__": "z"}, x])  # one is another object with the same labels
    assert seen(window, 1.0) == {"x": 1.0, "y": 2.0}
    window.append(15.0, np.array([20.0, 3.0, 10.0]))
    assert seen(window, 15.0) == {"x": 10.0, "y": 20.0, "z": 3.0}
    window.align([])
    assert window.series == 0
    assert seen(window, 15.0) == {"x": 10.0, "y": 20.0, "z": 3.0}  # until the next tick says that they are gone
    window.append(30.0, np.array([]))
    assert seen(window, 30.0) == {}
    assert counts(window, 0.0, 30.0) == {"x": 1, "y": 1, "z": 1}


def test_a_clock_that_steps_back_forgets_the_future():
    window = Window(10)
    window.align(named("x"))
    for at, value in ((1000.0, 1.0), (1015.0, 2.0), (500.0, 3.0), (515.0, 4.0)):
        window.append(at, np.array([value]))
        assert seen(window, at) == {"x": value}
    assert seen(window, 1015.0) == {}


def test_a_clock_that_steps_back_beyond_everything_is_a_new_beginning():
    window = Window(3)
    window.align(named("x"))
    for at in (1000.0, 1015.0, 1030.0, 1045.0):
        window.append(at, np.array([1.0]))
    with pytest.raises(EvaluationError, match="reach back"):
        seen(window, 1000.0)
    for at in (10.0, 25.0):
        window.append(at, np.array([2.0]))
    assert seen(window, 25.0) == {"x": 2.0}
    assert counts(window, 0.0, 25.0) == {"x": 2}


def test_as_many_values_as_series():
    window = Window(2)
    window.align(named("x"))
    with pytest.raises(ValueError, match="2 values for 1 series"):
        window.append(0.0, np.array([1.0, 2.0]))


def test_slots_reach_back_over_the_lookback():
    for interval in (1.0, 15.0, 60.0, 600.0):
        window = Window(slots_needed(interval))
        window.align(named("x", "y"))
        window.append(0.0, np.array([7.0, 7.0]))
        tick = 1
        while tick * interval < LOOKBACK:
            window.append(tick * interval, np.array([GAP_VALUE, 8.0]))
            tick += 1
        assert seen(window, (tick - 1) * interval) == {"x": 7.0, "y": 8.0 if tick > 1 else 7.0}


Samples = st.lists(
    st.tuples(
        st.floats(1, 200),
        st.lists(st.sampled_from(["gap", "stale", 1.0, 2.0, math.nan]), min_size=3, max_size=3),
    ),
    max_size=12,
)


@given(samples=Samples, ahead=st.floats(0, 400), slots=st.integers(12, 20))
def test_the_newest_value_is_found_as_a_plain_search_finds_it(samples, ahead, slots):
    names, window, at = ("a", "b", "c"), Window(slots), 0.0
    window.align(named(*names))
    history: list[tuple[float, list[object]]] = []
    for step, values in samples:
        at = round(at + step, 3)
        words = {"gap": GAP_VALUE, "stale": STALE_VALUE}
        window.append(at, np.array([words.get(each, each) for each in values], dtype=np.float64))  # type: ignore[arg-type]
        history.append((at, list(values)))
    at = round(at + ahead, 3)
    expected = {}
    for column, name in enumerate(names):
        for then, row in reversed(history):
            if then <= round(at - LOOKBACK, 3):
                break
            if row[column] != "gap":
                if row[column] != "stale":
                    expected[name] = row[column]
                break
    assert seen(window, at) == pytest.approx(expected, nan_ok=True)


def test_selectors_are_answered_from_the_same_rows_after_a_series_went_stale():
    window = Window(5)
    window.align([{"__name__": "x", "a": str(i)} for i in range(4)])
    matchers = (Matcher("=", "__name__", "x"), Matcher("=~", "a", "[0-2]"))
    window.append(0.0, np.arange(4.0))
    assert window.select(matchers, 0.0).values.tolist() == [0.0, 1.0, 2.0]
    window.append(1.0, np.array([0.0, STALE_VALUE, 2.0, 3.0]))
    vector = window.select(matchers, 1.0)
    assert [row["a"] for row in vector.labels] == ["0", "2"]
    assert vector.values.tolist() == [0.0, 2.0]
    window.append(2.0, np.arange(4.0))
    assert len(window.select(matchers, 2.0).labels) == 3


def test_ranges_have_the_samples_after_their_start_and_up_to_their_end():
    window = Window(10)
    window.align(named("all", "gap", "stale", "nan", "none"))
    for at in (10.0, 20.0, 30.0, 40.0):
        here = [at, GAP_VALUE, STALE_VALUE, math.nan, GAP_VALUE] if at == 20.0 else [at, at, at, at, GAP_VALUE]
        window.append(at, np.array(here))
    found = window.ranges(ALL, Span(10_000, 40_000, 40_000))
    (part,) = found.parts
    assert [row["__name__"] for row in part.frame.rows()] == ["all", "gap", "stale", "nan"]
    assert part.samples.counts.tolist() == [3, 2, 2, 3]
    assert part.samples.times[:2, 1].tolist() == [30_000, 40_000]
    assert part.samples.values[:3, 0].tolist() == [20.0, 30.0, 40.0]
    assert part.samples.values[:2, 1].tolist() == [30.0, 40.0]
    assert math.isnan(part.samples.values[0, 3])
    assert part.samples.last.tolist() == [40.0] * 4
    assert part.samples.time_back(1).tolist() == [30_000] * 4
    assert found.size == 4
    assert window.ranges(ALL, Span(40_000, 50_000, 50_000)).parts == ()


def test_the_window_grows_while_its_span_needs_it_and_forgets_what_is_older():
    window = Window(2, span=60.0)
    window.align(named("x"))
    for tick in range(20):
        window.append(10.0 * tick, np.array([1.0]))
    assert counts(window, 130.0, 190.0) == {"x": 6}
    assert window.samples < 12
    with pytest.raises(EvaluationError, match="reaches back"):
        window.ranges(ALL, Span(0, 190_000, 190_000))
    window.widen(120.0)
    for tick in range(20, 40):
        window.append(10.0 * tick, np.array([1.0]))
    assert counts(window, 270.0, 390.0) == {"x": 12}


def test_a_series_that_goes_and_returns_keeps_both_parts_of_its_history():
    window = Window(10)
    x, y = named("x", "y")
    for tick, names in enumerate(([x, y], [x], [x], [x, y])):
        window.align(names)
        window.append(10.0 * tick, np.arange(float(len(names))))
        assert set(seen(window, 10.0 * tick)) == {each["__name__"] for each in names}
    assert counts(window, -1.0, 30.0) == {"x": 4, "y": 2}


def test_a_series_is_forgotten_with_its_last_sample():
    window = Window(3)
    x, y = named("x", "y")
    window.align([x, y])
    window.append(0.0, np.array([1.0, 2.0]))
    window.align([x])
    for tick in range(1, 4):
        window.append(float(tick), np.array([1.0]))
    before = window.nbytes
    window.align([x])
    assert window.nbytes < before
    assert seen(window, 3.0) == {"x": 1.0}


def test_series_beyond_the_bound_are_counted_not_held():
    window = Window(4, most=2)
    window.align(named("a", "b", "c", "d"))
    window.append(0.0, np.array([1.0, 2.0, 3.0, 4.0]))
    assert seen(window, 0.0) == {"a": 1.0, "b": 2.0}
    assert (window.series, window.dropped) == (2, 2)
    window.align(named("b"))
    window.append(1.0, np.array([5.0]))
    assert seen(window, 1.0) == {"b": 5.0}
    assert window.dropped == 0


def test_what_is_put_stands_beside_what_the_tick_has():
    window = Window(4)
    window.put(5.0, named("a"), np.array([1.0]))
    window.put(5.0, named("b", "a"), np.array([2.0, 3.0]))
    assert seen(window, 5.0) == {"a": 3.0, "b": 2.0}
    window.put(6.0, named("b"), np.array([STALE_VALUE]))
    assert seen(window, 6.0) == {"a": 3.0}
    assert counts(window, 0.0, 6.0) == {"a": 1, "b": 1}


def test_a_sample_takes_eight_bytes():
    window = Window(100)
    window.align([{"__name__": "x", "a": str(i)} for i in range(1000)])
    for tick in range(100):
        window.append(float(tick), np.ones(1000))
    assert window.samples == 100_000
    assert window.nbytes / window.samples < 9
