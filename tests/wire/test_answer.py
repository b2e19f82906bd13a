"""Covers wire/answer.py: what a 200 may hide (cliproxyapi.md 11), from literal bodies."""

import json
from typing import Any, NamedTuple

import pytest

from llm_canaries.wire.answer import Received, objections, read_answer
from llm_canaries.wire.event import Delta, End, Finished, Head, Liveness, UsageSeen
from llm_canaries.wire.exchange import Exchange, Reasoning, Send
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.fault import FaultReason as R
from llm_canaries.wire.message import Ask, Finish, Thinking, Usage
from llm_canaries.wire.profile import Profile

CHAT, MESSAGES = "openai_chat", "anthropic_messages"
JSON, SSE, HTML = "application/json", "text/event-stream", "text/html"
NOW = 1_700_000_000.0
LOGIN = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"


def frames(*said: dict[str, Any] | str, named: bool = False) -> bytes:
    out = b""
    for each in said:
        data = each if isinstance(each, str) else json.dumps(each)
        name = f"event: {each['type']}\n" if named and isinstance(each, dict) else ""
        out += f"{name}data: {data}\n\n".encode()
    return out


def chunk(delta: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}


def completion(message: dict[str, Any] | None, finish: str | None = "stop") -> bytes:
    choices = [] if message is None else [{"index": 0, "message": message, "finish_reason": finish}]
    said = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
    return json.dumps(said).encode()


