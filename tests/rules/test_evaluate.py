"""Inactive, pending, firing, resolved: rules/evaluate.py."""

import pytest

from llm_canaries.rules.evaluate import Evaluation, evaluate
from llm_canaries.rules.load import load
from llm_canaries.rules.outputs import Outputs
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import parse


class Course:
    """One group over series that change from tick to tick."""

    def __init__(self, fixed, rule: str, limit: int = 0):
        text = f"groups: [{{name: g, limit: {limit}, rules: [{rule}]}}]"
        (self.group,) = load({"r.yml": text})
        self.fixed, self.result, self.outputs = fixed, Evaluation(states=()), Outputs()

    def at(self, now: float, **values: float) -> list[tuple[str, str, float]]:
        """State, label `a` and value of every alert at `now`, when series `x{a="name"}` have these values."""
        source = self.fixed({f'x{{a="{name}"}}': value for name, value in values.items()})
        self.result = evaluate(self.group, source, now, self.result.states, self.outputs)
        return [(alert.state, alert.labels.get("a", ""), alert.value) for alert in self.result.alerts]


def test_an_alert_waits_for_its_time(fixed):
    course = Course(fixed, "{alert: A, expr: x > 0, for: 1m}")
    assert course.at(0, p=0) == []
    assert course.at(15, p=1) == [("pending", "p", 1)]
    assert course.at(74, p=2) == [("pending", "p", 2)]
    assert course.at(75, p=3) == [("firing", "p", 3)]
    (alert,) = course.result.firing
    assert (alert.active_at, alert.fired_at) == (15, 75)
    assert course.at(90, p=0) == []
    assert course.at(105, p=1) == [("pending", "p", 1)]


def test_without_a_time_it_fires_at_once(fixed):
    assert Course(fixed, "{alert: A, expr: x > 0}").at(0, p=1, q=2) == [("firing", "p", 1), ("firing", "q", 2)]


def test_a_pending_alert_that_is_missing_once_begins_again(fixed):
    course = Course(fixed, "{alert: A, expr: x > 0, for: 30s, keep_firing_for: 5m}")
    assert course.at(0, p=1) == [("pending", "p", 1)]
    assert course.at(15, p=0) == []
    assert course.at(30, p=1) == [("pending", "p", 1)]
    assert course.at(60, p=1) == [("firing", "p", 1)]


def test_it_goes_on_firing_for_its_time(fixed):
    course = Course(fixed, "{alert: A, expr: x > 0, keep_firing_for: 1m}")
    course.at(0, p=1)
    assert course.at(15) == [("firing", "p", 1)]
    assert course.at(60) == [("firing", "p", 1)]
    assert course.at(70, p=4) == [("firing", "p", 4)], "back before the time was over"
    assert course.at(85) == [("firing", "p", 4)]
    assert course.at(144) == [("firing", "p", 4)]
    assert course.at(145) == []


def test_a_clock_that_steps_back_does_not_stop_an_alert(fixed):
    course = Course(fixed, "{alert: A, expr: x > 0, for: 1m, keep_firing_for: 1m}")
    course.at(10_000, p=1)
    assert course.at(1000, p=1) == [("pending", "p", 1)]
    assert course.at(1060, p=1) == [("firing", "p", 1)]
    assert course.at(500) == [("firing", "p", 1)]
    assert course.at(560) == []


def test_labels_and_texts(fixed):
    rule = """{alert: A, expr: x > 0, labels: {severity: warning, a: "was {{ $labels.a }}", gone: "{{ $labels.no }}"},
              annotations: {summary: "{{ $labels.__name__ }} {{ $labels.a }} {{ $value }}"}}"""
    course = Course(fixed, rule)
    course.at(0, p=1)
    (alert,) = course.result.firing
    assert alert.labels == {"alertname": "A", "severity": "warning", "a": "was p"}
    assert alert.annotations == {"summary": "x p 1"}
    course.at(15, p=2)
    assert course.result.firing[0].annotations == {"summary": "x p 2"}
    assert course.result.firing[0].active_at == 0


def test_a_rule_that_fails_keeps_what_it_said_and_stops_no_other(fixed):
    rules = "{alert: A, expr: x > on(b) x}, {alert: B, expr: x > 0}"
    course = Course(fixed, rules)
    course.at(0, p=1)
    assert [problem.rule for problem in course.result.problems] == []
    course.at(15, p=1, q=1)
    assert [problem.rule for problem in course.result.problems] == ["A"]
    assert "match" in course.result.problems[0].message
    assert [alert.labels["alertname"] for alert in course.result.firing] == ["B", "B"]
    course = Course(fixed, "{alert: A, expr: 'x > 0 and on() (vector(1) + on() x)'}")
    assert course.at(0, p=1) == [("firing", "p", 1)]
    assert course.at(15, p=1, q=1) == [("firing", "p", 1)], "held"
    assert course.result.problems


def test_equal_labels_after_the_rules_own_are_an_error(fixed):
    course = Course(fixed, '{alert: A, expr: x > 0, labels: {a: same}}')
    assert course.at(0, p=1) == [("firing", "same", 1)]
    assert course.at(15, p=1, q=2) == [("firing", "same", 1)]
    assert "same labels" in course.result.problems[0].message


