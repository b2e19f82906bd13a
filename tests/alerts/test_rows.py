"""alerts/rows.py: incidents to rows and back."""

from alarms import CASE, firing, told

from llm_canaries.alerts.incident import advance
from llm_canaries.alerts.receivers import Receiver
from llm_canaries.alerts.rows import delivery_rows, incident_row, incidents_of


def test_an_incident_survives_the_state_but_for_its_annotations():
    incidents, (opened,) = advance({}, [firing("critical", at=50.0, **CASE)], now=100.0)
    restored = incidents_of([incident_row(opened)])
    (before,), (after,) = incidents.values(), restored.values()
    assert list(restored) == list(incidents)
    assert (after.level, after.labels, after.opened, after.changed) == (before.level, CASE, 50.0, 100.0)
    assert after.annotations == {}
    assert advance(restored, [firing("critical", **CASE)], now=101.0)[1] == (), "a restart is no flip"


def test_only_an_end_closes_the_row():
    assert incident_row(told("eased", "warning", "critical").flip).closed is None
    for kind in ("resolved", "removed"):
        assert incident_row(told(kind, "warning", "warning").flip).closed == 200.0


def test_deliveries_are_due_at_once_for_those_who_hear():
    receivers = {
        "pager": Receiver(name="pager", url="json://a", severities=frozenset({"critical"})),
        "chat": Receiver(name="chat", url="json://b"),
    }
    (row,) = delivery_rows(told("opened", "warning"), receivers, 300.0)
    assert (row.receiver, row.kind, row.title, row.body) == ("chat", "opened", "opened", "body of opened")
    assert (row.created, row.next_at, row.attempts, row.state) == (300.0, 300.0, 0, "pending")
    assert [each.receiver for each in delivery_rows(told("escalated", "critical", "warning"), receivers, 300.0)] == [
        "pager",
        "chat",
    ]
