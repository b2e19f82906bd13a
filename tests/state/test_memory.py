"""Covers state/memory.py and state/spending.py."""

from llm_canaries.state.database import Database
from llm_canaries.state.memory import load_memory, save_memory
from llm_canaries.state.spending import prune_spending, spent_on, write_spent


async def test_memory_is_of_one_scenario_version_and_case(database: Database) -> None:
    await database.do(save_memory, "thinking", "1", "a", b"\x00one")
    await database.do(save_memory, "thinking", "1", "a", b"\x00two")
    await database.do(save_memory, "thinking", "2", "a", b"three")
    assert await database.do(load_memory, "thinking", "1", "a") == b"\x00two"
    assert await database.do(load_memory, "thinking", "2", "a") == b"three"
    assert await database.do(load_memory, "thinking", "1", "b") is None
    assert await database.do(load_memory, "usage_parity", "1", "a") is None


async def test_spending_is_kept_by_gateway_and_day_and_replaced_whole(database: Database) -> None:
    await database.do(write_spent, "home", "2026-03-31", (1, 100, 5))
    await database.do(write_spent, "home", "2026-03-31", (3, 150, 7))
    await database.do(write_spent, "home", "2026-04-01", (1, 7, 0))
    await database.do(write_spent, "away", "2026-03-31", (2, 0, 2**62))
    assert await database.do(spent_on, "2026-03-31") == {"home": (3, 150, 7), "away": (2, 0, 2**62)}
    assert await database.do(spent_on, "2026-04-01") == {"home": (1, 7, 0)}
    assert await database.do(spent_on, "2026-04-02") == {}


async def test_old_days_are_forgotten(database: Database) -> None:
    for day in ("2026-03-30", "2026-03-31", "2026-04-01"):
        await database.do(write_spent, "home", day, (1, 1, 1))
    assert await database.do(prune_spending, before="2026-03-31") == 1
    assert await database.do(spent_on, "2026-03-30") == {}
    assert await database.do(spent_on, "2026-03-31") == {"home": (1, 1, 1)}


async def test_what_was_spent_before_there_were_dollars_is_kept(database: Database) -> None:
    """A day that began with the version before: its requests and tokens count on."""
    await database.do(lambda c: c.execute("INSERT INTO spending (gateway, day, requests, tokens) VALUES ('h','1',2,3)"))
    assert await database.do(spent_on, "1") == {"h": (2, 3, 0)}
