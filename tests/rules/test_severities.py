"""Critical implies warning: rules/severities.py."""

import pytest

from llm_canaries.rules.load import load
from llm_canaries.rules.severities import disagreements

PAIR = """
groups:
  - name: g
    rules:
      - {{alert: A, expr: '{warning}', for: {wait}, keep_firing_for: {keep}, labels: {{severity: warning}}}}
      - {{alert: A, expr: '{critical}', for: 5m, keep_firing_for: 5m, labels: {{severity: critical, {more}}}}}
"""


def told(warning, critical, wait="5m", keep="5m", more=""):
    text = PAIR.format(warning=warning, critical=critical, wait=wait, keep=keep, more=more)
    return [each.message for each in disagreements(load({"r.yml": text}))]


@pytest.mark.parametrize(
    ("warning", "critical"),
    [
        ("x > 1", "x > 1"),
        ("x > 1", "x > 2"),
        ("x - time() < 86400 unless y", "x - time() < 3600 unless y"),
        ("x >= 2", "x >= 3 and on (canary) y"),
        ("sum by (a) (x) > 1 and y > 3", "sum by (a) (x) > 2 and y > 3"),
        ("x > 1 or y > 1", "x > 2 or y > 1"),
        (
            'x > on (canary) group_left () llm_canary_threshold{severity="warning"}',
            'x > on (canary) group_left () llm_canary_threshold{severity="critical"}',
        ),
    ],
)
def test_what_implies(warning, critical):
    assert told(warning, critical) == []


@pytest.mark.parametrize(
    ("warning", "critical"),
    [
        ("x > 2", "x > 1"),
        ("x < 1", "x < 2"),
        ("x > 1", "y > 2"),
        ("x > 1 and y > 3", "x > 2"),
        ("x > 1 unless y", "x > 2 unless y > 5"),
        ("sum by (a) (x) > 1", "sum by (b) (x) > 2"),
        ("x == 1", "x == 2"),
        ('x > llm_canary_threshold{severity="critical"}', 'x > llm_canary_threshold{severity="warning"}'),
        ("x > bool 1", "x > bool 2"),
    ],
)
def test_what_does_not(warning, critical):
    (message,) = told(warning, critical)
    assert "critical does not imply its warning" in message


def test_times_and_labels_count_as_well():
    assert "its `for` is shorter" in told("x > 1", "x > 2", wait="10m")[0]
    assert "its `keep_firing_for` is longer" in told("x > 1", "x > 2", keep="1m")[0]
    assert "other labels" in told("x > 1", "x > 2", more="team: a")[0]


def test_a_name_of_one_severity_is_left_alone():
    text = "groups: [{name: g, rules: [{alert: A, expr: x, labels: {severity: critical}}, {alert: B, expr: y}]}]"
    assert disagreements(load({"r.yml": text})) == []
