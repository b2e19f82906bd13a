"""Incidents and the outbox of what is to be told about them: both change in one transaction."""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct, json

from llm_canaries.state.text import storable

MOST_PENDING = 1000  # deliveries that wait for one receiver
_INCIDENT = "id, key, alertname, labels, level, opened, changed, closed"
_DELIVERY = "id, incident, receiver, kind, title, body, created, next_at, attempts, state, error"


class IncidentRow(Struct, frozen=True, kw_only=True):
    """One incident; times are Unix time, `closed` is None while it is open; `id` is None until it is stored."""

    id: int | None = None
    key: str
    alertname: str
    labels: dict[str, str]
    level: str
    opened: float
    changed: float
    closed: float | None = None


class DeliveryRow(Struct, frozen=True, kw_only=True):
    """One message for one receiver, about the flip `kind` (opened, escalated, eased, resolved, removed).

    `state` is pending, delivered or dead; `next_at` is when to try again; `attempts` were made so far; `error` is what
    the last one said. `record_flip` fills in `id` and `incident`.
    """

    id: int | None = None
    incident: int = 0
    receiver: str
    kind: str
    title: str
    body: str
    created: float
    next_at: float
    attempts: int = 0
    state: str = "pending"
    error: str = ""


def record_flip(connection: sqlite3.Connection, incident: IncidentRow, deliveries: Sequence[DeliveryRow]) -> int:
    """The id of the incident: the open one of that key changes (but for `opened`), or a new one begins; `deliveries`
    wait in the outbox.

    Beyond MOST_PENDING for a receiver its oldest ones are buried and counted by `dropped`.
    """
    number = _put_incident(connection, incident)
    for row in deliveries:
        texts = (row.receiver, row.kind, storable(row.title), storable(row.body))
        connection.execute(
            "INSERT INTO deliveries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (number, *texts, row.created, row.next_at, row.attempts, row.state, storable(row.error)),
        )
    for receiver in {row.receiver for row in deliveries}:
        _bury_overflow(connection, receiver)
    return number


def open_incidents(connection: sqlite3.Connection) -> list[IncidentRow]:
    """The open incidents, the oldest first."""
    query = f"SELECT {_INCIDENT} FROM incidents WHERE closed IS NULL ORDER BY id"  # noqa: S608 our own column names
    return [_incident(values) for values in connection.execute(query)]


def next_due(connection: sqlite3.Connection, receiver: str) -> DeliveryRow | None:
    """The oldest pending delivery for `receiver`, whether or not its time has come: nothing overtakes it."""
    values = connection.execute(
        f"SELECT {_DELIVERY} FROM deliveries WHERE receiver = ? AND state = 'pending' ORDER BY id LIMIT 1",  # noqa: S608
        (receiver,),
    ).fetchone()
    return None if values is None else DeliveryRow(**dict(zip(DeliveryRow.__struct_fields__, values, strict=True)))


def delivered(connection: sqlite3.Connection, id: int, at: float) -> None:
    """The receiver took `id` at `at`; true even where it was buried for lack of room while under way."""
    connection.execute(
        "UPDATE deliveries SET state = 'delivered', delivered_at = ?, attempts = attempts + 1, error = '' WHERE id = ?",
        (at, id),
    )


def postpone(connection: sqlite3.Connection, id: int, next_at: float, error: str) -> None:
    """One more attempt failed with `error`; `next_at` is the next."""
    connection.execute(
        "UPDATE deliveries SET next_at = ?, attempts = attempts + 1, error = ? WHERE id = ? AND state = 'pending'",
        (next_at, storable(error), id),
    )


def bury(connection: sqlite3.Connection, id: int, error: str) -> None:
    """The last attempt failed with `error`; there is no other."""
    connection.execute(
        "UPDATE deliveries SET state = 'dead', attempts = attempts + 1, error = ? WHERE id = ? AND state = 'pending'",
        (storable(error), id),
    )


def pending(connection: sqlite3.Connection) -> dict[str, tuple[int, float]]:
    """By receiver: how many wait, and when the oldest of them was made; receivers without any are left out."""
    query = "SELECT receiver, count(*), min(created) FROM deliveries WHERE state = 'pending' GROUP BY receiver"
    return {receiver: (count, oldest) for receiver, count, oldest in connection.execute(query)}


def dropped(connection: sqlite3.Connection) -> dict[str, int]:
    """By receiver: how many were ever buried for lack of room; `bury` is not counted here."""
    return dict(connection.execute("SELECT receiver, count FROM dropped").fetchall())


def prune_incidents(connection: sqlite3.Connection, *, before: float) -> int:
    """Forgets incidents that closed before `before`, unless something about them still waits; how many went."""
    return connection.execute(
        """DELETE FROM incidents WHERE closed < ? AND NOT EXISTS (
            SELECT 1 FROM deliveries WHERE incident = incidents.id AND state = 'pending')""",
        (before,),
    ).rowcount


def _put_incident(connection: sqlite3.Connection, row: IncidentRow) -> int:
    labels = json.encode(row.labels, order="deterministic").decode()
    found = connection.execute("SELECT id FROM incidents WHERE key = ? AND closed IS NULL", (row.key,)).fetchone()
    if found is None:
        cursor = connection.execute(
            "INSERT INTO incidents VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (row.key, row.alertname, labels, row.level, row.opened, row.changed, row.closed),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid
    number: int = found[0]
    connection.execute(
        "UPDATE incidents SET alertname = ?, labels = ?, level = ?, changed = ?, closed = ? WHERE id = ?",
        (row.alertname, labels, row.level, row.changed, row.closed, number),
    )
    return number


def _incident(values: tuple[object, ...]) -> IncidentRow:
    fields = dict(zip(IncidentRow.__struct_fields__, values, strict=True))
    fields["labels"] = json.decode(str(fields["labels"]), type=dict[str, str])
    return IncidentRow(**fields)  # type: ignore[arg-type] # the columns' types are the table's


def _bury_overflow(connection: sqlite3.Connection, receiver: str) -> None:
    buried = connection.execute(
        """UPDATE deliveries SET state = 'dead', error = ? WHERE id IN (
            SELECT id FROM deliveries WHERE receiver = ? AND state = 'pending' ORDER BY id DESC LIMIT -1 OFFSET ?)""",
        (f"more than {MOST_PENDING:,} waited", receiver, MOST_PENDING),
    ).rowcount
    if buried:
        connection.execute(
            "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (receiver) DO UPDATE SET count = count + excluded.count",
            (receiver, buried),
        )
