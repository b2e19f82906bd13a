"""Covers wire/usage.py: fields both ways, merging in streams, and every law (protocols.md B)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.message import Usage
from llm_canaries.wire.usage import (
    Law,
    broken_laws,
    chat_usage_of,
    read_chat_usage,
    read_messages_usage,
    write_chat_usage,
    write_messages_usage,
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Usage()),
        ({"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}, Usage(input=5, output=0, total_reported=5)),
        (
            {
                "prompt_tokens": 50,
                "completion_tokens": 20,
                "total_tokens": 70,
                "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 4, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
            Usage(input=50, output=20, reasoning=0, cache_read=30, cache_write=4, total_reported=70),
        ),
        ({"prompt_tokens": 5.0, "cached_tokens": 3, "reasoning_tokens": 2}, Usage(input=5, cache_read=3, reasoning=2)),
        ({"num_cached_tokens": 32}, Usage(cache_read=32)),
        ({"prompt_cache_hit_tokens": 9}, Usage(cache_read=9)),
        ({"prompt_tokens": None, "prompt_tokens_details": None, "completion_tokens_details": []}, Usage()),
    ],
)
def test_chat_fields(said: dict[str, object], expected: Usage) -> None:
    assert read_chat_usage(said) == expected


@pytest.mark.parametrize("junk", [-1, 1.5, "7", True, [], {}, 1e300])
def test_what_is_no_count_is_broken(junk: object) -> None:
    usage = read_chat_usage({"prompt_tokens": junk, "completion_tokens_details": {"reasoning_tokens": junk}})
    assert usage == Usage(broken=("prompt_tokens", "completion_tokens_details.reasoning_tokens"))
    assert broken_laws(usage, said_something=True, cap=None) == (Law.INVALID_COUNT,)
    assert read_messages_usage({"output_tokens": junk}).broken == ("output_tokens",)


def test_messages_input_includes_the_cache() -> None:
    said = {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
    }
    usage = read_messages_usage(said)
    assert usage == Usage(input=125, output=9, reasoning=4, cache_read=100, cache_write=20)
    assert write_messages_usage(usage) == said


START = read_messages_usage({"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1})


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({}, Usage(input=105, output=1, cache_read=100)),
        ({"output_tokens": 40}, Usage(input=105, output=40, cache_read=100)),
        ({"output_tokens": None, "input_tokens": None}, Usage(input=105, output=1, cache_read=100)),
        ({"input_tokens": 9, "output_tokens": 40}, Usage(input=109, output=40, cache_read=100)),
        ({"cache_read_input_tokens": 0, "output_tokens": 40}, Usage(input=5, output=40, cache_read=0)),
        ({"cache_creation_input_tokens": 7}, Usage(input=112, output=1, cache_read=100, cache_write=7)),
        ({"output_tokens_details": {"thinking_tokens": 3}}, Usage(input=105, output=1, cache_read=100, reasoning=3)),
        ({"output_tokens": -4}, Usage(input=105, output=1, cache_read=100, broken=("output_tokens",))),
    ],
)
def test_message_delta_overwrites_field_by_field(delta: dict[str, object], expected: Usage) -> None:
    assert read_messages_usage(delta, START) == expected


def test_message_delta_without_a_start() -> None:
    assert read_messages_usage({"output_tokens": 4}) == Usage(output=4)
    assert read_messages_usage({"output_tokens": 4, "input_tokens": 3}, Usage()) == Usage(input=3, output=4)


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        ({"usage": {"prompt_tokens": 1}}, {"prompt_tokens": 1}),
        ({"usage": None, "x_groq": {"usage": {"prompt_tokens": 2}}}, {"prompt_tokens": 2}),
        ({"usage": None}, None),
        ({"usage": [], "x_groq": []}, None),
        ({"usage": "many"}, None),
        ({}, None),
    ],
)
def test_where_chat_keeps_its_usage(chunk: dict[str, object], expected: object) -> None:
    assert chat_usage_of(chunk) == expected


def test_a_total_that_nobody_said_is_the_sum() -> None:
    assert write_chat_usage(Usage(input=3, output=4))["total_tokens"] == 7
    assert write_chat_usage(Usage(input=3, output=4, total_reported=109))["total_tokens"] == 109
    assert write_chat_usage(Usage()) == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    ("usage", "laws"),
    [
        (Usage(), ()),
        (Usage(input=5, output=7, reasoning=7, cache_read=3, cache_write=2, total_reported=12), ()),
        (Usage(input=5, output=7, total_reported=0), (Law.TOTAL_MISMATCH_SHORT,)),
        (Usage(input=5, output=7, total_reported=109), (Law.TOTAL_MISMATCH_HIDDEN_REASONING,)),
        (Usage(input=5, total_reported=1), ()),
        (Usage(input=5, output=7, reasoning=8), (Law.REASONING_OVER_OUTPUT,)),
        (Usage(input=5, cache_read=3, cache_write=3), (Law.CACHE_OVER_INPUT,)),
        (Usage(cache_read=3), ()),
        (Usage(input=5, output=0), (Law.OUTPUT_ZERO,)),
        (Usage(input=0, output=7), (Law.INPUT_ZERO,)),
        (Usage(input=5, output=100), ()),
        (Usage(input=5, output=117), (Law.OUTPUT_OVER_CAP,)),
        (Usage(broken=("total_tokens",)), (Law.INVALID_COUNT,)),
        (Usage(input=0, output=0, total_reported=0), (Law.OUTPUT_ZERO, Law.INPUT_ZERO)),
    ],
)
def test_laws(usage: Usage, laws: tuple[Law, ...]) -> None:
    assert broken_laws(usage, said_something=True, cap=100) == laws


def test_laws_know_what_was_asked_and_said() -> None:
    assert broken_laws(Usage(input=5, output=0), said_something=False, cap=None) == ()
    assert broken_laws(Usage(input=5, output=10**9), said_something=True, cap=None) == ()
    assert broken_laws(Usage(input=5, output=11), said_something=True, cap=10, slack=0) == (Law.OUTPUT_OVER_CAP,)


COUNTS = st.integers(0, 2**40)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(COUNTS, COUNTS, *(st.none() | COUNTS for _ in range(3)))
def test_round_trips(fresh: int, output: int, reasoning: int | None, read: int | None, write: int | None) -> None:
    total = fresh + (read or 0) + (write or 0)
    usage = Usage(input=total, output=output, reasoning=reasoning, cache_read=read, cache_write=write)
    assert read_messages_usage(json.loads(json.dumps(write_messages_usage(usage)))) == usage
    said = read_chat_usage(json.loads(json.dumps(write_chat_usage(usage))))
    assert said == Usage(
        input=total,
        output=output,
        reasoning=reasoning,
        cache_read=read,
        cache_write=write,
        total_reported=total + output,
    )
