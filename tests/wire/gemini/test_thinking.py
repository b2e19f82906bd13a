"""Covers wire/gemini/thinking.py: levels and budgets, never both."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import Ask, Message, Text, Thinking
from llm_canaries.wire.profile import ModelFacts, Profile

GEMINI = DIALECTS["gemini"]
PATH = "/v1beta/models/m:generateContent"
ASKED = Message("user", (Text("look"),))


def written(ask: Ask, profile: Profile) -> tuple[dict[str, Any], list[str]]:
    request = GEMINI.write_ask(ask, profile)
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


@pytest.mark.parametrize(
    ("said", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking("disabled")),
        ({"thinkingBudget": -1}, Thinking("adaptive")),
        ({"thinkingBudget": 5000}, Thinking(budget=5000)),
        ({"thinkingLevel": "HIGH"}, Thinking(effort="high")),
        ({"thinkingLevel": "LOW", "thinkingBudget": 0}, Thinking("disabled", "low")),
        ({"thinkingBudget": 1, "includeThoughts": True}, Thinking(budget=1, extra={"includeThoughts": True})),
        ({}, Thinking()),
    ],
)
def test_thinking_comes_back_as_it_was(said: dict[str, Any], thinking: Thinking) -> None:
    body = {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": said}}
    ask = GEMINI.read_ask(json.dumps(body).encode(), PATH)
    assert ask.thinking == thinking
    body, losses = written(ask, Profile())
    assert body.get("generationConfig") == {"thinkingConfig": said}
    assert losses == []


LEVELS = ModelFacts(levels=("low", "high"), thinking_off=False)
BUDGET = ModelFacts(budget=(128, 32768), thinking_off=False, dynamic=True)


@pytest.mark.parametrize(
    ("thinking", "facts", "said", "lost"),
    [
        (Thinking(effort="medium"), ModelFacts(), {"thinkingLevel": "MEDIUM"}, 0),
        (Thinking(effort="none"), ModelFacts(), {"thinkingBudget": 0}, 0),
        (Thinking("enabled", budget=5000), ModelFacts(), {"thinkingBudget": 5000}, 0),
        (Thinking("adaptive"), ModelFacts(), {"thinkingBudget": -1}, 0),
        (Thinking(effort="max"), ModelFacts(), {"thinkingLevel": "XHIGH"}, 1),
        (Thinking(effort="ultra"), ModelFacts(), None, 1),
        (Thinking(effort="high"), BUDGET, {"thinkingBudget": 24576}, 0),
        (Thinking("enabled", budget=99999), BUDGET, {"thinkingBudget": 32768}, 1),
        (Thinking(effort="none"), BUDGET, {"thinkingBudget": 128}, 1),
        (Thinking("enabled", budget=24576), LEVELS, {"thinkingLevel": "HIGH"}, 0),
        (Thinking(effort="medium"), LEVELS, {"thinkingLevel": "LOW"}, 1),
        (Thinking(effort="none"), LEVELS, {"thinkingLevel": "LOW"}, 1),
    ],
)
def test_thinking_from_elsewhere_is_a_level_or_a_budget(
    thinking: Thinking, facts: ModelFacts, said: dict[str, Any] | None, lost: int
) -> None:
    ask = Ask(dialect="anthropic_messages", model="m", messages=(ASKED,), thinking=thinking)
    body, losses = written(ask, Profile(models={"*": facts}))
    found = body.get("generationConfig", {}).get("thinkingConfig")
    if found is not None and thinking.effort != "none":
        assert found.pop("includeThoughts") is True
    elif found is not None:
        found.pop("includeThoughts", None)
    assert found == said
    assert len(losses) == lost
