"""Covers wire/stream_laws.py: real providers' streams and our own break no law, and each law is broken by hand once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Head, unfold
from llm_canaries.wire.message import Finish, Part, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.sse import Decoder, Frame, encode_frame
from llm_canaries.wire.stream_laws import Law, breaches

RECORDINGS = os.environ.get("WIRE_RECORDINGS_DIR", "")


def frames_of(body: bytes) -> list[Frame]:
    decoder = Decoder()
    return [*decoder.feed(body), *decoder.close()]


def written(dialect: str, *parts: Part, finish: Finish = Finish.STOP) -> bytes:
    usage = Usage(input=3, output=5, total_reported=8)
    reply = Reply(dialect=dialect, id="a", model="m", content=parts, finish=finish, usage=usage)
    events = unfold(reply)
    assert isinstance(events[0], Head)
    writer = DIALECTS[dialect].writer(events[0])
    return b"".join(writer.feed(event) for event in events) + writer.close()


@pytest.mark.skipif(not RECORDINGS, reason="the recordings are not part of the project; WIRE_RECORDINGS_DIR names them")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_real_providers_break_no_law(dialect: str) -> None:
    seen = 0
    for line in (Path(RECORDINGS) / f"{dialect}.jsonl").read_text().splitlines():
        row = json.loads(line)
        if isinstance(row["response"], str) and row["status"] < 400 and "data:" in row["response"][:400]:
            assert breaches(dialect, frames_of(row["response"].encode())) == (), row["id"]
            seen += 1
    assert seen >= 9


@pytest.mark.parametrize("dialect", DIALECTS)
def test_our_own_streams_break_no_law(dialect: str) -> None:
    calls = (ToolCall("c1", "red", '{"a":1}'), ToolCall("c2", "blue", "{}"))
    for parts, finish in (
        ((Text("hello"),), Finish.STOP),
        ((Thought("hm", "c2VhbA=="), Text("so"), *calls), Finish.TOOL),
        (calls, Finish.TOOL),
        ((Text("cut"),), Finish.LENGTH),
    ):
        assert breaches(dialect, frames_of(written(dialect, *parts, finish=finish))) == ()


def test_a_stream_that_turns_into_an_error_is_judged_by_its_error() -> None:
    body = written("openai_chat", Text("hello")).partition(b"\n\n")[0] + b"\n\n"
    assert breaches("openai_chat", frames_of(body))
    assert breaches("openai_chat", frames_of(body + encode_frame('{"error":{"message":"overloaded"}}'))) == ()


def chat(*chunks: dict[str, Any] | str) -> list[Frame]:
    return [Frame(data=each if isinstance(each, str) else json.dumps({"id": "a"} | each)) for each in chunks]


def said(content: str | None = None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content} if content else {}, "finish_reason": finish}]}


def typed(*events: dict[str, Any]) -> list[Frame]:
    return [Frame(event["type"], json.dumps(event)) for event in events]


START = {"type": "message_start", "message": {}}
OPEN, CLOSE = ({"type": f"content_block_{what}", "index": 0} for what in ("start", "stop"))
WORDS = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
FINISH = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
STOP = {"type": "message_stop"}
CREATED = {"type": "response.created", "response": {}}
ADDED = {"type": "response.output_item.added", "output_index": 0, "item": {}}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "delta": "x"}
DONE = {"type": "response.output_item.done", "output_index": 0, "item": {}}
COMPLETED = {
    "type": "response.completed",
    "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}]},
}


def gemini(text: str = "", finish: str = "", id: str = "a") -> Frame:
    candidate = {"content": {"parts": [{"text": text}] if text else []}} | ({"finishReason": finish} if finish else {})
    return Frame(data=json.dumps({"candidates": [candidate], "responseId": id}))


@pytest.mark.parametrize(
    ("dialect", "frames", "laws"),
    [
        ("openai_chat", chat(said("x"), said(finish="stop"), "[DONE]"), []),
        ("openai_chat", chat(said("x"), said(finish="stop"), said(finish="stop"), "[DONE]"), []),
        ("openai_chat", chat(said("x"), said(finish="stop"), said(finish="length"), "[DONE]"), [Law.FINISH_TWICE]),
        ("openai_chat", chat(said("x"), "[DONE]"), [Law.NO_FINISH]),
        ("openai_chat", chat(said("x"), said(finish="stop")), [Law.NO_TERMINAL]),
        ("openai_chat", chat(said(finish="stop"), said("x"), "[DONE]"), [Law.OUT_OF_ORDER]),
        ("openai_chat", chat(said(finish="stop"), "[DONE]", {"usage": {}}), [Law.AFTER_TERMINAL]),
        ("openai_chat", chat(said("x"), {"id": "b"} | said(finish="stop"), "[DONE]"), [Law.IDENTITY_CHANGED]),
        ("anthropic_messages", typed(START, {"type": "ping"}, OPEN, WORDS, CLOSE, FINISH, STOP), []),
        ("anthropic_messages", typed(OPEN, WORDS, CLOSE, FINISH, STOP), [Law.BAD_START]),
        ("anthropic_messages", typed(START, START, OPEN, CLOSE, FINISH, STOP), [Law.BAD_START]),
        ("anthropic_messages", typed(START, OPEN, CLOSE, WORDS, FINISH, STOP), [Law.OUT_OF_ORDER]),
        ("anthropic_messages", typed(START, OPEN, WORDS, FINISH, STOP), [Law.OUT_OF_ORDER]),
        ("anthropic_messages", typed(START, OPEN, OPEN, CLOSE, FINISH, STOP), [Law.OUT_OF_ORDER]),
        ("anthropic_messages", typed(START, OPEN, CLOSE, FINISH), [Law.NO_TERMINAL]),
        ("anthropic_messages", typed(START, OPEN, CLOSE, STOP), [Law.NO_FINISH]),
        ("anthropic_messages", typed(START, OPEN, CLOSE, FINISH, FINISH, STOP), [Law.FINISH_TWICE]),
        ("anthropic_messages", typed(START, OPEN, CLOSE, FINISH, STOP, {"type": "ping"}), [Law.AFTER_TERMINAL]),
        ("openai_responses", typed(CREATED, ADDED, DELTA, DONE, COMPLETED), []),
        ("openai_responses", [*typed(CREATED, ADDED, DELTA, DONE, COMPLETED), Frame(data="[DONE]")], []),
        ("openai_responses", typed(ADDED, DELTA, DONE, COMPLETED), [Law.BAD_START]),
        ("openai_responses", typed(CREATED, DELTA, COMPLETED), [Law.OUT_OF_ORDER]),
        ("openai_responses", typed(CREATED, ADDED, DONE, DELTA, COMPLETED), [Law.OUT_OF_ORDER]),
        ("openai_responses", typed(CREATED, ADDED, DONE, COMPLETED), [Law.TEXT_MISMATCH]),
        ("openai_responses", typed(CREATED, ADDED, DELTA, DONE), [Law.NO_TERMINAL]),
        ("openai_responses", typed(CREATED, ADDED, DELTA, DONE, COMPLETED, DONE), [Law.AFTER_TERMINAL]),
        ("gemini", [gemini("x"), gemini(finish="STOP")], []),
        ("gemini", [gemini("x")], [Law.NO_TERMINAL]),
        ("gemini", [gemini("x", "STOP"), gemini("y")], [Law.AFTER_TERMINAL]),
        ("gemini", [gemini("x", "STOP"), gemini("", "MAX_TOKENS")], [Law.FINISH_TWICE]),
        ("gemini", [gemini("x"), gemini(finish="STOP", id="b")], [Law.IDENTITY_CHANGED]),
    ],
)
def test_each_law(dialect: str, frames: list[Frame], laws: list[Law]) -> None:
    found = [breach.law for breach in breaches(dialect, frames)]
    assert list(dict.fromkeys(found))[: len(laws) or None] == laws


def test_blocks_side_by_side_are_one_breach() -> None:
    """As CLIProxyAPI streams parallel calls of a Chat Completions provider to Messages clients."""
    opened, words, closed = ({**event, "index": 1} for event in (OPEN, WORDS, CLOSE))
    frames = typed(START, OPEN, opened, WORDS, CLOSE, words, closed, FINISH, STOP)
    (breach,) = breaches("anthropic_messages", frames)
    assert (breach.law, breach.detail) == (Law.OUT_OF_ORDER, "block 1 begins while block 0 is open")
