"""Reads a state beside whoever holds it: nothing is written, and no lock is taken."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from llm_canaries.state.database import BUSY_SECONDS, FILE
from llm_canaries.state.errors import StateError, database_error
from llm_canaries.state.migrations import check_version

_UNREADABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY})


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The state in `folder`, to be read. Raises StateError with a text for people."""
    file = folder / FILE
    if not file.is_file():
        raise StateError(f"{file} does not exist. `canaries serve` and `canaries run --state` make one.")
    try:
        with closing(_connect(file)) as connection:
            check_version(connection, file)
            yield connection
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _UNREADABLE:
            raise StateError(f"{file} cannot be read ({error}). Ask as the user that wrote it.") from error
        raise database_error(file, error) or StateError(f"{file} cannot be read ({error}).") from error


def _connect(file: Path) -> sqlite3.Connection:
    uri = f"{file.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        if file.with_name(f"{FILE}-wal").exists():
            raise
        # nobody has it open, and this user may not make the files that reading beside a writer takes
        return sqlite3.connect(f"{uri}&immutable=1", uri=True)
    return connection
