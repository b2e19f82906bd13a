"""Covers wire/openai_responses/reader.py and opening.py: frames into events."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
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
    UsageSeen,
    fold,
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Finish, Opaque, Part, Refusal, Reply, Thought, Usage
from llm_canaries.wire.openai_responses.reader import ResponsesReader
from llm_canaries.wire.sse import Frame

NAME = "openai_responses"
RESPONSE = {"id": "r", "object": "response", "created_at": 3, "model": "m", "status": "in_progress", "output": [],
            "usage": None, "error": None, "reasoning": {"effort": "low"}}  # fmt: skip
HEAD = Head(dialect=NAME, id="r", model="m", created=3, effort="low")
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
TEXT = {"type": "output_text", "text": "ab", "annotations": []}
MESSAGE = {"type": "message", "id": "msg", "role": "assistant", "status": "completed", "content": [TEXT]}
REASONING = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "g"}
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}


def said(kind: str, at: int | None = None, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}"} | ({} if at is None else {"output_index": at}) | more


CREATED = said("created", response=RESPONSE)


def added(at: int, item: dict[str, Any], **more: Any) -> dict[str, Any]:
    return said("output_item.added", at, item=item | {"status": "in_progress"} | more)


def done(at: int, item: dict[str, Any]) -> dict[str, Any]:
    return said("output_item.done", at, item=item)


def completed(*output: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    return said(status, response=RESPONSE | {"status": status, "output": output, "usage": USAGE} | more)


def events_of(*frames: Any) -> list[Event]:
    reader, events = ResponsesReader(), list[Event]()
    for each in frames:
        events += reader.feed(Frame(data=each if isinstance(each, str) else json.dumps(each)))
    return [*events, *reader.close()]


def reply_of(*frames: Any) -> Reply:
    reply = fold(NAME, events_of(*frames))
    assert reply is not None
    return reply


def bare(parts: tuple[Part, ...]) -> list[Any]:
    return [(type(part).__name__, getattr(part, "text", "") or getattr(part, "arguments", "")) for part in parts]


def test_a_plain_stream() -> None:
    assert events_of(
        CREATED,
        said("in_progress", response=RESPONSE),
        added(0, MESSAGE, content=[]),
        said("content_part.added", 0, content_index=0, part=TEXT | {"text": ""}),
        said("output_text.delta", 0, content_index=0, delta="a"),
        said("output_text.delta", 0, content_index=0, delta="b"),
        said("output_text.done", 0, content_index=0, text="ab"),
        said("content_part.done", 0, content_index=0, part=TEXT),
        done(0, MESSAGE),
        completed(MESSAGE),
    ) == [
        HEAD,
        Liveness(),
        PartStart(index=0, kind="text", extra={"around": {"id": "msg"}}),
        Delta(0, "a"),
        Delta(0, "b"),
        PartEnd(0),
        Finished(Finish.STOP, "completed"),
        UsageSeen(Usage(input=1, output=2, total_reported=3)),
        End(),
    ]


def test_summaries_of_one_reasoning_are_one_text() -> None:
    pieces = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    item = REASONING | {"summary": pieces}
    reply = reply_of(
        CREATED,
        added(0, REASONING, encrypted_content="early"),
        said("reasoning_summary_part.added", 0, summary_index=0, part={}),
        said("reasoning_summary_text.delta", 0, summary_index=0, delta="a"),
        said("reasoning_summary_text.done", 0, summary_index=0, text="a"),
        said("reasoning_summary_part.done", 0, summary_index=0, part={}),
        said("reasoning_summary_part.added", 0, summary_index=1, part={}),
        said("reasoning_summary_text.done", 0, summary_index=1, text="b"),
        done(0, item),
        completed(item),
    )
    assert reply.content[0] == Thought("a\n\nb", "g", extra={"id": "rs"})
    whole = DIALECTS[NAME].read_reply(json.dumps(completed(item)["response"]).encode())
    assert reply.content == whole.content
    assert json.loads(DIALECTS[NAME].write_reply(reply).body)["output"][0] == item


def test_items_may_interleave() -> None:
    raw = {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    calls = [CALL | {"id": f"fc{at}", "call_id": f"c{at}", "arguments": f"[{at}]"} for at in (1, 2)]
    reply = reply_of(
        CREATED,
        added(0, raw, content=None),
        said("reasoning_text.delta", 0, content_index=0, delta="h"),
        added(1, calls[0], arguments=""),
        added(2, calls[1], arguments=""),
        said("function_call_arguments.delta", 2, delta="[2"),
        said("function_call_arguments.delta", 1, delta="[1]"),
        said("reasoning_text.delta", 0, content_index=0, delta="m"),
        said("function_call_arguments.delta", 2, delta="]"),
        done(2, calls[1]),
        done(1, calls[0]),
        done(0, raw),
        completed(raw, *calls),
    )
    assert reply.thoughts == (Thought("hm", extra={"id": "rs"}),)
    assert [(call.id, call.arguments) for call in reply.calls] == [("c1", "[1]"), ("c2", "[2]")]
    assert reply.finish is Finish.TOOL
    assert reply.content == DIALECTS[NAME].read_reply(json.dumps(completed(raw, *calls)["response"]).encode()).content


@pytest.mark.parametrize(
    "frames",
    [
        [CREATED, completed(REASONING, MESSAGE, CALL)],
        [completed(REASONING, MESSAGE, CALL)],
        [CREATED, done(0, REASONING), done(1, MESSAGE), done(2, CALL), completed()],
        [CREATED, done(0, REASONING), done(1, MESSAGE), completed(REASONING, MESSAGE, CALL)],
        [CREATED, added(0, REASONING, encrypted_content=None), added(1, MESSAGE, content=[]), added(2, CALL),
         completed(REASONING, MESSAGE, CALL)],
        [CREATED, done(0, REASONING), said("output_text.delta", 1, item_id="msg", delta="ab"),
         said("function_call_arguments.delta", 2, delta="{}"), completed(REASONING, MESSAGE, CALL)],
        [CREATED, done(0, REASONING), said("output_text.done", 1, item_id="msg", text="ab"), done(2, CALL),
         done(2, CALL), completed(REASONING | {"id": "rs_other"}, MESSAGE, CALL), "[DONE]"],
    ],
)  # fmt: skip
def test_what_a_gateway_leaves_out_is_taken_from_what_it_sends(frames: list[Any]) -> None:
    reply = reply_of(*frames)
    assert bare(reply.content) == [("Thought", ""), ("Text", "ab"), ("ToolCall", "{}")]
    assert (reply.thoughts[0].signature, reply.calls[0].id, reply.finish) == ("g", "c", Finish.TOOL)
    starts = [event.index for event in events_of(*frames) if isinstance(event, PartStart)]
    assert sorted(starts) == sorted(event.index for event in events_of(*frames) if isinstance(event, PartEnd))


def test_a_refusal_and_parts_that_nobody_knows() -> None:
    odd = {"type": "output_audio", "data": "x"}
    message = MESSAGE | {"content": [{"type": "refusal", "refusal": "no"}, odd, TEXT]}
    empty = MESSAGE | {"id": "msg_2", "content": []}
    search = {"type": "web_search_call", "id": "ws", "status": "completed"}
    frames = (
        CREATED, added(0, message, content=[]),
        said("content_part.added", 0, content_index=0, part={"type": "refusal"}),
        said("refusal.delta", 0, content_index=0, delta="no"),
        said("content_part.added", 0, content_index=1, part={"type": "output_audio"}),
        said("output_text.delta", 0, content_index=2, delta="ab"), done(0, message),
        added(1, search), said("web_search_call.searching", 1), done(1, search), added(2, empty), done(2, empty),
    )  # fmt: skip
    reply = reply_of(*frames, completed(message, search, empty))
    assert reply.content == DIALECTS[NAME].read_reply(
        json.dumps(completed(message, search, empty)["response"]).encode()
    ).content
    assert isinstance(reply.content[0], Refusal)
    assert reply.finish is Finish.FILTER
    assert reply.content[-2] == Opaque(NAME, search)


def test_events_between_blocks() -> None:
    limits = {"type": "codex.rate_limits", "rate_limits": {}}
    events = events_of(limits, CREATED, said("audio.delta", delta="x"), completed(MESSAGE), limits)
    assert [event for event in events if isinstance(event, OpaquePart)] == [
        OpaquePart(-1, Opaque(NAME, limits)),
        OpaquePart(-1, Opaque(NAME, said("audio.delta", delta="x"))),
        OpaquePart(-1, Opaque(NAME, limits)),
    ]
    assert ResponsesReader().feed(Frame(comment=True)) == (Liveness(),)
    assert ResponsesReader().feed(Frame(data="[DONE]")) == ()


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "code": "c", "message": "boom", "param": None, "sequence_number": 3},
        {"type": "error", "error": {"type": "server_error", "code": "c", "message": "boom"}},
        {"error": {"code": "c", "message": "boom"}},
        completed(status="failed", error={"code": "c", "message": "boom"}),
    ],
)
def test_an_error_in_mid_stream(error: dict[str, Any]) -> None:
    events = events_of(CREATED, added(0, MESSAGE, content=[]), said("output_text.delta", 0, delta="a"), error)
    fault = Fault(reason=FaultReason.STREAM_ERROR, status=200, code="c", message="boom")
    assert events[-1] == Broken(fault)
    assert not any(isinstance(event, End) for event in events)
    reply = fold(NAME, events)
    assert reply is not None
    assert (reply.text, reply.finish) == ("a", Finish.ERROR if "response" in error else None)


@pytest.mark.parametrize(
    ("details", "finish"),
    [({"reason": "max_output_tokens"}, Finish.LENGTH), ({"reason": "content_filter"}, Finish.FILTER), (None, None)],
)
def test_an_incomplete_answer(details: Any, finish: Any) -> None:
    events = events_of(CREATED, completed(MESSAGE, status="incomplete", incomplete_details=details))
    assert [event.finish for event in events if isinstance(event, Finished)] == ([finish] if finish else [])
    assert isinstance(events[-1], End)


def test_a_cut_stream_stays_cut() -> None:
    events = events_of(CREATED, added(0, CALL), said("function_call_arguments.delta", 0, delta="{"))
    assert not any(isinstance(event, Finished | End) for event in events)
