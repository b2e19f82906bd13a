"""Covers state/errors.py and state/lock.py: what is wrong with the state is told with the file, the cause and what to
do, and what was stored before is still there.
"""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from state_rows import run_row

from llm_canaries.state import database as database_module
from llm_canaries.state.database import FILE, LOCK, Database, Locked, StateError
from llm_canaries.state.errors import database_error
from llm_canaries.state.migrations import MIGRATIONS
from llm_canaries.state.runs import add_run, runs_since

HELPERS = Path(__file__).parents[1] / "helpers"
PRELUDE = """
import asyncio, os, resource, sys, time
from pathlib import Path
from llm_canaries.state.database import Database, StateError
from llm_canaries.state.runs import add_run, runs_since
folder = Path(sys.argv[1])
sys.path.insert(0, sys.argv[2])
from state_rows import run_row
"""
HOLD = PRELUDE + "database = Database.open(folder)\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
AS_NOBODY = PRELUDE + """
if os.getuid() == 0:  # who may do everything sees no file as read-only
    os.setgid(65534)
    os.setuid(65534)
try:
    Database.open(folder)
except StateError as error:
    print(error)
"""
LIMITED = PRELUDE + """
async def main():
    database = Database.open(folder)
    first = await database.do(add_run, run_row(), b"small")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        await database.do(add_run, run_row(), b"x" * 1_000_000)
    except StateError as error:
        print(error)
    print(database.failures)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    second = await database.do(add_run, run_row(), b"x" * 1_000_000)
    print([row.id for row in await database.do(runs_since, 0.0)] == [first, second])
    await database.close()

asyncio.run(main())
"""
ANEW = "Move it away together with its -wal and -shm files and start again: the history begins anew."


def refused(folder: Path) -> str:
    with pytest.raises(StateError) as caught:
        Database.open(folder)
    assert not isinstance(caught.value, Locked)
    return str(caught.value)


async def test_a_second_instance_in_another_process_is_told_who_holds_it(tmp_path: Path, spawn) -> None:
    child = spawn(HOLD, tmp_path, HELPERS)
    holder = int(child.stdout.readline())
    with pytest.raises(Locked) as caught:
        Database.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / LOCK} is held by another instance (process {holder}). "
        "Stop that one, or give this one a folder of its own for its state."
    )
    child.kill()
    child.communicate()
    await Database.open(tmp_path).close()


async def test_a_second_instance_in_this_process_is_refused(tmp_path: Path) -> None:
    first = Database.open(tmp_path)
    with pytest.raises(Locked, match=f"process {os.getpid()}"):
        Database.open(tmp_path)
    await first.do(add_run, run_row(), None)
    await first.close()
    await Database.open(tmp_path).close()


