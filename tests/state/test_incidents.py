"""Covers state/incidents.py: one open incident a key, and an outbox in order that loses and repeats nothing."""

import sqlite3

import pytest
from msgspec.structs import replace
from state_rows import delivery_row, incident_row

from llm_canaries.state.database import Database
from llm_canaries.state.incidents import (
    MOST_PENDING,
    DeliveryRow,
    bury,
    delivered,
    dropped,
    next_due,
    open_incidents,
    pending,
    postpone,
    prune_incidents,
    record_flip,
)

State = tuple[str, int, str, float | None]


def states(connection: sqlite3.Connection) -> list[State]:
    query = "SELECT state, attempts, error, delivered_at FROM deliveries ORDER BY id"
    return connection.execute(query).fetchall()


async def due(database: Database, receiver: str = "phone") -> DeliveryRow:
    found = await database.do(next_due, receiver)
    assert found is not None
    return found


async def test_an_incident_is_one_while_it_is_open(database: Database) -> None:
    first = await database.do(record_flip, incident_row(), [])
    same = await database.do(record_flip, incident_row(level="critical", opened=1500.0, changed=1500.0), [])
    assert same == first
    assert await database.do(open_incidents) == [incident_row(id=first, level="critical", changed=1500.0)]
    assert await database.do(record_flip, incident_row(changed=1600.0, closed=1600.0), []) == first
    assert await database.do(open_incidents) == []
    again = await database.do(record_flip, incident_row(opened=1700.0), [])
    assert again != first
    assert await database.do(open_incidents) == [incident_row(id=again, opened=1700.0)]


async def test_open_incidents_are_in_their_order(database: Database) -> None:
    rows = [incident_row(key, labels={"canary": key, "model_id": 'a"b\\ü'}) for key in ("b", "a", "c")]
    ids = [await database.do(record_flip, row, []) for row in rows]
    expected = [replace(row, id=id) for row, id in zip(rows, ids, strict=True)]
    assert await database.do(open_incidents) == expected


async def test_an_incident_that_is_unknown_may_close(database: Database) -> None:
    """Its message is told all the same."""
    id = await database.do(record_flip, incident_row(closed=1600.0), [delivery_row(kind="resolved")])
    assert await database.do(open_incidents) == []
    assert (await due(database)).incident == id


async def test_a_delivery_comes_back_as_it_went_in(database: Database) -> None:
    row = delivery_row(title="naïve – 図", body="a\nb\x00", next_at=1234.5, error="before", attempts=2)
    incident = await database.do(record_flip, incident_row(), [row])
    found = await due(database)
    assert found.id is not None
    assert found == replace(row, id=found.id, incident=incident)


async def test_the_oldest_goes_first_whether_or_not_its_time_has_come(database: Database) -> None:
    await database.do(record_flip, incident_row(), [delivery_row(), delivery_row("mail")])
    await database.do(record_flip, incident_row(level="critical"), [delivery_row(kind="escalated")])
    first = await due(database)
    assert first.kind == "opened" and first.id is not None
    await database.do(postpone, first.id, 9999.0, "refused \ud800")
    found = await due(database)
    assert (found.id, found.next_at, found.attempts, found.error) == (first.id, 9999.0, 1, "refused \\ud800")
    await database.do(delivered, first.id, 2000.0)
    second = await due(database)
    assert second.kind == "escalated" and second.id is not None
    await database.do(bury, second.id, "nobody there")
    assert await database.do(next_due, "phone") is None
    assert (await due(database, "mail")).kind == "opened"
    expected = [("delivered", 2, "", 2000.0), ("pending", 0, "", None), ("dead", 1, "nobody there", None)]
    assert await database.do(states) == expected


async def test_what_is_settled_stays_so(database: Database) -> None:
    await database.do(record_flip, incident_row(), [delivery_row()])
    id = (await due(database)).id
    assert id is not None
    await database.do(delivered, id, 2000.0)
    await database.do(postpone, id, 3000.0, "late")
    await database.do(bury, id, "late")
    assert await database.do(states) == [("delivered", 1, "", 2000.0)]


async def test_pending_tells_how_many_and_since_when(database: Database) -> None:
    assert await database.do(pending) == {}
    rows = [delivery_row(created=1200.0), delivery_row(created=1100.0), delivery_row("mail", created=1300.0)]
    await database.do(record_flip, incident_row(), rows)
    assert await database.do(pending) == {"phone": (2, 1100.0), "mail": (1, 1300.0)}
    mail = (await due(database, "mail")).id
    assert mail is not None
    await database.do(delivered, mail, 2000.0)
    assert await database.do(pending) == {"phone": (2, 1100.0)}


async def test_no_more_than_a_thousand_wait_for_a_receiver(database: Database) -> None:
    rows = [delivery_row(title=str(number)) for number in range(MOST_PENDING)]
    await database.do(record_flip, incident_row(), [*rows, delivery_row("mail")])
    oldest = await due(database)
    assert oldest.title == "0" and oldest.id is not None
    assert await database.do(dropped) == {}
    await database.do(record_flip, incident_row(), [delivery_row(title="1000"), delivery_row(title="1001")])
    await database.do(record_flip, incident_row(), [delivery_row(title="1002")])
    assert (await due(database)).title == "3"
    assert await database.do(pending) == {"phone": (MOST_PENDING, 1000.0), "mail": (1, 1000.0)}
    assert await database.do(dropped) == {"phone": 3}
    assert (await database.do(states))[0] == ("dead", 0, "more than 1,000 waited", None)
    await database.do(delivered, oldest.id, 2000.0)
    assert (await database.do(states))[0] == ("delivered", 1, "", 2000.0), "it was under way"


async def test_incident_and_deliveries_are_stored_together_or_not_at_all(database: Database) -> None:
    broken = delivery_row(created=float("nan"))  # SQLite takes it for NULL
    with pytest.raises(sqlite3.IntegrityError):
        await database.do(record_flip, incident_row(), [delivery_row(), broken])
    assert await database.do(open_incidents) == []
    assert await database.do(pending) == {}


async def test_closed_incidents_are_forgotten_once_told(database: Database) -> None:
    await database.do(record_flip, incident_row("told", closed=1600.0), [delivery_row("mail")])
    waits = await database.do(record_flip, incident_row("waits", closed=1600.0), [delivery_row()])
    await database.do(record_flip, incident_row("late", closed=1700.0), [])
    still = await database.do(record_flip, incident_row("open"), [])
    mail = (await due(database, "mail")).id
    assert mail is not None
    await database.do(delivered, mail, 1601.0)
    assert await database.do(prune_incidents, before=1700.0) == 1
    assert (await due(database)).incident == waits
    assert await database.do(states) == [("pending", 0, "", None)]
    assert [row.id for row in await database.do(open_incidents)] == [still]
