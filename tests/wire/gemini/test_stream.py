"""Covers wire/gemini/reader.py and writer.py: chunks into events, and back."""

import json
from typing import Any

from llm_canaries.wire.answer import objections
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
    Signature,
    UsageSeen,
    fold,
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Finish, Opaque, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.sse import Decoder, Frame

GEMINI = DIALECTS["gemini"]
HEAD = Head(dialect="anthropic_messages", id="i", model="m")


def events_of(*said: Any) -> list[Event]:
    reader, events = GEMINI.reader(), list[Event]()
    for each in said:
        events += reader.feed(Frame(data=each if isinstance(each, str) else json.dumps(each)))
    return [*events, *reader.close()]


def chunk(*parts: dict[str, Any], finish: str | None = None, usage: object = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish}
    return {"candidates": [candidate | more], "usageMetadata": usage, "responseId": "r", "modelVersion": "m"}


def reply_of(*said: Any) -> Reply:
    reply = fold("gemini", events_of(*said))
    assert reply is not None
    return reply


def written(*events: Event, head: Head = HEAD) -> list[dict[str, Any]]:
    writer = GEMINI.writer(head)
    body = b"".join(writer.feed(event) for event in (head, *events)) + writer.close()
    decoder = Decoder()
    return [json.loads(frame.data) for frame in (*decoder.feed(body), *decoder.close())]


def parts_of(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part for each in chunks for candidate in each["candidates"] for part in candidate["content"]["parts"]]


def test_a_whole_stream() -> None:
    events = events_of(
        chunk({"text": "h", "thought": True}, usage={"promptTokenCount": 5, "thoughtsTokenCount": 419}),
        chunk({"text": "m", "thought": True}, usage={"promptTokenCount": 5}),
        chunk({"text": "so", "thoughtSignature": "QQ=="}),
        chunk({"text": " it"}, {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}),
        chunk({"text": ""}, finish="STOP", usage={"promptTokenCount": 5, "candidatesTokenCount": 2}),
    )
    assert events == [
        Head(dialect="gemini", id="r", model="m"),
        PartStart(index=0, kind="thought"), Delta(0, "h"), UsageSeen(Usage(input=5, output=419, reasoning=419)),
        Delta(0, "m"), UsageSeen(Usage(input=5)),
        PartEnd(0), PartStart(index=1, kind="thought"), Signature(1, "QQ=="), PartEnd(1),
        PartStart(index=2, kind="text"), Delta(2, "so"),
        Delta(2, " it"), PartEnd(2), PartStart(index=3, kind="tool", id="c", name="f"), Delta(3, '{"a":1}'), PartEnd(3),
        Finished(Finish.TOOL, "STOP"), UsageSeen(Usage(input=5, output=2)),
        End(),
    ]  # fmt: skip
    assert objections(events) == ()


def test_usage_may_come_after_the_reason_and_words_may_not() -> None:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 1}
    late = {"usageMetadata": usage, "responseId": "r"}
    again = chunk(usage=usage, finish="STOP")
    events = events_of(chunk({"text": "x"}, finish="STOP"), chunk({"text": ""}), late, again)
    assert objections(events) == ()
    assert sum(isinstance(event, Finished) for event in events) == 1
    assert events[-2:] == [UsageSeen(Usage(input=5, output=1)), End()]
    events = events_of(chunk({"text": "x"}, finish="STOP"), chunk({"text": "y"}))
    assert objections(events) == ("event_after_end",)
    assert sum(isinstance(event, End) for event in events) == 1


def test_a_stream_without_a_reason_has_no_end() -> None:
    events = events_of(chunk({"text": "x"}))
    assert events[-1] == PartEnd(0)
    assert not any(isinstance(event, End | Finished) for event in events)
    assert events_of() == []


def test_a_blocked_prompt_ends_the_stream() -> None:
    feedback = {"blockReason": "PROHIBITED_CONTENT"}
    said = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 5}, "responseId": "r"}
    events = events_of(said)
    assert events == [
        Head(dialect="gemini", id="r", model="", extra={"promptFeedback": feedback}),
        Finished(Finish.FILTER, "PROHIBITED_CONTENT"), UsageSeen(Usage(input=5)), End(),
    ]  # fmt: skip
    head = events[0]
    assert isinstance(head, Head)
    assert written(*events[1:], head=head) == [said]


def test_an_error_in_the_stream() -> None:
    error = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}
    fault = Fault(reason=FaultReason.STREAM_ERROR, status=200, code="UNAVAILABLE", message="overloaded")
    for said in ({"error": error}, [{"error": error}]):
        events = events_of(chunk({"text": "x"}), said)
        assert events[-2:] == [Broken(fault), PartEnd(0)]
    assert events_of(chunk({"text": "x"}, finish="STOP"), {"error": error})[-1] == Broken(fault)
    overloaded = Fault(reason=FaultReason.OVERLOADED, message="overloaded", retry_after=3)
    (said,) = written(Broken(overloaded))
    assert said["error"]["code"] == 503
    assert said["error"]["details"][0]["retryDelay"] == "3s"


def test_what_gateways_add_is_nothing() -> None:
    reader = GEMINI.reader()
    assert reader.feed(Frame(comment=True)) == (Liveness(),)
    assert reader.feed(Frame(data=" ")) == (Liveness(),)
    assert reader.feed(Frame(data="[DONE]")) == ()


