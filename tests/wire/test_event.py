"""Covers wire/event.py: folding events into a Reply, and unfolding it again."""

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
    unfold,
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import (
    Finish,
    Opaque,
    Refusal,
    Reply,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)

HEAD = Head(id="a", model="m", created=3, effort="low", extra={"x": 1})


def content(*events: Event) -> tuple[object, ...]:
    reply = fold("d", [HEAD, *events])
    assert reply is not None
    return reply.content


def test_no_head_is_no_reply() -> None:
    assert fold("d", []) is None
    assert fold("d", [Liveness(), Delta(0, "x"), End()]) is None


def test_the_first_head_the_last_usage_and_the_last_finish_hold() -> None:
    reply = fold(
        "d",
        [
            HEAD,
            Head(id="b", model="n"),
            UsageSeen(Usage(input=1)),
            Finished(Finish.STOP, "stop"),
            UsageSeen(Usage(input=2)),
            Finished(Finish.STOP_SEQUENCE, "stop_sequence", "END"),
            Broken(Fault(reason=FaultReason.STREAM_ERROR)),
        ],
    )
    assert reply == Reply(
        dialect="d",
        id="a",
        model="m",
        created=3,
        effort="low",
        extra={"x": 1},
        usage=Usage(input=2),
        finish=Finish.STOP_SEQUENCE,
        finish_native="stop_sequence",
        stop_sequence="END",
    )


def test_a_truncated_answer_has_no_finish() -> None:
    reply = fold("d", [HEAD, PartStart(index=0, kind="text"), Delta(0, "hal")])
    assert reply is not None
    assert (reply.text, reply.finish, reply.usage) == ("hal", None, None)


def test_interleaved_parts_keep_the_order_of_their_index() -> None:
    one, two = (PartStart(index=at, kind="tool", id=f"c{at}", name="f") for at in (0, 1))
    events = [two, one, Delta(1, "{}"), Delta(0, '{"a"'), Delta(1, " "), Delta(0, ":1}"), PartEnd(0), PartEnd(1)]
    assert content(*events) == (ToolCall("c0", "f", '{"a":1}'), ToolCall("c1", "f", "{} "))


def test_deltas_of_unknown_or_opaque_parts_are_ignored() -> None:
    block = Opaque("d", {"type": "x"})
    assert content(Delta(4, "lost"), OpaquePart(0, block), Delta(0, "lost"), Signature(0, "lost")) == (block,)
    assert content(OpaquePart(-1, block)) == ()


def test_a_part_begins_once() -> None:
    first, again = PartStart(index=0, kind="text"), PartStart(index=0, kind="thought")
    assert content(first, Delta(0, "a"), again, Delta(0, "b")) == (Text("ab"),)


def test_seals() -> None:
    start = PartStart(index=0, kind="thought")
    assert content(start, Delta(0, "hm"), Signature(0, "s1"), Signature(0, "s2")) == (Thought("hm", "s1s2"),)
    assert content(start, Signature(0, "sealed", redacted=True)) == (Thought(redacted="sealed"),)
    assert content(start, Signature(0, "")) == (Thought(""),)


WHOLE = Reply(
    dialect="d",
    id="a",
    model="m",
    created=3,
    content=(
        Thought("hm", "sig"),
        Thought(redacted="sealed"),
        Text("hello"),
        Refusal("no"),
        ToolCall("c1", "f", '{"n":9007199254740993}', {"k": 1}),
        ToolCall("c2", "g", ""),
        Opaque("d", {"type": "server_tool_use"}),
        Text(""),
    ),
    finish=Finish.TOOL,
    finish_native="tool_use",
    usage=Usage(input=5, output=7),
    effort="high",
    extra={"x": 1},
)


@pytest.mark.parametrize("reply", [WHOLE, Reply(dialect="d", id="", model="")], ids=["full", "empty"])
def test_fold_undoes_unfold(reply: Reply) -> None:
    events = unfold(reply)
    assert fold("d", events) == reply
    assert isinstance(events[0], Head)
    assert isinstance(events[-1], End)


def test_what_a_reply_says() -> None:
    assert WHOLE.text == "hellono"
    assert [call.id for call in WHOLE.calls] == ["c1", "c2"]
    assert [thought.signature for thought in WHOLE.thoughts] == ["sig", None]


def test_a_reply_cannot_hold_a_tool_result() -> None:
    with pytest.raises(ValueError, match="ToolResult"):
        unfold(Reply(dialect="d", id="", model="", content=(ToolResult("c", ()),)))
