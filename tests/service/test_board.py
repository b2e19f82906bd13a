"""Covers service/board.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.rules.window import STALE, Window
from llm_canaries.service.board import ABSENT, Board
from llm_canaries.service.metrics import CASE, FAMILIES

UP, LOST, LAG = "llm_gateway_up", "llm_canary_faults_total", "llm_sidecar_schedule_lag_seconds"
FOLDED = "llm_sidecar_series_folded_total"
DURATION = "llm_canary_duration_seconds"
WIDTH = len(FAMILIES[DURATION].buckets) + 3


def case(name="a"):
    return dict.fromkeys(CASE, name)


def up(board, name):
    return board.slot(UP, gateway=name, kind="embedded")


def shown(board):
    """Value by (name, labels) of what is present."""
    there = zip(board.names(), board.values.tolist(), board.present().tolist(), strict=True)
    return {tuple(sorted(labels.items())): value for labels, value, here in there if here}


def test_a_series_is_absent_until_set_and_again_after_clear():
    board = Board()
    slot = up(board, "a")
    assert board.absent(slot)
    assert board.get(slot) is None
    assert board.values.view(np.uint64)[0] == ABSENT
    board.set(slot, 0.0)
    assert not board.absent(slot)
    assert board.get(slot) == 0.0
    board.clear(slot)
    assert board.get(slot) is None
    assert len(board.names()) == 1


def test_a_real_nan_is_present_whatever_its_payload():
    board = Board()
    slot = up(board, "a")
    board.set(slot, math.nan)
    assert board.present().tolist() == [True]
    board.clear(slot)
    board.set(slot, float(board.values[0]))  # the bits of absence come back from outside
    assert board.present().tolist() == [True]
    assert math.isnan(board.get(slot))


def test_arithmetic_on_the_way_out_of_absence_never_warns():
    board = Board()
    slot = up(board, "a")
    board.add(slot, math.inf)
    board.add(slot, -math.inf)
    assert math.isnan(board.get(slot))


def test_the_same_labels_are_the_same_slot_in_any_order():
    board = Board()
    assert board.slot(UP, gateway="a", kind="b") == board.slot(UP, kind="b", gateway="a")
    assert board.slot(UP, gateway="a", kind="b") != board.slot(UP, gateway="b", kind="a")
    assert board.version == 2


def test_add_counts_from_zero_and_a_counter_never_falls():
    board = Board()
    counter = board.slot(LOST, gateway="a", fault_domain="b")
    board.add(counter, 2.5)
    board.add(counter)
    assert board.get(counter) == 3.5
    with pytest.raises(ValueError, match=f"{LOST} is a counter: it cannot fall by 1"):
        board.add(counter, -1)
    gauge = up(board, "a")
    board.add(gauge, -1)
    assert board.get(gauge) == -1


@pytest.mark.parametrize(
    ("family", "labels", "told"),
    [
        ("llm_gateway_upp", {}, "no metric family is named llm_gateway_upp"),
        (UP, {}, r"llm_gateway_up has the labels \['gateway', 'kind'\], not \[\]"),
        (UP, {"gateway": "a", "knid": "b"}, r"not \['gateway', 'knid'\]"),
        (UP, {"gateway": "a", "kind": "b", "more": "c"}, r"not \['gateway', 'kind', 'more'\]"),
        (LAG, {}, r"llm_sidecar_schedule_lag_seconds is a histogram: use histogram\(\)"),
    ],
)
def test_a_wrong_name_is_refused(family, labels, told):
    with pytest.raises(ValueError, match=told):
        Board().slot(family, **labels)


def test_a_gauge_is_no_histogram():
    with pytest.raises(ValueError, match=r"llm_gateway_up is a gauge: use slot\(\)"):
        Board().histogram(UP, gateway="a", kind="b")


def test_a_histogram_is_cumulative_and_a_bound_belongs_to_its_bucket():
    board = Board()
    histogram = board.histogram(DURATION, **case())
    assert not board.present().any()
    for value in (0.1, 0.11, 1e9):
        histogram.observe(value)
    board.histogram(DURATION, **case()).observe(120)
    buckets = [labels.get("le") for labels in board.names()]
    assert buckets[:4] == ["0.1", "0.25", "0.5", "1.0"]
    assert buckets[-3:] == ["+Inf", None, None]
    assert board.values.tolist() == [1, *[2] * 10, 3, 4, 0.1 + 0.11 + 1e9 + 120, 4]
    assert [labels["__name__"].removeprefix(DURATION) for labels in board.names()][-3:] == ["_bucket", "_sum", "_count"]


def test_a_started_histogram_is_zero_and_starting_again_keeps_it():
    board = Board()
    histogram = board.histogram(LAG)
    histogram.start()
    assert set(board.values.tolist()) == {0}
    histogram.observe(1)
    histogram.start()
    assert board.values[-1] == 1
    with pytest.raises(ValueError, match="NaN"):
        histogram.observe(math.nan)
    assert board.values[-1] == 1


def test_drop_takes_what_has_all_the_labels_and_moves_nobody_elses_value():
    board = Board()
    first, kept = board.slot("llm_canary_success", **case("a")), board.slot("llm_canary_success", **case("b"))
    gone, stays = board.histogram(DURATION, **case("a")), board.histogram(DURATION, **case("b"))
    gateway = up(board, "a")
    board.set(first, 1)
    board.set(kept, 2)
    board.set(gateway, 3)
    gone.observe(1)
    stays.observe(1)
    before = board.version
    assert board.drop(**case("a")) == 1 + WIDTH
    assert board.version == before + 1
    assert (board.get(first), board.get(kept), board.get(gateway)) == (None, 2, 3)
    gone.observe(1)
    stays.observe(2)
    board.set(first, 9)
    board.add(first)
    assert len(board.values) == len(board.names()) == len(board.prefixes()) == 2 + WIDTH
    assert sorted(row for name in FAMILIES for row in board.rows(name)) == list(range(2 + WIDTH))
    assert shown(board)[tuple(sorted({"__name__": f"{DURATION}_count", **case("b")}.items()))] == 2
    assert board.drop(**case("a")) == 0
    assert board.version == before + 1


def test_a_dropped_series_that_returns_has_a_new_slot_and_no_past():
    board = Board()
    old = up(board, "a")
    board.set(old, 1)
    board.drop(gateway="a")
    new = up(board, "a")
    board.set(old, 7)
    assert board.get(new) is None


def test_a_series_keeps_its_mapping_while_others_come_and_go():
    board = Board()
    up(board, "a")
    up(board, "b")
    before = board.names()
    up(board, "c")
    board.drop(gateway="a")
    assert board.names()[0] is before[1]


def test_the_window_takes_the_values_as_they_are():
    board, window = Board(), Window(4)
    board.set(up(board, "a"), 1)
    board.set(up(board, "b"), math.nan)
    up(board, "c")
    window.align(board.names())
    window.append(1000.0, board.values)
    assert ABSENT == STALE
    assert (window.series, window.samples) == (3, 2)


def test_drop_without_labels_is_refused():
    with pytest.raises(ValueError, match="needs a label"):
        Board().drop()


def test_too_many_series_are_folded_and_each_is_counted_once():
    board = Board(most_series=3)
    slots = [up(board, str(each)) for each in range(5)]
    for slot in [*slots, *(up(board, "4") for _ in range(9))]:
        board.set(slot, 1)
    histogram = board.histogram(DURATION, **case())
    histogram.observe(1)
    board.histogram(DURATION, **case()).observe(1)
    assert [board.get(slot) for slot in slots] == [1, 1, 1, None, None]
    assert board.absent(slots[4])
    assert board.get(board.slot(FOLDED, family=UP)) == 2
    assert board.get(board.slot(FOLDED, family=DURATION)) == 1
    board.drop(gateway="0")
    board.set_named(UP, 5, gateway="4", kind="embedded")
    assert board.get(up(board, "4")) == 5
    board.set_named(UP, 6, gateway="0", kind="embedded")
    assert board.absent(up(board, "0"))
    assert board.get(board.slot(FOLDED, family=UP)) == 3


def test_what_is_remembered_of_folded_series_is_bounded():
    board = Board(most_series=2)
    for each in range(100):
        up(board, str(each))
    assert len(board._refused) == 2
    assert board.get(board.slot(FOLDED, family=UP)) == 98


def test_the_array_grows_and_keeps_what_it_holds():
    board = Board()
    slots = [up(board, str(each)) for each in range(3000)]
    for each, slot in enumerate(slots):
        board.set(slot, each)
    assert board.values.tolist() == list(range(3000))
    assert board.values.dtype == np.float64
    assert board.version == 3000


def test_values_are_read_only():
    board = Board()
    up(board, "a")
    with pytest.raises(ValueError, match="read-only"):
        board.values[0] = 1


def test_label_values_are_shared_and_writable_as_utf_8():
    board = Board()
    board.set_named(UP, 1, gateway="".join(["a", "b"]), kind="\ud800x")
    board.set_named(UP, 1, gateway="".join(["a", "b"]), kind="y")
    one, two = board.names()
    assert one["gateway"] is two["gateway"]
    assert one["kind"] == "?x"
    assert up(board, "q") == up(board, "q")


NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("set"), NAMES, NAMES, st.floats(allow_nan=False)),
    st.tuples(st.just("clear"), NAMES, NAMES),
    st.tuples(st.just("drop"), NAMES),
    st.tuples(st.just("observe"), NAMES),
)


@given(st.lists(STEPS, max_size=40))
def test_any_order_of_changes_leaves_what_a_dictionary_would_hold(steps):
    board, told, seen = Board(), {}, {}
    for step, gateway, *more in steps:
        if step == "set":
            board.set_named(UP, more[1], gateway=gateway, kind=more[0])
            told[gateway, more[0]] = more[1]
        elif step == "clear":
            board.clear(board.slot(UP, gateway=gateway, kind=more[0]))
            told.pop((gateway, more[0]), None)
        elif step == "observe":
            board.histogram(DURATION, **case(gateway)).observe(1)
            seen[gateway] = seen.get(gateway, 0) + 1
        else:
            board.drop(gateway=gateway)
            told = {key: value for key, value in told.items() if key[0] != gateway}
            seen.pop(gateway, None)
    there = [dict(key) | {"value": value} for key, value in shown(board).items()]
    assert {(each["gateway"], each["kind"]): each["value"] for each in there if each["__name__"] == UP} == told
    counts = {each["gateway"]: each["value"] for each in there if each["__name__"] == f"{DURATION}_count"}
    assert counts == seen
    assert len(there) == len(told) + WIDTH * len(seen)
