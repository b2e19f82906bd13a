"""Covers what writers do at the edges of a dialect: nothing left to say, tools without a type, parts out of place."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Delta, Event, Head, OpaquePart, fold, unfold
from llm_canaries.wire.message import Ask, Finish, Message, Opaque, Refusal, Reply, Text, Thought, Tool, ToolCall
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder, Frame

CHAT, RESPONSES, MESSAGES, GEMINI = "openai_chat", "openai_responses", "anthropic_messages", "gemini"
ASKED = Message("user", (Text("look"),))
OTHERS = [(source, target) for source in DIALECTS for target in DIALECTS if source != target]


def written(target: str, ask: Ask) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile())
    DIALECTS[target].read_ask(request.body, request.path)
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


def ask_of(source: str, *messages: Message, **more: Any) -> Ask:
    return Ask(dialect=source, model="m", messages=messages, max_tokens=100, **more)


@pytest.mark.parametrize(("source", "target"), OTHERS)
def test_an_ask_of_which_nothing_is_left_says_an_empty_text(source: str, target: str) -> None:
    """A request without any message would be refused for its form; so the provider may say what it thinks of it."""
    odd = Opaque(source, {"type": "odd"})
    for turns in ((Message("user", (odd,)),), (Message("system", (Text("s"),)), Message("assistant", (odd,)))):
        _, losses = written(target, ask_of(source, *turns))
        assert any(loss.endswith("opaque odd") for loss in losses)
        said = DIALECTS[target].write_ask(ask_of(source, *turns), Profile())
        left = [turn for turn in DIALECTS[target].read_ask(said.body, said.path).messages if turn.role != "system"]
        assert [part for turn in left for part in turn.content] in ([Text("")], [])


def test_chat_sends_no_message_for_a_turn_of_foreign_blocks() -> None:
    odd = Message("user", (Opaque(MESSAGES, {"type": "search_result"}),))
    lost = Message("assistant", (Thought("hm", "sig"),))
    body, losses = written(CHAT, ask_of(MESSAGES, ASKED, lost, odd, ASKED))
    assert body["messages"] == [{"role": "user", "content": "look"}] * 2
    assert losses == [
        "assistant: thinking", "assistant: a message without content",
        "user: opaque search_result", "user: a message without content",
    ]  # fmt: skip
    empty = Message("assistant", (Text(""),))
    assert written(CHAT, ask_of(MESSAGES, ASKED, empty))[0]["messages"][1] == {"role": "assistant", "content": ""}


def test_messages_and_chat_say_something_where_only_a_system_message_is_left() -> None:
    body, losses = written(MESSAGES, ask_of(CHAT, Message("system", (Text("s"),))))
    assert (body["system"], body["messages"]) == ("s", [{"role": "user", "content": ""}])
    assert losses == ["messages: nothing is left, an empty text said"]


@pytest.mark.parametrize("target", [CHAT, RESPONSES, MESSAGES])
def test_tools_without_a_type_are_named_by_what_they_hold(target: str) -> None:
    tools = (Opaque(GEMINI, {"googleSearch": {}, "codeExecution": {}}), Tool("f"))
    _, losses = written(target, ask_of(GEMINI, ASKED, tools=tools))
    assert "tools: tool of type googleSearch, codeExecution" in losses


def test_an_assistant_of_chat_has_a_place_for_each_kind() -> None:
    parts = (ToolCall("c", "f", "{}"), Refusal("no"), Text("but"))
    body, losses = written(CHAT, ask_of(RESPONSES, ASKED, Message("assistant", parts)))
    assert {key: body["messages"][1][key] for key in ("content", "refusal")} == {"content": "but", "refusal": "no"}
    assert losses == ["assistant: order of parts"]
    reply = Reply(dialect=CHAT, id="i", model="m", content=(Refusal("no"), Text("but")), finish=Finish.STOP)
    said = DIALECTS[CHAT].write_reply(reply)
    assert [loss.what for loss in said.losses] == ["order of parts"]
    assert DIALECTS[CHAT].read_reply(said.body).content == (Text("but"), Refusal("no"))
    in_place = Reply(dialect=CHAT, id="i", model="m", content=(Thought("hm"), Text("but"), Refusal("no"), parts[0]))
    assert DIALECTS[CHAT].write_reply(in_place).losses == ()


def test_chat_keeps_a_refusal_among_its_own_words() -> None:
    content = [{"type": "refusal", "refusal": "no"}, {"type": "text", "text": "but"}]
    said = {"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": content}]}
    body, losses = written(CHAT, DIALECTS[CHAT].read_ask(json.dumps(said).encode(), ""))
    assert (body["messages"][1]["content"], losses) == (content, [])


def test_chat_keeps_what_stands_around_an_answer() -> None:
    other = {"index": 1, "message": {"role": "assistant", "content": "b"}, "finish_reason": "stop"}
    said = {
        "id": "i", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "native_finish_reason": "STOP", "logprobs": {"content": []},
                     "message": {"role": "assistant", "content": "a", "refusal": None,
                                 "extra_content": {"google": 1}}}, other],
    }  # fmt: skip
    reply = DIALECTS[CHAT].read_reply(json.dumps(said).encode())
    again = DIALECTS[CHAT].write_reply(reply)
    assert (json.loads(again.body), again.losses) == (said, ())
    assert {loss.what for loss in DIALECTS[MESSAGES].write_reply(reply).losses} == {
        "field choice.native_finish_reason", "field choice.logprobs", "field message.extra_content", "field choices",
    }  # fmt: skip


def test_a_stream_of_messages_keeps_what_comes_between_and_at_the_end() -> None:
    note = {"type": "char_location", "cited_text": "x"}
    frames = [
        {"type": "message_start", "message": {"id": "i", "type": "message", "role": "assistant", "model": "m",
         "content": [], "container": {"id": "c"}, "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": []}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": note}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "context_update", "left": 5},
        {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_sequence": None,
         "stop_details": {"category": "bio"}}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]  # fmt: skip
    reader, events = DIALECTS[MESSAGES].reader(), list[Event]()
    for said in frames:
        events += reader.feed(Frame(event=str(said["type"]), data=json.dumps(said)))
    assert isinstance(events[0], Head)
    own, other = DIALECTS[MESSAGES].writer(events[0]), DIALECTS[CHAT].writer(events[0])
    body = b"".join(own.feed(event) for event in events)
    again = [json.loads(frame.data) for frame in Decoder().feed(body)]
    assert own.losses == ()
    assert [each["type"] for each in again] == [each["type"] for each in frames]
    assert again[0]["message"]["container"] == {"id": "c"}
    assert again[2] == frames[2]
    assert again[5] == frames[5]
    assert again[-2]["delta"] == frames[-2]["delta"]
    for event in events:
        other.feed(event)
    assert {loss.what for loss in other.losses} == {
        "field container", "field citations", "opaque index, delta", "opaque context_update", "opaque message_delta",
    }  # fmt: skip


def test_a_call_of_chat_keeps_its_fields_in_a_stream() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""},
            "extra_content": {"google": {"thought_signature": "s"}}}  # fmt: skip
    chunk = {"id": "i", "model": "m", "service_tier": "x", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    events = list(DIALECTS[CHAT].reader().feed(Frame(data=json.dumps(chunk))))
    assert isinstance(events[0], Head)
    writer = DIALECTS[CHAT].writer(events[0])
    first, second = [json.loads(frame.data) for frame in Decoder().feed(b"".join(map(writer.feed, events)))]
    assert first["service_tier"] == "x"
    assert second["choices"][0]["delta"]["tool_calls"] == [call]
    assert writer.losses == ()


def test_events_between_blocks_are_no_part_of_the_reply() -> None:
    reply = Reply(
        dialect=MESSAGES, id="i", model="m", content=(Text("a"),), finish=Finish.STOP, finish_native="end_turn"
    )
    events = [*unfold(reply)[:2], OpaquePart(-1, Opaque(MESSAGES, {"type": "odd"})), *unfold(reply)[2:]]
    assert fold(MESSAGES, events) == reply
    assert Delta(0, "a") in events
