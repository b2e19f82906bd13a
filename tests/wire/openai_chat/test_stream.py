"""Covers wire/openai_chat/stream.py: chunks into events, and events into chunks."""

import json
from typing import Any

import pytest

from llm_canaries.wire.event import (
    Broken,
    Delta,
    End,
    Event,
    Finished,
    Head,
    Liveness,
    OpaquePart,
    PartEnd,
    PartStart,
    Signature,
    UsageSeen,
    fold,
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Finish, Opaque, Text, Thought, ToolCall, Usage
from llm_canaries.wire.openai_chat.reader import ChatReader
from llm_canaries.wire.openai_chat.writer import ChatWriter
from llm_canaries.wire.sse import Decoder, Frame

HEAD = Head(dialect="openai_chat", id="i", model="m", created=3)


def chunk(delta: object = None, finish: object = None, **more: Any) -> dict[str, Any]:
    said = {"id": "i", "model": "m", "created": 3, "object": "chat.completion.chunk"}
    return said | {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}]} | more


def call(index: int | None, arguments: str = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    return ({} if index is None else {"index": index}) | more | {"function": function}


def events_of(*chunks: object) -> list[Event]:
    reader, events = ChatReader(), list[Event]()
    for each in chunks:
        events += reader.feed(Frame(data=each if isinstance(each, str) else json.dumps(each)))
    return [*events, *reader.close()]


def test_a_plain_stream() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert events_of(
        chunk({"role": "assistant", "content": ""}, usage=None),
        chunk({"content": "a"}),
        chunk({"content": "b"}),
        chunk({}, "stop"),
        chunk(choices=[], usage=usage),
        "[DONE]",
    ) == [
        HEAD,
        PartStart(index=0, kind="text"),
        Delta(0, "a"),
        Delta(0, "b"),
        PartEnd(0),
        Finished(Finish.STOP, "stop"),
        UsageSeen(Usage(input=1, output=2, total_reported=3)),
        End(),
    ]


def test_interleaved_parallel_calls() -> None:
    events = events_of(
        chunk({"content": "so"}),
        chunk({"tool_calls": [call(0, id="a", name="f", type="function"), call(1, id="b", name="g")]}),
        chunk({"tool_calls": [call(1, '{"y"')]}),
        chunk({"tool_calls": [call(0, '{"x"')]}),
        chunk({"tool_calls": [call(0, ":1}"), call(1, ":2}")]}),
        chunk({}, "tool_calls"),
        "[DONE]",
    )
    reply = fold("openai_chat", events)
    assert reply is not None
    assert reply.content == (Text("so"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", '{"y":2}'))
    assert sum(isinstance(event, PartEnd) for event in events) == 3
    assert [type(event) for event in events][-2:] == [Finished, End]


def test_calls_without_an_index_are_calls_of_their_own() -> None:
    calls = [call(None, "{}", name="f"), call(None, "{}", name="g")]
    reply = fold("openai_chat", events_of(chunk({"tool_calls": calls})))
    assert reply is not None
    assert [(each.id, each.name) for each in reply.calls] == [("", "f"), ("", "g")]


def test_openrouter_repeats_the_finish_beside_its_usage() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.1}
    events = events_of(
        chunk({"content": "a"}), chunk({}, "stop"), chunk({"content": ""}, "stop", usage=usage), "[DONE]"
    )
    assert [event for event in events if isinstance(event, Finished)] == [Finished(Finish.STOP, "stop")]
    assert events[-2:] == [UsageSeen(Usage(input=1, output=2)), End()]


def test_groq_usage() -> None:
    events = events_of(chunk({}, "stop", x_groq={"usage": {"prompt_tokens": 4, "completion_tokens": 5}}), "[DONE]")
    assert UsageSeen(Usage(input=4, output=5)) in events


def test_usage_on_every_chunk_is_a_snapshot() -> None:
    counts = [chunk({"content": "a"}, usage={"completion_tokens": at}) for at in (1, 2, 3)]
    reply = fold("openai_chat", events_of(*counts))
    assert reply is not None
    assert reply.usage == Usage(output=3)


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "boom", "type": "server_error", "code": "c"}},
        chunk({}, "error") | {"error": {"message": "boom", "code": "c"}},
    ],
)
def test_an_error_in_mid_stream(said: dict[str, Any]) -> None:
    events = events_of(chunk({"content": "a"}), said)
    fault = Fault(reason=FaultReason.STREAM_ERROR, status=200, code="c", message="boom")
    assert events[-2:] == [Broken(fault), PartEnd(0)]