@pytest.mark.parametrize("newer", [1, 40])
async def test_a_file_from_the_future_is_left_alone(stored: Path, newer: int) -> None:
    version = len(MIGRATIONS) + newer
    connection = sqlite3.connect(stored / FILE)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = (stored / FILE).read_bytes()
    assert refused(stored) == (
        f"{stored / FILE} is of version {version}, written by a newer llm-canaries; "
        f"this one knows {len(MIGRATIONS)} at most. "
        "Install the newer one again, or choose another folder for the state."
    )
    assert (stored / FILE).read_bytes() == before


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE TABLE theirs (a)")
    connection.commit()
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    assert f"{tmp_path / FILE} is a database of another program." in refused(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("gateways:\n" * 1000)
    assert refused(tmp_path) == f"{tmp_path / FILE} is not a database (file is not a database). {ANEW}"
    assert (tmp_path / FILE).read_text() == "gateways:\n" * 1000


@pytest.mark.parametrize("spoil", ["scrambled", "cut"])
def test_a_damaged_file_is_refused(stored: Path, spoil: str) -> None:
    body = (stored / FILE).read_bytes()
    page = 4096
    assert len(body) > 4 * page
    scrambled = body[: 2 * page] + b"\xa5" * page + body[3 * page :]
    (stored / FILE).write_bytes(scrambled if spoil == "scrambled" else body[: 3 * page])
    text = refused(stored)
    assert text.startswith(f"{stored / FILE} is damaged (") and text.endswith(ANEW)
    text = refused(stored)
    assert "is damaged" in text, "a refused one holds no lock"


async def test_damage_in_a_large_file_is_told_when_it_is_met(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "CHECKED_BYTES", 0)
    connection = sqlite3.connect(stored / FILE)
    root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()[0]
    connection.close()
    body = bytearray((stored / FILE).read_bytes())
    body[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    (stored / FILE).write_bytes(body)
    database = Database.open(stored)
    with pytest.raises(StateError, match="is damaged"):
        await database.do(runs_since, 0.0)
    assert database.failures == 1
    await database.close()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user reaches, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


READ_ONLY = {"folder": (0o555, None, LOCK), "lock": (0o777, LOCK, LOCK), "file": (0o777, FILE, FILE)}


@pytest.mark.parametrize("what", READ_ONLY)
async def test_read_only_is_told(open_to_all: Path, told: Callable[..., str], what: str) -> None:
    mode, file, named = READ_ONLY[what]
    if file:
        await Database.open(open_to_all).close()
        for path in open_to_all.iterdir():
            path.chmod(0o444 if path.name == file else 0o666)
    open_to_all.chmod(mode)
    assert told(AS_NOBODY, open_to_all, HELPERS) == (
        f"{open_to_all / named} cannot be written (Permission denied). "
        "Make the file and its folder writable for this user, or choose another folder for the state."
    )


async def test_a_folder_that_became_read_only_is_told(open_to_all: Path, told: Callable[..., str]) -> None:
    """The files may be written, but no log may be made beside them."""
    await Database.open(open_to_all).close()
    for path in open_to_all.iterdir():
        path.chmod(0o666)
    open_to_all.chmod(0o555)
    text = told(AS_NOBODY, open_to_all, HELPERS)
    assert text.startswith(f"{open_to_all / FILE} cannot be written ("), text


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    assert refused(tmp_path / "state").startswith(f"{tmp_path / 'state'} cannot be opened (File exists).")
    assert refused(tmp_path / "state" / "deeper").startswith(f"{tmp_path / 'state' / 'deeper'} cannot be opened (")
    (tmp_path / "other" / FILE).mkdir(parents=True)
    assert "cannot be opened (Is a directory)" in refused(tmp_path / "other")


async def test_a_full_disk_loses_nothing_that_was_stored(database: Database) -> None:
    for _ in range(5):
        await database.do(add_run, run_row(), b"small")
    pages = await database.do(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.do(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchall())
    with pytest.raises(StateError) as caught:
        await database.do(add_run, run_row(), b"x" * 100_000)
    assert str(caught.value) == (
        f"{database.file} has no room left (database or disk is full). "
        "Free some space on its disk; what was stored before is still there."
    )
    assert database.failures == 1
    assert len(await database.do(runs_since, 0.0)) == 5
    await database.do(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchall())
    await database.do(add_run, run_row(), b"x" * 100_000)
    assert len(await database.do(runs_since, 0.0)) == 6


def test_a_file_that_may_not_grow_loses_nothing_that_was_stored(tmp_path: Path, told: Callable[..., str]) -> None:
    text, failures, intact = told(LIMITED, tmp_path, HELPERS).splitlines()
    assert text == (
        f"{tmp_path / FILE} cannot be read or written (disk I/O error). "
        "Look after its disk; what was stored before is still there as far as the disk holds it."
    )
    assert (failures, intact) == ("1", "True")


async def test_another_writer_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    database = Database.open(tmp_path)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="is being written by another program"):
        await database.do(add_run, run_row(), None)
    other.execute("ROLLBACK")
    other.close()
    assert await database.do(add_run, run_row(), None) == 1
    await database.close()


def test_an_error_without_a_code_is_nobodys_disk() -> None:
    assert database_error(Path("x"), sqlite3.ProgrammingError("closed")) is None


def test_the_lock_file_is_ours_alone(stored: Path) -> None:
    assert stat.S_IMODE((stored / LOCK).stat().st_mode) == 0o600
    assert (stored / LOCK).read_text() == f"{os.getpid()}\n"
