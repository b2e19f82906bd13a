"""Covers read_ask of every dialect: a field of another type is an error that names it, and null is absence."""

import json

import msgspec
import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError

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
]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "value"), ASK_FIELDS)
def test_a_field_of_another_type_is_named(name: str, field: str, value: object) -> None:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]} | {field: value}
    if field == "max_completion_tokens":
        del body["max_tokens"]
    with pytest.raises(WireError, match=rf"^{field}"):
        DIALECTS[name].read_ask(json.dumps(body).encode(), "/")


@pytest.mark.parametrize("name", DIALECTS)
def test_null_is_absent(name: str) -> None:
    said = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    nulls = dict.fromkeys(("stop", "stop_sequences", "tools", "user", "metadata", "temperature", "top_p", "stream",
        "tool_choice", "thinking", "output_config", "reasoning_effort", "parallel_tool_calls", "max_tokens",
        "stream_options"))  # fmt: skip
    ask = DIALECTS[name].read_ask(json.dumps(said | nulls).encode(), "/")
    bare = DIALECTS[name].read_ask(json.dumps(said).encode(), "/")
    assert msgspec.structs.replace(ask, extra={}) == bare
    assert all(value is None for value in ask.extra.values())
