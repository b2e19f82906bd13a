"""Covers write_ask across dialects by example: tool results, images, documents and arguments."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Text,
    ToolCall,
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
WEBP = Image(data="REVG", media_type="image/webp")
PNG_URL, WEBP_URL = "data:image/png;base64,QUJD", "data:image/webp;base64,REVG"
TWO = Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")))
RESULTS = Message("tool", (ToolResult("a", (Text("one"), PNG)), ToolResult("b", (WEBP,), True)))


def test_images_in_results_are_hoisted_after_the_whole_run() -> None:
    ask = ask_of(MESSAGES, ASKED, TWO, RESULTS, Message("user", (Text("well?"),)))
    body, losses = written(CHAT, ask)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "a", "content": "one"}
    assert body["messages"][3] == {"role": "tool", "tool_call_id": "b", "content": ""}
    assert body["messages"][4]["content"] == [
        {"type": "text", "text": "Returned by tool call a:"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "text", "text": "Returned by tool call b:"},
        {"type": "image_url", "image_url": {"url": WEBP_URL}},
    ]
    assert losses == [
        "tool result a: 1 image(s) moved to a user message",
        "tool result b: is_error",
        "tool result b: 1 image(s) moved to a user message",
    ]


def test_one_result_needs_no_label() -> None:
    call, result = Message("assistant", (ToolCall("a", "f", "{}"),)), Message("tool", (ToolResult("a", (PNG,)),))
    body, losses = written(CHAT, ask_of(MESSAGES, ASKED, call, result))
    assert body["messages"][2:] == [
        {"role": "tool", "tool_call_id": "a", "content": ""},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG_URL}}]},
    ]
    assert losses == ["tool result a: 1 image(s) moved to a user message"]


def test_images_stay_in_tool_messages_where_the_profile_says_so() -> None:
    body, losses = written(CHAT, ask_of(MESSAGES, ASKED, TWO, RESULTS), tool_images=True)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "tool", "tool"]
    assert body["messages"][2]["content"] == [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
    ]
    assert body["messages"][3]["content"] == [{"type": "image_url", "image_url": {"url": WEBP_URL}}]
    assert losses == ["tool result b: is_error"]


def test_results_open_the_user_turn_of_messages() -> None:
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, TWO, RESULTS, Message("user", (Text("well?"),))))
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    first, second, text = body["messages"][2]["content"]
    assert first == {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "one"}, image]}
    assert (second["tool_use_id"], second["is_error"], second["content"][0]["type"]) == ("b", True, "image")
    assert text == {"type": "text", "text": "well?"}
    assert losses == []


def test_results_before_an_assistant_turn_are_a_turn_of_their_own() -> None:
    ask = ask_of(CHAT, ASKED, TWO, RESULTS, Message("assistant", (Text("fine"),)), ASKED)
    body, _ = written(MESSAGES, ask)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("document", "target", "said"),
    [
        (
            Document(data="QQ==", media_type="application/pdf", name="a.pdf"),
            CHAT,
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        ),
        (
            Document(data="QQ==", media_type="application/pdf", name="a.pdf"),
            MESSAGES,
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
            },
        ),
        (
            Document(url="https://example.test/a.pdf"),
            MESSAGES,
            {"type": "document", "source": {"type": "url", "url": "https://example.test/a.pdf"}},
        ),
    ],
)
def test_documents(document: Document, target: str, said: dict[str, Any]) -> None:
    body, losses = written(target, ask_of("other", Message("user", (Text("read"), document))))
    assert body["messages"][0]["content"][1] == said
    assert losses == []


def test_chat_has_no_document_by_url() -> None:
    body, losses = written(CHAT, ask_of(MESSAGES, Message("user", (Text("read"), Document(url="https://x.test/a")))))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "read"}]}]
    assert losses == ["user: document"]


@pytest.mark.parametrize(
    ("arguments", "said", "lost"),
    [
        ("", {}, False),
        ("  ", {}, False),
        ("{}", {}, False),
        ('{"n":12345678901234567890123}', {"n": 12345678901234567890123}, False),
        ("{broken", {}, True),
        ("[1]", {}, True),
        ('"text"', {}, True),
    ],
)
def test_arguments_become_an_object(arguments: str, said: dict[str, Any], lost: bool) -> None:
    call = Message("assistant", (ToolCall("a", "f", arguments),))
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, call))
    assert body["messages"][1]["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": said}]
    assert losses == (["assistant: tool arguments that are not a JSON object"] if lost else [])
    body, _ = written(CHAT, ask_of(CHAT, ASKED, call))
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments


def test_arguments_are_spliced_in_as_text() -> None:
    text = '{"n": 1.00000000000000000001, "e": 1e2}'
    ask = ask_of(CHAT, ASKED, Message("assistant", (ToolCall("a", "f", text),)))
    assert text.encode() in DIALECTS[MESSAGES].write_ask(ask, Profile()).body


def test_numbers_beyond_a_double_survive_there_and_back() -> None:
    text = '{"n":9007199254740993,"m":-123456789012345678901234567890}'
    call = Message("assistant", (ToolCall("a", "f", text),))
    there = DIALECTS[MESSAGES].write_ask(ask_of(CHAT, ASKED, call), Profile())
    back = DIALECTS[CHAT].write_ask(DIALECTS[MESSAGES].read_ask(there.body, there.path), Profile())
    ask = DIALECTS[CHAT].read_ask(back.body, back.path)
    assert ask.messages[1].content == (ToolCall("a", "f", text),)
