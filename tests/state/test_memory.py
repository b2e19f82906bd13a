"""Covers state/memory.py and state/spending.py."""

from llm_canaries.state.database import Database
from llm_canaries.state.memory import load_memory, save_memory
from llm_canaries.state.spending import prune_spending, spend, spent


async def test_memory_is_of_one_scenario_version_and_case(database: Database) -> None:
    await database.do(save_memory, "thinking", "1", "a", b"\x00one")
    await database.do(save_memory, "thinking", "1", "a", b"\x00two")
    await database.do(save_memory, "thinking", "2", "a", b"three")
    assert await database.do(load_memory, "thinking", "1", "a") == b"\x00two"
    assert await database.do(load_memory, "thinking", "2", "a") == b"three"
    assert await database.do(load_memory, "thinking", "1", "b") is None
    assert await database.do(load_memory, "usage_parity", "1", "a") is None


async def test_spending_adds_up_by_gateway_and_day(database: Database) -> None:
    await database.do(spend, "home", "2026-03-31", 1, 100)
    await database.do(spend, "home", "2026-03-31", 2, 50)
    await database.do(spend, "home", "2026-04-01", 1, 7)
    assert await database.do(spent, "home", "2026-03-31") == (3, 150)
    assert await database.do(spent, "home", "2026-04-01") == (1, 7)
    assert await database.do(spent, "away", "2026-03-31") == (0, 0)


async def test_old_days_are_forgotten(database: Database) -> None:
    for day in ("2026-03-30", "2026-03-31", "2026-04-01"):
        await database.do(spend, "home", day, 1, 1)
    assert await database.do(prune_spending, before="2026-03-31") == 1
    assert await database.do(spent, "home", "2026-03-30") == (0, 0)
    assert await database.do(spent, "home", "2026-03-31") == (1, 1)
