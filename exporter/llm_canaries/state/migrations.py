"""The tables, as one literal list of steps: step n leads from version n - 1 to version n of the file."""

import sqlite3
from pathlib import Path

from llm_canaries.state.errors import StateError

APPLICATION = 0x43414E59  # "CANY": tells our files from other programs' databases

Step = tuple[str, ...]

# A released step is never changed: files of that version are out there.
MIGRATIONS: tuple[Step, ...] = (
    (
        # AUTOINCREMENT: the id of a pruned row is never given to another one, so that an old link cannot mislead
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            case_key TEXT NOT NULL, canary TEXT NOT NULL, scenario TEXT NOT NULL, gateway TEXT NOT NULL,
            model TEXT NOT NULL, dialect TEXT NOT NULL, stream TEXT NOT NULL, severity TEXT NOT NULL,
            started REAL NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, fault_domain TEXT,
            detail TEXT NOT NULL, confirmation INTEGER NOT NULL, latency REAL, ttft REAL, tokens TEXT NOT NULL)""",
        "CREATE INDEX runs_by_start ON runs (started)",
        "CREATE INDEX runs_by_case ON runs (case_key)",
        """CREATE TABLE evidence (
            run INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            size INTEGER NOT NULL, body TEXT NOT NULL)""",
        "CREATE INDEX evidence_by_run ON evidence (run, size)",  # adding up sizes reads no evidence
        """CREATE TABLE memory (
            scenario TEXT NOT NULL, version TEXT NOT NULL, case_key TEXT NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (scenario, version, case_key)) WITHOUT ROWID""",
        """CREATE TABLE spending (
            gateway TEXT NOT NULL, day TEXT NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL,
            PRIMARY KEY (gateway, day)) WITHOUT ROWID""",
        """CREATE TABLE incidents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL, alertname TEXT NOT NULL, labels TEXT NOT NULL, level TEXT NOT NULL,
            opened REAL NOT NULL, changed REAL NOT NULL, closed REAL)""",
        "CREATE UNIQUE INDEX one_open_incident ON incidents (key) WHERE closed IS NULL",
        """CREATE TABLE deliveries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            receiver TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
            created REAL NOT NULL, next_at REAL NOT NULL, attempts INTEGER NOT NULL,
            state TEXT NOT NULL, error TEXT NOT NULL, delivered_at REAL)""",
        "CREATE INDEX deliveries_pending ON deliveries (receiver, id) WHERE state = 'pending'",
        "CREATE INDEX deliveries_by_incident ON deliveries (incident)",
        "CREATE TABLE dropped (receiver TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID",
    ),
    ("CREATE TABLE snapshots (name TEXT PRIMARY KEY, at REAL NOT NULL, data BLOB NOT NULL)",),
    ("ALTER TABLE spending ADD COLUMN nanodollars INTEGER NOT NULL DEFAULT 0",),
    (
        # a body that is a BLOB is packed evidence; the texts of older versions stay, and show as they are
        "ALTER TABLE evidence ADD COLUMN lasting INTEGER NOT NULL DEFAULT 1",
        "DROP INDEX evidence_by_run",
        "CREATE INDEX evidence_by_class ON evidence (lasting, run, size)",  # adding up sizes reads no evidence
    ),
    ("CREATE TABLE keeper (name TEXT NOT NULL)",),
)


def check_version(connection: sqlite3.Connection, file: Path, steps: tuple[Step, ...] = MIGRATIONS) -> None:
    """Raises StateError for a file from the future and for another program's database; changes neither."""
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if application != APPLICATION and (version or application or not empty):
        raise StateError(
            f"{file} is a database of another program. Move it away, or choose another folder for the state."
        )
    if version > len(steps):
        raise StateError(
            f"{file} is of version {version}, written by a newer llm-canaries; this one knows {len(steps)} at most. "
            "Install the newer one again, or choose another folder for the state."
        )


def migrate(connection: sqlite3.Connection, steps: tuple[Step, ...] = MIGRATIONS) -> None:
    """Brings a checked file to version `len(steps)`, in the caller's transaction: all steps or none."""
    version = _pragma(connection, "user_version")
    for number, step in enumerate(steps[version:], version + 1):
        for statement in step:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
