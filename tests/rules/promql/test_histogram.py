"""Classic histograms: rules/promql/histogram.py."""

import math

import pytest

from llm_canaries.rules.promql.problem import EvaluationError

BUCKETS = {'h_bucket{le="1"}': 2.0, 'h_bucket{le="2"}': 6.0, 'h_bucket{le="+Inf"}': 8.0}


@pytest.mark.parametrize(
    ("rank", "expected"),
    [("0.25", 1.0), ("0.5", 1.5), ("0.75", 2.0), ("1", 2.0), ("0", 0.0), ("-1", -math.inf), ("2", math.inf)],
)
def test_a_quantile_lies_on_a_line_within_its_bucket(ask, rank, expected):
    assert ask(f"histogram_quantile({rank}, h_bucket)", BUCKETS) == {"": expected}


def test_what_is_no_histogram_has_no_quantile(ask):
    quantile = "histogram_quantile(0.5, h_bucket)"
    assert ask(quantile, {'h_bucket{le="no"}': 1.0, "h_bucket": 2.0}) == {}
    assert math.isnan(ask(quantile, {'h_bucket{le="1"}': 1.0})[""])
    assert math.isnan(ask(quantile, {'h_bucket{le="+Inf"}': 1.0})[""])
    assert math.isnan(ask(quantile, dict.fromkeys(BUCKETS, 0.0))[""])
    with pytest.raises(EvaluationError, match="upper bound"):
        ask(quantile, BUCKETS | {'h_bucket{le="NaN"}': 1.0})


def test_histograms_of_other_sizes_stand_beside_each_other(ask):
    series = {f'{key[:-1]}, a="x"}}': value for key, value in BUCKETS.items()}
    series |= {'h_bucket{le="4", a="y"}': 4.0, 'h_bucket{le="+Inf", a="y"}': 4.0}
    assert ask("histogram_quantile(0.5, h_bucket)", series) == {'{a="x"}': 1.5, '{a="y"}': 2.0}
    assert ask("histogram_fraction(0, 1.5, h_bucket)", series) == {'{a="x"}': 0.5, '{a="y"}': 0.375}


def test_the_same_bound_written_twice_is_one_bucket(ask):
    assert ask("histogram_quantile(0.5, h_bucket)", BUCKETS | {'h_bucket{le="1.0"}': 2.0}) == {"": 1.0}


def test_two_histograms_that_differ_by_name_only_cannot_be_told_apart(ask):
    series = BUCKETS | {key.replace("h_", "g_"): value for key, value in BUCKETS.items()}
    with pytest.raises(EvaluationError, match="same labels"):
        ask('histogram_quantile(0.5, {__name__=~"._bucket"})', series)
