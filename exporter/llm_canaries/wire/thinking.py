"""Levels of reasoning and budgets in tokens, each way, and what of them a model takes (protocols.md C1 to C3)."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.message import Ask, Thinking
from llm_canaries.wire.profile import ModelFacts, Profile

LEVELS: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

BUDGETS: Mapping[str, int] = {  # CLIProxyAPI's table; a profile's own goes before it
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 128000,
}

MESSAGES_MINIMUM = 1024  # smallest budget_tokens that Messages accepts (C1)

Form: TypeAlias = Literal["level", "budget", "adaptive"]
"""How the target says it: a level, a number of tokens, or Messages' adaptive mode with an effort."""

_LONGEST_BUDGET = 9  # digits; more is no number of tokens


def level_of(thinking: Thinking, table: Mapping[str, int] = BUDGETS) -> str | None:
    """The level that `thinking` asks for, None when it leaves the choice to the model."""
    if thinking.mode == "disabled":
        return "none"
    if thinking.effort is not None:
        return None if thinking.effort == "auto" else thinking.effort
    if thinking.budget is not None and thinking.budget >= 0:
        return next((level for level in LEVELS[:-1] if thinking.budget <= table[level]), "xhigh")
    return None


def budget_of(thinking: Thinking, table: Mapping[str, int] = BUDGETS) -> int | None:
    """The budget in tokens that `thinking` asks for, None when it is not a number of tokens."""
    if thinking.mode == "disabled":
        return 0
    if thinking.budget is not None:
        return thinking.budget if thinking.budget >= 0 else None
    return table.get(thinking.effort) if thinking.effort is not None else None


def split_suffix(model: str) -> tuple[str, Thinking | None]:
    """The model id without the suffix of `model(high)` or `model(8192)`, and what the suffix asks for (C2).

    A suffix is what stands between the last `(` and a `)` at the end. One that says nothing known is taken off too
    and asks for nothing, as CLIProxyAPI does.
    """
    bare, opened, inside = model.rpartition("(")
    if not opened or not inside.endswith(")") or not bare:
        return model, None
    return bare, _suffix(inside[:-1].strip().lower())


def requested(ask: Ask) -> Thinking | None:
    """The reasoning that `ask` asks for: its model's suffix wins over its body (C2)."""
    return split_suffix(ask.model)[1] or ask.thinking


def spoken(thinking: Thinking | None) -> str:
    """`thinking` in a few words, none where it asks for nothing."""
    if thinking is None:
        return ""
    said = (thinking.mode, thinking.effort and f"level {thinking.effort}")
    budget = "" if thinking.budget is None else f"budget {thinking.budget}"
    return " ".join(word for word in (*said, budget) if word)


def fit(
    thinking: Thinking,
    facts: ModelFacts,
    profile: Profile,
    max_tokens: int | None,
    form: Form,
    *,
    least: int = 0,
) -> tuple[Thinking, tuple[Loss, ...]]:
    """What of `thinking` a model with `facts` can be asked in `form`, and a loss for each deviation (C3).

    `max_tokens` is a cap that a budget must stay under, None where there is none; `least` the smallest budget that
    the dialect takes. An empty Thinking asks for nothing. A budget that fits under no cap stays as it is.
    """
    fitting = _Fitting(facts, {**BUDGETS, **profile.budgets}, least)
    fitted = fitting.fit(thinking, max_tokens, form)
    return fitted, tuple(Loss("thinking", what) for what in fitting.lost)


def _suffix(word: str) -> Thinking | None:
    if word == "none":
        return Thinking(mode="disabled")
    if word in ("auto", "-1"):
        return Thinking(mode="adaptive")
    if word in LEVELS:
        return Thinking(effort=word)
    if word.isascii() and word.isdecimal() and len(word) <= _LONGEST_BUDGET:
        budget = int(word)
        return Thinking(mode="enabled", budget=budget) if budget else Thinking(mode="disabled")
    return None


