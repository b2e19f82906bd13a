"""Covers proxy/streams.py and proxy/witness.py: any slicing of a stream gives the same, and no frame goes out cut."""

import json
from itertools import pairwise

import pytest
from answers import streamed, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.streams import Crossing, Guarded
from llm_canaries.proxy.translate import Pair
from llm_canaries.proxy.witness import KEPT, Witness
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Finish, Text, ToolCall

SSE = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)
LOST = Fault(reason=FaultReason.CONNECTION_LOST, message="gone")
NAMES = st.sampled_from(sorted(DIALECTS))
WORDS = st.sampled_from(["hello", "é ✓ 𝄞", "data: [DONE]\n\nevent: message_stop", '{"finishReason":"x"}', "a\r\n\r\nb"])
CUTS = st.lists(st.integers(0, 4000), max_size=12)


def sliced(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return [body[start:end] for start, end in pairwise(edges)]


def body_of(dialect: str, words: str, tools: bool) -> bytes:
    if tools:
        calls = (ToolCall("c1", "red", '{"a":1}'), ToolCall("c2", "blue", "{}"))
        return streamed(dialect, Text(words), *calls, finish=Finish.TOOL)
    return streamed(dialect, Text(words))


@given(NAMES, WORDS, st.booleans(), CUTS, st.sampled_from([b"\n", b"\r\n", b"\r"]))
@settings(deadline=None)
def test_guarded_changes_no_byte(dialect: str, words: str, tools: bool, cuts: list[int], end: bytes) -> None:
    body = body_of(dialect, words, tools).replace(b"\n", end)
    guarded = Guarded(dialect, 200, SSE, 10**6)
    out = b"".join([*(guarded.feed(piece) for piece in sliced(body, cuts)), guarded.close(0.0)])
    assert guarded.fault is None
    assert out == body or (end == b"\r" and out.rstrip(b"\r\n") == body.rstrip(b"\r"))


@given(NAMES, WORDS, st.integers(1, 4000), CUTS, st.booleans())
@settings(deadline=None)
def test_guarded_never_stops_in_a_frame(dialect: str, words: str, at: int, cuts: list[int], lost: bool) -> None:
    body = body_of(dialect, words, tools=False)
    body = body[: at % len(body)]
    guarded = Guarded(dialect, 200, SSE, 10**6)
    out = b"".join(guarded.feed(piece) for piece in sliced(body, cuts))
    assert out == body[: len(out)] and (not out or out.endswith(b"\n\n"))
    out += guarded.abort(LOST) if lost else guarded.close(0.0)
    for frame in out.split(b"\n\n"):
        data = b"\n".join(line[5:].strip() for line in frame.split(b"\n") if line.startswith(b"data:"))
        if data and data != b"[DONE]":
            json.loads(data)
    if guarded.fault is not None:
        assert b"error" in out


@given(NAMES, NAMES, WORDS, st.booleans(), CUTS)
@settings(deadline=None)
def test_crossing_is_the_same_however_it_is_sliced(
    client: str, provider: str, words: str, tools: bool, cuts: list[int]
) -> None:
    body = body_of(provider, words, tools)
    outs = []
    for pieces in ([body], sliced(body, cuts)):
        crossing = Crossing(Pair(client, provider), 10**6, raw=False)
        outs.append(b"".join([*(crossing.feed(piece) for piece in pieces), crossing.close(0.0)]))
        assert crossing.fault is None
        assert crossing.usage is not None and (crossing.usage.input, crossing.usage.output) == (11, 7)
    assert outs[0] == outs[1]


@given(NAMES, st.binary(max_size=400), CUTS, st.booleans())
@settings(deadline=None)
def test_any_bytes(dialect: str, body: bytes, cuts: list[int], lost: bool) -> None:
    """Whatever comes, what goes on is the provider's or says that it is not."""
    for stream in (Guarded(dialect, 200, SSE, 300), Crossing(Pair("openai_chat", dialect), 300, raw=False)):
        try:
            out = b"".join(stream.feed(piece) for piece in sliced(body, cuts))
        except Unanswered as error:
            out, last = b"", stream.abort(error.fault)
        else:
            last = stream.abort(LOST) if lost else stream.close(0.0)
        assert stream.fault is None or out + last


def test_not_utf8_in_a_stream() -> None:
    body = streamed("openai_chat", Text("é"))
    for cut in range(len(body)):
        guarded = Guarded("openai_chat", 200, SSE, 10**6)
        assert guarded.feed(body[:cut]) + guarded.feed(body[cut:]) == body, "a character may be split anywhere"
    guarded = Guarded("openai_chat", 200, SSE, 10**6)
    with pytest.raises(Unanswered, match="UTF-8"):
        guarded.feed(body.replace("é".encode(), b"\xff"))


def seen(dialect: str, body: bytes, status: int = 200, headers: object = SSE, limit: int = 10**6) -> Fault | None:
    witness = Witness(dialect, status, headers, limit)  # type: ignore[arg-type]
    for start in range(0, len(body), 700):
        witness.feed(body[start : start + 700])
    return witness.fault(0.0, {})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_witness_of_long_answers(dialect: str) -> None:
    """Only the end of an answer is kept, and that is enough."""
    assert seen(dialect, streamed(dialect, Text("x" * 3 * KEPT))) is None
    assert seen(dialect, whole(dialect, Text("x" * 3 * KEPT)), headers=JSON) is None
    cut = streamed(dialect, Text("x" * 3 * KEPT))
    found = seen(dialect, cut[: 2 * KEPT])
    assert found is not None and found.reason is FaultReason.TRUNCATED_STREAM
    witness = Witness(dialect, 200, SSE, 10**9)
    for _ in range(1000):
        witness.feed(b"x" * 1000)
    assert sum(map(len, witness._last)) <= KEPT + 1000


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_witness_of_everything_else(dialect: str) -> None:
    assert seen(dialect, whole(dialect), headers=JSON) is None
    assert seen(dialect, streamed(dialect), headers=JSON) is None, "a stream by another name"
    for body, status, reason in (
        (b"", 200, FaultReason.EMPTY_BODY),
        (b"<html>", 200, FaultReason.HTML),
        (b"<html>" + b"x" * 2 * KEPT, 200, FaultReason.HTML),
        (b"{}", 200, FaultReason.MALFORMED_BODY),
        (b"", 302, FaultReason.NO_ROUTE),
        (b"oops", 500, FaultReason.UPSTREAM_ERROR),
        (b"x" * 2000, 200, FaultReason.BODY_TOO_LARGE),
    ):
        limit = 1000 if reason is FaultReason.BODY_TOO_LARGE else 10**6
        found = seen(dialect, body, status, JSON, limit)
        assert found is not None and found.reason is reason, body[:20]


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_broken_responses_stream_counts_on_and_ends_in_an_error(cut: float) -> None:
    body = body_of("openai_responses", "hello there", tools=True)
    guarded = Guarded("openai_responses", 200, SSE, 10**6)
    out = guarded.feed(body[: int(len(body) * cut)]) + guarded.abort(LOST)
    said = [json.loads(line[5:]) for line in out.split(b"\n") if line.startswith(b"data:")]
    assert [each["sequence_number"] for each in said] == list(range(len(said)))
    assert said[-1] == {
        "type": "error", "code": "connection_lost", "message": "gone", "param": None, "sequence_number": len(said) - 1,
    }  # fmt: skip
