"""Covers the readers of asks in all dialects: an error names the place of what is wrong, from the top of the body."""

import json

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError

USER = {"role": "user", "content": "x"}
TURN = {"role": "user", "parts": [{"text": "x"}]}
WRONG = [
    ("openai_chat", {"messages": [USER, 5]}, "messages[1]: expected an object, got number"),
    ("openai_chat", {"messages": [USER, USER | {"content": 5}]}, "messages[1].content: expected a string or an array"),
    ("openai_chat", {"messages": [{"role": "tool", "tool_call_id": 5}]}, "messages[0].tool_call_id: expected string"),
    ("openai_chat", {"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls: expected an arr"),
    ("openai_chat", {"messages": [USER], "tools": [{"function": {}}]}, "tools[0].function.name: expected a non-empty"),
    ("openai_chat", {"messages": [USER], "tools": [{"function": {"name": "f", "parameters": []}}]},
     "tools[0].function.parameters: expected object, got array"),
    ("anthropic_messages", {"messages": [USER, []]}, "messages[1]: expected an object, got array"),
    ("anthropic_messages", {"messages": [{"role": "tool"}]}, "messages[0].role: expected user or assistant"),
    ("anthropic_messages", {"messages": [USER, USER | {"content": [5]}]}, "messages[1].content: expected objects, got"),
    ("anthropic_messages", {"messages": [USER | {"content": [{"type": "tool_result", "content": 5}]}]},
     "messages[0].content.tool_result.content: expected a string or an array, got number"),
    ("anthropic_messages", {"messages": [USER], "tools": [{"name": 5, "input_schema": {}}]}, "tools[0].name: expected"),
    ("anthropic_messages", {"messages": [USER], "system": 5}, "system: expected a string or an array, got number"),
    ("openai_responses", {"input": [USER, "x"]}, "input[1]: expected an object, got string"),
    ("openai_responses", {"input": [USER | {"content": 5}]}, "input[0].content: expected a string or an array, got"),
    ("openai_responses", {"input": [{}]}, "input[0]: expected a type, or a role"),
    ("openai_responses", {"input": [USER], "tools": [5]}, "tools[0]: expected an object, got number"),
    ("openai_responses", {"input": [USER], "tools": [{"type": "function"}]}, "tools[0].name: expected a non-"),
    ("gemini", {"contents": [TURN, 5]}, "contents[1]: expected an object, got number"),
    ("gemini", {"contents": [TURN], "tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations.name: "),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "said"), WRONG, ids=[f"{name}-{said[:24]}" for name, _, said in WRONG])
def test_an_error_names_its_place(name: str, body: dict[str, object], said: str) -> None:
    path = "/v1beta/models/m:generateContent" if name == "gemini" else ""
    with pytest.raises(WireError) as raised:
        DIALECTS[name].read_ask(json.dumps({"model": "m"} | body).encode(), path)
    assert str(raised.value).startswith(said)
