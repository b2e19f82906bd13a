"""Covers wire/thinking.py, fit: what of a wish a model takes, and what is declared (protocols.md C1, C3).

The expected values are what CLIProxyAPI sent upstream for the same requests where cliproxyapi.md 4.3 records them.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.profile import ModelFacts, Profile
from llm_canaries.wire.thinking import BUDGETS, LEVELS, MESSAGES_MINIMUM, Form, budget_of, fit, level_of

NOTHING = ModelFacts()
FLASH = ModelFacts(thinking=True, thinking_off=True, budget=(0, 24576), dynamic=True)
PRO = ModelFacts(thinking=True, thinking_off=False, budget=(128, 32768), dynamic=True)
PRO_3 = ModelFacts(thinking=True, thinking_off=False, levels=("low", "high"))
CODEX = ModelFacts(thinking=True, thinking_off=False, levels=("low", "medium", "high", "xhigh"), dynamic=False)
OPUS_46 = ModelFacts(thinking=True, thinking_off=True, levels=("low", "medium", "high", "max"))
CLAUDE_45 = ModelFacts(thinking=True, thinking_off=True, budget=(1024, 128000), dynamic=False)
FABLE = ModelFacts(thinking=True, thinking_off=False, levels=("low", "medium", "high", "xhigh", "max"))
PLAIN = ModelFacts(thinking=False)


def level(word: str) -> Thinking:
    return Thinking(effort=word)


def budget(tokens: int) -> Thinking:
    return Thinking(mode="enabled", budget=tokens)


def effort(word: str) -> Thinking:
    return Thinking(mode="adaptive", effort=word)


AUTO, OFF = Thinking(mode="adaptive"), Thinking(mode="disabled")


@pytest.mark.parametrize(
    ("facts", "form", "asked", "fitted", "lost"),
    [
        (FLASH, "budget", level("high"), budget(24576), []),
        (FLASH, "budget", budget(8192), budget(8192), []),
        (FLASH, "budget", budget(999999), budget(24576), ["budget 999999, lowered to 24576"]),
        (FLASH, "budget", level("max"), budget(24576), ["budget 128000, lowered to 24576"]),
        (FLASH, "budget", OFF, OFF, []),
        (FLASH, "budget", level("none"), OFF, []),
        (FLASH, "budget", budget(0), OFF, []),
        (FLASH, "budget", AUTO, AUTO, []),
        (FLASH, "budget", Thinking(budget=-1), AUTO, []),
        (PRO, "budget", OFF, budget(128), ["off, said as budget 128"]),
        (PRO, "budget", budget(5), budget(128), ["budget 5, raised to 128"]),
        (PRO_3, "level", level("medium"), level("low"), ["level medium, said as low"]),
        (PRO_3, "level", level("xhigh"), level("high"), ["level xhigh, said as high"]),
        (PRO_3, "level", OFF, level("low"), ["off, said as level low"]),
        (PRO_3, "level", budget(24576), level("high"), []),
        (CODEX, "level", budget(8192), level("medium"), []),
        (CODEX, "level", budget(8000), level("medium"), ["budget 8000, said as level medium"]),
        (CODEX, "level", level("minimal"), level("low"), ["level minimal, said as low"]),
        (CODEX, "level", level("max"), level("xhigh"), ["level max, said as xhigh"]),
        (CODEX, "level", budget(128000), level("xhigh"), ["budget 128000, said as level xhigh"]),
        (CODEX, "level", AUTO, level("medium"), ["mode adaptive, said as level medium"]),
        (CODEX, "level", effort("high"), level("high"), []),
        (CODEX, "level", level("ultra"), level("ultra"), []),
        (CLAUDE_45, "budget", level("high"), budget(24576), []),
        (CLAUDE_45, "budget", level("minimal"), budget(1024), ["budget 512, raised to 1024"]),
        (CLAUDE_45, "budget", OFF, OFF, []),
        (CLAUDE_45, "budget", AUTO, budget(64512), ["mode adaptive, said as budget 64512"]),
        (CLAUDE_45, "budget", level("ultra"), Thinking(), ["level ultra, which has no budget"]),
        (OPUS_46, "adaptive", level("minimal"), effort("low"), ["level minimal, said as low"]),
        (OPUS_46, "adaptive", level("xhigh"), effort("max"), ["level xhigh, said as max"]),
        (OPUS_46, "adaptive", level("max"), effort("max"), []),
        (OPUS_46, "adaptive", budget(8000), effort("medium"), ["budget 8000, said as level medium"]),
        (OPUS_46, "adaptive", OFF, OFF, []),
        (OPUS_46, "adaptive", AUTO, AUTO, []),
        (FABLE, "adaptive", level("xhigh"), effort("xhigh"), []),
        (FABLE, "adaptive", OFF, effort("low"), ["off, said as level low"]),
        (PLAIN, "level", level("high"), Thinking(), ["level high, which the model does not take"]),
        (PLAIN, "budget", budget(5), Thinking(), ["budget 5, which the model does not take"]),
        (PLAIN, "level", AUTO, Thinking(), ["mode adaptive, which the model does not take"]),
        (PLAIN, "level", OFF, Thinking(), []),
        (PLAIN, "level", Thinking(), Thinking(), []),
        (NOTHING, "level", level("max"), level("max"), []),
        (NOTHING, "level", OFF, OFF, []),
        (NOTHING, "level", AUTO, Thinking(), ["mode adaptive"]),
        (NOTHING, "level", level("auto"), Thinking(), ["level auto"]),
        (NOTHING, "budget", AUTO, AUTO, []),
        (NOTHING, "budget", level("xhigh"), budget(32768), []),
        (NOTHING, "adaptive", level("high"), effort("high"), []),
        (NOTHING, "budget", Thinking(), Thinking(), []),
        (ModelFacts(thinking_off=False), "level", OFF, level("minimal"), ["off, said as level minimal"]),
        (ModelFacts(thinking_off=False), "budget", OFF, budget(512), ["off, said as budget 512"]),
        (ModelFacts(dynamic=False), "budget", AUTO, budget(12288), ["mode adaptive, said as budget 12288"]),
        (ModelFacts(levels=("high",)), "level", AUTO, level("high"), ["mode adaptive, said as level high"]),
        (ModelFacts(levels=("none", "low")), "level", OFF, OFF, []),
    ],
)
def test_what_a_model_takes(facts: ModelFacts, form: Form, asked: Thinking, fitted: Thinking, lost: list[str]) -> None:
    got, losses = fit(asked, facts, Profile(), None, form)
    assert (got, [loss.what for loss in losses]) == (fitted, lost)
    assert all(loss.where == "thinking" for loss in losses)


@pytest.mark.parametrize(
    ("asked", "cap", "fitted", "lost"),
    [
        (16384, 16385, 16384, []),
        (16384, 16384, 16383, ["budget 16384, lowered to 16383 under max_tokens"]),
        (16384, 1025, 1024, ["budget 16384, lowered to 1024 under max_tokens"]),
        (16384, 1024, 16384, []),  # as CLIProxyAPI: left to be refused
        (1024, 1024, 1024, []),
        (500, 4096, 1024, ["budget 500, raised to 1024"]),
    ],
)
def test_a_budget_stays_under_the_cap(asked: int, cap: int, fitted: int, lost: list[str]) -> None:
    got, losses = fit(budget(asked), NOTHING, Profile(), cap, "budget", least=MESSAGES_MINIMUM)
    assert (got, [loss.what for loss in losses]) == (budget(fitted), lost)


def test_the_table_of_the_provider_goes_first() -> None:
    litellm = read_profiles()["litellm"]
    assert fit(level("medium"), NOTHING, litellm, None, "budget")[0] == budget(2048)
    assert fit(level("max"), NOTHING, litellm, None, "budget")[0] == budget(16384)
    assert fit(budget(8192), NOTHING, litellm, None, "level") == (level("xhigh"), ())
    assert fit(level("low"), NOTHING, Profile(budgets={"medium": 2048}), None, "budget")[0] == budget(1024)


@pytest.mark.parametrize(
    ("profile", "model", "form", "asked", "fitted"),
    [
        ("anthropic", "claude-opus-4-7", "adaptive", level("xhigh"), effort("xhigh")),
        ("anthropic", "claude-sonnet-4-6", "adaptive", level("xhigh"), effort("max")),
        ("anthropic", "claude-haiku-4-5-20251001", "budget", level("high"), budget(24576)),
        ("anthropic", "claude-opus-4-1-20250805", "budget", OFF, OFF),
        ("anthropic", "claude-sonnet-4-20250514", "budget", level("low"), budget(1024)),
        ("anthropic", "anthropic/claude-3.7-sonnet", "budget", level("low"), budget(1024)),
        ("anthropic", "claude-3-5-haiku-20241022", "budget", level("low"), Thinking()),
        ("anthropic", "claude-fable-5", "adaptive", OFF, effort("low")),
        ("anthropic", "claude-opus-5", "adaptive", OFF, OFF),
        ("anthropic", "claude-unheard-of-9", "budget", level("low"), budget(1024)),
        ("openai", "gpt-5", "level", OFF, level("minimal")),
        ("openai", "gpt-5-mini-2025-08-07", "level", level("xhigh"), level("high")),
        ("openai", "gpt-5-pro", "level", level("low"), level("high")),
        ("openai", "gpt-5-codex", "level", level("minimal"), level("low")),
        ("openai", "gpt-5.1", "level", OFF, OFF),
        ("openai", "gpt-5.1", "level", level("minimal"), level("low")),
        ("openai", "gpt-5.1-codex-max", "level", level("max"), level("xhigh")),
        ("openai", "gpt-5.3-codex", "level", level("xhigh"), level("xhigh")),
        ("openai", "gpt-5.3-codex-spark", "level", OFF, level("low")),
        ("openai", "gpt-5.4", "level", level("xhigh"), level("xhigh")),
        ("openai", "gpt-5.6-sol", "level", level("max"), level("max")),
        ("openai", "gpt-5-chat-latest", "level", level("low"), Thinking()),
        ("openai", "gpt-4o-mini", "level", level("low"), Thinking()),
        ("gemini", "gemini-2.5-pro", "budget", OFF, budget(128)),
        ("gemini", "gemini-2.5-flash", "budget", OFF, OFF),
        ("gemini", "gemini-2.5-flash-lite", "budget", budget(100), budget(512)),
        ("gemini", "models/gemini-2.5-flash-preview", "budget", level("xhigh"), budget(24576)),
        ("gemini", "gemini-3-pro-preview", "level", level("medium"), level("low")),
        ("gemini", "gemini-3.1-pro-preview", "level", OFF, level("low")),
        ("gemini", "gemini-3-flash-preview", "level", OFF, level("minimal")),
        ("gemini", "gemini-3.1-flash-lite-preview", "level", level("medium"), level("high")),
        ("gemini", "gemini-3.6-flash", "level", AUTO, AUTO),
        ("iflow", "glm-4.6", "level", level("low"), Thinking()),
    ],
)
def test_shipped_facts(profile: str, model: str, form: Form, asked: Thinking, fitted: Thinking) -> None:
    known = read_profiles()[profile]
    facts = known.facts(model)
    assert profile != "anthropic" or facts == NOTHING or facts.thinking is False or known.form_for(facts) == form
    assert fit(asked, facts, known, None, form)[0] == fitted


def test_every_shipped_level_is_one() -> None:
    for profile in read_profiles().values():
        for pattern, facts in profile.models.items():
            assert set(facts.levels) <= set(LEVELS), pattern
            assert facts.budget is None or 0 <= facts.budget[0] < facts.budget[1], pattern
        assert set(profile.budgets) <= set(LEVELS)


WISHES = st.builds(
    Thinking,
    mode=st.sampled_from([None, "enabled", "disabled", "adaptive"]),
    effort=st.none() | st.sampled_from([*LEVELS, "auto", "ultra"]),
    budget=st.none() | st.integers(-2, 200_000),
)
RANGES = st.tuples(st.integers(0, 2000), st.integers(2001, 130_000))
FACTS = st.builds(
    ModelFacts,
    thinking=st.none() | st.booleans(),
    thinking_off=st.none() | st.booleans(),
    levels=st.lists(st.sampled_from(LEVELS), unique=True).map(tuple),
    budget=st.none() | RANGES,
    dynamic=st.none() | st.booleans(),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(WISHES, FACTS, st.none() | st.integers(1, 50_000), st.sampled_from(["level", "budget", "adaptive"]))
def test_what_is_fitted_is_taken_and_what_is_not_said_is_declared(
    asked: Thinking, facts: ModelFacts, cap: int | None, form: Form
) -> None:
    fitted, losses = fit(asked, facts, Profile(), cap, form)
    if facts.thinking is False:
        assert fitted == Thinking()
    if fitted.budget is not None:
        assert form == "budget"
        assert facts.budget is None or min(facts.budget[0], cap or 0) <= fitted.budget <= facts.budget[1]
    known = [each for each in facts.levels if each != "none"]
    if fitted.effort is not None and known and fitted.effort in LEVELS and form == "level":
        assert fitted.effort in known
    if not losses and fitted != Thinking():
        same_level = level_of(fitted) == level_of(asked)
        same_budget = budget_of(fitted) in (budget_of(asked), BUDGETS.get(level_of(asked) or ""))
        assert same_level or same_budget
