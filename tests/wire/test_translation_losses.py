"""Covers write_ask across dialects by example: thinking, tools, roles, caps, and every declared loss."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.profile import Profile

CHAT, MESSAGES = "openai_chat", "anthropic_messages"


def ask_of(source: str, *messages: Message, **more: Any) -> Ask:
    return Ask(dialect=source, model="m", messages=messages, **({"max_tokens": 100} | more))


def written(target: str, ask: Ask, **profile: Any) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile(**profile))
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


ASKED = Message("user", (Text("look"),))
PNG = Image(data="QUJD", media_type="image/png")
THOUGHTS = Message("assistant", (Thought("hm", "sig"), Thought(redacted="sealed"), Text("so")))


def test_seals_stay_at_home() -> None:
    body, losses = written(MESSAGES, ask_of(MESSAGES, ASKED, THOUGHTS))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "so"},
    ]
    assert losses == []
    body, losses = written(CHAT, ask_of(MESSAGES, ASKED, THOUGHTS))
    assert body["messages"][1] == {"role": "assistant", "content": "so"}
    assert losses == ["assistant: thinking", "assistant: thinking"]


def test_chat_reasoning_has_no_seal_to_show_to_messages() -> None:
    ask = ask_of(CHAT, ASKED, Message("assistant", (Thought("hm"), Text("so"))))
    assert written(CHAT, ask)[0]["messages"][1] == {"role": "assistant", "content": "so", "reasoning_content": "hm"}
    body, losses = written(MESSAGES, ask)
    assert body["messages"][1] == {"role": "assistant", "content": [{"type": "text", "text": "so"}]}
    assert losses == ["assistant: thinking without a signature"]


@pytest.mark.parametrize(
    ("thinking", "effort", "losses"),
    [
        (Thinking("enabled", budget=8192), "medium", []),
        (Thinking("enabled", budget=5000), "medium", ["thinking: budget 5000, said as level medium"]),
        (Thinking("enabled", budget=60000), "xhigh", ["thinking: budget 60000, said as level xhigh"]),
        (Thinking("disabled"), "none", []),
        (Thinking("adaptive", "high"), "high", []),
        (Thinking("adaptive"), None, ["thinking: mode adaptive"]),
        (Thinking(effort="max"), "max", []),
        (Thinking("enabled", budget=1024, extra={"display": "omitted"}), "low", ["thinking: field display"]),
    ],
)
def test_messages_thinking_becomes_a_level(thinking: Thinking, effort: str | None, losses: list[str]) -> None:
    body, found = written(CHAT, ask_of(MESSAGES, ASKED, thinking=thinking))
    assert (body.get("reasoning_effort"), found) == (effort, losses)


@pytest.mark.parametrize(
    ("effort", "cap", "thinking", "raised", "losses"),
    [
        ("low", 4096, {"type": "enabled", "budget_tokens": 1024}, 4096, []),
        ("minimal", 4096, {"type": "enabled", "budget_tokens": 1024}, 4096, ["thinking: budget 512, raised to 1024"]),
        ("none", 50, {"type": "disabled"}, 50, []),
        (
            "high",
            1000,
            {"type": "enabled", "budget_tokens": 24576},
            25576,
            ["max_tokens: 1000, raised to hold the thinking budget"],
        ),
        ("ultra", 50, None, 50, ["thinking: level ultra, which has no budget"]),
    ],
)
def test_a_level_becomes_a_budget(
    effort: str, cap: int, thinking: object, raised: int, losses: list[str]
) -> None:
    body, found = written(MESSAGES, ask_of(CHAT, ASKED, max_tokens=cap, thinking=Thinking(effort=effort)))
    assert (body.get("thinking"), body["max_tokens"], found) == (thinking, raised, losses)


def test_a_level_becomes_an_effort_where_the_profile_says_so() -> None:
    for effort, said, lost in (("high", "high", 0), ("minimal", "low", 1)):
        ask = ask_of(CHAT, ASKED, thinking=Thinking(effort=effort))
        body, losses = written(MESSAGES, ask, thinking_form="adaptive")
        assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": said})
        assert body["max_tokens"] == 100
        assert len(losses) == lost
    off, _ = written(MESSAGES, ask_of(CHAT, ASKED, thinking=Thinking(effort="none")), thinking_form="adaptive")
    assert off["thinking"] == {"type": "disabled"}
    nothing, losses = written(MESSAGES, ask_of(CHAT, ASKED, thinking=Thinking()), thinking_form="adaptive")
    assert "thinking" not in nothing
    assert losses == []


@pytest.mark.parametrize(("source", "target"), [(CHAT, MESSAGES), (MESSAGES, CHAT)])
def test_opaque_tools_stay_at_home(source: str, target: str) -> None:
    native = Opaque(source, {"type": "web_search", "name": "web_search"})
    ask = ask_of(source, ASKED, tools=(native,), tool_choice=ToolChoice("required"))
    body, losses = written(target, ask)
    assert "tools" not in body
    assert "tool_choice" not in body
    assert losses[0] == "tools: tool of type web_search"
    assert losses[1].startswith("tool_choice: ")
    body, losses = written(source, ask)
    assert (body["tools"], losses) == ([dict(native.block)], [])
    body, _ = written(target, ask_of(source, ASKED, tools=(native, Tool("f")), tool_choice=ToolChoice("required")))
    assert len(body["tools"]) == 1
    assert "tool_choice" in body


def test_the_developer_role() -> None:
    developer = Message("system", (Text("be brief"),), {"role": "developer"})
    body, losses = written(CHAT, ask_of(CHAT, developer, ASKED))
    assert body["messages"][0] == {"role": "developer", "content": "be brief"}
    assert losses == []
    body, losses = written(MESSAGES, ask_of(CHAT, developer, ASKED))
    assert body["system"] == "be brief"
    assert losses == ["system: field role"]


def test_a_system_message_in_mid_conversation_stays_where_it_is() -> None:
    late = Message("system", (Text("now in French"),))
    ask = ask_of(CHAT, Message("system", (Text("a"),)), Message("system", (Text("b"),)), ASKED, late, ASKED)
    body, losses = written(MESSAGES, ask)
    assert body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [turn["role"] for turn in body["messages"]] == ["user", "system", "user"]
    assert losses == []
    _, losses = written(MESSAGES, ask_of(CHAT, ASKED, Message("system", (PNG,)), ASKED))
    assert losses == ["system: a part that is not text, in mid-conversation"]


def test_a_cap_that_nobody_gave_is_declared() -> None:
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, max_tokens=None))
    assert body["max_tokens"] == 4096
    assert losses == ["max_tokens: none given, 4096 said"]
    assert "max_completion_tokens" not in written(CHAT, ask_of(CHAT, ASKED, max_tokens=None))[0]


def test_the_name_of_the_cap_is_the_profiles() -> None:
    assert written(CHAT, ask_of(CHAT, ASKED))[0]["max_completion_tokens"] == 100
    assert written(CHAT, ask_of(CHAT, ASKED), max_tokens_field="max_tokens")[0]["max_tokens"] == 100


def test_usage_is_asked_for_in_streams() -> None:
    assert written(CHAT, ask_of(MESSAGES, ASKED, stream=True))[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(CHAT, ask_of(MESSAGES, ASKED, stream=True), stream_usage=False)[0]
    assert "stream_options" not in written(CHAT, ask_of(MESSAGES, ASKED))[0]
    assert "stream_options" not in written(CHAT, ask_of(CHAT, ASKED, stream=True))[0]
    assert "stream_options" in written(CHAT, ask_of(CHAT, ASKED, stream=True, include_usage=True))[0]


@pytest.mark.parametrize(("source", "target"), [(CHAT, MESSAGES), (MESSAGES, CHAT)])
def test_every_unknown_field_and_block_is_declared(source: str, target: str) -> None:
    odd: tuple[Part, ...] = (Text("x", {"cache_control": {}}), Opaque(source, {"type": "odd"}), Refusal("no"))
    ask = ask_of(
        source,
        Message("user", odd, {"name": "n"}),
        Message("assistant", (ToolCall("a", "f", "{}", {"caller": 1}),)),
        Message("tool", (ToolResult("a", (Text("t"), Opaque(source, {"type": "odd"})), extra={"note": 1}),)),
        tools=(Tool("f", extra={"strict": True}),),
        tool_choice=ToolChoice("auto", extra={"more": 1}),
        extra={"seed": 1, "nothing": None},
    )
    _, losses = written(target, ask)
    said = " | ".join(losses)
    for what in ("cache_control", "name", "caller", "note", "strict", "seed", "more"):
        assert f"field {what}" in said
    assert said.count(": opaque") == 2
    assert "nothing" not in said
    body, losses = written(source, ask)
    assert losses == ([] if source == CHAT else ["user: refusal, said as text"])
    assert body["seed"] == 1
    assert {"type": "odd"} in body["messages"][0]["content"]


def test_a_whole_message_that_messages_has_no_word_for_is_left_out() -> None:
    legacy = Message("user", (Opaque(CHAT, {"role": "function", "name": "f", "content": "x"}),))
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, legacy))
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert losses == ["user: opaque role, name, content", "user: a message without content"]
    body, losses = written(CHAT, ask_of(CHAT, ASKED, legacy))
    assert body["messages"][1] == {"role": "function", "name": "f", "content": "x"}
