"""Rows of labels and what is remembered of them: rules/vector.py, rules/table.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.rules.matcher import Matcher, matching_rows
from llm_canaries.rules.table import Keys, Table, table_of
from llm_canaries.rules.vector import EMPTY, Frame, Vector, frame_of, joined, vector_of

LABELS = [{"__name__": "x", "a": "1", "b": "p"}, {"__name__": "x", "a": "2", "b": "p"}, {"__name__": "y", "a": "1"}]
Rows = st.lists(
    st.dictionaries(st.sampled_from(["__name__", "a", "b"]), st.sampled_from(["", "1", "2", "x"])),
    min_size=1,
    max_size=12,
)


def test_rows_of_a_frame_are_those_of_its_table():
    frame = frame_of(LABELS)
    assert frame.rows() == LABELS
    some = frame.take(np.array([True, False, True]))
    assert some.rows() == [LABELS[0], LABELS[2]]
    assert some.take(np.array([1])).rows() == [LABELS[2]]
    assert some.table is frame.table
    assert some.drop_name().rows() == [{"a": "1", "b": "p"}, {"a": "1"}]


def test_rows_are_distinct_or_not_with_the_labels_that_are_kept():
    frame = frame_of(LABELS)
    assert frame.distinct()
    assert frame.drop_name().distinct()
    assert not frame.keep(("a",)).distinct()
    assert frame.keep(("a",)).take(np.array([0, 1])).distinct()


def test_a_name_that_all_rows_share_takes_nothing_away_from_what_is_known_distinct():
    same = Table(table_of(LABELS[:2]).columns, 2, known_distinct=True)
    assert same.keep(("a", "b")).known_distinct
    assert not Table(table_of(LABELS).columns, 3, known_distinct=True).keep(("a", "b")).known_distinct


def test_groups_come_with_the_first_of_their_rows():
    grouping = frame_of(LABELS).grouping(("a",))
    assert grouping.ids.tolist() == [0, 1, 0]
    assert grouping.frame.rows() == [{"a": "1"}, {"a": "2"}]
    some = frame_of(LABELS).take(np.array([1])).grouping(("a",))
    assert (some.ids.tolist(), some.frame.rows()) == ([0], [{"a": "2"}])


@given(Rows, st.sets(st.sampled_from(["__name__", "a", "b", "c"])), st.data())
def test_keys_of_some_rows_are_what_a_plain_look_finds(labels, names, data):
    names, frame = tuple(sorted(names)), frame_of(labels)
    chosen = data.draw(st.lists(st.integers(0, len(labels) - 1), unique=True))
    some = frame.take(np.array(chosen, dtype=np.intp))
    expected = [tuple(labels[row].get(name, "") for name in names) for row in chosen]
    assert some.keys(names) == expected


@given(Rows, st.sampled_from(["=", "!=", "=~", "!~"]), st.sampled_from(["", "1", "x|2", ".+", "1.*"]))
def test_a_matcher_finds_what_a_plain_look_finds(labels, operator, value):
    matchers = (Matcher(operator, "a", value), Matcher("!=", "b", "2"))
    found = matching_rows(frame_of(labels), matchers).tolist()
    assert found == [
        row for row, each in enumerate(labels) if all(m.holds(each.get(m.name, "")) for m in matchers)
    ]


def test_numbers_of_keys_in_terms_of_others():
    one, other = Keys([("a",), ("b",), ("a",)]), Keys([("b",), ("c",)])
    assert one.in_terms_of(other).tolist() == [-1, 0]
    assert other.in_terms_of(one).tolist() == [1, -1]


def test_joined_vectors_have_all_rows_and_the_same_table_the_next_time():
    one, other = vector_of(LABELS[:2], [1.0, 2.0]), vector_of(LABELS[2:], [3.0])
    first = joined([one, EMPTY, other])
    assert first.labels == LABELS
    assert first.values.tolist() == [1.0, 2.0, 3.0]
    second = joined([Vector(one.frame, np.array([5.0, 6.0])), other])
    assert second.frame is first.frame
    part = joined([one.filtered(np.array([True, False])), other])
    assert part.labels == [LABELS[0], LABELS[2]]
    assert joined([]) is EMPTY


def test_what_is_made_of_a_table_is_made_once():
    table, made = table_of(LABELS), []
    for _ in range(2):
        assert table.made("it", lambda: made.append(1) or "done") == "done"
    assert made == [1]


@pytest.mark.parametrize("rows", [None, [0, 2]])
def test_frames_with_the_same_rows_know_it(rows):
    table = table_of(LABELS)
    frame = Frame(table, None if rows is None else np.array(rows))
    assert frame.same(Frame(table, None if rows is None else np.array(rows)))
    assert not frame.same(Frame(table, np.array([0, 1])))
    assert not frame.same(Frame(table_of(LABELS), frame.rows_taken))
