"""Rule files: what they mean, and every problem at once: rules/load.py."""

import textwrap

import pytest

from llm_canaries.config.problems import ConfigError
from llm_canaries.rules.load import load

SOUND = """
groups:
  - name: one
    interval: 30s
    limit: 5
    rules:
      - record: job:x:sum
        expr: sum by (job) (x)
        labels: {team: a}
      - alert: Hot
        expr: job:x:sum > 3
        for: 1h30m
        keep_firing_for: 5m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.job }} is {{ $value }}"}
  - name: empty
"""
BROKEN = """
groups:
  - name: one
    rules:
      - alert: Rate
        expr: mad_over_time(x[5m]) > 1
      - alert: Typo
        exprs: x
      - alert: Text
        expr: x > 0
        for: soon
        labels: {severity: {a: b}, "bad-name": x, team: 5}
        annotations: {summary: "{{ query `x` }}"}
      - record: bad name
        expr: x
      - record: good
        expr: x
        for: 5m
  - name: one
    rules: nothing
  - rules: []
    query_offset: 5m
    limit: -1
  - interval: 0.5
    name: two
    rules: [{alert: Up, expr: up == 0}, {alert: State, expr: ALERTS_FOR_STATE > 0}, {expr: x}, 7]
"""


def problems(**texts: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load({name.replace("_", "."): textwrap.dedent(text) for name, text in texts.items()})
    return [str(problem) for problem in caught.value.problems]


def test_groups_and_rules():
    one, empty = load({"rules.yml": SOUND})
    assert (one.file, one.name, one.interval, one.limit) == ("rules.yml", "one", 30.0, 5)
    assert (empty.name, empty.interval, empty.rules) == ("empty", None, ())
    record, hot = one.rules
    assert (record.kind, record.name, record.names) == ("record", "job:x:sum", {"x"})
    assert (hot.hold, hot.keep, hot.severity, hot.line) == (5400.0, 300.0, "critical", 10)


def test_every_problem_of_every_file_is_told_with_file_line_group_rule_and_construct():
    told = problems(a_yml=BROKEN, b_yml="groups: [{name: x, rules: [{alert: A, expr: 'limit_ratio(0.5, x)'}]}]")
    wanted = [
        ("a.yml:6:", "group `one`, rule `Rate`: the function `mad_over_time` is not evaluated here"),
        ("a.yml:8:", "`exprs` is not evaluated here; did you mean `expr`?"),
        ("a.yml:7:", "rule `Typo`: needs an `expr`"),
        ("a.yml:11:", "rule `Text`: `for` is a duration such as `5m` or `1h30m`, not `soon`"),
        ("a.yml:12:", "`severity` is text"),
        ("a.yml:12:", "`bad-name` is not a label name"),
        ("a.yml:12:", "`team` is text; put `5` in quotes"),
        ("a.yml:13:", "`summary`: `query`"),
        ("a.yml:14:", "`record` wants a metric name"),
        ("a.yml:18:", "`for` is not evaluated here"),
        ("a.yml:19:", "a second group `one`"),
        ("a.yml:20:", "a list is wanted here, not text"),
        ("a.yml:21:", "a group needs a `name`"),
        ("a.yml:22:", "`query_offset` is not evaluated here"),
        ("a.yml:23:", "`limit` is a whole number"),
        ("a.yml:24:", "`interval` is a duration"),
        ("a.yml:26:", "rule `Up`: `up` does not exist here"),
        ("a.yml:26:", "group `two`: `alert` wants a name"),
        ("a.yml:26:", "a mapping is wanted here, not a number"),
        ("b.yml:1:", "group `x`, rule `A`: the aggregation `limit_ratio` is not evaluated here"),
    ]
    for place, said in wanted:
        assert any(each.startswith(place) and said in each for each in told), (place, said, told)
    assert len(told) == len(wanted), told


@pytest.mark.parametrize("text", ["groups: [", "- a", "groups: {a: b}", "x: &a [*a]", "groups:\n\t- x", "\ud800"])
def test_what_is_no_rule_file_is_told(text):
    assert problems(a_yml=text)


def test_a_file_may_have_no_groups_but_not_nothing():
    assert load({"b.yml": "groups:\n", "c.yml": "groups: []", "d.yml": "{}"}) == ()
    assert "empty" in problems(a_yml="")[0]


def test_anchors_and_merges_are_read():
    (group,) = load(
        {
            "a.yml": textwrap.dedent("""
            groups:
              - name: g
                rules:
                  - &w {alert: A, expr: x > 1, labels: {severity: warning}, annotations: &t {summary: s}}
                  - {<<: *w, expr: x > 2, labels: {severity: critical}, annotations: *t}
            """)
        }
    )
    assert [(rule.name, rule.severity, rule.expression) for rule in group.rules] == [
        ("A", "warning", "x > 1"),
        ("A", "critical", "x > 2"),
    ]
    assert group.rules[0].annotations == group.rules[1].annotations


def test_labels_of_the_group_are_those_of_its_rules_unless_they_say_otherwise():
    text = "groups: [{name: g, labels: {team: a, tier: b}, rules: [{alert: A, expr: x, labels: {tier: c}}]}]"
    (group,) = load({"r.yml": text})
    assert {name: template.fixed for name, template in group.rules[0].labels} == {"team": "a", "tier": "c"}


def test_labels_of_a_recording_rule_are_no_templates():
    """Prometheus takes them as they are, braces and all; test_against_promtool.py has one."""
    (group,) = load({"r.yml": "groups: [{name: g, rules: [{record: r, expr: x, labels: {a: '{{ $value }}'}}]}]"})
    assert group.rules[0].labels[0][1].fixed == "{{ $value }}"


def test_what_a_rule_looks_back():
    text = "groups: [{name: g, rules: [{record: r, expr: 'rate(x[1h] offset 10m)'}, {alert: A, expr: r > 1}]}]"
    (group,) = load({"r.yml": text})
    assert [rule.reach for rule in group.rules] == [4200.0, 300.0]
    assert group.reach == 4200.0