class _Fitting:
    """One fitting: what is known of the model, the table of the provider, and what was lost so far."""

    def __init__(self, facts: ModelFacts, table: Mapping[str, int], least: int) -> None:
        self._facts, self._table = facts, table
        self._levels = tuple(level for level in LEVELS[1:] if level in facts.levels)
        lowest, self._most = _range(facts)
        self._least = max(lowest, least)
        self.lost: list[str] = []

    def fit(self, thinking: Thinking, max_tokens: int | None, form: Form) -> Thinking:
        level, budget = level_of(thinking, self._table), budget_of(thinking, self._table)
        if self._facts.thinking is False:
            if level != "none" and thinking != Thinking(extra=thinking.extra):
                self.lost.append(f"{_words(thinking)}, which the model does not take")
            return Thinking()
        if level == "none" or (level is None and budget == 0):
            return self._off(form)
        if level is None and budget is None:
            return self._auto(thinking, max_tokens, form)
        if form == "budget":
            return self._under(self._budget(level, budget), max_tokens)
        return self._level(thinking, level or "", form)

    def _off(self, form: Form) -> Thinking:
        """Off, or the least where the model cannot be switched off: its lowest level or smallest budget."""
        known = self._facts.thinking_off
        unsaid = form == "level" and bool(self._facts.levels) and "none" not in self._facts.levels
        if known or (known is None and not unsaid):
            return Thinking(mode="disabled")
        if form == "budget":
            budget = self._least or self._table["minimal"]
            self.lost.append(f"off, said as budget {budget}")
            return Thinking(mode="enabled", budget=budget)
        lowest = self._levels[0] if self._levels else "minimal" if form == "level" else "low"
        self.lost.append(f"off, said as level {lowest}")
        return _at(lowest, form)

    def _auto(self, thinking: Thinking, max_tokens: int | None, form: Form) -> Thinking:
        """The model's own choice; where it has none, the middle of what it takes."""
        if thinking.mode is None and thinking.effort is None and thinking.budget is None:
            return Thinking()
        dynamic, budget = self._facts.dynamic, self._facts.budget
        if form == "adaptive" or dynamic or (form == "budget" and budget is None and dynamic is None):
            return Thinking(mode="adaptive")
        if form == "level":
            if not self._levels:
                self.lost.append(_words(thinking))
                return Thinking()
            middle = self._nearest("medium")
            self.lost.append(f"{_words(thinking)}, said as level {middle}")
            return _at(middle, form)
        low, high = budget or (self._least, self._table["high"])
        middling = max((low + high) // 2, self._least)
        self.lost.append(f"{_words(thinking)}, said as budget {middling}")
        return self._under(middling, max_tokens)

    def _budget(self, level: str | None, budget: int | None) -> int | None:
        if budget is None:
            self.lost.append(f"level {level}, which has no budget")
            return None
        fitted = max(budget, self._least)
        if self._most is not None:
            fitted = min(fitted, max(self._most, self._least))
        if fitted != budget:
            self.lost.append(f"budget {budget}, {'raised' if fitted > budget else 'lowered'} to {fitted}")
        return fitted

    def _under(self, budget: int | None, max_tokens: int | None) -> Thinking:
        """`budget` under the cap; one that could only be under it by being too small is left to be refused."""
        if budget is None:
            return Thinking()
        if max_tokens is not None and budget >= max_tokens > max(self._least, 1):
            self.lost.append(f"budget {budget}, lowered to {max_tokens - 1} under max_tokens")
            budget = max_tokens - 1
        return Thinking(mode="enabled", budget=budget)

    def _level(self, thinking: Thinking, level: str, form: Form) -> Thinking:
        said = self._effort(level) if form == "adaptive" else self._nearest(level)
        asked = thinking.budget if thinking.effort is None else None
        if asked is not None and self._table.get(said) != asked:
            self.lost.append(f"budget {asked}, said as level {said}")
        elif asked is None and said != level:
            self.lost.append(f"level {level}, said as {said}")
        return _at(said, form)

    def _nearest(self, level: str) -> str:
        """The nearest level that the model takes, the lower of two; one that nobody knows stays."""
        if not self._levels or level not in LEVELS or level in self._levels:
            return level
        at = LEVELS.index(level)
        return min(self._levels, key=lambda each: (abs(LEVELS.index(each) - at), LEVELS.index(each)))

    def _effort(self, level: str) -> str:
        """Claude's efforts begin at low; above high there is max where the model has it (C3)."""
        if level == "minimal":
            return "low"
        if level == "xhigh" and level not in self._levels and "max" in self._levels:
            return "max"
        return self._nearest(level)


def _range(facts: ModelFacts) -> tuple[int, int | None]:
    return facts.budget if facts.budget is not None else (0, None)


def _at(level: str, form: Form) -> Thinking:
    return Thinking(mode="adaptive", effort=level) if form == "adaptive" else Thinking(effort=level)


def _words(thinking: Thinking) -> str:
    """What was asked for, as losses name it: the most telling of its words."""
    if thinking.effort is not None:
        return f"level {thinking.effort}"
    return f"mode {thinking.mode}" if thinking.budget is None else f"budget {thinking.budget}"
