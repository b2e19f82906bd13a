"""Functions of vectors and numbers: rules/promql/functions.py, elementwise.py, labels.py, order.py, aggregate.py."""

import math

import pytest

from llm_canaries.rules.promql.aggregate import shown
from llm_canaries.rules.promql.problem import EvaluationError

X = {'x{a="1", b="p"}': -1.5, 'x{a="2", b="p"}': 2.5, 'x{a="3", b="q"}': 3.0}
ODD = {'o{a="1"}': math.nan, 'o{a="2"}': math.inf, 'o{a="3"}': -1.0}
VALUES = [
    ("abs(x)", {'{a="1", b="p"}': 1.5, '{a="2", b="p"}': 2.5, '{a="3", b="q"}': 3.0}),
    ("round(x)", {'{a="1", b="p"}': -1.0, '{a="2", b="p"}': 3.0, '{a="3", b="q"}': 3.0}),
    ("round(x, 2)", {'{a="1", b="p"}': -2.0, '{a="2", b="p"}': 2.0, '{a="3", b="q"}': 4.0}),
    ("clamp(x, 0, 2.7)", {'{a="1", b="p"}': 0.0, '{a="2", b="p"}': 2.5, '{a="3", b="q"}': 2.7}),
    ("clamp(x, 1, 0)", {}),
    ("clamp_min(o, 0)", {'{a="1"}': math.nan, '{a="2"}': math.inf, '{a="3"}': 0.0}),
    ("clamp_max(o, -Inf)", {'{a="1"}': -math.inf, '{a="2"}': -math.inf, '{a="3"}': -math.inf}),
    ("sgn(o)", {'{a="1"}': math.nan, '{a="2"}': 1.0, '{a="3"}': -1.0}),
    ("scalar(sum(x))", {"": 4.0}),
    ("scalar(x)", {"": math.nan}),
    ("min_of(2, 1) + max_of(NaN, 1) * 0", {"": math.nan}),
    ("pi()", {"": math.pi}),
    ("deg(vector(pi()))", {"": 180.0}),
    ("topk(2, x)", {'x{a="3", b="q"}': 3.0, 'x{a="2", b="p"}': 2.5}),
    ("bottomk by (b) (1, x)", {'x{a="1", b="p"}': -1.5, 'x{a="3", b="q"}': 3.0}),
    ("topk(1, o)", {'o{a="2"}': math.inf}),
    ("bottomk(1, o)", {'o{a="3"}': -1.0}),
    ("topk(0, x)", {}),
    ("count(limitk(2, x))", {"": 2.0}),
    ("group by (b) (x)", {'{b="p"}': 1.0, '{b="q"}': 1.0}),
    ("stddev(x > 0)", {"": 0.25}),
    ("stdvar by (b) (x)", {'{b="p"}': 4.0, '{b="q"}': 0.0}),
    ("quantile(0.5, x)", {"": 2.5}),
    ("quantile by (b) (0.5, x)", {'{b="p"}': 0.5, '{b="q"}': 3.0}),
    ("quantile(0, o)", {"": math.nan}),
    ("quantile(2, x)", {"": math.inf}),
    ('count_values by (b) ("v", x)', {'{b="p", v="-1.5"}': 1.0, '{b="p", v="2.5"}': 1.0, '{b="q", v="3"}': 1.0}),
    ('count_values without (a) ("b", x)', {'{b="-1.5"}': 1.0, '{b="2.5"}': 1.0, '{b="3"}': 1.0}),
    ('label_replace(x{a="1"}, "c", "$1-${1}_$$-$x", "b", "(.)")', {'x{a="1", b="p", c="p-p_$-"}': -1.5}),
    ('label_replace(x{a="1"}, "c", "$name", "b", "(?P<name>.)")', {'x{a="1", b="p", c="p"}': -1.5}),
    ('label_replace(x{a="1"}, "b", "", "b", ".*")', {'x{a="1"}': -1.5}),
    ('label_replace(x{a="1"}, "c", "y", "b", "no")', {'x{a="1", b="p"}': -1.5}),
    ('label_join(x{a="1"}, "c", "/", "a", "none", "b")', {'x{a="1", b="p", c="1//p"}': -1.5}),
    ('label_join(x{a="1"}, "b", "/")', {'x{a="1"}': -1.5}),
    ("hour(vector(1700000000))", {"": 22.0}),
    ("day_of_week(vector(1700000000))", {"": 2.0}),
    ("days_in_month(vector(951782400))", {"": 29.0}),
    ("day_of_year(vector(1709164800))", {"": 60.0}),
    ("year(vector(-1))", {"": 1969.0}),
    ("minute()", {"": 16.0}),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[each[0] for each in VALUES])
def test_value(ask, expression, expected):
    assert ask(expression, X | ODD) == pytest.approx(expected, nan_ok=True)


def test_sorted_vectors_are_in_order(ask):
    assert list(ask("sort_desc(o)", ODD).values())[:2] == [math.inf, -1.0]
    assert list(ask("sort(o)", ODD).values())[:2] == [-1.0, math.inf]
    assert list(ask("sort(x)", X).values()) == [-1.5, 2.5, 3.0]


@pytest.mark.parametrize("expression", ["topk(NaN, none)", "bottomk(Inf, x)", 'label_replace(x, "a", "", "a", ".*")'])
def test_what_cannot_be_is_an_error(ask, expression):
    with pytest.raises(EvaluationError):
        ask(expression, {'x{a="1"}': 1.0, 'x{a="2"}': 2.0})


def test_values_are_written_without_exponents():
    found = [shown(value) for value in (1.0, 0.1, 1e21, 1e-7, -2.5, math.inf, -math.inf, math.nan)]
    assert found == ["1", "0.1", "1000000000000000000000", "0.0000001", "-2.5", "+Inf", "-Inf", "NaN"]