def test_done_without_a_finish() -> None:
    events = events_of(chunk({"content": "a"}), "[DONE]")
    assert events[-2:] == [PartEnd(0), End()]
    assert not any(isinstance(event, Finished) for event in events)


def test_an_empty_finish_reason_is_no_finish() -> None:
    events = events_of(chunk({"content": "a"}, ""), chunk({"content": "b"}, ""), chunk({}, "stop"), "[DONE]")
    reply = fold("openai_chat", events)
    assert reply is not None
    assert (reply.content, reply.finish_native) == ((Text("ab"),), "stop")


def test_reasoning_comes_under_two_names() -> None:
    reply = fold(
        "openai_chat",
        events_of(
            chunk({"reasoning": "a", "reasoning_content": "a"}),
            chunk({"reasoning": "b"}),
            chunk({"content": "c"}),
            chunk({"refusal": "d"}),
        ),
    )
    assert reply is not None
    assert [type(part).__name__ for part in reply.content] == ["Thought", "Text", "Refusal"]
    assert reply.content[0] == Thought("ab")


def test_mistral_streams_its_thoughts_in_parts() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    reply = fold(
        "openai_chat", events_of(chunk({"content": [thinking]}), chunk({"content": [{"type": "text", "text": "so"}]}))
    )
    assert reply is not None
    assert reply.content == (Thought("hm"), Text("so"))


def test_liveness() -> None:
    reader = ChatReader()
    assert reader.feed(Frame(comment=True)) == (Liveness(),)
    assert reader.feed(Frame(data=" ")) == (Liveness(),)
    assert reader.close() == ()


def written(*events: Event) -> list[Any]:
    writer, decoder = ChatWriter(HEAD), Decoder()
    body = b"".join(writer.feed(event) for event in events) + writer.close()
    frames = [*decoder.feed(body), *decoder.close()]
    return [": " if f.comment else f.data if f.data == "[DONE]" else json.loads(f.data) for f in frames]


def test_what_is_written() -> None:
    chunks = written(
        HEAD,
        PartStart(index=0, kind="thought"),
        Delta(0, "hm"),
        Signature(0, "s"),
        PartEnd(0),
        PartStart(index=1, kind="tool", id="a", name="f"),
        PartStart(index=2, kind="tool", id="b", name="g"),
        Delta(2, "{}"),
        Delta(1, "[]"),
        OpaquePart(3, Opaque("x", {})),
        Liveness(),
        UsageSeen(Usage(input=1, output=2)),
        Finished(Finish.TOOL, "tool_use"),
        End(),
    )
    assert chunks[-1] == "[DONE]"
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"]["total_tokens"] == 3
    assert chunks[-3]["choices"][0]["finish_reason"] == "tool_calls"
    deltas = [each["choices"][0]["delta"] for each in chunks[:-3] if each != ": "]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "[]"}}]},
    ]
    assert all((each["id"], each["model"], each["created"]) == ("i", "m", 3) for each in chunks[:-1] if each != ": ")


def test_a_cut_stream_stays_cut() -> None:
    assert written(HEAD, PartStart(index=0, kind="text"), Delta(0, "a"))[-1] != "[DONE]"
    fault = Fault(reason=FaultReason.STREAM_ERROR, message="boom", code="c")
    assert written(HEAD, Broken(fault))[-1] == {"error": {"message": "boom", "type": "c", "code": "c"}}
