"""The last of what is held in memory and costs little to lose, as bytes by name: the rules' window and clocks."""

import sqlite3
from contextlib import closing
from pathlib import Path

from llm_canaries.state.errors import StateError


def save_snapshot(connection: sqlite3.Connection, name: str, at: float, data: bytes) -> None:
    """Keeps `data`, which was true at `at` (Unix time), in place of what was kept under `name` before."""
    connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (name, at, data))


def load_snapshot(connection: sqlite3.Connection, name: str) -> tuple[float, bytes] | None:
    """When it was true and what is kept under `name`; None where that is nothing."""
    found: tuple[float, bytes] | None = connection.execute(
        "SELECT at, data FROM snapshots WHERE name = ?", (name,)
    ).fetchone()
    return found


def read_snapshot(file: Path, name: str) -> tuple[float, bytes] | None:
    """What the state in `file` keeps under `name`, read beside whoever holds it. Raises StateError."""
    if not file.is_file():
        raise StateError(f"{file} does not exist.")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return load_snapshot(connection, name)
    except sqlite3.Error as error:
        raise StateError(f"{file} cannot be read: {error}") from error
