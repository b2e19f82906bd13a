"""Covers wire/thinking.py: levels and budgets, each way."""

import pytest

from llm_canaries.wire.message import Thinking
from llm_canaries.wire.thinking import BUDGETS, LEVELS, budget_of, level_of


@pytest.mark.parametrize(
    ("budget", "level"),
    [
        *((0, "none"), (1, "minimal"), (512, "minimal"), (513, "low"), (1024, "low"), (8192, "medium")),
        *((8193, "high"), (24576, "high"), (24577, "xhigh"), (32768, "xhigh"), (1_000_000, "xhigh")),
    ],
)
def test_level_of_a_budget(budget: int, level: str) -> None:
    assert level_of(Thinking("enabled", budget=budget)) == level


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_has_a_budget_of_that_level(level: str) -> None:
    budget = budget_of(Thinking(effort=level))
    assert budget == BUDGETS[level]
    assert level_of(Thinking(budget=budget)) == ("xhigh" if level == "max" else level)


def test_what_says_nothing_asks_for_nothing() -> None:
    for thinking in (Thinking(), Thinking("adaptive"), Thinking("enabled")):
        assert level_of(thinking) is None
        assert budget_of(thinking) is None


def test_disabled_wins_and_a_level_wins_over_a_budget() -> None:
    assert level_of(Thinking("disabled", "high", 9000)) == "none"
    assert budget_of(Thinking("disabled", "high", 9000)) == 0
    assert level_of(Thinking("enabled", "low", 9000)) == "low"
    assert budget_of(Thinking("enabled", "low", 9000)) == 9000
    assert budget_of(Thinking(effort="ultra")) is None
