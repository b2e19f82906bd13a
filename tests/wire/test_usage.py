"""Covers wire/usage.py: fields both ways, and merging in streams (protocols.md B1 to B3)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.message import Usage
from llm_canaries.wire.usage import (
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
        ({"prompt_tokens": 4, "cost": 0.25, "cost_details": {"upstream_inference_cost": None}}, Usage(input=4)),
        (
            {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13},
            Usage(input=9, output=4, total_reported=13),
        ),
        (
            {"inputTokens": 9, "outputTokens": 4, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20},
            Usage(input=129, output=4, cache_read=100, cache_write=20),
        ),
        (
            {"inputTokens": -9, "outputTokens": "4", "cacheReadInputTokens": 1},
            Usage(cache_read=1, broken=("inputTokens", "outputTokens")),
        ),
        ({"prompt_tokens": None, "prompt_tokens_details": None, "completion_tokens_details": []}, Usage()),
    ],
)
def test_chat_fields(said: dict[str, object], expected: Usage) -> None:
    assert read_chat_usage(said) == expected


@pytest.mark.parametrize("junk", [-1, 1.5, "7", True, [], {}, 1e300])
def test_what_is_no_count_is_broken(junk: object) -> None:
    usage = read_chat_usage({"prompt_tokens": junk, "completion_tokens_details": {"reasoning_tokens": junk}})
    assert usage == Usage(broken=("prompt_tokens", "completion_tokens_details.reasoning_tokens"))
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


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 4}}, 34),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 4}}, 4),
        ({"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_5m_input_tokens": 30}}, 7),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}}, 0),
        ({"cache_creation": None}, None),
        ({"cache_creation": "much"}, None),
    ],
)
def test_cache_writes_of_two_lifetimes(said: dict[str, object], expected: int | None) -> None:
    usage = read_messages_usage({"input_tokens": 5, "output_tokens": 1} | said)
    assert usage == Usage(input=5 + (expected or 0), output=1, cache_write=expected)


def test_iterations_are_added_up() -> None:
    """As recorded: the compaction stands in none of the fields beside its iteration."""
    first = {"type": "compaction", "input_tokens": 100, "output_tokens": 83, "cache_read_input_tokens": 55096}
    second = {"type": "message", "input_tokens": 181, "output_tokens": 8, "cache_read_input_tokens": 0}
    said = {"input_tokens": 181, "cache_read_input_tokens": 0, "output_tokens": 8, "iterations": [first, second]}
    expected = Usage(input=55377, output=91, cache_read=55096)
    assert read_messages_usage(said) == expected
    assert read_messages_usage(said, START) == expected


def test_an_adviser_is_another_model() -> None:
    """As recorded: what another model read and wrote is in none of the sums."""
    rounds = [
        {"type": "message", "input_tokens": 1128, "output_tokens": 135},
        {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 2543, "output_tokens": 18},
        {"type": "message", "input_tokens": 1283, "output_tokens": 10},
    ]
    said = {
        "input_tokens": 2411,
        "output_tokens": 145,
        "output_tokens_details": {"thinking_tokens": 47},
        "server_tool_use": {"web_search_requests": 0},
        "iterations": rounds,
    }
    assert read_messages_usage(said) == Usage(input=2411, output=145, reasoning=47)


@pytest.mark.parametrize("junk", [None, [], {}, "two", [5], [None], [{}], [{"type": "message"}]])
def test_iterations_that_say_nothing(junk: object) -> None:
    assert read_messages_usage({"input_tokens": 5, "output_tokens": 4, "iterations": junk}) == Usage(input=5, output=4)


def test_a_broken_count_of_an_iteration_is_told() -> None:
    usage = read_messages_usage({"output_tokens": 4, "iterations": [{"output_tokens": -1}, {"output_tokens": 9}]})
    assert usage == Usage(output=9, broken=("iterations.output_tokens",))


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
