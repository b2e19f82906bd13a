"""Who writes a state: the sidecar, whose runs are its ledger, or the gate, whose runs must never count in that."""

import sqlite3
from pathlib import Path
from typing import Literal

from llm_canaries.state.errors import StateError

Writer = Literal["sidecar", "gate"]

_REFUSALS = {
    "sidecar": "{file} is the state of a sidecar (`canaries serve`), and these runs would enter its ledger. "
    "Choose another folder for them.",
    "gate": "{file} is the state of `canaries run --state`, and those runs would enter the sidecar's ledger. "
    "Choose another folder for its state, or move that one away.",
}
_SIDECARS = ("snapshots", "spending", "incidents", "deliveries")  # tables that the gate never writes to


def claim(connection: sqlite3.Connection, file: Path, by: Writer) -> None:
    """Makes the state `by`'s own, in the caller's transaction; one that says nothing yet is whose it looks like.

    Raises StateError where it is somebody else's.
    """
    found = connection.execute("SELECT name FROM keeper").fetchone()
    owner = found[0] if found else _guessed(connection) or by
    if owner != by:
        raise StateError(_REFUSALS[owner].format(file=file))
    if not found:
        connection.execute("INSERT INTO keeper VALUES (?)", (by,))


def _guessed(connection: sqlite3.Connection) -> str:
    """Whose an older version's state is, empty where that cannot be told."""
    counts = (connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _SIDECARS)  # noqa: S608 our own names
    return "sidecar" if any(counts) else ""