def message(*content: dict[str, Any], stop: str | None = "end_turn") -> bytes:
    return json.dumps(
        {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": list(content),
         "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1}}
    ).encode()


HELLO = {"type": "text", "text": "hello"}
CALL = {"id": "t1", "type": "function", "function": {"name": "red", "arguments": "{}"}}
ROLE, WORDS, STOP = chunk({"role": "assistant", "content": ""}), chunk({"content": "hello"}), chunk({}, "stop")
START = {"type": "message_start", "message": {"id": "m1", "type": "message", "role": "assistant", "model": "m",
         "content": [], "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1}}}
BLOCK = (
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
)
DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 2}}
END = {"type": "message_stop"}
PING = {"type": "ping"}
CHAT_ERROR = {"error": {"message": "upstream said no", "type": "server_error", "code": None}}
CLAUDE_ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


class Row(NamedTuple):
    """A body as it came, and what is to be made of it."""

    name: str
    dialect: str
    stream: bool
    kind: str
    body: bytes
    reason: R | None
    objections: tuple[str, ...] = ()


WHOLE = (
    Row("login page", CHAT, False, HTML, LOGIN, R.HTML),
    Row("login page as JSON", CHAT, False, JSON, LOGIN, R.HTML),
    Row("login page after blank lines", CHAT, False, JSON, b"\n\n  " + LOGIN, R.HTML),
    Row("error with 200", CHAT, False, JSON, json.dumps(CHAT_ERROR).encode(), R.ERROR_IN_200),
    Row("error beside choices", CHAT, False, JSON, json.dumps(CHAT_ERROR | {"choices": []}).encode(), R.ERROR_IN_200),
    Row("null error beside an answer", CHAT, False, JSON,
        json.dumps(json.loads(completion({"content": "hello"})) | {"error": None}).encode(), None),
    Row("no choices", CHAT, False, JSON, completion(None), R.EMPTY_ANSWER),
    Row("choices missing", CHAT, False, JSON, b'{"id":"c1"}', R.MALFORMED_BODY),
    Row("empty object", CHAT, False, JSON, b"{}", R.MALFORMED_BODY),
    Row("null", CHAT, False, JSON, b"null", R.MALFORMED_BODY),
    Row("empty text", CHAT, False, JSON, completion({"content": ""}), R.EMPTY_ANSWER),
    Row("null text", CHAT, False, JSON, completion({"content": None}), R.EMPTY_ANSWER),
    Row("cut by the limit", CHAT, False, JSON, completion({"content": ""}, "length"), None),
    Row("taken by the filter", CHAT, False, JSON, completion({"content": None}, "content_filter"), None),
    Row("a call is an answer", CHAT, False, JSON, completion({"tool_calls": [CALL]}, "tool_calls"), None),
    Row("a refusal is an answer", CHAT, False, JSON, completion({"content": None, "refusal": "No."}), None),
    Row("well", CHAT, False, JSON, completion({"content": "hello"}), None),
    Row("keep-alive lines first", CHAT, False, JSON, b"\n\n\r\n \n" + completion({"content": "hello"}), None),
    Row("half", CHAT, False, JSON, completion({"content": "hello"})[:60], R.MALFORMED_BODY),
    Row("two bodies", CHAT, False, JSON, completion({"content": "a"}) * 2, R.MALFORMED_BODY),
    Row("nothing", CHAT, False, JSON, b"", R.EMPTY_BODY),
    Row("blank lines only", CHAT, False, JSON, b"\n\n\n", R.EMPTY_BODY),
    Row("a stream instead", CHAT, False, SSE, frames(ROLE, WORDS, STOP, "[DONE]"), R.UNEXPECTED_STREAM),
    Row("a stream called JSON instead", CHAT, False, JSON, frames(ROLE, WORDS, STOP, "[DONE]"), R.UNEXPECTED_STREAM),
    Row("another dialect's answer", CHAT, False, JSON, message(HELLO), R.MALFORMED_BODY),
    Row("business error", CHAT, False, JSON, b'{"status":"439","msg":"expired","body":null}', R.BUSINESS_ERROR),
    Row("error as text", CHAT, False, JSON, b'{"error":"no"}', R.ERROR_IN_200),
    Row("messages: login page", MESSAGES, False, HTML, LOGIN, R.HTML),
    Row("messages: error with 200", MESSAGES, False, JSON, json.dumps(CLAUDE_ERROR).encode(), R.ERROR_IN_200),
    Row("messages: no content", MESSAGES, False, JSON, message(), R.EMPTY_ANSWER),
    Row("messages: empty text", MESSAGES, False, JSON, message({"type": "text", "text": ""}), R.EMPTY_ANSWER),
    Row("messages: content missing", MESSAGES, False, JSON, b'{"type":"message"}', R.MALFORMED_BODY),
    Row("messages: cut by the limit", MESSAGES, False, JSON, message(stop="max_tokens"), None),
    Row("messages: well", MESSAGES, False, JSON, b"\n\n" + message(HELLO), None),
    Row("messages: a chat answer", MESSAGES, False, JSON, completion({"content": "x"}), R.MALFORMED_BODY),
)

WELL = next(row for row in WHOLE if row.name == "well")

STREAMED = (
    Row("well", CHAT, True, SSE, frames(ROLE, WORDS, STOP, "[DONE]"), None),
    Row("well, called JSON", CHAT, True, JSON, frames(ROLE, WORDS, STOP, "[DONE]"), None),
    Row("well, after blank lines", CHAT, True, JSON, b"\n\n" + frames(ROLE, WORDS, STOP, "[DONE]"), None),
    Row("well, after a comment", CHAT, True, SSE, b": keep-alive\n\n" + frames(ROLE, WORDS, STOP, "[DONE]"), None),
    Row("login page", CHAT, True, HTML, LOGIN, R.HTML),
    Row("one body", CHAT, True, JSON, completion({"content": "hello"}), R.NOT_A_STREAM),
    Row("one error body", CHAT, True, JSON, json.dumps(CHAT_ERROR).encode(), R.ERROR_IN_200),
    Row("error mid stream", CHAT, True, SSE, frames(ROLE, WORDS, CHAT_ERROR, "[DONE]"), R.STREAM_ERROR),
    Row("error mid stream, no end", CHAT, True, SSE, frames(ROLE, WORDS, CHAT_ERROR), R.STREAM_ERROR),
    Row("error at once", CHAT, True, SSE, frames(CHAT_ERROR, "[DONE]"), R.STREAM_ERROR, ()),
    Row("error after the finish", CHAT, True, SSE, frames(ROLE, WORDS, STOP, CHAT_ERROR), R.STREAM_ERROR, ("no_end",)),
    Row("[DONE] without a finish", CHAT, True, SSE, frames(ROLE, WORDS, "[DONE]"), R.TRUNCATED_STREAM),
    Row("cut after a chunk", CHAT, True, SSE, frames(ROLE, WORDS), R.TRUNCATED_STREAM),
    Row("only [DONE]", CHAT, True, SSE, frames("[DONE]"), R.EMPTY_BODY),
    Row("only comments", CHAT, True, SSE, b": a\n\n: b\n\n", R.EMPTY_BODY),
    Row("nothing", CHAT, True, SSE, b"", R.EMPTY_BODY),
    Row("finish without content", CHAT, True, SSE, frames(ROLE, STOP, "[DONE]"), R.EMPTY_ANSWER),
    Row("limit without content", CHAT, True, SSE, frames(ROLE, chunk({}, "length"), "[DONE]"), None),
    Row("finish without [DONE]", CHAT, True, SSE, frames(ROLE, WORDS, STOP), None, ("no_end",)),
    Row("something after [DONE]", CHAT, True, SSE, frames(ROLE, WORDS, STOP, "[DONE]", WORDS), None,
        ("event_after_end",)),
    Row("a comment after [DONE]", CHAT, True, SSE, frames(ROLE, WORDS, STOP, "[DONE]") + b": bye\n\n", None),
    Row("not JSON", CHAT, True, SSE, frames(ROLE, "{oops", "[DONE]"), R.MALFORMED_BODY),
    Row("messages: well", MESSAGES, True, SSE, frames(START, PING, *BLOCK, DELTA, END, named=True), None),
    Row("messages: unnamed", MESSAGES, True, SSE, frames(START, *BLOCK, DELTA, END), None),
    Row("messages: called JSON", MESSAGES, True, JSON, frames(START, *BLOCK, DELTA, END, named=True), None),
    Row("messages: message_stop only", MESSAGES, True, SSE, frames(END, named=True), R.EMPTY_BODY),
    Row("messages: stop without delta", MESSAGES, True, SSE, frames(START, *BLOCK, END, named=True),
        R.TRUNCATED_STREAM),
    Row("messages: cut", MESSAGES, True, SSE, frames(START, *BLOCK[:2], named=True), R.TRUNCATED_STREAM),
    Row("messages: error event", MESSAGES, True, SSE, frames(START, *BLOCK[:2], CLAUDE_ERROR, named=True),
        R.STREAM_ERROR),
    Row("messages: error, then a clean stop", MESSAGES, True, SSE, frames(START, CLAUDE_ERROR, END, named=True),
        R.STREAM_ERROR),
    Row("messages: delta without stop", MESSAGES, True, SSE, frames(START, *BLOCK, DELTA, named=True), None,
        ("no_end",)),
    Row("messages: no content", MESSAGES, True, SSE, frames(START, DELTA, END, named=True), R.EMPTY_ANSWER),
    Row("messages: [DONE] after the end", MESSAGES, True, SSE, frames(START, *BLOCK, DELTA, END, named=True)
        + b"data: [DONE]\n\n", None),
    Row("messages: one body", MESSAGES, True, JSON, message(HELLO), R.NOT_A_STREAM),
    Row("messages: a chat stream", MESSAGES, True, SSE, frames(ROLE, WORDS, STOP, "[DONE]"), R.EMPTY_BODY),
    Row("messages: login page", MESSAGES, True, HTML, LOGIN, R.HTML),
)


def read(row: Row, **more: Any) -> Exchange:
    send = Send(ask=b"{}", dialect=row.dialect, stream=row.stream)
    fields: dict[str, Any] = {"status": 200, "body": row.body, "arrivals": ((0.5, len(row.body)),), **more}
    return read_answer(send, Received(sent=b"{}", headers=(("Content-Type", row.kind),), **fields), NOW)


@pytest.mark.parametrize("row", [*WHOLE, *STREAMED], ids=lambda row: f"{'streamed ' * row.stream}{row.name}")
def test_what_a_200_hides(row: Row) -> None:
    got = read(row)
    assert (got.fault.reason if got.fault else None) == row.reason, got.fault
    assert got.objections == row.objections
    if got.fault is None:
        assert got.reply is not None and got.reply.finish is not None
    else:
        assert got.fault.status == 200
    if "well" in row.name:
        assert got.reply is not None and got.reply.text == "hello"


@pytest.mark.parametrize("row", [*WHOLE, *STREAMED], ids=lambda row: f"{'streamed ' * row.stream}{row.name}")
def test_slicing_changes_nothing(row: Row) -> None:
    """Arrivals say when bytes came; what they mean does not depend on it."""
    whole = read(row)
    ends = [*range(1, len(row.body), 7), len(row.body)] if row.body else []
    sliced = read(row, arrivals=tuple((float(at), at) for at in ends))
    assert (sliced.reply, sliced.events, sliced.fault) == (whole.reply, whole.events, whole.fault)


def test_first_content() -> None:
    opening, words, rest = frames(ROLE), frames(WORDS), frames(STOP, "[DONE]")
    ends = [len(opening), len(opening + words), len(opening + words + rest)]
    row = Row("x", CHAT, True, SSE, opening + words + rest, None)
    assert read(row, arrivals=((1.0, ends[0]), (2.0, ends[1]), (9.0, ends[2]))).first_content == 2.0
    assert read(WELL, arrivals=((3.0, 10), (4.0, 99999))).first_content == 3.0
    assert read(Row("x", CHAT, True, SSE, frames(ROLE, STOP, "[DONE]"), None)).first_content is None


def test_other_statuses() -> None:
    body = json.dumps(CHAT_ERROR).encode()
    for status, reason in ((500, R.UPSTREAM_ERROR), (429, R.RATE_LIMITED), (302, R.NO_ROUTE), (401, R.AUTH)):
        got = read(Row("x", CHAT, False, JSON, body, None), status=status)
        assert got.fault is not None and got.fault.reason is reason and got.fault.status == status
        assert got.reply is None


def test_nothing_came() -> None:
    fault = Fault(reason=R.CONNECT, message="refused")
    got = read(Row("x", CHAT, True, SSE, b"", None), status=None, fault=fault)
    assert (got.fault, got.reply, got.events, got.status) == (fault, None, (), None)


BREAKS = [
    (R.CONNECTION_LOST, frames(ROLE, WORDS), R.TRUNCATED_STREAM),
    (R.IDLE_TIMEOUT, frames(ROLE, WORDS), R.IDLE_TIMEOUT),
    (R.TOTAL_TIMEOUT, frames(ROLE, WORDS), R.TOTAL_TIMEOUT),
    (R.BODY_TOO_LARGE, frames(ROLE, WORDS), R.BODY_TOO_LARGE),
    (R.CONNECTION_LOST, frames(ROLE, WORDS, STOP), R.CONNECTION_LOST),
    (R.CONNECTION_LOST, frames(ROLE, WORDS, CHAT_ERROR), R.STREAM_ERROR),
    (R.CONNECTION_LOST, b"", R.CONNECTION_LOST),
]


@pytest.mark.parametrize(("reason", "body", "expected"), BREAKS)
def test_broken_off(reason: R, body: bytes, expected: R) -> None:
    """The stream's own words count first, then what broke it off."""
    got = read(Row("x", CHAT, True, SSE, body, None), cut=True, fault=Fault(reason=reason, status=200))
    assert got.fault is not None and got.fault.reason is expected
    assert got.reply is None or got.reply.text == "hello"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (R.CONNECTION_LOST, R.TRUNCATED_STREAM),
        (R.IDLE_TIMEOUT, R.IDLE_TIMEOUT),
        (R.BODY_TOO_LARGE, R.BODY_TOO_LARGE),
        (None, R.TRUNCATED_STREAM),
    ],
)
def test_broken_off_in_a_frame(reason: R | None, expected: R) -> None:
    fault = None if reason is None else Fault(reason=reason, status=200)
    got = read(Row("x", CHAT, True, SSE, frames(ROLE, WORDS)[:-20], None), cut=True, fault=fault)
    assert got.fault is not None and got.fault.reason is expected


