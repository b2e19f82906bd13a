"""Covers wire/sse.py: the WHATWG rules, any slicing, and the official SDKs' decoders as oracles."""

from itertools import pairwise

import anthropic._streaming as anthropic_sse
import openai._streaming as openai_sse
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.sse import Decoder, Frame, encode_frame

STEADY = settings(max_examples=150, deadline=None, derandomize=True)


def frames(*chunks: bytes) -> list[Frame]:
    decoder = Decoder()
    found = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return found + decoder.close()


def said(*chunks: bytes) -> list[tuple[str, str]]:
    return [(frame.event, frame.data) for frame in frames(*chunks) if not frame.comment]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"data: a\n\n"], [("", "a")], id="one frame"),
        pytest.param([b"data: a\r\n\r\n"], [("", "a")], id="CRLF"),
        pytest.param([b"data: a\r\rdata: b\r\r"], [("", "a"), ("", "b")], id="lone CR"),
        pytest.param([b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n"], [("", "a"), ("", "b")], id="CR|LF split"),
        pytest.param([b"data: a\r", b"\ndata: b\r\n\r\n"], [("", "a\nb")], id="CR|LF split inside a frame"),
        pytest.param([b"data: a\r", b"", b"\n", b"\n"], [("", "a")], id="CR, nothing, LF"),
        pytest.param([b"data: a\r", b"data: b\r\r"], [("", "a\nb")], id="CR ends a line by itself"),
        pytest.param([b"data: a\n\r\ndata: b\n\n"], [("", "a"), ("", "b")], id="mixed line ends"),
        pytest.param([b"\xef\xbb\xbfdata: a\n\n"], [("", "a")], id="BOM"),
        pytest.param([b"\xef", b"\xbb", b"\xbfdata: a\n\n"], [("", "a")], id="BOM in pieces"),
        pytest.param([b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n"], [], id="only one BOM is skipped"),
        pytest.param([b"data: a\n\ndata: \xef\xbb\xbf\n\n"], [("", "a"), ("", "\ufeff")], id="BOM inside is data"),
        pytest.param([b"data: a\ndata: b\ndata\ndata:\n\n"], [("", "a\nb\n\n")], id="data in four lines"),
        pytest.param([b"data:a\n\n"], [("", "a")], id="no space"),
        pytest.param([b"data:  a\n\n"], [("", " a")], id="one space is skipped, not two"),
        pytest.param([b"data:\ta\n\n"], [("", "\ta")], id="a tab is data"),
        pytest.param([b"data: a:b: c\n\n"], [("", "a:b: c")], id="colons in data"),
        pytest.param([b"data: a"], [("", "a")], id="no final line end"),
        pytest.param([b"data: a\n"], [("", "a")], id="no final blank line"),
        pytest.param([b"data: a\xe2\x80\xa8b\xc2\x85c\x0cd\n\n"], [("", "a\u2028b\x85c\x0cd")], id="U+2028 is data"),
        pytest.param([b"data: \xe2\x82", b"\xac\n\n"], [("", "€")], id="UTF-8 split"),
        pytest.param([b"data: \xf0", b"\x9f", b"\x90", b"\xa4\n\n"], [("", "🐤")], id="UTF-8 in four"),
        pytest.param([b"data: \xff\n\n"], [("", "\ufffd")], id="not UTF-8"),
        pytest.param([b"data: \xe2\x82"], [("", "\ufffd")], id="UTF-8 cut at the end"),
        pytest.param([b"event: ping\ndata: {}\n\n"], [("ping", "{}")], id="event name"),
        pytest.param([b"data: {}\nevent: ping\n\n"], [("ping", "{}")], id="event name after data"),
        pytest.param([b"event: a\nevent: b\ndata: x\n\n"], [("b", "x")], id="the last event name"),
        pytest.param([b"event: a\n\ndata: x\n\n"], [("", "x")], id="a name does not outlive its block"),
        pytest.param([b"id: 7\nretry: 10\nother: x\ndata: a\n\n"], [("", "a")], id="other fields"),
        pytest.param([b"Data: a\ndata : b\n data: c\n\n"], [], id="names are exact"),
        pytest.param([b"\n\n\ndata: a\n\n\n\n"], [("", "a")], id="blank lines"),
        pytest.param([], [], id="nothing"),
        pytest.param([b""], [], id="an empty chunk"),
    ],
)
def test_frames(chunks: list[bytes], expected: list[tuple[str, str]]) -> None:
    assert said(*chunks) == expected
    assert said(b"".join(chunks)) == expected


def test_a_comment_is_liveness_at_once_and_leaves_the_frame_whole() -> None:
    decoder = Decoder()
    assert decoder.feed(b": keep-alive\n") == [Frame(comment=True)]
    assert decoder.feed(b"data: a\n:\n") == [Frame(comment=True)]
    assert decoder.feed(b"data: b\n\n") == [Frame(data="a\nb")]


def test_a_frame_is_out_before_the_next_begins() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Frame(data="a")]
    assert decoder.close() == []


@pytest.mark.parametrize("event", ["", "message_start"])
@pytest.mark.parametrize("data", ['{"a":"\u2028"}', b'{"a":1}', "[DONE]"])
def test_encoded_frames_are_read_back(data: str | bytes, event: str) -> None:
    text = data if isinstance(data, str) else data.decode()
    assert said(encode_frame(data, event)) == [(event, text)]


PIECES = st.sampled_from(
    [
        *(b"data:", b"data: ", b"event: x", b": c", b"id: 1", b"\n", b"\r", b"\r\n", b"\n\n", b"a"),
        *("€🐤".encode(), b"\xef\xbb\xbf", b"\xff", b"\xe2\x82", b"\xe2\x80\xa8", b" ", b":"),
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n"])
LINES = st.tuples(st.sampled_from([b"data: a", b"data:", b"event: x", b": c", b""]), ENDS).map(b"".join)
BODIES = st.lists(PIECES | LINES, max_size=40).map(b"".join)


@STEADY
@given(BODIES, st.lists(st.integers(0, 120), max_size=12))
def test_any_slicing_gives_the_same_frames(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    whole = frames(body)
    assert frames(*(body[start:end] for start, end in pairwise(edges))) == whole
    assert frames(*(body[at : at + 1] for at in range(len(body)))) == whole


WORDS = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=("Cs",)), max_size=20)


@STEADY
@given(
    st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_official_decoders_read_the_same(blocks: list[tuple[str, list[str]]], line_end: str) -> None:
    body = "".join(
        f": c{line_end}event: {name}{line_end}" + "".join(f"data: {line}{line_end}" for line in data) + line_end
        for name, data in blocks
    ).encode()
    expected = [(name, "\n".join(data)) for name, data in blocks]
    assert said(body) == expected
    for sdk in (openai_sse.SSEDecoder(), anthropic_sse.SSEDecoder()):
        assert [(each.event or "", each.data) for each in sdk.iter_bytes(iter([body]))] == expected


def test_a_long_line_in_small_pieces_is_joined_once() -> None:
    decoder, piece, count = Decoder(), b"x" * 64, 20_000
    decoder.feed(b"data: ")
    for _ in range(count):
        assert decoder.feed(piece) == []
    assert [len(each) for each in decoder._rest] == [6, *[64] * count]  # no piece is copied again and again
    (frame,) = decoder.feed(b"\n\n")
    assert len(frame.data) == 64 * count
    assert decoder._rest == []