def test_what_stands_beside_the_words_is_told_once() -> None:
    grounding, usage = {"groundingChunks": []}, {"promptTokenCount": 1, "trafficType": "T"}
    events = events_of(
        chunk({"text": "x"}, usage=usage),
        chunk({"text": "y"}, groundingMetadata=grounding),
        chunk(finish="STOP", usage=usage, finishMessage="m") | {"modelStatus": {}},
    )
    beside = [event.part.block for event in events if isinstance(event, OpaquePart)]
    assert beside == [
        {"candidate.groundingMetadata": grounding},
        {"modelStatus": {}, "candidate.finishMessage": "m", "usageMetadata.trafficType": "T"},
    ]
    head = events[0]
    assert isinstance(head, Head)
    chunks = written(*events[1:], head=head)
    assert chunks[-1] == {
        "candidates": [{"content": {"parts": [], "role": "model"}, "index": 0, "finishReason": "STOP",
                        "groundingMetadata": grounding, "finishMessage": "m"}],
        "usageMetadata": usage, "modelStatus": {},
        "responseId": "r", "modelVersion": "m",
    }  # fmt: skip


def test_other_candidates_are_kept_beside() -> None:
    one, other = chunk({"text": "a"})["candidates"][0], chunk({"text": "b"})["candidates"][0]
    events = events_of({"candidates": [other | {"index": 1}, one | {"index": 0}]})
    assert [event.text for event in events if isinstance(event, Delta)] == ["a"]
    assert events[-2] == OpaquePart(-1, Opaque("gemini", {"candidates": [other | {"index": 1}]}))


def test_calls_leave_whole_and_in_their_order() -> None:
    chunks = written(
        PartStart(index=0, kind="text"), Delta(0, "a"), PartEnd(0),
        PartStart(index=1, kind="tool", id="c", name="f"), Delta(1, '{"n":'),
        PartStart(index=2, kind="tool", id="d", name="g"), Delta(2, ""), Delta(1, "1}"),
        PartStart(index=3, kind="text"), Delta(3, "b"),
        PartEnd(1), PartEnd(2), PartEnd(3), Finished(Finish.TOOL, "tool_calls"), UsageSeen(Usage(input=5, output=2)),
        End(),
    )  # fmt: skip
    assert parts_of(chunks) == [
        {"text": "a"},
        {"functionCall": {"id": "c", "name": "f", "args": {"n": 1}}},
        {"functionCall": {"id": "d", "name": "g", "args": {}}},
        {"text": "b"},
    ]
    assert [each["candidates"][0].get("finishReason") for each in chunks] == [None, None, None, None, "STOP"]
    assert ["usageMetadata" in each for each in chunks] == [False, False, False, False, True]
    assert all(each["responseId"] == "i" for each in chunks)


def test_seals_stand_on_what_follows() -> None:
    chunks = written(
        PartStart(index=0, kind="thought"), Signature(0, "QQ"), Signature(0, "=="), PartEnd(0),
        PartStart(index=1, kind="text"), Delta(1, "a"), Delta(1, "b"), PartEnd(1),
        PartStart(index=2, kind="thought"), Delta(2, "hm"), Signature(2, "Qg=="), PartEnd(2),
        PartStart(index=3, kind="thought"), Signature(3, "Qw=="), PartEnd(3),
        PartStart(index=4, kind="tool", id="c", name="f"), PartEnd(4),
        PartStart(index=5, kind="thought"), Signature(5, "RA=="), PartEnd(5),
        OpaquePart(6, Opaque("gemini", {"executableCode": {}})),
        PartStart(index=7, kind="thought"), Signature(7, "RQ=="), PartEnd(7),
        Finished(Finish.TOOL, "STOP"), End(),
        head=Head(dialect="gemini", id="i", model="m"),
    )  # fmt: skip
    assert parts_of(chunks) == [
        {"text": "a", "thoughtSignature": "QQ=="}, {"text": "b"},
        {"text": "hm", "thought": True}, {"text": "", "thought": True, "thoughtSignature": "Qg=="},
        {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "Qw=="},
        {"text": "", "thoughtSignature": "RA=="}, {"executableCode": {}},
        {"text": "", "thoughtSignature": "RQ=="},
    ]  # fmt: skip
    assert reply_of(*chunks).content == (
        Thought("", "QQ=="), Text("ab"), Thought("hm", "Qg=="), Thought("", "Qw=="), ToolCall("c", "f", "{}"),
        Thought("", "RA==", extra={"thought": None}), Opaque("gemini", {"executableCode": {}}),
        Thought("", "RQ==", extra={"thought": None}),
    )  # fmt: skip


def test_an_end_without_a_reason_is_told_as_such() -> None:
    chunks = written(PartStart(index=0, kind="text"), Delta(0, "a"), End())
    assert chunks[-1]["candidates"][0]["finishReason"] == "FINISH_REASON_UNSPECIFIED"
    events = events_of(*chunks)
    assert events[-1] == End()
    assert not any(isinstance(event, Finished) for event in events)
    assert written(PartStart(index=0, kind="text"), Delta(0, "a"))[-1]["candidates"][0].get("finishReason") is None


def test_losses_of_a_stream_are_declared() -> None:
    head = Head(dialect="anthropic_messages", id="i", model="m", effort="low", extra={"container": {}})
    writer = GEMINI.writer(head)
    for event in (
        head, PartStart(index=0, kind="text", extra={"citations": []}), Delta(0, "a"), Delta(0, "b"), PartEnd(0),
        OpaquePart(1, Opaque("anthropic_messages", {"type": "server_tool_use"})),
        OpaquePart(-1, Opaque("anthropic_messages", {"type": "odd"})),
        UsageSeen(Usage(input=1, output=1, cache_write=1)), Finished(Finish.PAUSE, "pause_turn"), End(),
    ):  # fmt: skip
        writer.feed(event)
    assert [f"{loss.where}: {loss.what}" for loss in writer.losses] == [
        "reply: field container", "reply: effort low", "text: field citations", "content: opaque server_tool_use",
        "content: opaque odd", "usage: cache_write 1", "finish: pause, said as STOP",
    ]  # fmt: skip
