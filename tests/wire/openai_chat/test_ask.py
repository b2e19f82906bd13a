"""Covers wire/openai_chat/ask.py and parts.py: how requests are read, and written back in the same words."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.loss import AROUND
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Opaque,
    Refusal,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.openai_chat.ask import read_ask, write_ask
from llm_canaries.wire.profile import Profile

USER = {"role": "user", "content": "x"}


def read(*messages: dict[str, Any], **more: Any) -> Ask:
    return read_ask(json.dumps({"model": "m", "messages": list(messages or (USER,))} | more).encode())


def again(ask: Ask) -> dict[str, Any]:
    request = write_ask(ask, Profile(tool_images=True))
    assert request.losses == ()
    assert (request.path, dict(request.headers)["content-type"]) == ("/v1/chat/completions", "application/json")
    said: dict[str, Any] = json.loads(request.body)
    return said


def test_every_known_field() -> None:
    ask = read(
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=5,
        temperature=0,
        top_p=0.5,
        stop="END",
        tools=[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        reasoning_effort="low",
        user="u",
        seed=7,
    )
    assert ask == Ask(
        dialect="openai_chat",
        model="m",
        messages=(Message("user", (Text("x"),)),),
        stream=True,
        include_usage=True,
        max_tokens=5,
        temperature=0,
        top_p=0.5,
        stop=("END",),
        tools=(Tool("f", "d", {"type": "object"}),),
        tool_choice=ToolChoice("tool", "f"),
        parallel_tool_calls=False,
        thinking=Thinking(effort="low"),
        user="u",
        extra={"seed": 7},
    )


def test_parts_of_a_user_message() -> None:
    parts = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ==", "detail": "low"}, "cache_control": {}},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
    ]
    ask = read({"role": "user", "content": parts, "name": "n"})
    assert ask.messages == (
        Message(
            "user",
            (
                Text("a", {"cache_control": {"type": "ephemeral"}}),
                Image("QQ==", "image/png", extra={"detail": "low", AROUND: {"cache_control": {}}}),
                Image(url="https://x.test/a.png"),
                Document("QQ==", "application/pdf", name="f.pdf"),
                Opaque("openai_chat", parts[4]),
                Opaque("openai_chat", parts[5]),
            ),
            {"name": "n"},
        ),
    )
    assert again(ask)["messages"] == [{"role": "user", "content": parts, "name": "n"}]


def test_an_assistant_message() -> None:
    calls = [
        {"id": "a", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}", "sig": "s"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ]
    said = {"role": "assistant", "content": "c", "reasoning_content": "r", "refusal": "no", "tool_calls": calls}
    ask = read(USER, said)
    assert ask.messages[1].content == (
        Thought("r"),
        Text("c"),
        Refusal("no"),
        ToolCall("a", "f", "{}", {"sig": "s", AROUND: {"index": 0}}),
        Opaque("openai_chat", {"tool_call": calls[1]}),
    )
    assert again(ask)["messages"][1] == said


def test_several_thoughts_and_refusals_are_joined() -> None:
    turn = Message("assistant", (Thought("a"), Thought("b"), Refusal("c"), Refusal("d")))
    said = again(Ask(dialect="openai_chat", model="m", messages=(turn,)))["messages"][0]
    assert (said["reasoning_content"], said["refusal"]) == ("ab", "cd")


def test_a_run_of_tool_messages_is_one_message() -> None:
    results = [{"role": "tool", "tool_call_id": each, "content": each.upper()} for each in ("a", "b")]
    ask = read(USER, *results, USER, {"role": "tool", "tool_call_id": "c", "content": "", "name": "f"})
    assert [message.role for message in ask.messages] == ["user", "tool", "user", "tool"]
    assert ask.messages[1].content == (ToolResult("a", (Text("A"),)), ToolResult("b", (Text("B"),)))
    assert ask.messages[3].content == (ToolResult("c", (Text(""),), extra={"name": "f"}),)
    assert again(ask)["messages"][1:3] == results


def test_roles_nobody_knows_are_kept_whole() -> None:
    legacy = {"role": "function", "name": "f", "content": "x"}
    assert again(read(USER, legacy))["messages"] == [USER, legacy]


@pytest.mark.parametrize(
    "field",
    [
        {"tool_choice": "auto"},
        {"tool_choice": "any"},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}, "eager_input_streaming": True}]},
        {"tools": [{"type": "custom", "custom": {"name": "g"}}]},
        {"stop": ["a", "b"]},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"response_format": {"type": "json_schema"}},
        {"max_completion_tokens": 7, "max_tokens": 9},
    ],
)
def test_fields_survive(field: dict[str, Any]) -> None:
    assert again(read(**field)) == {"model": "m", "messages": [USER]} | field


def test_the_cap_has_two_names() -> None:
    assert (read(max_tokens=5).max_tokens, read(max_tokens=None).max_tokens) == (5, None)
    assert read(max_completion_tokens=7, max_tokens=9).extra == {"max_tokens": 9}


@pytest.mark.parametrize(
    ("arguments", "expected"), [("", ""), ("{bad", "{bad"), ({"a": 1}, '{"a":1}'), (None, "{}"), ("{}", "{}")]
)
def test_arguments_stay_text(arguments: object, expected: str) -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": arguments}}
    ask = read(USER, {"role": "assistant", "tool_calls": [call]})
    assert ask.messages[1].content == (ToolCall("a", "f", expected),)


def test_auth() -> None:
    assert DIALECTS["openai_chat"].auth("k") == (("authorization", "Bearer k"),)