def test_broken_off_when_not_streamed() -> None:
    lost = Fault(reason=R.CONNECTION_LOST, status=200)
    got = read(WELL, fault=lost, cut=True)
    assert got.fault == lost and got.reply is None


def test_business_codes_are_the_profiles() -> None:
    send = Send(ask=b"{}", dialect=CHAT, profile=Profile(business_errors={"439": R.AUTH}))
    got = read_answer(send, Received(sent=b"", status=200, body=b'{"status":"439","msg":"expired"}'), NOW)
    assert got.fault is not None and got.fault.reason is R.AUTH


def test_quota_and_evidence_are_kept() -> None:
    row = WELL
    send = Send(ask=b"{}", dialect=CHAT)
    headers = (("x-ratelimit-remaining-requests", "3"), ("x-ratelimit-limit-requests", "10"))
    got = read_answer(send, Received(sent=b"sent", status=200, headers=headers, body=row.body, duration=2.5), NOW)
    assert (got.sent, got.body, got.duration, got.headers) == (b"sent", row.body, 2.5, headers)
    assert [(quota.remaining, quota.limit) for quota in got.quota] == [(3, 10)]


def test_objections() -> None:
    head, end = Head(id="1", model="m"), End()
    stop = Finished(Finish.STOP, "stop")
    assert objections(()) == ()
    assert objections((head, Delta(0, "x"), stop, end, Liveness())) == ()
    assert objections((head, stop)) == ("no_end",)
    assert objections((head,)) == (), "a stream that is cut has a fault, not an objection"
    assert objections((head, stop, end, UsageSeen(Usage(output=1)))) == ("event_after_end",)
    assert objections((head, end, stop, end)) == ("event_after_end",)


