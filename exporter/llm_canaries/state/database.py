"""The state on disk: one SQLite file, one active instance, one thread that does all the work.

`synchronous=FULL`: in WAL mode NORMAL keeps every commit over a kill, but loses the last ones over a power failure, and
one of those may be the flip of an incident. FULL costs one fsync a commit, of which there are a few a minute.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from llm_canaries.state.errors import Locked as Locked  # told from here too: who opens has to catch them
from llm_canaries.state.errors import StateError as StateError
from llm_canaries.state.errors import damaged, database_error, file_error
from llm_canaries.state.keeper import Writer, claim
from llm_canaries.state.lock import Lock
from llm_canaries.state.migrations import check_version, migrate

FILE, LOCK = "canaries.sqlite", "canaries.lock"
BUSY_SECONDS = 5.0  # how long somebody's sqlite3 shell may hold the file
WAL_BYTES = 16 * 2**20  # what the log is cut back to after a large transaction
CHECKED_BYTES = 64 * 2**20  # a larger file is not read through at every start, which has to be quick

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """An open state; made by `Database.open`."""

    def __init__(self, file: Path, connection: sqlite3.Connection, lock: Lock, thread: ThreadPoolExecutor) -> None:
        self.file = file
        self.failures = 0
        """Transactions that the disk or the file refused."""
        self._connection = connection
        self._lock = lock
        self._thread = thread
        self._closing: asyncio.Future[None] | None = None

    @classmethod
    def open(cls, folder: Path, by: Writer = "sidecar") -> "Database":
        """The state in `folder`, made where there is none and brought to this version; blocks for a moment.

        Raises StateError with a text for people, Locked where another instance holds the folder; `by` is who writes.
        """
        file = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(folder, error) from error
        with ExitStack() as undo:
            lock = Lock(folder / LOCK)
            undo.callback(lock.release)
            thread = undo.enter_context(ThreadPoolExecutor(1, thread_name_prefix="state"))
            connection = thread.submit(_connect, file, by).result()
            undo.pop_all()
        return cls(file, connection, lock, thread)

    async def do(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """What `function(connection, …)` returns, carried out as one transaction after all that was asked before.

        It is committed when this returns, and undone when it raises. Once asked for it is carried out even if the
        caller is cancelled, so that stopping loses no run. Raises StateError where the disk or the file refuses.
        """

        def work() -> T:
            return self._transact(lambda connection: function(connection, *arguments, **named))

        if self._closing is not None:
            raise StateError(f"{self.file} is closed.")
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def size(self) -> int:
        """Bytes on disk, the log included."""
        total = 0
        for name in (FILE, f"{FILE}-wal"):
            with suppress(FileNotFoundError):
                total += self.file.with_name(name).stat().st_size
        return total

    async def close(self) -> None:
        """Finishes what is queued, closes the file and gives up the lock; a second call waits for the first."""
        if self._closing is None:
            loop = asyncio.get_running_loop()
            self._closing = loop.run_in_executor(self._thread, self._connection.close)
            self._closing.add_done_callback(lambda _: self._end())
        await asyncio.shield(self._closing)

    def _end(self) -> None:
        self._thread.shutdown()  # blocks no one: closing was its last piece of work
        self._lock.release()

    def _transact(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return _transaction(self._connection, function)
        except sqlite3.Error as error:
            told = database_error(self.file, error)
            if told is None:
                raise
            self.failures += 1
            raise told from error


def _transaction(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = function(connection)
        connection.execute("COMMIT")
        return result
    finally:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")


def _connect(file: Path, by: Writer) -> sqlite3.Connection:
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite would follow the umask
    except OSError as error:
        raise file_error(file, error) from error
    try:
        with ExitStack() as undo:
            connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
            undo.enter_context(closing(connection))
            _prepare(connection, file, by)
            undo.pop_all()
            return connection
    except sqlite3.Error as error:
        told = database_error(file, error)
        if told is None:
            raise
        raise told from error


def _prepare(connection: sqlite3.Connection, file: Path, by: Writer) -> None:
    check_version(connection, file)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StateError(f"{file} is on a file system without shared memory. Keep the state on a local disk.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    if file.stat().st_size <= CHECKED_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise damaged(file, found)

    def ready(connection: sqlite3.Connection) -> None:
        migrate(connection)
        claim(connection, file, by)

    _transaction(connection, ready)
