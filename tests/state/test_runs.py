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
from llm_canaries.state.runs import (
    RunRow,
    add_run,
    amend_run,
    last_id,
    last_runs,
    prune,
    read_run,
    runs_since,
    unsettled,
)

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
    id = await database.do(add_run, row, b"{}\x00\xe9")
    assert await database.do(read_run, id) == (replace(row, id=id), b"{}\x00\xe9")
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
    id = await database.do(add_run, run_row(detail="cut \ud83d"), None)
    assert await database.do(read_run, id) == (replace(run_row(), id=id, detail="cut \\ud83d"), None)


async def test_the_text_of_an_older_version_stays(database: Database) -> None:
    id = await database.do(add_run, run_row(), None)
    await database.do(lambda c: c.execute("INSERT INTO evidence (run, size, body) VALUES (?, 5, 'naïve')", (id,)))
    assert await database.do(read_run, id) == (replace(run_row(), id=id), "naïve")
    await database.do(prune, before=0.0, most_evidence=5, passing_before=2000.0)
    assert (await database.do(read_run, id) or ())[1] == "naïve", "it is of a failure: only those were kept"


async def test_the_last_id_is_that_of_a_forgotten_run_as_well(database: Database) -> None:
    assert await database.do(last_id) == 0
    id = await database.do(add_run, run_row(), None)
    await database.do(prune, before=2000.0, most_evidence=UNBOUNDED, passing_before=0.0)
    assert await database.do(last_id) == id


async def test_unsettled_runs_are_told_newest_first(database: Database) -> None:
    for outcome in ("fail", "pass", "inconclusive", "skip", "fail"):
        await database.do(add_run, run_row(outcome=outcome), None)
    assert [(row.id, row.outcome) for row in await database.do(unsettled, 2)] == [(5, "fail"), (3, "inconclusive")]
    assert len(await database.do(unsettled, 20)) == 3


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
    old = await database.do(add_run, run_row(99.0), b"old")
    new = await database.do(add_run, run_row(100.0), b"new")
    assert await database.do(prune, before=100.0, most_evidence=UNBOUNDED, passing_before=0.0) == 1
    assert await database.do(read_run, old) is None
    assert await database.do(read_run, new) == (replace(run_row(100.0), id=new), b"new")
    assert await database.do(lambda c: c.execute("SELECT run FROM evidence").fetchall()) == [(new,)]


async def test_an_id_is_never_given_twice(database: Database) -> None:
    first = await database.do(add_run, run_row(), None)
    assert await database.do(prune, before=2000.0, most_evidence=UNBOUNDED, passing_before=0.0) == 1
    assert await database.do(add_run, run_row(), None) > first


STORED = st.tuples(st.sampled_from("ab"), st.booleans(), st.binary(max_size=8), st.integers(0, 9))


@given(st.lists(STORED, max_size=12), st.integers(0, 60), st.integers(0, 9))
def test_evidence_is_kept_in_two_classes(runs: list[tuple[str, bool, bytes, int]], room: int, since: int) -> None:
    """Lasting evidence from the newest on while there is room; of the other each case's last, unless it is too old."""
    connection = in_memory()
    ids = [
        add_run(connection, run_row(float(started), case), body, lasting=lasting)
        for case, lasting, body, started in runs
    ]
    prune(connection, before=0.0, most_evidence=room, passing_before=float(since))
    kept = [read_run(connection, id) for id in ids]
    assert all(found is not None for found in kept), "the runs themselves stay"
    expected: list[bytes | None] = []
    used, seen = 0, set[str]()
    for case, lasting, body, started in reversed(runs):
        if lasting:
            used += len(body)
            expected.append(body if used <= room else None)
        else:
            expected.append(body if case not in seen and started >= since else None)
            seen.add(case)
    assert [found[1] for found in kept if found] == expected[::-1]
    connection.close()


def test_adding_up_evidence_reads_none_of_it() -> None:
    connection = in_memory()
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT run, sum(size) OVER (ORDER BY run DESC) FROM evidence WHERE lasting = 1"
    )
    assert "COVERING INDEX evidence_by_class" in str(plan.fetchall())
    connection.close()


def test_what_was_found_out_afterwards_takes_the_place_of_what_was_known() -> None:
    connection = in_memory()
    first, other = add_run(connection, run_row(), b"before"), add_run(connection, run_row(), b"other")
    known = replace(run_row(), fault_domain="translation", detail="said \ud83d; the gateway lost it")
    amend_run(connection, first, known, b"and after")
    found = read_run(connection, first)
    assert found is not None and found[1] == b"and after"
    assert (found[0].fault_domain, found[0].detail) == ("translation", "said \\ud83d; the gateway lost it")
    assert found[0] == replace(run_row(), id=first, fault_domain=found[0].fault_domain, detail=found[0].detail)
    assert connection.execute("SELECT size FROM evidence WHERE run = ?", (first,)).fetchone() == (9,)
    untouched = read_run(connection, other)
    assert untouched is not None and untouched == (replace(run_row(), id=other), b"other")
    connection.close()
