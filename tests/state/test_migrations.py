"""Covers state/migrations.py: every version leads to the newest one, whole or not at all."""

import sqlite3
from pathlib import Path

import pytest
from state_rows import run_row

from llm_canaries.state.database import FILE, Database, StateError
from llm_canaries.state.migrations import APPLICATION, MIGRATIONS, check_version, migrate
from llm_canaries.state.runs import add_run, read_run

NEXT = ("ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'", "CREATE TABLE moods (mood TEXT)")


def tables(connection: sqlite3.Connection) -> list[str]:
    return [str(sql) for (sql,) in connection.execute("SELECT sql FROM sqlite_master ORDER BY name")]


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize("old", range(len(MIGRATIONS) + 1))
async def test_every_version_leads_to_the_newest(tmp_path: Path, old: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    migrate(connection, MIGRATIONS[:old])
    connection.close()
    database = Database.open(folder)
    id = await database.do(add_run, run_row(), b"kept")
    found = await database.do(read_run, id)
    assert found is not None and found[1] == b"kept"
    assert await database.do(version) == len(MIGRATIONS)
    fresh = sqlite3.connect(":memory:")
    migrate(fresh)
    assert await database.do(tables) == tables(fresh)
    fresh.close()
    await database.close()


async def test_what_is_stored_survives_a_step(database: Database) -> None:
    id = await database.do(add_run, run_row(), b"kept")
    before = await database.do(read_run, id)
    await database.do(migrate, (*MIGRATIONS, NEXT))
    assert await database.do(version) == len(MIGRATIONS) + 1
    assert await database.do(read_run, id) == before
    assert await database.do(lambda c: c.execute("SELECT id, mood FROM runs").fetchall()) == [(id, "calm")]


async def test_evidence_that_an_older_version_kept_stays_readable(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    migrate(connection, MIGRATIONS[:2])
    id = add_run(connection, run_row())
    connection.execute("INSERT INTO evidence VALUES (?, 8, 'what was')", (id,))
    connection.close()
    database = Database.open(tmp_path)
    found = await database.do(read_run, id)
    assert found is not None and found[1] == "what was"
    await database.close()


async def test_a_step_that_fails_changes_nothing(database: Database) -> None:
    before = await database.do(tables)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.do(migrate, (*MIGRATIONS, NEXT, ("ALTER TABLE nowhere ADD COLUMN mood TEXT",)))
    assert await database.do(tables) == before
    assert await database.do(version) == len(MIGRATIONS)


def test_a_migrated_file_is_left_as_it_is() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    changes = connection.total_changes
    migrate(connection)
    assert (connection.total_changes, version(connection)) == (changes, len(MIGRATIONS))
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    connection.close()


OTHERS = [
    "CREATE TABLE theirs (a)",
    "PRAGMA application_id = 7",
    "PRAGMA user_version = 1",
    f"PRAGMA user_version = {len(MIGRATIONS) + 1}",
]


@pytest.mark.parametrize("statement", OTHERS)
def test_another_programs_database_is_refused(statement: str) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(statement)
    before = tables(connection)
    with pytest.raises(StateError) as caught:
        check_version(connection, Path("x.sqlite"))
    assert str(caught.value) == (
        "x.sqlite is a database of another program. Move it away, or choose another folder for the state."
    )
    assert tables(connection) == before
    connection.close()
