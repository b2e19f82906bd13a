"""Covers every reader of wire/openai_responses/: no bytes raise anything but WireError, and fields hold their type."""

import json
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spoiling import MANY, PATH, read_asks, read_replies, read_streams, spoiled

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError
from llm_canaries.wire.sse import Frame

NAME = "openai_responses"
PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "high", "file_id": None}
REASONING = {"type": "reasoning", "id": "rs", "encrypted_content": "g", "status": "completed",
             "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
             "content": [{"type": "reasoning_text", "text": "c"}]}  # fmt: skip
ANSWER = {"type": "message", "role": "assistant", "id": "msg", "status": "completed", "phase": "final_answer",
          "content": [{"type": "output_text", "text": "t", "annotations": [{"type": "url_citation"}], "logprobs": [{}]},
                      {"type": "refusal", "refusal": "no"}, {"type": "odd"}]}  # fmt: skip
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}
SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}}
FILE = {"type": "input_file", "file_data": "data:a/b;base64,QQ==", "filename": "f"}
ASK = {
    "model": "m", "instructions": "s", "stream": True, "max_output_tokens": 5, "temperature": 0.5, "top_p": 1,
    "input": [
        {"role": "developer", "content": "d"}, {"role": "user", "content": [PICTURE, FILE, {"type": "input_audio"}]},
        {"role": "assistant", "content": "so"}, REASONING, ANSWER, CALL, SEARCH,
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "t"}, PICTURE]},
        {"type": "function_call_output", "call_id": "c", "output": json.dumps([PICTURE])},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "x"}, {"type": "item_reference", "id": "i"},
    ],
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True}, {"type": "mcp"}],
    "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": True, "user": "u", "store": False,
    "reasoning": {"effort": "low", "summary": "auto"}, "include": ["x"], "previous_response_id": "r",
}  # fmt: skip
REPLY = {
    "id": "i", "object": "response", "created_at": 1, "model": "m", "status": "incomplete", "error": None,
    "incomplete_details": {"reason": "content_filter"}, "output": [REASONING, ANSWER, CALL, SEARCH],
    "reasoning": {"effort": "low", "summary": None}, "tools": [], "tool_choice": "auto", "parallel_tool_calls": True,
    "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
              "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 3},
}  # fmt: skip


def event(kind: str, **said: object) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": 0, "content_index": 0, "item_id": "x"} | said


EVENTS = [
    *(event(kind, response=REPLY) for kind in ("created", "in_progress", "completed", "incomplete", "failed")),
    *(event(f"output_item.{step}", item=i) for step in ("added", "done") for i in (REASONING, ANSWER, CALL, SEARCH)),
    *(event(f"content_part.{step}", part=part) for step in ("added", "done") for part in ANSWER["content"]),
    *(event(f"{kind}.delta", delta="d") for kind in ("output_text", "refusal", "function_call_arguments")),
    *(event(f"{kind}.done", text="d", refusal="d", arguments="{}") for kind in ("output_text", "refusal")),
    event("function_call_arguments.done", arguments="{}"),
    event("reasoning_summary_part.added", summary_index=0, part={}),
    *(event(f"reasoning_{kind}.delta", summary_index=1, delta="d") for kind in ("summary_text", "text")),
    event("reasoning_summary_text.done", summary_index=0, text="t"),
    event("output_text.annotation.added", annotation={}),
    {"type": "error", "code": "c", "message": "m", "param": None},
    {"type": "codex.rate_limits", "rate_limits": {}},
]


@MANY
@given(spoiled(ASK))
@example(b'{"model":"m","input":[{"role":[],"content":"x"}]}')
@example(b'{"model":"m","input":[{"type":[]}]}')
@example(b'{"model":"m","input":[{"type":"reasoning","summary":5}]}')
@example(b'{"model":"m","input":[{"type":"function_call","call_id":5}]}')
@example(b'{"model":"m","input":[{"role":"assistant","content":[5]}]}')
@example(b'{"model":"m","input":[{"type":"x","about":{"pieces":[["summary",-1]]}}]}')
@example(b'{"model":"m","input":[{"about":{"pieces":5}}]}')
@example(b'{"model":"m","input":[{"content_part":5}]}')
def test_asks(body: bytes) -> None:
    read_asks(NAME, body)


@MANY
@given(spoiled(REPLY))
@example(b'{"output":[null]}')
@example(b'{"output":{}}')
@example(b'{"output":[],"usage":[]}')
@example(b'{"output":[],"status":5,"incomplete_details":5,"reasoning":5,"created_at":1.5}')
@example(b'{"output":[{"type":"function_call","arguments":{"a":1}}],"usage":{"input_tokens":1e300}}')
def test_replies(body: bytes) -> None:
    read_replies(NAME, body)


@pytest.mark.parametrize("name", DIALECTS)
def test_streams(name: str) -> None:
    @MANY
    @given(st.lists(spoiled(*EVENTS), min_size=1, max_size=6))
    def check(bodies: list[bytes]) -> None:
        read_streams(name, *bodies)

    check()


@MANY
@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_known_events_in_any_order(events: list[dict[str, Any]], indexes: list[int]) -> None:
    said = [each | {"output_index": at} for each, at in zip(events, indexes, strict=False)]
    read_streams(NAME, *(json.dumps(each).encode() for each in said))


@pytest.mark.parametrize("depth", [100, 850, 900, 950, 985, 990, 995, 1000, 1010, 50_000])
def test_deep_nesting(depth: int) -> None:
    nest, dialect = "[" * depth + "]" * depth, DIALECTS[NAME]
    for body in (
        {"model": "m", "input": [{"role": "user", "content": ["HERE"]}]},
        {"model": "m", "input": [{"type": "function_call", "arguments": "HERE"}]},
        {"model": "m", "input": [{"type": "function_call_output", "output": [{"type": "input_image", "x": "HERE"}]}]},
        {"output": [{"type": "function_call", "arguments": "HERE"}]},
        {"output": [{"type": "reasoning", "summary": ["HERE"]}]},
        {"type": "response.output_item.done", "item": {"type": "function_call", "arguments": "HERE"}},
        {"type": "response.completed", "response": {"output": [{"type": "x", "y": "HERE"}]}},
    ):
        text = json.dumps(body).replace('"HERE"', nest)
        feed = partial(dialect.reader().feed, Frame(data=text))
        for read in (feed, partial(dialect.read_ask, text.encode(), PATH), partial(dialect.read_reply, text.encode())):
            with suppress(WireError):
                read()
    stringified = json.dumps(json.dumps([{"type": "input_image", "x": "HERE"}]).replace('"HERE"', nest))
    body = f'{{"model":"m","input":[{{"type":"function_call_output","call_id":"c","output":{stringified}}}]}}'
    assert dialect.read_ask(body.encode(), PATH).messages[0].role == "tool"
