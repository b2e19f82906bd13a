"""What is refused, and how it is said: rules/promql/parse.py."""

import math

import pytest

from llm_canaries.rules.matcher import Matcher
from llm_canaries.rules.promql.parse import Compiler, Refused, parse, parse_series
from llm_canaries.rules.promql.plan import (
    STEP,
    Call,
    Compute,
    Number,
    Range,
    Reduce,
    Select,
    Subquery,
    When,
    moments,
    reach,
    selected_names,
)

NAMED = Matcher("=", "__name__", "x")

REFUSED = [
    ("x[5m]", "a range"),
    ("x[5m:1m]", "a range"),
    ("sum(x) / x[5m]", "not PromQL"),
    ("rate(x)", "not PromQL"),
    ("x @ -5", "a sign after `@`"),
    ("limit_ratio(0.5, x)", "aggregation `limit_ratio`"),
    ("histogram_count(x)", "function `histogram_count`"),
    ("mad_over_time(x[5m])", "function `mad_over_time`"),
    ('sort_by_label(x, "a")', "function `sort_by_label`"),
    ("double_exponential_smoothing(x[5m], 0.5, 0.5)", "function `double_exponential_smoothing`"),
    ("info(x)", "function `info`"),
    ("rate(x[5m] anchored)", "not PromQL"),
    ("rate(x[5m + 1m])", "not PromQL"),
    ('label_replace(x, "a", "$1", "b", "(")', "not RE2"),
    ('label_replace(x, "", "$1", "b", ".*")', "names of labels"),
    ('label_join(x, "a", ",", "")', "names of labels"),
    ('label_replace(x, "\\xff", "", "b", ".*")', "bytes beyond ASCII"),
    ("clamp(x, 1)", "not PromQL"),
    ("round(x, 1, 2)", "not PromQL"),
    ('count_values("", x)', "name of a label"),
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


def test_when_and_how_long_is_in_milliseconds():
    assert parse("x offset -5m") == Select((NAMED,), When(-300_000))
    assert parse("x @ 1700000000.5 offset 1s") == Select((NAMED,), When(1000, 1_700_000_000_500))
    assert parse("x @ end()") == Select((NAMED,), When(0, "end"))
    assert parse("rate(x[90s] @ start())") == Call("rate", (Range(Select((NAMED,), When(0, "start")), 90_000),))
    assert parse("max_over_time(x[1h:])") == Call(
        "max_over_time", (Subquery(Select((NAMED,)), 3_600_000, STEP, When()),)
    )


def test_arguments_that_may_be_left_out_are_what_prometheus_takes_them_to_be():
    assert parse("round(x)") == parse("round(x, 1)")
    assert parse("hour()") == parse("hour(vector(time()))")
    assert parse("pi()") == Number(repr(math.pi))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1 + time()", 0),
        ("x", 300),
        ("x offset 10m", 900),
        ("x offset -10m", 0),
        ("rate(x[30s])", 30),
        ("rate(x[10m] offset 1h) / y", 4200),
        ("max_over_time(rate(x[5m])[1h:1m] offset 1d)", 90_300),
        ("topk(scalar(sum_over_time(y[2h])), x)", 7200),
        ("x @ 100", math.inf),
        ("x @ end() offset 1m", 360),
    ],
)
def test_how_far_back_an_expression_looks(text, seconds):
    assert reach(parse(text)) == seconds


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


@pytest.mark.parametrize("text", ["max_over_time(x[1h:1ms])", "max_over_time(max_over_time(x[1h:10s])[1h:10s])"])
def test_subqueries_of_too_many_steps(text):
    with pytest.raises(Refused, match="11,000 at most"):
        parse(text)


def test_subqueries_of_many_steps():
    assert moments(parse("max_over_time(x[3h:1s]) + max_over_time(x[3h:1s])")) == 10_801
    assert moments(parse("max_over_time(max_over_time(x[10m:15s])[1h:1m])")) == 41 * 61
    assert moments(parse("x")) == 1
