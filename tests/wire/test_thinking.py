"""Covers wire/thinking.py: levels and budgets, each way, and the suffix (protocols.md C2, C3)."""

import pytest
from msgspec.structs import replace

from llm_canaries.wire.message import Ask, Thinking
from llm_canaries.wire.thinking import BUDGETS, LEVELS, budget_of, level_of, requested, split_suffix


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


@pytest.mark.parametrize("budget", [-1, -7])
def test_a_budget_below_zero_leaves_the_choice(budget: int) -> None:
    assert level_of(Thinking(budget=budget)) is None
    assert budget_of(Thinking(budget=budget)) is None
    assert level_of(Thinking(effort="auto")) is None


@pytest.mark.parametrize(
    ("model", "bare", "thinking"),
    [
        ("gpt-5", "gpt-5", None),
        *((f"m({level})", "m", Thinking(effort=level)) for level in LEVELS if level != "none"),
        ("m(none)", "m", Thinking(mode="disabled")),
        ("m(0)", "m", Thinking(mode="disabled")),
        ("m(auto)", "m", Thinking(mode="adaptive")),
        ("m(-1)", "m", Thinking(mode="adaptive")),
        ("m(8192)", "m", Thinking(mode="enabled", budget=8192)),
        ("m(08192)", "m", Thinking(mode="enabled", budget=8192)),
        ("m(HIGH)", "m", Thinking(effort="high")),
        ("a(b)(low)", "a(b)", Thinking(effort="low")),
        ("pre/m(low)", "pre/m", Thinking(effort="low")),
        ("m(ultra)", "m", None),
        ("m()", "m", None),
        ("m(-2)", "m", None),
        ("m(1e3)", "m", None),
        ("m(\u0661\u0662)", "m", None),
        (f"m({'9' * 5000})", "m", None),
        ("m(high", "m(high", None),
        ("m(high) ", "m(high) ", None),
        ("m)high(", "m)high(", None),
        ("(high)", "(high)", None),
        ("m-high", "m-high", None),
        ("", "", None),
    ],
)
def test_suffixes(model: str, bare: str, thinking: Thinking | None) -> None:
    assert split_suffix(model) == (bare, thinking)


def test_a_suffix_wins_over_the_body() -> None:
    ask = Ask(dialect="openai_chat", model="m", messages=(), thinking=Thinking(effort="low"))
    assert requested(ask) == Thinking(effort="low")
    assert requested(replace(ask, model="m(8192)")) == Thinking(mode="enabled", budget=8192)
    assert requested(replace(ask, model="m(ultra)")) == Thinking(effort="low")
