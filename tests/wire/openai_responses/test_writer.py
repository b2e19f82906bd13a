"""Covers wire/openai_responses/writer.py and closing.py: events into frames."""

import json
from typing import Any

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
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Finish, Opaque, Usage
from llm_canaries.wire.openai_responses.writer import ResponsesWriter
from llm_canaries.wire.sse import Decoder

NAME = "openai_responses"
HEAD = Head(dialect=NAME, id="r", model="m", created=3, effort="low")


def written(*events: Event, head: Head = HEAD) -> list[Any]:
    """The frames, checked for numbers without a gap and names that match."""
    writer, decoder = ResponsesWriter(head), Decoder()
    body = b"".join(writer.feed(event) for event in events) + writer.close()
    frames = [json.loads(f.data) | {"named": f.event} for f in [*decoder.feed(body), *decoder.close()] if not f.comment]
    assert [frame.pop("named") for frame in frames] == [frame["type"] for frame in frames]
    assert [frame.pop("sequence_number") for frame in frames] == list(range(len(frames)))
    return frames


FOREIGN = Head(dialect="anthropic_messages", id="r", model="m", created=3)


def test_what_is_written() -> None:
    frames = written(
        FOREIGN, Liveness(), PartStart(index=0, kind="thought"), Delta(0, "hm"), Signature(0, "s1"), Signature(0, "s2"),
        PartEnd(0), PartStart(index=1, kind="text"), Delta(1, "a"), PartEnd(1), PartStart(index=2, kind="refusal"),
        Delta(2, "b"), PartEnd(2), PartStart(index=3, kind="tool", id="c", name="f"), Delta(3, "{"), Delta(3, "}"),
        PartEnd(3), UsageSeen(Usage(input=1, output=2)), Finished(Finish.TOOL, "tool_use"), End(), End(), head=FOREIGN,
    )  # fmt: skip
    assert [frame["type"].removeprefix("response.") for frame in frames] == [
        "created", "in_progress", "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done", "output_item.added",
        "content_part.added", "output_text.delta", "output_text.done", "content_part.done", "content_part.added",
        "refusal.delta", "refusal.done", "content_part.done", "output_item.done", "output_item.added",
        "function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    assert frames[2]["item"] == {"type": "reasoning", "id": "rs_r_0", "summary": []}
    response = frames[-1]["response"]
    assert response["output"] == [frame["item"] for frame in frames if frame["type"] == "response.output_item.done"]
    assert response["output"][0]["encrypted_content"] == "anthropic_messages#s1s2"
    assert [part["type"] for part in response["output"][1]["content"]] == ["output_text", "refusal"]
    assert {frame["item_id"] for frame in frames if "item_id" in frame} == {item["id"] for item in response["output"]}
    assert (response["status"], response["usage"]["total_tokens"]) == ("completed", 3)


def test_interleaved_parts_are_items_of_their_own() -> None:
    frames = written(
        HEAD, PartStart(index=0, kind="tool", id="a", name="f"), PartStart(index=1, kind="tool", id="b", name="g"),
        Delta(1, "[1"), Delta(0, "[0]"), Delta(1, "]"), PartStart(index=2, kind="text"), Delta(2, "x"), PartEnd(1),
        PartEnd(0), Finished(Finish.TOOL, "completed"), End(),
    )  # fmt: skip
    output = frames[-1]["response"]["output"]
    assert [item.get("arguments", "x") for item in output] == ["[0]", "[1]", "x"]
    assert [frame["output_index"] for frame in frames if frame["type"] == "response.output_item.done"] == [0, 1, 2]


def test_failures() -> None:
    start = (HEAD, PartStart(index=0, kind="text"), Delta(0, "a"))
    for fault, code in (
        (Fault(reason=FaultReason.STREAM_ERROR, message="boom", code="overloaded"), "overloaded"),
        (Fault(reason=FaultReason.RATE_LIMITED, message="boom"), "rate_limit_exceeded"),
        (Fault(reason=FaultReason.STREAM_ERROR, message="boom"), "server_error"),
    ):
        frames = written(*start, Broken(fault), End())
        assert frames[-1]["type"] == "response.failed"
        assert frames[-1]["response"]["error"] == {"code": code, "message": "boom"}
        assert frames[-1]["response"]["status"] == "failed"
    assert [frame["type"] for frame in written(Broken(fault))][-1] == "response.failed"


def test_losses_of_a_stream() -> None:
    head = Head(dialect="openai_chat", id="r", model="m", extra={"service_tier": "x"})
    writer = ResponsesWriter(head)
    start = PartStart(index=0, kind="text", extra={"note": 1})
    odd = OpaquePart(1, Opaque("openai_chat", {"type": "odd"}))
    for event in (head, start, odd, Finished(Finish.PAUSE, "p"), End()):
        writer.feed(event)
    assert [f"{loss.where}: {loss.what}" for loss in writer.losses] == [
        "reply: field service_tier", "text: field note", "content: opaque odd", "finish: pause, said as completed"
    ]  # fmt: skip


def test_blocks_of_this_dialect_pass_through() -> None:
    search = Opaque(NAME, {"type": "web_search_call", "id": "ws", "status": "completed"})
    about = Opaque(NAME, {"about": {"annotations": [{"type": "url_citation"}]}})
    limits = Opaque(NAME, {"type": "codex.rate_limits", "plan": "x"})
    frames = written(
        HEAD, OpaquePart(0, search), PartStart(index=1, kind="text"), Delta(1, "a"), PartEnd(1), OpaquePart(2, about),
        OpaquePart(-1, limits), Finished(Finish.STOP, "completed"), End(),
    )  # fmt: skip
    assert {"type": "codex.rate_limits", "plan": "x"} in frames
    output = frames[-1]["response"]["output"]
    assert output[0] == search.block
    assert output[1]["content"][0]["annotations"] == [{"type": "url_citation"}]
    assert "response.output_text.annotation.added" in [frame["type"] for frame in frames]


def test_a_cut_stream_stays_cut() -> None:
    frames = written(HEAD, PartStart(index=0, kind="tool", id="c", name="f"), Delta(0, "{"))
    assert frames[-1]["type"] == "response.function_call_arguments.delta"


def test_parts_left_open_are_closed_by_the_end() -> None:
    starts = (PartStart(index=0, kind="text"), PartStart(index=1, kind="tool", id="c", name="f"))
    frames = written(HEAD, *starts, Delta(0, "a"), Delta(1, "{}"), End())
    kinds = [frame["type"] for frame in frames]
    assert kinds[-1] == "response.incomplete"
    assert kinds.count("response.output_item.done") == 2
    assert frames[-1]["response"]["output"][0]["content"][0]["text"] == "a"
    assert frames[-1]["response"]["output"][1]["arguments"] == "{}"
