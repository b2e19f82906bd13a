"""Covers state/runs.py and state/text.py: what goes in comes out, in order, and pruning forgets the oldest."""

import sqlite3
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from state_rows import run_row

from llm_canaries.state.database import Database
from llm_canaries.state.migrations import migrate
from llm_canaries.state.runs import RunRow, add_run, last_runs, prune, read_run, runs_since

UNBOUNDED = 2**40


class Word(StrEnum):
    FAIL = "fail"


def in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    return connection


ROWS = [
    run_row(),
    run_row(outcome="pass", reason="", fault_domain=None, detail="", latency=None, ttft=None, tokens={}),
    run_row(confirmation=True, stream="both", detail="naïve – 図\x00'\"\n", tokens={"input": 2**62}),
]


@pytest.mark.parametrize("row", ROWS)
async def test_run_comes_back_as_it_went_in(database: Database, row: RunRow) -> None:
    id = await database.do(add_run, row, "{}\x00é")
    assert await database.do(read_run, id) == (replace(row, id=id), "{}\x00é")
    assert await database.do(runs_since, 0.0) == [replace(row, id=id)]


async def test_run_without_evidence(database: Database) -> None:
    id = await database.do(add_run, run_row(), None)
    assert await database.do(read_run, id) == (replace(run_row(), id=id), None)
    assert await database.do(read_run, id + 1) is None


async def test_enums_are_stored_as_their_words(database: Database) -> None:
    id = await database.do(add_run, run_row(outcome=Word.FAIL), None)
    found = await database.do(read_run, id)
    assert found is not None
    assert type(found[0].outcome) is str and found[0].outcome == "fail"


async def test_lone_surrogates_lose_no_run(database: Database) -> None:
    """JSON may say `"\\ud800"`, and UTF-8 may not."""
    id = await database.do(add_run, run_row(detail="cut \ud83d"), "body \udc00")
    assert await database.do(read_run, id) == (replace(run_row(), id=id, detail="cut \\ud83d"), "body \\udc00")


async def test_runs_since_is_in_the_order_of_storing(database: Database) -> None:
    """The clock was set back between the second and the third."""
    for started in (100.0, 200.0, 150.0, 99.0):
        await database.do(add_run, run_row(started), None)
    assert [row.started for row in await database.do(runs_since, 100.0)] == [100.0, 200.0, 150.0]


async def test_last_runs_are_those_of_one_case(database: Database) -> None:
    for started in range(5):
        await database.do(add_run, run_row(float(started), "a"), None)
        await database.do(add_run, run_row(float(started), "b"), None)
    assert [(row.case, row.started) for row in await database.do(last_runs, "a", 3)] == [("a", 2), ("a", 3), ("a", 4)]
    assert await database.do(last_runs, "nobody", 3) == []


async def test_prune_forgets_runs_with_their_evidence(database: Database) -> None:
    old = await database.do(add_run, run_row(99.0), "old")
    new = await database.do(add_run, run_row(100.0), "new")
    assert await database.do(prune, before=100.0, most_evidence=UNBOUNDED) == 1
    assert await database.do(read_run, old) is None
    assert await database.do(read_run, new) == (replace(run_row(100.0), id=new), "new")
    assert await database.do(lambda c: c.execute("SELECT run FROM evidence").fetchall()) == [(new,)]


async def test_an_id_is_never_given_twice(database: Database) -> None:
    first = await database.do(add_run, run_row(), None)
    assert await database.do(prune, before=2000.0, most_evidence=UNBOUNDED) == 1
    assert await database.do(add_run, run_row(), None) > first


@given(st.lists(st.text(max_size=8), max_size=12), st.integers(0, 60))
def test_evidence_is_kept_from_the_newest_on(bodies: list[str], room: int) -> None:
    connection = in_memory()
    ids = [add_run(connection, run_row(), body) for body in bodies]
    prune(connection, before=0.0, most_evidence=room)
    kept = [read_run(connection, id) for id in ids]
    assert all(found is not None for found in kept), "the runs themselves stay"
    expected: list[str | None] = []
    used = 0
    for body in reversed(bodies):
        used += len(body.encode())
        expected.append(body if used <= room else None)
    assert [found[1] for found in kept if found] == expected[::-1]
    connection.close()


def test_adding_up_evidence_reads_none_of_it() -> None:
    connection = in_memory()
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT run, sum(size) OVER (ORDER BY run DESC) FROM evidence")
    assert "COVERING INDEX evidence_by_run" in str(plan.fetchall())
    connection.close()