def thinking_of(ask: Ask | bytes, body: bytes, translated: Thinking | None = None) -> Reasoning:
    got = Received(sent=b"", status=200, headers=(("content-type", JSON),), body=body, translated=translated)
    return read_answer(Send(ask=ask, dialect=MESSAGES), got, NOW).thinking


def test_thinking_is_kept_as_requested_translated_and_applied() -> None:
    ask = Ask(dialect=MESSAGES, model="m(high)", messages=(), thinking=Thinking(effort="low"))
    applied = json.dumps(json.loads(message(HELLO)) | {"output_config": {"effort": "medium"}}).encode()
    budget = Thinking(mode="enabled", budget=24576)
    assert thinking_of(ask, applied, budget) == Reasoning(
        requested=Thinking(effort="high"), translated=budget, applied="medium"
    )
    assert thinking_of(b"{}", message(HELLO)) == Reasoning()


def test_a_refusal_tells_the_limit_that_it_met() -> None:
    refusal = b'{"error":{"type":"usage_limit_reached","message":"no","resets_in_seconds":60}}'
    got = Received(sent=b"", status=429, body=refusal)
    (quota,) = read_answer(Send(ask=b"{}", dialect=CHAT), got, NOW).quota
    assert (quota.scope, quota.used_ratio, quota.reset_at) == ("plan", 1.0, NOW + 60)
    assert read_answer(Send(ask=b"{}", dialect=CHAT), Received(sent=b"", status=200, body=refusal), NOW).quota == ()
