"""The ledger of runs and their evidence, whose meaning is the canaries'."""

import sqlite3

from msgspec import Struct, json

from llm_canaries.state.text import storable

_COLUMNS = (
    "id, case_key, canary, scenario, gateway, model, dialect, stream, severity, started, outcome, reason, "
    "fault_domain, detail, confirmation, latency, ttft, tokens"
)


class RunRow(Struct, frozen=True, kw_only=True):
    """One run of a case; `started` is Unix time, `latency` and `ttft` (to the first token) are seconds, `tokens` are
    counts by kind; `id` is None until it is stored.
    """

    id: int | None = None
    case: str
    canary: str
    scenario: str
    gateway: str
    model: str
    dialect: str
    stream: str
    severity: str
    started: float
    outcome: str
    reason: str
    fault_domain: str | None
    detail: str
    confirmation: bool
    latency: float | None
    ttft: float | None
    tokens: dict[str, int]


def add_run(
    connection: sqlite3.Connection, row: RunRow, evidence: bytes | None = None, *, lasting: bool = True
) -> int:
    """The id under which `row` is stored; `lasting` evidence is kept longer than the other (see `prune`)."""
    values = (
        row.case, row.canary, row.scenario, row.gateway, row.model, row.dialect, row.stream, row.severity,
        row.started, row.outcome, row.reason, row.fault_domain, storable(row.detail), row.confirmation,
        row.latency, row.ttft, json.encode(row.tokens).decode(),
    )  # fmt: skip
    marks = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO runs VALUES (NULL, {marks})", values)  # noqa: S608 question marks only
    run = cursor.lastrowid
    assert run is not None
    if evidence is not None:
        connection.execute("INSERT INTO evidence VALUES (?, ?, ?, ?)", (run, len(evidence), evidence, lasting))
    return run


def amend_run(connection: sqlite3.Connection, id: int, row: RunRow, evidence: bytes) -> None:
    """Stores what was found out afterwards of the run `id`: whose fault it is, and with which evidence."""
    connection.execute(
        "UPDATE runs SET fault_domain = ?, detail = ? WHERE id = ?", (row.fault_domain, storable(row.detail), id)
    )
    connection.execute("UPDATE evidence SET size = ?, body = ? WHERE run = ?", (len(evidence), evidence, id))


def runs_since(connection: sqlite3.Connection, since: float) -> list[RunRow]:
    """The runs that started at `since` or later, in the order in which they were stored.

    That order is the truth about a case's history even where the clock was set back between two of its runs.
    """
    query = f"SELECT {_COLUMNS} FROM runs WHERE started >= ? ORDER BY id"  # noqa: S608 our own column names
    return [_row(values) for values in connection.execute(query, (since,))]


def last_runs(connection: sqlite3.Connection, case: str, limit: int) -> list[RunRow]:
    """The last `limit` runs of `case`, confirmations included, in the order in which they were stored."""
    query = f"SELECT {_COLUMNS} FROM runs WHERE case_key = ? ORDER BY id DESC LIMIT ?"  # noqa: S608 as above
    return [_row(values) for values in connection.execute(query, (case, limit))][::-1]


def read_run(connection: sqlite3.Connection, id: int) -> tuple[RunRow, bytes | str | None] | None:
    """The run `id` and its evidence if that is kept, as text where an older version wrote it; None where there is no
    such run (any more).
    """
    values = connection.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (id,)).fetchone()  # noqa: S608 as above
    if values is None:
        return None
    evidence = connection.execute("SELECT body FROM evidence WHERE run = ?", (id,)).fetchone()
    return _row(values), evidence[0] if evidence else None


def last_id(connection: sqlite3.Connection) -> int:
    """The highest id that was ever given, 0 before the first."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
    return found[0] if found else 0


def unsettled(connection: sqlite3.Connection, limit: int) -> list[RunRow]:
    """The last `limit` runs that failed or were not decided, the newest first."""
    query = f"SELECT {_COLUMNS} FROM runs WHERE outcome IN ('fail', 'inconclusive') ORDER BY id DESC LIMIT ?"  # noqa: S608 as above
    return [_row(values) for values in connection.execute(query, (limit,))]


def prune(connection: sqlite3.Connection, *, before: float, most_evidence: int, passing_before: float) -> int:
    """Forgets runs that started before `before`, and evidence beyond its bounds; how many runs went.

    Of lasting evidence the oldest goes beyond `most_evidence` bytes. Of the other only the last one of each case
    stays, unless it is of a run before `passing_before`.
    """
    gone = connection.execute("DELETE FROM runs WHERE started < ?", (before,)).rowcount
    connection.execute(
        """DELETE FROM evidence WHERE lasting = 0 AND (
            run IN (SELECT id FROM runs WHERE started < ?)
            OR run NOT IN (SELECT max(run) FROM evidence JOIN runs ON id = run WHERE lasting = 0 GROUP BY case_key))""",
        (passing_before,),
    )
    connection.execute(
        """DELETE FROM evidence WHERE run IN (
            SELECT run FROM (SELECT run, sum(size) OVER (ORDER BY run DESC) AS kept FROM evidence WHERE lasting = 1)
            WHERE kept > ?)""",
        (most_evidence,),
    )
    return gone


def _row(values: tuple[object, ...]) -> RunRow:
    fields = dict(zip(RunRow.__struct_fields__, values, strict=True))
    fields["confirmation"] = bool(fields["confirmation"])
    fields["tokens"] = json.decode(str(fields["tokens"]), type=dict[str, int])
    return RunRow(**fields)  # type: ignore[arg-type] # the columns' types are the table's