def test_a_rule_over_its_limit_fails_and_begins_anew(fixed):
    """As Prometheus does: the alerts are forgotten, so that `for` has to pass again."""
    course = Course(fixed, "{alert: A, expr: x > 0, for: 30s}, {alert: B, expr: sum(x) > 0}", limit=2)
    course.at(0, p=1)
    assert course.at(30, p=1) == [("firing", "p", 1), ("firing", "", 1)]
    assert course.at(45, p=1, q=1, r=1) == [("firing", "", 3)]
    assert [(each.rule, each.message) for each in course.result.problems] == [
        ("A", "3 series, and the group's limit is 2")
    ]
    assert course.at(60, p=1, q=1) == [("pending", "p", 1), ("pending", "q", 1), ("firing", "", 2)]


def test_a_recording_rule_over_its_limit_fails(fixed):
    course = Course(fixed, "{record: r, expr: x > 0}, {alert: A, expr: count(r) > 1}", limit=2)
    course.at(0, p=1, q=1)
    assert len(course.result.firing) == 1
    course.at(15, p=1, q=1, s=1)
    assert [each.rule for each in course.result.problems] == ["r"]
    assert len(course.result.firing) == 1, "what it said before holds for five minutes"


def test_a_failing_rule_does_not_stop_the_others(fixed):
    course = Course(fixed, "{alert: Bad, expr: x * on () x}, {alert: Good, expr: x > 0}")
    assert course.at(0, p=1, q=1) == [("firing", "p", 1), ("firing", "q", 1)]
    assert [each.rule for each in course.result.problems] == ["Bad"]


def test_later_rules_see_what_earlier_ones_recorded_and_what_fires(fixed):
    rules = """{record: total, expr: sum(x), labels: {kind: sum}},
               {alert: High, expr: total > 5},
               {alert: Any, expr: 'count({__name__="ALERTS", alertstate="firing", alertname="High"}) > 0'},
               {record: late, expr: 'total{kind="sum"} * 2'}"""
    course = Course(fixed, rules)
    course.at(0, p=2)
    assert course.result.firing == []
    course.at(15, p=6)
    assert [alert.labels["alertname"] for alert in course.result.firing] == ["High", "Any"]
    (late,) = Tick(course.outputs, 15.0).vector(parse("late")).labels
    assert late == {"__name__": "late", "kind": "sum"}
    assert Tick(course.outputs, 15.0).vector(parse("late")).values.tolist() == [12.0]
    course.at(30)
    assert course.result.firing == []


def test_another_groups_series_are_seen(fixed):
    (one,) = load({"a.yml": "groups: [{name: a, rules: [{record: total, expr: sum(x)}]}]"})
    (two,) = load({"b.yml": "groups: [{name: b, rules: [{alert: A, expr: total > 1}]}]"})
    source, outputs = fixed({"x": 3.0}), Outputs()
    evaluate(one, source, 0.0, (), outputs)
    assert len(evaluate(two, source, 10.0, (), outputs).firing) == 1
    assert evaluate(two, source, 400.0, (), outputs).firing == [], "older than five minutes"


def test_recorded_series_have_a_past(fixed):
    """A range over what rules recorded, a series that ended, and ALERTS_FOR_STATE."""
    rules = """{record: r, expr: x}, {alert: A, expr: x > 1, for: 5m},
               {alert: Long, expr: 'time() - ALERTS_FOR_STATE{alertname="A"} >= 45'}"""
    course = Course(fixed, rules)
    for at, values in ((0, {"p": 1}), (15, {"p": 2, "q": 5}), (30, {"p": 4}), (45, {"p": 8}), (60, {"p": 16})):
        course.at(at, **values)

    def seen(expression, at):
        vector = Tick(course.outputs, at).vector(parse(expression))
        return {labels.get("a"): value for labels, value in zip(vector.labels, vector.values.tolist(), strict=True)}

    assert seen("sum_over_time(r[1m])", 60.0) == {"p": 30.0, "q": 5.0}
    assert seen("r", 60.0) == {"p": 16.0}, "what is not recorded any more has ended"
    assert seen("r offset 45s", 60.0) == {"p": 2.0, "q": 5.0}
    assert seen('ALERTS_FOR_STATE{alertname="A"}', 60.0) == {"p": 15.0}
    assert seen('ALERTS{alertstate="pending", alertname="A"}', 60.0) == {"p": 1.0}
    assert [alert.labels["alertname"] for alert in course.result.firing] == ["Long"]


@pytest.mark.parametrize("states", [0, 1, 3])
def test_states_of_another_number_of_rules_are_not_used(fixed, states):
    course = Course(fixed, "{alert: A, expr: x > 0, for: 1m}, {alert: B, expr: x > 1}")
    first = evaluate(course.group, fixed({"x": 1.0}), 0.0)
    second = evaluate(course.group, fixed({"x": 1.0}), 60.0, (first.states * 2)[:states])
    assert [alert.state for alert in second.alerts] == ["pending"]
