"""Unit tests of rules: rules/unittest.py, trial.py, series.py."""

import math

import pytest

from llm_canaries.config.problems import ConfigError
from llm_canaries.rules.promql.parse import Refused
from llm_canaries.rules.series import STALE_VALUE, read_values
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests

RULES = """
groups:
  - name: g
    rules:
      - record: total
        expr: sum by (a) (x)
      - alert: High
        expr: total > 2
        for: 2m
        labels: {severity: warning}
        annotations: {summary: "{{ $labels.a }} is {{ $value }}"}
"""
TESTS = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - name: climbs
    interval: 1m
    input_series:
      - {series: 'x{a="p", i="1"}', values: '0+1x10'}
      - {series: 'x{a="p", i="2"}', values: '0x10'}
    alert_rule_test:
      - {eval_time: 4m30s, alertname: High, exp_alerts: []}
      - eval_time: 5m30s
        alertname: High
        exp_alerts:
          - exp_labels: {a: p, severity: warning}
            exp_annotations: {summary: p is 5}
    promql_expr_test:
      - {expr: 'total', eval_time: 3m, exp_samples: [{labels: 'total{a="p"}', value: 3}]}
      - {expr: 'ALERTS', eval_time: 4m, exp_samples: [
          {labels: 'ALERTS{alertname="High", alertstate="pending", a="p", severity="warning"}', value: 1}]}
      - {expr: 'count(x)', eval_time: 20m, exp_samples: []}
"""


def failures(text: str, rules: str = RULES) -> list[str]:
    return [str(each) for each in run_tests(read_tests("t.yml", text, lambda name: {name: rules}))]


def test_expectations_that_are_met():
    assert failures(TESTS) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("summary: p is 5", "summary: p is 6", "wanted, not there"),
        ("{a: p, severity: warning}", "{a: q, severity: warning}", "there, not wanted"),
        ("eval_time: 5m30s", "eval_time: 4m45s", "High at 285 s"),
        ("exp_alerts: []", "exp_alerts: [{exp_labels: {a: p}}]", "t.yml:11: climbs: High at 270 s"),
        ("value: 3", "value: 3.0000000001", "`total` at 180 s"),
        ("alertstate=\"pending\"", "alertstate=\"firing\"", "`ALERTS` at 240 s"),
        ("expr: 'count(x)'", "expr: 'x + on(a) x'", ""),
        ("'count(x)', eval_time: 20m", "'x + on(a) x', eval_time: 5m", "match"),
    ],
)
def test_an_expectation_that_is_not_met_is_told_with_both_sides(right, wrong, said):
    assert right in TESTS
    told = failures(TESTS.replace(right, wrong))
    assert all(each.startswith("t.yml:") and said in each for each in told)
    assert bool(told) == bool(said)


def test_a_rule_that_fails_is_told():
    told = failures(TESTS, RULES.replace("sum by (a) (x)", "x * on(a) x"))
    assert any("at 0 s: total: several series" in each for each in told)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("rule_files: [rules.yml]", "rule_files: [rules.yml]\ngroup_eval_order: [nobody]", "no group `nobody`"),
        ("evaluation_interval: 1m", "evaluation_interval: 0s", "`evaluation_interval` is a duration"),
        ("evaluation_interval: 1m", "fuzzy: true", "`fuzzy` is not understood here"),
        ("values: '0+1x10'", "values: '0+1'", "t.yml:8: '0+1' is no value"),
        ("values: '0+1x10'", "values: '{{schema:1}}'", "is no value"),
        ("series: 'x{a=\"p\", i=\"1\"}'", "series: 'x{a=~\"p\"}'", "not a series"),
        ("alertname: High, exp", "exp", "needs an `alertname`"),
        ("eval_time: 4m30s", "eval_time: later", "`eval_time` is a duration"),
        ("eval_time: 20m", "eval_time: 1y", "more than 200,000 evaluations"),
        ("expr: 'count(x)'", "expr: 'mad_over_time(x[5m])'", "the function `mad_over_time` is not evaluated here"),
        ("value: 3", "value: many", "`value` is a number"),
        ("exp_labels: {a: p,", "exp_labels: {a: 1,", "put `1` in quotes"),
        ("- name: climbs", "- name: climbs\n    external_labels: {a: b}", "`external_labels` is not understood here"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(right, wrong, said):
    assert right in TESTS
    with pytest.raises(ConfigError) as caught:
        failures(TESTS.replace(right, wrong))
    assert any(said in str(problem) for problem in caught.value.problems), caught.value.problems


def test_a_rule_file_that_is_missing_or_broken_is_told():
    with pytest.raises(ConfigError, match="no file `rules"):
        read_tests("t.yml", TESTS, lambda name: {})
    with pytest.raises(ConfigError, match=r"rules\.yml:8: group `g`, rule `High`"):
        failures(TESTS, RULES.replace("total > 2", "total >"))
    with pytest.raises(ConfigError):
        failures("rule_files: [")


def test_values():
    assert read_values("1 -2.5e1 0+10x2 5-2x2 7x1 _ _x2 stale Inf -Inf 0x1 .5") == [
        1.0, -25.0, 0.0, 10.0, 20.0, 5.0, 3.0, 1.0, 7.0, 7.0, None, None, None, STALE_VALUE, math.inf, -math.inf,
        0.0, 0.0, 0.5,
    ]  # fmt: skip
    (nan,) = read_values("NaN")
    assert isinstance(nan, float) and math.isnan(nan)
    assert read_values("") == []
    assert read_values("0+0.1x3")[3] == 0.1 + 0.1 + 0.1, "added up step by step, as promtool does"
    for text in ("x", "1x", "1+", "1+2", "_5", "1,2", "1x99999999", "--1", "{{}}"):
        with pytest.raises(Refused):
            read_values(text)
