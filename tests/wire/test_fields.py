"""Covers read_ask of every dialect: a field of another type is an error that names it, and null is absence."""

import json

import msgspec
import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError

TURN = {"role": "user", "content": "x"}
BARE: dict[str, dict[str, object]] = {  # the least that each dialect takes
    "openai_chat": {"model": "m", "messages": [TURN]},
    "openai_responses": {"model": "m", "input": [TURN]},
    "anthropic_messages": {"model": "m", "messages": [TURN]},
    "gemini": {"contents": [{"parts": [{"text": "x"}]}]},
}
PATH = "/v1beta/models/m:generateContent"  # says nothing to the dialects that keep the model in the body

ASK_FIELDS: list[tuple[str, str, object]] = [
    *(("openai_chat", field, value) for field, value in [
        ("stop", 5), ("stop", [5]), ("stop", {}), ("tools", {}), ("tools", [5]), ("user", 5), ("temperature", "hot"),
        ("temperature", True), ("top_p", []), ("max_tokens", "5"), ("max_completion_tokens", 1.5), ("stream", "yes"),
        ("parallel_tool_calls", 1), ("reasoning_effort", 5), ("tool_choice", 5), ("stream_options", []),
        ("model", 5), ("model", ""), ("messages", []), ("messages", {}), ("messages", [5]),
        ("messages", [{"role": "user", "content": 3}]), ("messages", [{"role": "tool", "tool_call_id": 5}]),
        ("messages", [{"role": "assistant", "tool_calls": {}}]), ("messages", [{"role": "assistant", "refusal": 5}]),
        ("tools", [{"type": "function", "function": {"name": 5}}]), ("tools", [{"type": "function", "function": {}}]),
        ("tools", [{"type": "function", "function": {"name": "f", "parameters": 5}}]),
        ("tools", [{"type": "function", "function": {"name": "f", "description": 5}}]),
    ]),
    *(("openai_responses", field, value) for field, value in [
        ("model", 5), ("model", ""), ("input", 5), ("input", []), ("input", ""), ("input", {}), ("input", [5]),
        ("input", [{"role": "user", "content": 3}]), ("input", [{"role": "user", "content": [3]}]),
        ("input", [{"role": "assistant", "content": 3}]), ("instructions", 5), ("instructions", ["x"]),
        ("input", [{"type": "function_call_output", "call_id": "c", "output": 5}]),
        ("tools", {}), ("tools", [5]), ("tools", [{"type": "function", "name": 5}]), ("tools", [{"type": "function"}]),
        ("tools", [{"type": "function", "name": "f", "parameters": 5}]),
        ("tools", [{"type": "function", "name": "f", "description": 5}]),
        ("user", 5), ("temperature", "hot"), ("top_p", []), ("max_output_tokens", "5"), ("stream", "yes"),
        ("parallel_tool_calls", 1), ("reasoning", "high"), ("reasoning", {"effort": 5}), ("tool_choice", 5),
    ]),
    *(("anthropic_messages", field, value) for field, value in [
        ("stop_sequences", "x"), ("stop_sequences", [5]), ("tools", {}), ("tools", [5]), ("metadata", {"user_id": 5}),
        ("metadata", 5), ("temperature", "hot"), ("top_p", False), ("max_tokens", "5"), ("stream", 1),
        ("tool_choice", "auto"), ("tool_choice", {"type": "tool", "name": 5}), ("thinking", "on"),
        ("tool_choice", {"type": "auto", "disable_parallel_tool_use": "yes"}),
        ("thinking", {"type": "enabled", "budget_tokens": "many"}), ("output_config", {"effort": 5}),
        ("output_config", 5), ("system", 5), ("model", None), ("messages", []), ("messages", "hello"),
        ("messages", [{"role": "tool", "content": "x"}]), ("messages", [{"role": "user", "content": 3}]),
        ("tools", [{"name": "f", "input_schema": 5}]), ("tools", [{"name": 5, "input_schema": {}}]),
        ("tools", [{"name": "f", "input_schema": {}, "description": 5}]),
    ]),
    *(("gemini", field, value) for field, value in [
        ("contents", []), ("contents", {}), ("contents", [5]), ("contents", [{"parts": "x"}]), ("contents", None),
        ("contents", [{"role": "system", "parts": []}]), ("contents", [{"role": 5, "parts": []}]),
        ("contents", [{"parts": [5]}]), ("systemInstruction", "s"), ("systemInstruction", {"parts": {}}),
        ("tools", {}), ("tools", [5]), ("tools", [{"functionDeclarations": {}}]),
        ("tools", [{"functionDeclarations": [5]}]), ("tools", [{"functionDeclarations": [{}]}]),
        ("tools", [{"functionDeclarations": [{"name": 5}]}]), ("toolConfig", 5), ("generationConfig", []),
        ("tools", [{"functionDeclarations": [{"name": "f", "description": 5}]}]),
        ("tools", [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": 5}]}]),
        ("tools", [{"functionDeclarations": [{"name": "f", "parameters": 5}]}]),
        ("toolConfig", {"functionCallingConfig": 5}), ("toolConfig", {"functionCallingConfig": {"mode": 5}}),
        *(("generationConfig", {name: held}) for name, held in [
            ("maxOutputTokens", "5"), ("maxOutputTokens", 1.5), ("temperature", "hot"), ("topP", True),
            ("stopSequences", "x"), ("stopSequences", [5]), ("thinkingConfig", 5),
            ("thinkingConfig", {"thinkingBudget": "many"}), ("thinkingConfig", {"thinkingLevel": 5})]),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "value"), ASK_FIELDS)
def test_a_field_of_another_type_is_named(name: str, field: str, value: object) -> None:
    body = BARE[name] | {"max_tokens": 5, field: value}
    if field == "max_completion_tokens":
        del body["max_tokens"]
    inside = "|".join(value) if field == "generationConfig" and isinstance(value, dict) else field
    with pytest.raises(WireError, match=rf"^({field}|{inside})"):
        DIALECTS[name].read_ask(json.dumps(body).encode(), PATH)


@pytest.mark.parametrize("name", DIALECTS)
def test_null_is_absent(name: str) -> None:
    said = BARE[name]
    nulls = dict.fromkeys(("stop", "stop_sequences", "tools", "user", "metadata", "temperature", "top_p", "stream",
        "tool_choice", "thinking", "output_config", "reasoning_effort", "parallel_tool_calls", "max_tokens",
        "stream_options", "instructions", "reasoning", "max_output_tokens", "generationConfig", "toolConfig",
        "systemInstruction"))  # fmt: skip
    ask = DIALECTS[name].read_ask(json.dumps(said | nulls).encode(), PATH)
    bare = DIALECTS[name].read_ask(json.dumps(said).encode(), PATH)
    assert msgspec.structs.replace(ask, extra={}) == bare
    assert all(value is None for value in ask.extra.values())
