"""Covers wire/anthropic_messages/stream.py: events of the wire into ours, and back without interleaving."""

import json
from typing import Any

import pytest

from llm_canaries.wire.anthropic_messages.reader import MessagesReader
from llm_canaries.wire.anthropic_messages.writer import MessagesWriter
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
from llm_canaries.wire.message import Finish, Opaque, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.sse import Decoder, Frame

NAME = "anthropic_messages"
HEAD = Head(dialect="anthropic_messages", id="i", model="m")


def events_of(*said: dict[str, Any]) -> list[Event]:
    reader, events = MessagesReader(), list[Event]()
    for each in said:
        events += reader.feed(Frame(event=str(each.get("type", "")), data=json.dumps(each)))
    return [*events, *reader.close()]


def start(usage: object = None) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "i", "model": "m", "content": [], "usage": usage}}


def block(index: int, **said: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": said}


def delta(index: int, kind: str, **said: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind} | said}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: object, usage: object = None) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


def reply_of(*said: dict[str, Any]) -> Reply:
    reply = fold(NAME, events_of(*said))
    assert reply is not None
    return reply


def test_a_whole_stream() -> None:
    events = events_of(
        start({"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}),
        {"type": "ping"},
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="s"),
        stop(0),
        block(1, type="text", text=""),
        delta(1, "text_delta", text="so"),
        stop(1),
        finish("end_turn", {"output_tokens": 9}),
        {"type": "message_stop"},
    )
    reply = fold(NAME, events)
    assert reply is not None
    assert reply.content == (Thought("hm", "s"), Text("so"))
    assert (reply.finish, reply.usage) == (Finish.STOP, Usage(input=105, output=9, cache_read=100))
    assert Liveness() in events
    assert events[-1] == End()


def test_arguments_come_in_pieces_or_not_at_all() -> None:
    reply = reply_of(
        start(),
        block(0, type="tool_use", id="a", name="f", input={}),
        delta(0, "input_json_delta", partial_json=""),
        delta(0, "input_json_delta", partial_json='{"n"'),
        delta(0, "input_json_delta", partial_json=":9007199254740993}"),
        stop(0),
        block(1, type="tool_use", id="b", name="g", input={}),
        delta(1, "input_json_delta", partial_json=""),
        stop(1),
        block(2, type="tool_use", id="c", name="h", input={"whole": 1}, caller=1),
        stop(2),
    )
    assert reply.content == (
        ToolCall("a", "f", '{"n":9007199254740993}'),
        ToolCall("b", "g", "{}"),
        ToolCall("c", "h", '{"whole":1}', {"caller": 1}),
    )


def test_sealed_thoughts_and_native_blocks() -> None:
    result = {"type": "web_search_tool_result", "content": []}
    reply = reply_of(
        start(),
        block(0, type="redacted_thinking", data="d"),
        stop(0),
        block(1, type="server_tool_use", id="x", name="web_search", input={}),
        delta(1, "input_json_delta", partial_json='{"query":'),
        delta(1, "input_json_delta", partial_json='"q"}'),
        stop(1),
        block(2, **result),
        stop(2),
    )
    assert reply.content == (
        Thought(redacted="d"),
        Opaque(NAME, {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {"query": "q"}}),
        Opaque(NAME, result),
    )


@pytest.mark.parametrize("zeros", [None, {}, {"input_tokens": 0, "output_tokens": 0}])
def test_a_start_of_zeros_leaves_the_end_to_speak(zeros: object) -> None:
    reply = reply_of(start(zeros), finish("end_turn", {"input_tokens": 7, "output_tokens": 9}))
    assert reply.usage == Usage(input=7, output=9)


def test_an_error_event() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    fault = Fault(reason=FaultReason.STREAM_ERROR, status=200, code="overloaded_error", message="Overloaded")
    assert events_of(start(), error)[-1] == Broken(fault)


def test_what_nobody_documented_is_kept() -> None:
    odd = {"type": "new_event", "x": 1}
    assert events_of(odd) == [OpaquePart(-1, Opaque(NAME, odd))]
    citation = delta(0, "citations_delta", citation={})
    assert events_of(citation) == [OpaquePart(-1, Opaque(NAME, {"index": 0, "delta": citation["delta"]}))]


def test_a_stop_sequence_of_another_type_counts_as_absent() -> None:
    said = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": 5}}
    assert events_of(said) == [Finished(Finish.STOP_SEQUENCE, "stop_sequence", None)]


def test_gateways_add_comments_empty_data_and_done() -> None:
    reader = MessagesReader()
    assert reader.feed(Frame(comment=True)) == (Liveness(),)
    assert reader.feed(Frame(data="")) == (Liveness(),)
    assert reader.feed(Frame(data="[DONE]")) == ()


def written(*events: Event) -> list[dict[str, Any]]:
    writer, decoder = MessagesWriter(HEAD), Decoder()
    body = b"".join(writer.feed(event) for event in events) + writer.close()
    frames = [*decoder.feed(body), *decoder.close()]
    said = [json.loads(frame.data) for frame in frames]
    assert [each["type"] for each in said] == [frame.event for frame in frames]
    return said


def in_order(said: list[dict[str, Any]]) -> None:
    """Blocks are numbered from 0, one open at a time, each closed before the next."""
    current, count = None, 0
    for each in said:
        match each["type"]:
            case "content_block_start":
                assert (current, each["index"]) == (None, count)
                current, count = each["index"], count + 1
            case "content_block_delta":
                assert each["index"] == current
            case "content_block_stop":
                assert each["index"] == current
                current = None
            case "message_delta" | "message_stop":
                assert current is None


INTERLEAVED: list[Event] = [
    HEAD,
    PartStart(index=0, kind="tool", id="a", name="f"),
    PartStart(index=1, kind="tool", id="b", name="g"),
    Delta(1, '{"y"'),
    Delta(0, '{"x"'),
    OpaquePart(2, Opaque(NAME, {"type": "server_tool_use", "id": "s"})),
    PartStart(index=3, kind="text"),
    Delta(3, "so"),
    Delta(1, ":2}"),
    Delta(0, ":1}"),
    PartEnd(3),
    PartEnd(0),
    PartEnd(1),
    Finished(Finish.TOOL, "tool_calls"),
    UsageSeen(Usage(input=1, output=2)),
    End(),
]


def test_interleaved_parts_are_written_one_after_the_other() -> None:
    said = written(*INTERLEAVED)
    in_order(said)
    reply = reply_of(*said)
    assert {part.id: part.arguments for part in reply.calls} == {"a": '{"x":1}', "b": '{"y":2}'}
    assert reply.text == "so"
    assert Opaque(NAME, {"type": "server_tool_use", "id": "s"}) in reply.content
    assert (reply.finish_native, reply.usage) == ("tool_use", Usage(input=1, output=2))


def test_parts_left_open_are_closed_by_the_end() -> None:
    said = written(*(event for event in INTERLEAVED if not isinstance(event, PartEnd)))
    in_order(said)
    assert {part.id: part.arguments for part in reply_of(*said).calls} == {"a": '{"x":1}', "b": '{"y":2}'}
    assert said[-1] == {"type": "message_stop"}


def test_a_thought_sealed_whole_is_written_as_one() -> None:
    start_event = PartStart(index=0, kind="thought")
    said = written(HEAD, start_event, Signature(0, "d", redacted=True), PartEnd(0), End())
    assert said[1]["content_block"] == {"type": "redacted_thinking", "data": "d"}
    assert said[2]["type"] == "content_block_stop"
    said = written(HEAD, start_event, PartEnd(0), End())
    assert said[1]["content_block"]["type"] == "thinking"
    in_order(said)


def test_usage_known_at_the_start_is_said_at_the_start() -> None:
    said = written(HEAD, UsageSeen(Usage(input=105, output=1, cache_read=100)), Liveness(), End())
    assert said[0]["message"]["usage"] == {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 100}
    assert said[1] == {"type": "ping"}


def test_a_cut_stream_stays_cut() -> None:
    said = written(HEAD, PartStart(index=0, kind="text"), Delta(0, "a"))
    assert said[-1]["type"] == "content_block_delta"
    fault = Fault(reason=FaultReason.STREAM_ERROR, message="boom", code="overloaded_error")
    assert written(HEAD, Broken(fault))[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "boom"},
    }
