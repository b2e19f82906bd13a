"""What a scenario remembers of a case, as bytes whose meaning is the scenario's."""

import sqlite3


def save_memory(connection: sqlite3.Connection, scenario: str, version: str, case: str, data: bytes) -> None:
    """Keeps `data` in place of what was remembered before."""
    connection.execute("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?)", (scenario, version, case, data))


def load_memory(connection: sqlite3.Connection, scenario: str, version: str, case: str) -> bytes | None:
    """What is remembered, None where that is nothing; another version's memory is nothing."""
    found = connection.execute(
        "SELECT data FROM memory WHERE scenario = ? AND version = ? AND case_key = ?", (scenario, version, case)
    ).fetchone()
    return None if found is None else found[0]
