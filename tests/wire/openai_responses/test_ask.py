"""Covers wire/openai_responses/ask.py and inputs.py: requests by example, and what other dialects make of them."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Opaque,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.profile import Profile

CHAT, NAME, MESSAGES = "openai_chat", "openai_responses", "anthropic_messages"
DIALECT = DIALECTS[NAME]
ASKED = Message("user", (Text("look"),))
URL = "data:image/png;base64,QUJD"
PNG = Image(data="QUJD", media_type="image/png")
ASKED_ITEM = {"role": "user", "content": "look"}
PICTURE = {"type": "input_image", "image_url": URL}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
ANSWER = {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary",
          "content": [{"type": "output_text", "text": "a", "annotations": []},
                      {"type": "refusal", "refusal": "b"}]}  # fmt: skip


def read(*items: object, **more: Any) -> Ask:
    return DIALECT.read_ask(json.dumps({"model": "m", "input": list(items)} | more).encode(), "/")


def written(ask: Ask, target: str = NAME, **profile: Any) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile(**profile))
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


def foreign(*messages: Message, source: str = MESSAGES, **more: Any) -> Ask:
    return Ask(dialect=source, model="m", messages=messages, **more)


def again(*items: object, **more: Any) -> list[Any]:
    """The items as they are written again in their own dialect, without any loss."""
    body, losses = written(read(*items, **more))
    assert losses == []
    return list(body["input"])


def test_a_plain_request() -> None:
    ask = DIALECT.read_ask(b'{"model":"m","input":"hi","instructions":"be brief","max_output_tokens":3}', "/")
    assert ask == Ask(
        dialect=NAME,
        model="m",
        messages=(Message("system", (Text("be brief"),)), Message("user", (Text("hi"),))),
        include_usage=True,
        max_tokens=3,
    )
    assert written(ask)[0] == {
        "model": "m",
        "instructions": "be brief",
        "input": [{"role": "user", "content": "hi"}],
        "max_output_tokens": 3,
    }


def test_system_items_are_no_instructions() -> None:
    system, developer = {"role": "system", "content": "s"}, {"role": "developer", "content": "d"}
    user = {"role": "user", "content": "u"}
    assert again(system, user, developer) == [system, user, developer]
    body, _ = written(read(system, user, instructions="i"))
    assert (body["instructions"], body["input"]) == ("i", [system, user])
    assert written(read(system, user, instructions=""))[0]["instructions"] == ""
    assert written(read(developer, user), MESSAGES)[0]["system"] == "d"


def test_what_the_model_made_in_a_row_is_one_turn() -> None:
    reasoning = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "g"}
    result = {"type": "function_call_output", "call_id": "c", "output": "r"}
    search = {"type": "web_search_call", "id": "ws", "status": "completed"}
    items = [{"role": "user", "content": "u"}, reasoning, ANSWER, search, CALL, CALL | {"call_id": "d"}, result,
             result | {"call_id": "d"}, {"role": "assistant", "content": "x"},
             {"role": "assistant", "content": "y"}]  # fmt: skip
    ask = read(*items)
    assert [turn.role for turn in ask.messages] == ["user", "assistant", "tool", "assistant"]
    assert [type(part).__name__ for part in ask.messages[1].content] == [
        "Thought", "Text", "Refusal", "Opaque", "ToolCall", "ToolCall"
    ]  # fmt: skip
    assert again(*items) == items


def test_parts_of_one_message_stay_in_it() -> None:
    odd = {"type": "output_audio", "data": "x"}
    cited = {"type": "output_text", "text": "b", "annotations": [{"type": "url_citation", "url": "u"}]}
    both = ANSWER | {"content": [ANSWER["content"][0], cited, odd]}  # type: ignore[index]
    assert again(both, ANSWER) == [both, ANSWER]
    texts = {"role": "assistant", "content": [{"type": "output_text", "text": each} for each in "ab"]}
    assert [len(item["content"]) for item in again(texts, texts)] == [2, 2]
    assert again({"type": "message", "role": "assistant", "content": [], "id": "msg"})[0]["content"] == []


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": json.dumps([PICTURE])},
        {"type": "compaction", "id": "cmp", "encrypted_content": "g"},
        {"type": "additional_tools", "role": "developer", "tools": []},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": 5}]},
        {"type": "function_call", "call_id": 5, "name": "f"},
    ],
)
def test_other_items_stay_whole(item: dict[str, Any]) -> None:
    ask = read(ASKED_ITEM, item)
    assert ask.messages[1] == Message("assistant", (Opaque(NAME, item),))
    assert again(ASKED_ITEM, item)[1] == item
    assert f"assistant: opaque {item['type']}" in written(ask, CHAT)[1]


def test_a_reasoning_item_with_several_pieces() -> None:
    item = {"type": "reasoning", "id": "rs", "encrypted_content": "g",
            "summary": [{"type": "summary_text", "text": "**A**\n\nb"}, {"type": "summary_text", "text": "c"}],
            "content": [{"type": "reasoning_text", "text": "raw"}]}  # fmt: skip
    thought = read(item).messages[0].content[0]
    assert thought == Thought("**A**\n\nb\n\nc\n\nraw", "g", extra={"id": "rs"})
    assert again(item, CALL) == [item, CALL]
    stored = {"type": "reasoning", "id": "rs", "summary": []}
    assert again(stored, CALL) == [stored, CALL]


PARTS = [
    PICTURE | {"detail": "high"},
    {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
    {"type": "input_image", "file_id": "file_1", "detail": "high"},
    {"type": "input_file", "file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"},
    {"type": "input_file", "file_url": "https://x.test/a.pdf"},
    {"type": "input_file", "file_id": "file_2"},
    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
    {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {}},
]


def test_pictures_and_files_stand_everywhere() -> None:
    items = [{"role": "user", "content": PARTS}, {"type": "function_call_output", "call_id": "c", "output": PARTS}]
    assert again(*items) == items
    user, tool = read(*items).messages
    assert user.content[0] == Image(data="QUJD", media_type="image/png", extra={"detail": "high"})
    assert user.content[3] == Document(data="QQ==", media_type="application/pdf", name="a.pdf")
    assert tool.content == (ToolResult("c", user.content),)


@pytest.mark.parametrize("space", [None, 1])
def test_a_stringified_result_is_read_as_its_parts(space: int | None) -> None:
    """Codex' view_image (CPA#4699, #4902): kept as text, a picture is billed by the letter."""
    output = json.dumps([{"type": "input_text", "text": "t"}, PICTURE], indent=space)
    item = {"type": "function_call_output", "call_id": "c", "output": output}
    ask = read(ASKED_ITEM, CALL, item)
    assert ask.messages[2] == Message("tool", (ToolResult("c", (Text("t"), PNG), extra={"stringified": None}),))
    said = again(ASKED_ITEM, CALL, item)[2]["output"]
    assert json.loads(said)[1] == PICTURE | {"detail": "auto"}
    body, losses = written(ask, MESSAGES)
    assert body["messages"][2]["content"][0]["content"][1]["type"] == "image"
    assert losses == ["max_tokens: none given, 4096 said"]


