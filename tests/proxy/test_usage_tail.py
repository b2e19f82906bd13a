"""The usage that proxy/usage_tail.py finds in bytes that pass by."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.usage_tail import HEAD, READERS, TAIL, WHOLE, UsageTail
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import Usage
from llm_canaries.wire.usage import read_chat_usage

CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
LURE = 'so {"usage": {"prompt_tokens": 666}} is what \n\n data: {"usage": {"prompt_tokens": 667}} they say'


def found(dialect: str, *chunks: bytes) -> Usage | None:
    tail = UsageTail(dialect)
    for chunk in chunks:
        tail.feed(chunk)
    return tail.close()


def events(*values: object) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def chat(text: str, usage: object = CHAT_USAGE) -> dict[str, object]:
    return {"id": "x", "choices": [{"message": {"content": text}}], "usage": usage}


def test_every_dialect_has_a_reader():
    assert set(READERS) >= set(DIALECTS)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_whole_body(indent: int | None):
    usage = found("openai_chat", json.dumps(chat(LURE), indent=indent).encode())
    assert usage == Usage(input=9, output=4, total_reported=13)


@pytest.mark.parametrize("usage", [None, {}, "many", 3])
def test_a_usage_that_says_nothing(usage: object):
    assert found("openai_chat", json.dumps(chat("hi", usage)).encode()) in (None, Usage())


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[]", b"null", b'{"usage":', b"\xff" * 100, b"{" * 5000])
def test_what_is_no_answer_has_no_usage(body: bytes):
    assert found("openai_chat", body) is None
    assert found("anthropic_messages", body) is None


def test_a_chat_stream_says_it_last():
    said = {"choices": [{"delta": {"content": LURE}}], "usage": None}
    stream = events(said, said, {"choices": [], "usage": CHAT_USAGE}) + b"data: [DONE]\n\n"
    assert found("openai_chat", stream) == Usage(input=9, output=4, total_reported=13)


def test_groq_says_it_elsewhere():
    stream = events({"choices": []}, {"choices": [], "x_groq": {"usage": CHAT_USAGE}})
    assert found("openai_chat", stream) == Usage(input=9, output=4, total_reported=13)


def messages(text: str) -> bytes:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 12, "cache_read_input_tokens": 5}}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    return events(start, delta, end, {"type": "message_stop"})


def test_a_messages_stream_counts_input_first_and_output_last():
    assert found("anthropic_messages", messages(LURE)) == Usage(input=17, output=7, cache_read=5)


def test_a_messages_stream_of_any_length():
    assert found("anthropic_messages", messages("x" * (3 * WHOLE))) == Usage(input=17, output=7, cache_read=5)


@given(st.lists(st.integers(1, 400), max_size=20))
def test_any_slicing_gives_the_same(cuts: list[int]):
    stream, chunks = messages(LURE), []
    for cut in cuts:
        chunks.append(stream[:cut])
        stream = stream[cut:]
    assert found("anthropic_messages", *chunks, stream) == Usage(input=17, output=7, cache_read=5)


def test_a_tools_input_named_usage_is_no_usage():
    body = {"content": [{"type": "tool_use", "input": {"usage": {"input_tokens": 1}}}], "usage": {"input_tokens": 2}}
    assert found("anthropic_messages", json.dumps(body).encode()) == Usage(input=2)


def test_a_large_body_is_read_from_its_end():
    body = json.dumps(chat("x" * (2 * WHOLE))).encode()
    assert found("openai_chat", *(body[at : at + 5000] for at in range(0, len(body), 5000))) == Usage(
        input=9, output=4, total_reported=13
    )


def test_memory_is_bounded():
    tail = UsageTail("openai_chat")
    for _ in range(2000):
        tail.feed(b"data: " + b"x" * 8000 + b"\n\n")
        assert sum(map(len, tail._chunks)) <= WHOLE + 8100
        assert len(tail._head) <= HEAD < TAIL


numbers = st.one_of(st.none(), st.integers(-2, 2**40), st.just("7"), st.just(7.0), st.just(True))
details = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["cached_tokens", "audio_tokens", "reasoning_tokens", "cache_write_tokens", "odd"]), numbers
    ),
)
said_usages = st.dictionaries(
    st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "cached_tokens"]),
    numbers,
).flatmap(
    lambda plain: st.fixed_dictionaries({"prompt_tokens_details": details, "completion_tokens_details": details}).map(
        lambda more: plain | more
    )
)


@given(said_usages)
def test_the_short_way_reads_what_the_long_way_does(usage: dict[str, object]):
    assert found("openai_chat", json.dumps(chat("hi", usage)).encode()) == read_chat_usage(usage)


@pytest.mark.parametrize("count", [-1, 2**63 - 1, 2**63, 10**30])
def test_no_count_is_larger_than_a_count_can_be(count: int):
    said = CHAT_USAGE | {"prompt_tokens": count}
    assert found("openai_chat", json.dumps(chat("hi", said)).encode()) == read_chat_usage(said)
