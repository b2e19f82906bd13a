"""Sums and means: rules/promql/sums.py, against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.rules.promql.sums import column_means, column_sums, group_means, group_sums

Columns = st.integers(1, 40).flatmap(
    lambda rows: st.lists(
        st.lists(st.floats(-1e15, 1e15), min_size=rows, max_size=rows), min_size=1, max_size=4
    )
)


def exact(values) -> float:
    return float(sum(map(Fraction, values)))


@given(Columns)
def test_the_sum_of_a_column_is_the_exact_one(columns):
    found = column_sums(np.array(columns).T)
    for total, values in zip(found.tolist(), columns, strict=True):
        assert total == pytest.approx(exact(values), rel=1e-14, abs=1e-14 * max(map(abs, values)) * 1e-3)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1e15, 1e15)), min_size=1, max_size=60))
def test_groups_are_summed_apart(pairs):
    groups = sorted({group for group, _ in pairs})
    ids = np.array([groups.index(group) for group, _ in pairs])
    values = np.array([value for _, value in pairs])
    sums, means = group_sums(values, ids, len(groups)), group_means(values, ids, len(groups))
    for number, group in enumerate(groups):
        own = [value for each, value in pairs if each == group]
        slack = 1e-17 * max(map(abs, own))
        assert sums[number] == pytest.approx(exact(own), rel=1e-14, abs=slack)
        assert means[number] == pytest.approx(exact(own) / len(own), rel=1e-14, abs=slack)


@pytest.mark.parametrize(
    ("values", "total", "mean"),
    [
        ([1.0, 1e100, 1.0, -1e100], 2.0, 0.5),
        ([1.7e308, 1.7e308], math.inf, 1.7e308),
        ([1.7e308, 1.7e308, -1.7e308, -1.7e308], math.inf, 0.0),
        ([1.7e308, -1.7e308, 1.7e308, -1.7e308], 0.0, 0.0),
        ([math.inf, 1.0], math.inf, math.inf),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([math.nan, 1.0, 2.0], math.nan, math.nan),
        ([5e-324, 5e-324], 1e-323, 5e-324),
        ([3.0], 3.0, 3.0),
    ],
)
def test_what_is_infinite_and_what_only_overflows(values, total, mean):
    column, counts = np.array(values)[:, None], np.array([len(values)])
    nobody = np.zeros(len(values), dtype=np.intp)
    two = np.array([*values, 1.0]), np.array([*nobody, 1])
    for found in (column_sums(column), group_sums(column[:, 0], nobody, 1), group_sums(*two, 2)[:1]):
        assert found.tolist() == pytest.approx([total], nan_ok=True)
    for found in (column_means(column, counts), group_means(column[:, 0], nobody, 1), group_means(*two, 2)[:1]):
        assert found.tolist() == pytest.approx([mean], nan_ok=True)