@pytest.mark.parametrize(
    "output", ["", "plain", "[1]", '[{"type":"input_text","text":"only words"}]', '["input_image"]',
               '[{"input_image":1}]', '[{"type":"input_image","image_url":"u"},{"type":"mine"}]',
               '[{"type":"input_image"', '{"type":"input_x"}'],
)  # fmt: skip
def test_any_other_result_is_text(output: str) -> None:
    ask = read(CALL, {"type": "function_call_output", "call_id": "c", "output": output})
    assert ask.messages[1].content == (ToolResult("c", (Text(output),)),)


def test_fields_beside_the_conversation() -> None:
    more = {"reasoning": {"effort": "low", "summary": "auto", "context": "all_turns"}, "store": False, "include": ["x"],
            "text": {"verbosity": "low"}, "truncation": "auto", "metadata": {"a": "b"}, "user": "u", "stream": True,
            "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True},
                      {"type": "web_search"}], "tool_choice": {"type": "function", "name": "f"}, "top_p": 0.5,
            "parallel_tool_calls": False, "temperature": 0, "prompt_cache_key": "k"}  # fmt: skip
    ask = read(ASKED_ITEM, **more)
    assert ask.thinking == Thinking(effort="low", extra={"summary": "auto", "context": "all_turns"})
    assert ask.tools == (Tool("f", "d", {}, {"strict": True}), Opaque(NAME, {"type": "web_search"}))
    assert ask.tool_choice == ToolChoice("tool", "f")
    assert set(ask.extra) == {"store", "include", "text", "truncation", "metadata", "prompt_cache_key"}
    body, losses = written(ask)
    assert (body, losses) == ({"model": "m", "input": [ASKED_ITEM]} | more, [])


@pytest.mark.parametrize("choice", ["auto", "none", "required", "odd", {"type": "allowed_tools", "tools": []},
                                    {"type": "mcp", "server_label": "s"}])  # fmt: skip
def test_choices(choice: object) -> None:
    body, losses = written(read(ASKED_ITEM, tool_choice=choice))
    assert (body["tool_choice"], losses) == (choice, [])


def test_what_is_stored_goes_on_without_input() -> None:
    ask = DIALECT.read_ask(b'{"model":"m","previous_response_id":"r"}', "/")
    assert ask.messages == ()
    assert written(ask)[0] == {"model": "m", "previous_response_id": "r"}
    with pytest.raises(WireError, match=r"^input"):
        DIALECT.read_ask(b'{"model":"m","previous_response_id":null}', "/")
