"""canary/exact.py, against counting every way in which it could have come out."""

from itertools import combinations, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.canary.exact import Table, enough_runs, fisher, sign_test


def ways(table):
    """Failures at head, over every way to deal the runs of a case to base and head."""
    outcomes = [1] * (table.base_failures + table.head_failures)
    outcomes += [0] * (table.base_runs + table.head_runs - len(outcomes))
    return [sum(outcomes[each] for each in own) for own in combinations(range(len(outcomes)), table.head_runs)]


def brute(tables):
    seen = sum(table.head_failures for table in tables)
    dealt = [sum(each) for each in product(*(ways(table) for table in tables))]
    return sum(each >= seen for each in dealt) / len(dealt)


@st.composite
def table(draw, most=4):
    runs = draw(st.tuples(st.integers(1, most), st.integers(1, most)))
    return Table(draw(st.integers(0, runs[0])), runs[0], draw(st.integers(0, runs[1])), runs[1])


@given(table(most=6))
def test_fisher_agrees_with_every_deal(its):
    assert fisher([its]) == pytest.approx(brute([its]), abs=1e-12)


@given(st.lists(table(most=2), min_size=1, max_size=3))
def test_stratified_fisher_agrees_with_every_deal(tables):
    assert fisher(tables) == pytest.approx(brute(tables), abs=1e-12)


def test_known_values():
    assert fisher([Table(1, 4, 3, 4)]) == pytest.approx(17 / 70)  # the lady tasting tea: three of four
    assert fisher([Table(0, 4, 4, 4)]) == pytest.approx(1 / 70)  # and all four
    for tables in ([], [Table(0, 9, 0, 9)], [Table(9, 9, 9, 9)], [Table(9, 9, 0, 9)]):
        assert fisher(tables) == pytest.approx(1)
    assert fisher([Table(0, 1, 1, 1)] * 10) == pytest.approx(2**-10)  # one run a case: the sign test
    assert fisher([Table(0, 100, 100, 100)] * 47) < 1e-300


@given(st.integers(0, 6), st.integers(0, 6))
def test_the_sign_test_agrees_with_every_sequence(more, less):
    signs = list(product((0, 1), repeat=more + less))
    assert sign_test(more, less) == pytest.approx(sum(sum(each) >= more for each in signs) / len(signs))


def test_the_sign_test_of_many_changes():
    assert sign_test(2000, 0) == 0  # below the least float
    assert sign_test(1000, 1000) == pytest.approx(0.5 + comb(2000, 1000) / 2**2001)


@pytest.mark.parametrize("level", [0.05, 0.01, 0.001, 0.0004, 1e-6])
def test_enough_runs_are_the_fewest_that_bear_one_that_goes_the_other_way(level):
    runs = enough_runs(level)
    for base, head in ((0, runs - 1), (1, runs)):
        assert fisher([Table(base, runs, head, runs)]) <= level
        assert fisher([Table(base, runs - 1, head - 1, runs - 1)]) > level or runs == 2
