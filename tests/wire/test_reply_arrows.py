"""Covers every arrow for answers: speaker to target and back, streamed and whole, up to declared losses.

What a stream of ours says is lawful (wire/stream_laws.py), and no split of its bytes changes what is read.
"""

import json
from collections import Counter

import pytest
from drawn_replies import ODD, frames_of, read, replies, streamed
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Event, Head, unfold
from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.message import Finish, Opaque, Refusal, Reply, Thought, ToolCall
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.stream_laws import breaches

ARROWS = [(speaker, target) for speaker in DIALECTS for target in DIALECTS]
CHAT, RESPONSES = "openai_chat", "openai_responses"
SOME = settings(max_examples=40, deadline=None, derandomize=True)


def losses_of_stream(target: str, reply: Reply) -> tuple[Loss, ...]:
    events = unfold(reply)
    assert isinstance(events[0], Head)
    writer = DIALECTS[target].writer(events[0])
    b"".join(writer.feed(event) for event in events)
    return writer.losses


def pieces(reply: Reply) -> list[str]:
    """Visible words, a text or a refusal each."""
    return [part.text for part in reply.content if hasattr(part, "text") and not isinstance(part, Thought)]


def opaque_of(reply: Reply) -> int:
    return sum(isinstance(part, Opaque) for part in reply.content)


@pytest.mark.parametrize(("speaker", "target"), ARROWS)
def test_an_answer_comes_back_or_is_declared_lost(speaker: str, target: str) -> None:
    @SOME
    @given(replies(speaker, odd=True))
    def check(reply: Reply) -> None:
        written = DIALECTS[target].write_reply(reply)
        said = DIALECTS[target].read_reply(written.body)
        lost, same = Counter(loss.what for loss in written.losses), speaker == target
        assert said.text == reply.text or lost["order of parts"]
        assert sorted(said.text) == sorted(reply.text)
        assert [(call.id, call.name, call.arguments) for call in said.calls] == [
            (call.id, call.name, call.arguments) for call in reply.calls
        ]
        assert "".join(each.text for each in said.thoughts) == "".join(each.text for each in reply.thoughts)
        seals = sum(bool(part.redacted or part.signature) for part in reply.thoughts)
        kept = sum(bool(part.redacted or part.signature) for part in said.thoughts)
        assert kept + lost["signature"] == seals
        assert opaque_of(said) + lost["opaque odd"] == opaque_of(reply)
        assert lost["opaque odd"] == (0 if same and target != CHAT else opaque_of(reply))
        assert (said.extra.get("oddField"), lost["field oddField"]) == ((ODD["oddField"], 0) if same else (None, 1))
        check_finish(reply, said, lost)
        assert said.effort == reply.effort or lost["effort low"]
        assert (said.id, said.model) == (reply.id, reply.model)
        assert said.usage is not None and reply.usage is not None
        assert (said.usage.input, said.usage.output) == (reply.usage.input, reply.usage.output)

    check()


def check_finish(reply: Reply, said: Reply, lost: Counter[str]) -> None:
    declared = any("said as" in what and what.startswith(str(reply.finish)) for what in lost)
    assert said.finish == reply.finish or declared, lost
    refused = any(isinstance(part, Refusal) for part in reply.content)
    assert lost["refusal, said as text"] == (0 if said.dialect in (CHAT, RESPONSES) else sum(
        isinstance(part, Refusal) for part in reply.content
    )) or not refused  # fmt: skip


@pytest.mark.parametrize(("speaker", "target"), ARROWS)
def test_streamed_and_whole_lose_the_same(speaker: str, target: str) -> None:
    @SOME
    @given(replies(speaker, odd=True))
    def check(reply: Reply) -> None:
        whole = {loss.what for loss in DIALECTS[target].write_reply(reply).losses}
        stream = {loss.what for loss in losses_of_stream(target, reply)}
        assert stream == whole - {"order of parts"}  # chat's fields come in any order in a stream

    check()


@pytest.mark.parametrize(("speaker", "target"), ARROWS)
def test_what_is_streamed_is_lawful(speaker: str, target: str) -> None:
    @SOME
    @given(replies(speaker, odd=True))
    def check(reply: Reply) -> None:
        body = streamed(target, reply)
        assert breaches(target, frames_of(body)) == ()
        again = read(target, body)
        whole = DIALECTS[target].read_reply(DIALECTS[target].write_reply(reply).body)
        assert again.calls == whole.calls
        assert sorted(again.text) == sorted(whole.text)
        assert (again.finish, again.usage, again.effort) == (whole.finish, whole.usage, whole.effort)
        assert again.extra.get("oddField") == whole.extra.get("oddField")
        assert opaque_of(again) == opaque_of(whole)

    check()


@pytest.mark.parametrize(("speaker", "target"), ARROWS)
def test_any_split_of_a_stream_reads_the_same(speaker: str, target: str) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(replies(speaker), st.lists(st.integers(1, 40), min_size=1, max_size=20))
    def check(reply: Reply, steps: list[int]) -> None:
        body = streamed(target, reply)
        assert events_of(target, body, steps) == events_of(target, body, [len(body)])

    check()


def events_of(name: str, body: bytes, steps: list[int]) -> list[Event]:
    decoder, reader, at = Decoder(), DIALECTS[name].reader(), 0
    events: list[Event] = []
    for turn in range(len(body)):
        step = steps[turn % len(steps)]
        if at >= len(body):
            break
        events += [event for frame in decoder.feed(body[at : at + step]) for event in reader.feed(frame)]
        at += step
    return [*events, *(event for frame in decoder.close() for event in reader.feed(frame)), *reader.close()]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_call_keeps_its_own_fields_in_a_stream_of_its_own_dialect(name: str) -> None:
    extra = {"caller": {"type": "direct"}}
    reply = Reply(dialect=name, id="i", model="m", content=(ToolCall("c", "f", "{}", extra),), finish=Finish.TOOL)
    assert losses_of_stream(name, reply) == ()
    (call,) = read(name, streamed(name, reply)).calls
    assert json.dumps(dict(call.extra)).count('"caller": {"type": "direct"}') == 1
