"""Covers proxy/profiles.py: what is documented of a model is known under every profile, unless that knows better."""

import json

import pytest

from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import Ask, Message, Text, Thinking
from llm_canaries.wire.profile import ModelFacts

PROFILES = read_profiles()


def body(profile: str, target: str, model: str, thinking: Thinking) -> dict[str, object]:
    ask = Ask(dialect="openai_chat", model=model, messages=(Message("user", (Text("x"),)),), max_tokens=4096,
              thinking=thinking)  # fmt: skip
    said: dict[str, object] = json.loads(DIALECTS[target].write_ask(ask, PROFILES[profile]).body)
    return said


def test_the_shared_file_is_no_profile() -> None:
    assert set(PROFILES) == {"anthropic", "compatible", "gemini", "generic", "iflow", "litellm", "mirror", "openai"}


@pytest.mark.parametrize("profile", ["generic", "litellm", "mirror", "compatible", "openai", "gemini", "anthropic"])
@pytest.mark.parametrize("prefix", ["", "home/", "antigravity/", "openrouter/vendor/"])
def test_models_are_known_wherever_they_are_served(profile: str, prefix: str) -> None:
    facts = PROFILES[profile].facts
    assert facts(f"{prefix}claude-opus-4-7").thinking_form == "adaptive"
    assert facts(f"{prefix}claude-haiku-4-5-20251001").thinking_form == "budget"
    assert facts(f"{prefix}gemini-2.5-pro").budget == (128, 32768)
    assert facts(f"{prefix}gemini-3-pro-preview").result_parts is True
    assert facts(f"{prefix}gpt-5.3-codex-spark").vision is False
    assert facts(f"{prefix}gpt-4o-mini").thinking is False
    assert facts(f"{prefix}o3-mini").levels == ("low", "medium", "high")
    assert facts(f"{prefix}o1-mini").thinking is False
    assert facts(f"{prefix}glm-4.6") == ModelFacts()


def test_what_a_profile_says_itself_goes_first() -> None:
    assert PROFILES["iflow"].facts("gpt-5") == ModelFacts(thinking=False)


def test_a_home_gateway_is_asked_in_the_form_that_the_model_takes() -> None:
    for model in ("claude-opus-4-7", "anthropic/claude-opus-4-7"):
        said = body("generic", "anthropic_messages", model, Thinking(effort="high"))
        assert (said["thinking"], said["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
        assert said["max_tokens"] == 4096
    said = body("generic", "anthropic_messages", "claude-sonnet-4-5", Thinking(effort="low"))
    assert said["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert body("generic", "openai_chat", "gpt-5", Thinking(effort="low"))["reasoning_effort"] == "low"
