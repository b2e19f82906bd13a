"""The last of what is held in memory and costs little to lose, as bytes by name: the rules' window and clocks."""

import sqlite3


def save_snapshot(connection: sqlite3.Connection, name: str, at: float, data: bytes) -> None:
    """Keeps `data`, which was true at `at` (Unix time), in place of what was kept under `name` before."""
    connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (name, at, data))


def load_snapshot(connection: sqlite3.Connection, name: str) -> tuple[float, bytes] | None:
    """When it was true and what is kept under `name`; None where that is nothing."""
    found: tuple[float, bytes] | None = connection.execute(
        "SELECT at, data FROM snapshots WHERE name = ?", (name,)
    ).fetchone()
    return found
