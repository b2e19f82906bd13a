"""Covers state/reading.py: a state is read beside its writer, and what is wrong with it is told."""

import sqlite3
import tempfile
from pathlib import Path

import pytest
from state_rows import run_row

from llm_canaries.state.database import FILE, Database, StateError
from llm_canaries.state.migrations import MIGRATIONS, migrate
from llm_canaries.state.reading import reading
from llm_canaries.state.runs import add_run, last_id, read_run

READ = """
import os, sys
from pathlib import Path
from llm_canaries.state.errors import StateError
from llm_canaries.state.reading import reading
from llm_canaries.state.runs import last_id
if os.getuid() == 0:  # who may do everything sees no file as read-only
    os.setgid(65534)
    os.setuid(65534)
try:
    with reading(Path(sys.argv[1])) as connection:
        print(last_id(connection))
except StateError as error:
    print(error)
"""


def refusal(folder: Path) -> str:
    with pytest.raises(StateError) as caught, reading(folder):
        pass
    return str(caught.value)


async def test_what_is_committed_is_read_beside_its_writer(database: Database) -> None:
    folder = database.file.parent
    for number in (1, 2):
        await database.do(add_run, run_row(), b"\x00packed")
        with reading(folder) as connection:
            assert last_id(connection) == number
            found = read_run(connection, number)
            assert found is not None and found[1] == b"\x00packed"
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                connection.execute("DELETE FROM runs")


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_state_is_read_as_it_is(tmp_path: Path, version: int) -> None:
    """Its evidence is text; only who writes may bring it to this version."""
    connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    migrate(connection, MIGRATIONS[:version])
    id = add_run(connection, run_row())
    connection.execute("INSERT INTO evidence (run, size, body) VALUES (?, 3, 'old')", (id,))
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    with reading(tmp_path) as connection:
        found = read_run(connection, id)
        assert found is not None and found[1] == "old"
    assert (tmp_path / FILE).read_bytes() == before


def test_a_state_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == (
        f"{tmp_path / 'no' / FILE} does not exist. `canaries serve` and `canaries run --state` make one."
    )
    assert list(tmp_path.iterdir()) == []


def test_others_files_are_told_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    assert "is a database of another program" in refusal(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before
    (tmp_path / FILE).write_text("gateways:\n" * 1000)
    assert "is not a database" in refusal(tmp_path)
    assert (tmp_path / FILE).read_text() == "gateways:\n" * 1000


async def test_a_state_from_the_future_is_told(stored: Path) -> None:
    connection = sqlite3.connect(stored / FILE)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    assert "written by a newer llm-canaries" in refusal(stored)


@pytest.mark.parametrize("mode", [0o755, 0o555])
def test_whoever_may_only_read_it_reads_it(tmp_path: Path, told, mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        connection = sqlite3.connect(folder / FILE, isolation_level=None)
        migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        add_run(connection, run_row())
        connection.close()
        (folder / FILE).chmod(0o444)
        folder.chmod(mode)
        assert told(READ, folder) == "1"
        (folder / FILE).chmod(0o000)
        assert told(READ, folder) == (
            f"{folder / FILE} cannot be read (unable to open database file). Ask as the user that wrote it."
        )
        folder.chmod(0o755)
