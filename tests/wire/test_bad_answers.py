"""Covers wire/answer.py in every dialect: what is wrong in an answer under a 200, and what is made of it.

A fault means that there is no answer; what can be lived with is an objection, and the usage's laws name its count.
"""

import json
from typing import Any

import pytest
from drawn_replies import frames_of, streamed

from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.fault import FaultReason as R
from llm_canaries.wire.message import Finish, Part, Reply, Text, ToolCall, Usage
from llm_canaries.wire.sse import encode_frame
from llm_canaries.wire.usage_laws import Law, broken_laws

COUNTS = {  # where each dialect says how many tokens came in
    "openai_chat": "prompt_tokens",
    "openai_responses": "input_tokens",
    "anthropic_messages": "input_tokens",
    "gemini": "promptTokenCount",
}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
EACH = pytest.mark.parametrize("name", DIALECTS)


def answer(name: str, *content: Part) -> Reply:
    finish = Finish.TOOL if any(isinstance(part, ToolCall) for part in content) else Finish.STOP
    usage = Usage(input=7, output=5, reasoning=0, cache_read=0)
    return Reply(dialect=name, id="r", model="m", content=content, finish=finish, usage=usage)


def body_of(name: str, reply: Reply, stream: bool) -> bytes:
    return streamed(name, reply) if stream else DIALECTS[name].write_reply(reply).body


def read(name: str, body: bytes, stream: bool, **more: Any) -> Exchange:
    kind = "text/event-stream" if stream else "application/json"
    got = Received(sent=b"{}", status=200, headers=(("content-type", kind),), body=body, **more)
    return read_answer(Send(ask=b"{}", dialect=name, stream=stream), got, 0)


@EACH
@BOTH
def test_a_good_answer_is_good(name: str, stream: bool) -> None:
    got = read(name, body_of(name, answer(name, Text("hello")), stream), stream)
    assert (got.fault, got.objections, got.reply and got.reply.text) == (None, (), "hello")


@EACH
@BOTH
def test_an_error_object_inside_a_200(name: str, stream: bool) -> None:
    _, error = DIALECTS[name].write_fault(Fault(reason=R.OVERLOADED, message="too busy"))
    got = read(name, error, False)
    assert got.fault is not None and got.reply is None
    assert (got.fault.reason, got.fault.message) == (R.ERROR_IN_200, "too busy")
    as_one_frame = read(name, encode_frame(error), True)
    assert as_one_frame.fault is not None
    assert (as_one_frame.fault.reason, as_one_frame.fault.message) == (R.STREAM_ERROR, "too busy")
    in_json = read_answer(Send(ask=b"{}", dialect=name, stream=stream), Received(sent=b"", status=200, body=error), 0)
    assert in_json.fault is not None and in_json.fault.reason is R.ERROR_IN_200


@EACH
def test_an_error_in_mid_stream(name: str) -> None:
    frames = frames_of(body_of(name, answer(name, Text("hello")), True))
    _, error = DIALECTS[name].write_fault(Fault(reason=R.OVERLOADED, message="too busy"))
    opening = b"".join(encode_frame(frame.data, frame.event) for frame in frames[: max(1, len(frames) // 2)])
    got = read(name, opening + encode_frame(error), True)
    assert got.fault is not None
    assert (got.fault.reason, got.fault.message) == (R.STREAM_ERROR, "too busy")


@EACH
@BOTH
def test_bytes_that_are_no_utf_8(name: str, stream: bool) -> None:
    body = body_of(name, answer(name, Text("he-llo")), stream).replace(b"he-llo", b"he\xffllo")
    got = read(name, body, stream)
    if stream:
        assert (got.fault, got.objections) == (None, ("not_utf8",))
        assert got.reply is not None and got.reply.text == "he\ufffdllo"
    else:
        assert got.fault is not None and got.fault.reason is R.MALFORMED_BODY
        assert got.reply is None


@EACH
@BOTH
def test_an_id_that_names_two_calls(name: str, stream: bool) -> None:
    calls = (ToolCall("same", "f", '{"a":1}'), ToolCall("same", "g", '{"b":2}'))
    got = read(name, body_of(name, answer(name, *calls), stream), stream)
    assert (got.fault, got.objections) == (None, ("duplicate_tool_id",))
    assert got.reply is not None
    assert [(call.id, call.name, json.loads(call.arguments)) for call in got.reply.calls] == [
        ("same", "f", {"a": 1}),
        ("same", "g", {"b": 2}),
    ]
    nameless = tuple(ToolCall("", call.name, call.arguments) for call in calls)
    assert read(name, body_of(name, answer(name, *nameless), stream), stream).objections == ()


@EACH
@BOTH
@pytest.mark.parametrize("count", ["-7", "1e400", "0.1000000000000000055", '"many"', "1.5"])
def test_a_usage_that_is_no_number_of_tokens(name: str, stream: bool, count: str) -> None:
    field = COUNTS[name]
    body = body_of(name, answer(name, Text("hello")), stream)
    body = body.replace(f'"{field}":7'.encode(), f'"{field}":{count}'.encode())
    assert count.encode() in body
    got = read(name, body, stream)
    assert (got.fault, got.objections) == (None, ("invalid_usage",))
    assert got.reply is not None and got.reply.usage is not None
    assert got.reply.text == "hello"
    assert got.reply.usage.input is None
    assert got.reply.usage.broken == (field,)
    assert Law.INVALID_COUNT in broken_laws(got.reply.usage, said_something=True, cap=None)


@EACH
def test_a_stream_without_its_terminal_event(name: str) -> None:
    frames = frames_of(body_of(name, answer(name, Text("hello")), True))
    cut = b"".join(encode_frame(frame.data, frame.event) for frame in frames[: len(frames) // 2])
    got = read(name, cut, True)
    assert got.fault is not None and got.fault.reason is R.TRUNCATED_STREAM


@EACH
@BOTH
def test_a_page_where_an_answer_was_expected(name: str, stream: bool) -> None:
    got = read(name, b"<!DOCTYPE html><title>Sign in</title>", stream)
    assert got.fault is not None and got.fault.reason is R.HTML
