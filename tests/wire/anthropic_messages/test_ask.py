"""Covers wire/anthropic_messages/ask.py and parts.py: how requests are read, and written back in the same words."""

import json
from typing import Any

import pytest

from llm_canaries.wire.anthropic_messages.ask import read_ask, write_ask
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.profile import Profile

USER = {"role": "user", "content": "x"}
NAME = "anthropic_messages"


def read(*messages: dict[str, Any], **more: Any) -> Ask:
    said = {"model": "m", "max_tokens": 9, "messages": list(messages or (USER,))}
    return read_ask(json.dumps(said | more).encode())


def again(ask: Ask) -> dict[str, Any]:
    request = write_ask(ask, Profile())
    assert request.losses == ()
    assert (request.path, dict(request.headers)["anthropic-version"]) == ("/v1/messages", "2023-06-01")
    said: dict[str, Any] = json.loads(request.body)
    return said


def test_every_known_field() -> None:
    ask = read(
        system="s",
        stream=True,
        temperature=0,
        top_p=0.5,
        stop_sequences=["END"],
        tools=[{"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
        output_config={"effort": "low"},
        metadata={"user_id": "u"},
        top_k=7,
    )
    assert ask == Ask(
        dialect=NAME,
        model="m",
        messages=(Message("system", (Text("s"),)), Message("user", (Text("x"),))),
        stream=True,
        include_usage=True,
        max_tokens=9,
        temperature=0,
        top_p=0.5,
        stop=("END",),
        tools=(Tool("f", "d", {"type": "object"}, {"strict": True}),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        thinking=Thinking("enabled", "low", 2048, {"display": "omitted"}),
        user="u",
        extra={"top_k": 7},
    )


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a", "cache_control": {}}, Text("a", {"cache_control": {}})),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}},
            Image("QQ==", "image/png"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "u"}, "k": 1}, Image(url="u", extra={"k": 1})),
        ({"type": "document", "title": "t", "source": {"type": "url", "url": "u"}}, Document(url="u", name="t")),
        ({"type": "thinking", "thinking": "t", "signature": ""}, Thought("t", "")),
        ({"type": "thinking", "thinking": "", "signature": "s"}, Thought("", "s")),
        ({"type": "redacted_thinking", "data": "d"}, Thought(redacted="d")),
        ({"type": "tool_use", "id": "a", "name": "f", "input": {"n": 1}, "caller": 1},
         ToolCall("a", "f", '{"n":1}', {"caller": 1})),
        ({"type": "tool_use", "id": "a", "name": "f", "input": {}}, ToolCall("a", "f", "{}")),
    ],
)  # fmt: skip
def test_blocks(block: dict[str, Any], part: Part) -> None:
    ask = read(USER, {"role": "assistant", "content": [block, {"type": "text", "text": "z"}]})
    assert ask.messages[1].content[0] == part
    assert again(ask)["messages"][1]["content"][0] == block


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "text", "data": "x"}},
        {"type": "document", "title": 5, "source": {"type": "base64", "data": "x"}},
        {"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}},
        {"type": "thinking", "thinking": "t", "signature": 5},
        {"type": "tool_use", "id": 5, "name": "f", "input": {}},
        {"type": "tool_result", "tool_use_id": "a", "is_error": "yes"},
        {"type": "text", "text": 5},
        {"text": "no type"},
    ],
)
def test_a_block_nobody_knows_is_kept_whole(block: dict[str, Any]) -> None:
    ask = read({"role": "user", "content": [block, {"type": "text", "text": "z"}]})
    assert ask.messages[0].content[0] == Opaque(NAME, block)
    assert again(ask)["messages"][0]["content"][0] == block


def test_results_are_a_message_of_their_own_in_the_hub() -> None:
    results = [
        {"type": "tool_result", "tool_use_id": "a", "content": "A"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True,
         "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]},
        {"type": "tool_result", "tool_use_id": "c", "is_error": False, "content": []},
    ]  # fmt: skip
    said = {"role": "user", "content": [*results, {"type": "text", "text": "well?"}]}
    ask = read(USER, said)
    assert [message.role for message in ask.messages] == ["user", "tool", "user"]
    assert ask.messages[1].content == (
        ToolResult("a", (Text("A"),)),
        ToolResult("b", (Image(url="u"),), True),
        ToolResult("c", (), False),
    )
    assert again(ask)["messages"][1] == said


def test_fields_of_a_message_of_results_survive() -> None:
    said = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "A"}], "note": 1}
    assert again(read(USER, said))["messages"][1] == said
    assert again(read(said, USER | {"more": 2}))["messages"] == [
        {"role": "user", "content": [*said["content"], {"type": "text", "text": "x"}], "note": 1, "more": 2}  # type: ignore[misc]
    ]


@pytest.mark.parametrize(
    "field",
    [
        {"tool_choice": {"type": "auto"}},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "any", "note": 1}},
        {"tool_choice": {"type": "none"}},
        {"tool_choice": {"type": "some_new_word", "tools": ["f"]}},
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high", "format": {}}},
        {"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}},
        {"thinking": {"budget_tokens": 5}},
        {"output_config": {"effort": "max"}},
        {"output_config": {"format": {"type": "json_schema"}}},
        {"metadata": {"user_id": "u", "more": 1}},
        {"metadata": {"more": 1}},
        {"tools": [{"type": "custom", "name": "f", "input_schema": {}}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]},
        {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
    ],
)
def test_fields_survive(field: dict[str, Any]) -> None:
    assert again(read(**field)) == {"model": "m", "max_tokens": 9, "messages": [USER]} | field


def test_auth() -> None:
    assert DIALECTS[NAME].auth("k") == (("x-api-key", "k"),)
