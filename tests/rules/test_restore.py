"""`for` clocks over a restart, compared with what Prometheus' RestoreForState does: rules/restore.py."""

import pytest

from llm_canaries.rules.evaluate import evaluate
from llm_canaries.rules.load import load
from llm_canaries.rules.restore import Clock, by_identity, clocks, restored

HOUR = 3600.0
LABELS = {"alertname": "A", "a": "p", "severity": "warning"}


def group_of(hold: str):
    text = f"groups: [{{name: g, rules: [{{alert: A, expr: x > 0, for: {hold}, labels: {{severity: warning}}}}]}}]"
    return load({"r.yml": text})[0]


def course(fixed, hold, kept, start, until):
    """When the alert first fires, evaluated every minute from `start`; None where it does not until `until`."""
    group, source = group_of(hold), fixed({'x{a="p"}': 1.0})
    states = evaluate(group, source, start).states
    states = restored(group, states, by_identity(kept, start), start)
    at = start
    while at <= until:
        result = evaluate(group, source, at, states)
        states = result.states
        if result.firing:
            return at
        at += 60.0
    return None


def kept(active_at, seen_at, **labels):
    return [Clock({**LABELS, **labels}, active_at, seen_at)]


@pytest.mark.parametrize(
    ("active", "seen", "back", "fires", "why"),
    [
        (0, 1800, 2400, 2400 + 1800 - 1200, "30 of 60 minutes were left: it goes on where it stood"),
        (0, 3300, 3600, 3600 + 600, "five minutes were left: the ten of grace"),
        (0, 3600, 5000, 5000, "it fired before: at the next evaluation"),
        (0, 1800, 1800 + 3601, 1800 + 3601 + 3600, "down for more than an hour: it begins anew"),
        (0, 1800, 1800 + 3600, 1800 + 3600 + 1800, "down for an hour exactly"),
        (1000, 2000, 1500, 1500 + 3600, "the clock stepped back: what is from the future is not believed"),
    ],
)
def test_an_hours_for(fixed, active, seen, back, fires, why):
    found = course(fixed, "1h", kept(active, seen), float(back), back + 2 * HOUR)
    assert found is not None
    assert fires <= found < fires + 60.0 if "goes on" not in why else found == back + 1800, why


def test_a_short_for_begins_anew(fixed):
    assert course(fixed, "5m", kept(0.0, 3000.0), 3010.0, 9000.0) == 3010.0 + 300.0


def test_clocks_of_other_labels_are_not_used(fixed):
    assert course(fixed, "1h", kept(0.0, 3600.0, a="q"), 3700.0, 3800.0) is None


def test_only_what_can_be_restored_is_kept(fixed):
    group = group_of("20m")
    states = evaluate(group, fixed({'x{a="p"}': 1.0}), 100.0).states
    assert clocks([(group, states)]) == [Clock(LABELS, 100.0, 100.0)]
    short = group_of("5m")
    assert clocks([(short, evaluate(short, fixed({"x": 1.0}), 100.0).states)]) == []
