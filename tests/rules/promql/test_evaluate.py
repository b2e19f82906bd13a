"""Expressions over a few series: rules/promql/evaluate.py, binary.py, aggregate.py."""

import math

import pytest

from llm_canaries.rules.promql.problem import EvaluationError

X = {'x{a="1", b="p"}': 1.0, 'x{a="2", b="p"}': 2.0, 'x{a="3", b="q"}': 3.0}
Y = {'y{a="1"}': 10.0, 'y{a="2"}': 20.0, 'y{a="9"}': 90.0}
T = {'t{b="p", level="w"}': 1.5, 't{b="q", level="w"}': 5.0, 't{b="p", level="c"}': 0.5}
NAN = {'n{a="1"}': math.nan, 'n{a="2"}': 4.0}

VALUES = [
    ("1 + 2 * 3 ^ 2", {"": 19.0}),
    ("-2 ^ 2", {"": -4.0}),
    ("2 ^ 3 ^ 2", {"": 512.0}),
    ("-7 % 3", {"": -1.0}),
    ("1 / 0", {"": math.inf}),
    ("3 > bool 2", {"": 1.0}),
    ("time()", {"": 1000.0}),
    ("vector(7)", {"": 7.0}),
    ('x{a="1"}', {'x{a="1", b="p"}': 1.0}),
    ('x{a!="1"}', {'x{a="2", b="p"}': 2.0, 'x{a="3", b="q"}': 3.0}),
    ('x{a=~"1|2"}', {'x{a="1", b="p"}': 1.0, 'x{a="2", b="p"}': 2.0}),
    ('x{a!~"[12]"}', {'x{a="3", b="q"}': 3.0}),
    ('x{missing="", a="1"}', {'x{a="1", b="p"}': 1.0}),
    ('{__name__=~"x|y", a="1"}', {'x{a="1", b="p"}': 1.0, 'y{a="1"}': 10.0}),
    ("x > 1.5", {'x{a="2", b="p"}': 2.0, 'x{a="3", b="q"}': 3.0}),
    ("1.5 < x", {'x{a="2", b="p"}': 2.0, 'x{a="3", b="q"}': 3.0}),
    ("x > bool 2", {'{a="1", b="p"}': 0.0, '{a="2", b="p"}': 0.0, '{a="3", b="q"}': 1.0}),
    ("x * 2 == 4", {'{a="2", b="p"}': 4.0}),
    ("2 - x < 0", {'{a="3", b="q"}': -1.0}),
    ('-x{a="1"}', {'{a="1", b="p"}': -1.0}),
    ("n > 1", {'n{a="2"}': 4.0}),
    ("n != 4", {'n{a="1"}': math.nan}),
    ("x + on(a) y", {'{a="1"}': 11.0, '{a="2"}': 22.0}),
    ("x + ignoring(b) y", {'{a="1"}': 11.0, '{a="2"}': 22.0}),
    ("x + y", {}),
    ("x < on(a) y", {'{a="1"}': 1.0, '{a="2"}': 2.0}),
    ('x > on(b) group_left() t{level="w"}', {'x{a="2", b="p"}': 2.0}),
    (
        'x * on(b) group_left(level) t{level="w"}',
        {'{a="1", b="p", level="w"}': 1.5, '{a="2", b="p", level="w"}': 3.0, '{a="3", b="q", level="w"}': 15.0},
    ),
    ('t{level="w"} < on(b) group_right() x', {'x{a="2", b="p"}': 1.5}),
    ("x and on(a) y", {'x{a="1", b="p"}': 1.0, 'x{a="2", b="p"}': 2.0}),
    ("x unless on(a) y", {'x{a="3", b="q"}': 3.0}),
    (
        "y or on(a) x",
        {'y{a="1"}': 10.0, 'y{a="2"}': 20.0, 'y{a="9"}': 90.0, 'x{a="3", b="q"}': 3.0},
    ),
    ("x and none", {}),
    ("x unless none", {'x{a="1", b="p"}': 1.0, 'x{a="2", b="p"}': 2.0, 'x{a="3", b="q"}': 3.0}),
    ("none or vector(1)", {"": 1.0}),
    ("sum(x)", {"": 6.0}),
    ("sum by (b) (x)", {'{b="p"}': 3.0, '{b="q"}': 3.0}),
    ("avg without (a) (x)", {'{b="p"}': 1.5, '{b="q"}': 3.0}),
    ("min by (b) (x)", {'{b="p"}': 1.0, '{b="q"}': 3.0}),
    ("max without (a, b) (x)", {"": 3.0}),
    ("count by (missing) (x)", {"": 3.0}),
    ("max(n)", {"": 4.0}),
    ("min(n)", {"": 4.0}),
    ("sum(n)", {"": math.nan}),
    ("sum(none)", {}),
    ("absent(none)", {"": 1.0}),
    ('absent(none{a="1", b!="2", c=~"x"})', {'{a="1"}': 1.0}),
    ("absent(x)", {}),
    ("time() - y > 950", {'{a="1"}': 990.0, '{a="2"}': 980.0}),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[each[0] for each in VALUES])
def test_value(ask, expression, expected):
    found = ask(expression, X | Y | T | NAN)
    assert found == pytest.approx({key.replace("{}", ""): value for key, value in expected.items()}, nan_ok=True)


AMBIGUOUS = [
    ("x + on(b) x", 'on the right match {b=\'p\'}'),
    ('x + on(b) t{level="w"}', "group_left or group_right"),
    ("x > on(b) group_left() t", "on the right match"),
    ('-{__name__=~"same|other"}', "same labels"),
    ('{__name__=~"same|other"} + 1', "same labels"),
    ('same * on(a) group_left(a2) other', None),
]


@pytest.mark.parametrize(("expression", "message"), AMBIGUOUS, ids=[each[0] for each in AMBIGUOUS])
def test_an_ambiguous_match_is_an_error(ask, expression, message):
    series = X | T | {'same{a="1"}': 1.0, 'other{a="1"}': 2.0}
    if message is None:
        assert ask(expression, series) == {'{a="1"}': 2.0}
        return
    with pytest.raises(EvaluationError) as caught:
        ask(expression, series)
    assert message in str(caught.value)


def test_the_sum_is_exact_and_survives_overflow(ask):
    assert ask("sum(v)", {'v{i="1"}': 1e100, 'v{i="2"}': 1.0, 'v{i="3"}': -1e100}) == {"": 1.0}
    big = {f'v{{i="{i}"}}': 1.7e308 for i in range(4)}
    assert ask("sum(v)", big) == {"": math.inf}
    assert ask("avg(v)", big) == pytest.approx({"": 1.7e308})
    mixed = {'v{i="1"}': math.inf, 'v{i="2"}': -math.inf}
    assert math.isnan(ask("sum(v)", mixed)[""])


def test_an_alert_rule_survives_the_labels_of_a_scrape(ask):
    rule = 'r > on (job, instance, canary) group_left () t{severity="warning"}'
    plain = {'r{canary="c", model="m"}': 0.5, 't{canary="c", severity="warning"}': 0.02}
    scraped = {key.replace("}", ', job="j", instance="i"}'): value for key, value in plain.items()}
    assert list(ask(rule, plain).values()) == [0.5]
    assert list(ask(rule, scraped).values()) == [0.5]
