"""Levels of reasoning and budgets in tokens, each way (protocols.md C3; the table is CLIProxyAPI's)."""

from collections.abc import Mapping

from llm_canaries.wire.message import Thinking

LEVELS: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

BUDGETS: Mapping[str, int] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 128000,
}

MESSAGES_MINIMUM = 1024  # smallest budget_tokens that Messages accepts (C1)


def level_of(thinking: Thinking) -> str | None:
    """The level that `thinking` asks for, None when it leaves the choice to the model."""
    if thinking.mode == "disabled":
        return "none"
    if thinking.effort is not None:
        return thinking.effort
    if thinking.budget is not None:
        return next((level for level in LEVELS[:-1] if thinking.budget <= BUDGETS[level]), "xhigh")
    return None


def budget_of(thinking: Thinking) -> int | None:
    """The budget in tokens that `thinking` asks for, None when it is not a number of tokens."""
    if thinking.mode == "disabled":
        return 0
    if thinking.budget is not None:
        return thinking.budget
    return BUDGETS.get(thinking.effort) if thinking.effort is not None else None
