"""Covers state/database.py: one thread, whole transactions, nothing asked for is lost."""

import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from state_rows import run_row

from llm_canaries.state.database import FILE, LOCK, Database, StateError
from llm_canaries.state.runs import add_run, runs_since

WRITES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from llm_canaries.state.database import Database
from llm_canaries.state.runs import add_run
sys.path.insert(0, sys.argv[2])
from state_rows import run_row

async def main():
    database = Database.open(Path(sys.argv[1]))
    while True:
        print(await database.do(add_run, run_row(), b"evidence"), flush=True)

asyncio.run(main())
"""
HELPERS = Path(__file__).parents[1] / "helpers"


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


async def count(database: Database) -> int:
    return len(await database.do(runs_since, 0.0))


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database.open(tmp_path / "a" / "state")
        await database.do(add_run, run_row(), None)
    finally:
        os.umask(before)
    folder = tmp_path / "a" / "state"
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == dict.fromkeys((FILE, f"{FILE}-wal", f"{FILE}-shm", LOCK), 0o600)
    assert database.size() == sum((folder / name).stat().st_size for name in (FILE, f"{FILE}-wal"))
    await database.close()
    assert sorted(path.name for path in folder.iterdir()) == [LOCK, FILE], "the log is folded in"
    assert database.size() == (folder / FILE).stat().st_size


async def test_settings_hold(database: Database) -> None:
    assert await database.do(pragma, "journal_mode") == "wal"
    assert await database.do(pragma, "synchronous") == 2
    assert await database.do(pragma, "foreign_keys") == 1
    assert await database.do(pragma, "busy_timeout") == 5000


@pytest.mark.parametrize("written", [1, 20, 60])
async def test_a_killed_process_loses_no_commit(tmp_path: Path, spawn, written: int) -> None:
    child = spawn(WRITES_UNTIL_KILLED, tmp_path, HELPERS)
    said = [int(child.stdout.readline()) for _ in range(written)]
    child.kill()
    said += map(int, child.stdout)  # not communicate(), which passes by what readline() has read ahead
    database = Database.open(tmp_path)
    kept = [row.id for row in await database.do(runs_since, 0.0)]
    assert kept[: len(said)] == said == list(range(1, len(said) + 1))
    assert len(kept) - len(said) in (0, 1), "one may be stored and not yet said"
    await database.close()


async def test_all_work_is_done_on_one_other_thread_in_order(database: Database) -> None:
    done: list[int] = []

    def work(_: sqlite3.Connection, number: int) -> int:
        done.append(number)
        return threading.get_ident()

    threads = await asyncio.gather(*(database.do(work, number) for number in range(50)))
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()
    assert done == list(range(50))


async def test_work_that_raises_is_undone(database: Database) -> None:
    def work(connection: sqlite3.Connection) -> None:
        add_run(connection, run_row(), None)
        raise LookupError("half way")

    with pytest.raises(LookupError, match="half way"):
        await database.do(work)
    assert await count(database) == 0
    await database.do(add_run, run_row(), None)
    assert await count(database) == 1
    assert database.failures == 0, "the disk is not to blame"


async def test_our_own_mistakes_keep_their_name(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.do(lambda connection: connection.execute("SELECT * FROM nowhere"))
    with pytest.raises(sqlite3.ProgrammingError):
        await database.do(lambda connection: connection.execute("SELECT ?", ()))


async def test_the_event_loop_goes_on_meanwhile(database: Database) -> None:
    release = threading.Event()
    waiting = asyncio.create_task(database.do(lambda _: release.wait(10)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    release.set()
    assert await waiting is True


async def test_a_cancelled_caller_loses_no_run(database: Database) -> None:
    release = threading.Event()
    blocking = asyncio.create_task(database.do(lambda _: release.wait(10)))
    cancelled = asyncio.create_task(database.do(add_run, run_row(), None))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    release.set()
    await blocking
    assert await count(database) == 1


async def test_close_finishes_what_is_queued(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    tasks = [asyncio.create_task(database.do(add_run, run_row(), None)) for _ in range(30)]
    await asyncio.sleep(0)
    await asyncio.gather(database.close(), database.close())
    assert sorted(await asyncio.gather(*tasks)) == list(range(1, 31))
    with pytest.raises(StateError, match="is closed"):
        await database.do(add_run, run_row(), None)
    again = Database.open(tmp_path)
    assert await count(again) == 30
    await again.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("state") and thread.is_alive()]


def test_it_is_closed_though_its_caller_is_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        database = Database.open(tmp_path)
        release = threading.Event()
        blocking = asyncio.create_task(database.do(lambda _: release.wait(10)))
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        release.set()
        await blocking
        await database.close()
        await Database.open(tmp_path).close()

    asyncio.run(main())
