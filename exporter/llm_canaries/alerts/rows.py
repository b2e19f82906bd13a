"""Incidents as the state keeps them, and back."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from llm_canaries.alerts.incident import CLOSING, Flip, Incident, Level, hears
from llm_canaries.alerts.receivers import Receiver
from llm_canaries.state.incidents import DeliveryRow, IncidentRow


class Told(Struct, frozen=True):
    """A flip and what is said of it."""

    flip: Flip
    title: str
    body: str


def incident_row(flip: Flip) -> IncidentRow:
    """The incident as it is after `flip`."""
    incident = flip.incident
    return IncidentRow(
        key=incident.key,
        alertname=incident.alertname,
        labels=dict(incident.labels),
        level=incident.level.value,
        opened=incident.opened,
        changed=incident.changed,
        closed=flip.at if flip.kind in CLOSING else None,
    )


def delivery_rows(told: Told, receivers: Mapping[str, Receiver], now: float) -> tuple[DeliveryRow, ...]:
    """One delivery, due now, for each receiver that hears of the flip."""
    return tuple(
        DeliveryRow(
            receiver=name, kind=told.flip.kind.value, title=told.title, body=told.body, created=now, next_at=now
        )
        for name, receiver in receivers.items()
        if hears(receiver.severities, told.flip)
    )


def incidents_of(rows: Iterable[IncidentRow]) -> dict[str, Incident]:
    """Stored incidents by key; their annotations are unknown until they fire again."""
    return {
        row.key: Incident(
            key=row.key,
            alertname=row.alertname,
            labels=row.labels,
            level=Level(row.level),
            opened=row.opened,
            changed=row.changed,
        )
        for row in rows
    }
