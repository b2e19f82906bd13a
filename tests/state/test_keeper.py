"""state/keeper.py: a state is the sidecar's or the gate's, and the other one is refused before anything is written."""

import sqlite3
from pathlib import Path

import pytest
from state_rows import run_row

from llm_canaries.state.database import FILE, Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.migrations import MIGRATIONS, migrate
from llm_canaries.state.runs import add_run
from llm_canaries.state.spending import write_spent

OLD = MIGRATIONS[:-1]  # before a state said whose it is


async def test_whoever_comes_first_keeps_it(tmp_path: Path) -> None:
    for first, second, told in (("sidecar", "gate", "`canaries serve`"), ("gate", "sidecar", "`canaries run --state`")):
        folder = tmp_path / first
        database = Database.open(folder, first)
        await database.do(add_run, run_row())
        await database.close()
        with pytest.raises(StateError, match=told) as refused:
            Database.open(folder, second)
        assert str(folder / FILE) in str(refused.value) and "Choose another folder" in str(refused.value)
        again = Database.open(folder, first)
        assert await again.do(lambda c: c.execute("SELECT count(*) FROM runs").fetchone()[0]) == 1
        await again.close()


def old(folder: Path) -> sqlite3.Connection:
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    migrate(connection, OLD)
    return connection


async def test_an_older_state_is_the_sidecars_where_only_a_sidecar_writes_such_rows(tmp_path: Path) -> None:
    connection = old(tmp_path)
    write_spent(connection, "home", "2026-12-01", (1, 2, 3))
    connection.close()
    with pytest.raises(StateError, match="`canaries serve`"):
        Database.open(tmp_path, "gate")
    assert sqlite3.connect(tmp_path / FILE).execute("PRAGMA user_version").fetchone() == (len(OLD),), "left as it was"
    await Database.open(tmp_path).close()


async def test_an_older_state_of_runs_alone_is_whoses_opens_it_first(tmp_path: Path) -> None:
    connection = old(tmp_path)
    add_run(connection, run_row())
    connection.close()
    await Database.open(tmp_path, "gate").close()
    with pytest.raises(StateError, match="canaries run --state"):
        Database.open(tmp_path)
