"""The ring of the last minutes: rules/window.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.rules.matcher import Matcher
from llm_canaries.rules.window import GAP, LOOKBACK, STALE, Window, slots_needed
from llm_canaries.service.board import ABSENT, Board

ALL = (Matcher("=~", "__name__", ".+"),)
GAP_VALUE, STALE_VALUE = (np.uint64(bits).view(np.float64) for bits in (GAP, STALE))


def named(*names: str) -> list[dict[str, str]]:
    return [{"__name__": name} for name in names]


def seen(window: Window, at: float, matchers: tuple[Matcher, ...] = ALL) -> dict[str, float]:
    vector = window.select(matchers, at)
    return {row["__name__"]: value for row, value in zip(vector.labels, vector.values.tolist(), strict=True)}


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
    assert seen(window, 15.0) == {}
    assert window.series == 0


def test_a_clock_that_steps_back_forgets_the_future():
    window = Window(10)
    window.align(named("x"))
    for at, value in ((1000.0, 1.0), (1015.0, 2.0), (500.0, 3.0), (515.0, 4.0)):
        window.append(at, np.array([value]))
        assert seen(window, at) == {"x": value}
    assert seen(window, 1015.0) == {}


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
        at += step
        words = {"gap": GAP_VALUE, "stale": STALE_VALUE}
        window.append(at, np.array([words.get(each, each) for each in values], dtype=np.float64))  # type: ignore[arg-type]
        history.append((at, list(values)))
    at += ahead
    expected = {}
    for column, name in enumerate(names):
        for then, row in reversed(history):
            if then <= at - LOOKBACK:
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
