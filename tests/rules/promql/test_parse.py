"""What is refused, and how it is said: rules/promql/parse.py."""

import pytest

from llm_canaries.rules.promql.parse import Compiler, Refused, parse, parse_series
from llm_canaries.rules.promql.plan import Compute, Reduce, Select, selected_names

REFUSED = [
    ("rate(x[5m])", "function `rate`"),
    ("increase(x[1h]) > 3", "function `increase`"),
    ("x[5m]", "a range"),
    ("sum(x) / x[5m]", "not PromQL"),
    ("avg_over_time(x[5m:1m])", "function `avg_over_time`"),
    ("x offset 5m", "`offset`"),
    ("x offset -5m", "`offset`"),
    ("x @ 1700000000", "`@`"),
    ("x @ end()", "`@`"),
    ("topk(3, x)", "aggregation `topk`"),
    ("quantile(0.9, x)", "aggregation `quantile`"),
    ("stddev(x)", "aggregation `stddev`"),
    ('count_values("v", x)', "aggregation `count_values`"),
    ("group(x)", "aggregation `group`"),
    ("x atan2 y", "`atan2`"),
    ("scalar(x)", "function `scalar`"),
    ("histogram_quantile(0.9, x)", "function `histogram_quantile`"),
    ('label_replace(x, "a", "$1", "b", "(.*)")', "function `label_replace`"),
    ("sort(x)", "function `sort`"),
    ("abs(x)", "function `abs`"),
    ('"text"', "a text as a value"),
    ('x{a="1" or b="2"}', "`or` between matchers"),
    ("x + on(a) fill(0) y", "`fill`"),
    ("x{a=~`\\d`}", "backslash"),
    ("x{a=~'(?=x)'}", ""),
    ('x{a=~"("}', ""),
    ("{}", "not PromQL"),
    ('{a=""}', "not PromQL"),
    ("1 > 2", "not PromQL"),
    ("1 and 2", "not PromQL"),
    ("sum(1)", "not PromQL"),
    ("x +", "not PromQL"),
    ("", "not PromQL"),
    ("x{a='1'} == bool", "not PromQL"),
    ("x and on(a) group_left() y", "not PromQL"),
    ("x * on(a) group_left(a) y", ""),
    ("(" * 101 + "x" + ")" * 101, "nested deeper"),
    ("(" * 100_000 + "x", "characters"),
    ("-" * 5000 + "x", "operators"),
    ("x" + " + x" * 300, "operators"),
    ("x" + " and x" * 300, "operators"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[each[0][:40] for each in REFUSED])
def test_what_is_not_evaluated_is_refused(text, said):
    with pytest.raises(Refused) as caught:
        parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["(" * 100 + "x" + ")" * 100, "x" + " + x" * 190, "-" * 190 + "x", 'x{a="' + "(" * 500 + '"}', "x # " + "(" * 500],
    ids=["parentheses", "sum", "signs", "text", "comment"],
)
def test_what_is_only_long_is_not_refused(text):
    assert parse(text) is not None


def test_escapes_are_those_of_go():
    plan = parse(r'x{a="q\"b\\n\n", b=~"\\d+\\.5", c=`raw`}')
    assert isinstance(plan, Select)
    assert [each.value for each in plan.matchers] == ["x", 'q"b\\n\n', "\\d+\\.5", "raw"]


def test_equal_parts_of_several_rules_are_one_object():
    compiler = Compiler()
    warning, critical = compiler.parse("sum by (a, b) (x) > 1"), compiler.parse("sum by (b, a) (x) > 2")
    assert isinstance(warning, Compute) and isinstance(critical, Compute)
    assert isinstance(warning.left, Reduce)
    assert warning.left is critical.left


def test_names_of_selectors():
    assert selected_names(parse("x > 1 and on(a) (y unless sum(z))")) == {"x", "y", "z"}
    assert selected_names(parse('x or {__name__=~"y.*"}')) is None
    assert selected_names(parse("vector(1) + time()")) == frozenset()


def test_series():
    assert parse_series('x{a="1", b=""}') == {"__name__": "x", "a": "1"}
    assert parse_series("{}") == {}
    for text in ('x{a=~"1"}', "x + y", "sum(x)"):
        with pytest.raises(Refused):
            parse_series(text)
