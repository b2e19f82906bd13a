"""Covers canary/asks.py: every ask says who sends it, in the words of its dialect and as its gateway takes them."""

import pytest
from openai.types.chat import completion_create_params
from plays import case

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.forecast import cost_of
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.service.settings import read_settings
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.json import decode_object

PROFILES = read_profiles()


def body(dialect, profile):
    its = case(SCENARIO, dialect=dialect, profile=PROFILES[profile])
    step = sending(its, text_ask(its, "hi", cap=9), "cnry-a")
    request = DIALECTS[dialect].write_ask(step.ask, step.profile)
    assert request.losses == ()
    return decode_object(request.body)


@pytest.mark.parametrize(
    ("dialect", "profile", "field"),
    [
        ("openai_chat", "generic", {"user": "llm-canaries"}),
        ("openai_responses", "generic", {"user": "llm-canaries"}),
        ("openai_chat", "openai", {"safety_identifier": "llm-canaries"}),
        ("openai_responses", "openai", {"safety_identifier": "llm-canaries"}),
        ("anthropic_messages", "generic", {"metadata": {"user_id": "llm-canaries"}}),
        ("anthropic_messages", "openai", {"metadata": {"user_id": "llm-canaries"}}),
        ("gemini", "generic", {}),
        ("openai_chat", "compatible", {}),
        ("anthropic_messages", "compatible", {}),
    ],
)
def test_who_asks_is_said_where_there_is_a_field(dialect, profile, field):
    said = body(dialect, profile)
    assert {name: said[name] for name in ("user", "safety_identifier", "metadata", "labels") if name in said} == field


def test_openai_knows_both_fields():
    """By its SDK's own types."""
    assert {"user", "safety_identifier"} <= completion_create_params.CompletionCreateParamsBase.__annotations__.keys()


def test_no_shipped_canary_asks_without_a_name():
    settings = read_settings(None, {})
    draw = iter(range(10**9))
    for each in cases(settings.config, settings.binding, Wanted()):
        step = next(SCENARIOS[each.scenario].play(each, each.params, lambda below: next(draw) % below, None))
        if isinstance(step, Send) and each.dialect != "gemini":
            assert step.ask.user == "llm-canaries", each.canary


@pytest.mark.parametrize(
    ("model", "cap"), [("m", 512), ("m(high)", 512 + 24576), ("m(2048)", 2560), ("m(none)", 512), ("m(auto)", 512)]
)
def test_there_is_room_for_the_reasoning_that_a_models_name_asks_for(model, cap):
    """CLIProxyAPI does not raise the limit for it, and Anthropic refuses a budget that is not below it."""
    its = case(SCENARIO, model=model)
    assert sending(its, text_ask(its, "hi", cap=512), "cnry-a").ask.max_tokens == cap
    assert cost_of(its, SCENARIO).output_tokens == SCENARIO.cost(its, its.params).output_tokens + cap - 512
