"""Covers every reader of wire/: no bytes raise anything but WireError, and typed fields hold their type."""

import json
from contextlib import suppress
from functools import partial

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spoiling import MANY, PATH, read_asks, read_replies, read_streams, spoiled

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import read_envelope
from llm_canaries.wire.event import Broken, Head
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Models
from llm_canaries.wire.quota_reading import read_quota
from llm_canaries.wire.sse import Decoder, Frame

CHAT_ASK = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s", "name": "n"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
                                     {"type": "file", "file": {"file_data": "data:a/b;base64,Q", "filename": "f"}}]},
        {"role": "assistant", "content": None, "reasoning_content": "r", "refusal": None,
         "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "t"}]},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": True,
    "stream": True, "stream_options": {"include_usage": True}, "max_completion_tokens": 5, "max_tokens": 5,
    "temperature": 0.5, "top_p": 1, "stop": ["x"], "reasoning_effort": "low", "user": "u",
}  # fmt: skip
MESSAGES_ASK = {
    "model": "m", "max_tokens": 5, "system": [{"type": "text", "text": "s"}],
    "messages": [
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"},
                                          {"type": "redacted_thinking", "data": "d"},
                                          {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "is_error": True, "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}},
            {"type": "document", "title": "t", "source": {"type": "url", "url": "u"}}]}]},
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": {}}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "low"},
    "temperature": 0.5, "top_p": 1, "stop_sequences": ["x"], "stream": True, "metadata": {"user_id": "u"},
}  # fmt: skip
CHAT_REPLY = {
    "id": "i", "model": "m", "created": 1, "reasoning_effort": "low", "x_groq": {"usage": {}},
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "c", "refusal": "r",
        "reasoning_content": "t", "annotations": [{}], "function_call": {},
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
        "delta": {"content": "c", "reasoning": "r", "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f",
        "arguments": "{}"}}]}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
              "prompt_tokens_details": {"cached_tokens": 1}},
}  # fmt: skip
USAGE = {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}}
MESSAGES_REPLY = {
    "id": "i", "model": "m", "type": "message", "stop_reason": "end_turn", "stop_sequence": "x", "usage": USAGE,
    "content": MESSAGES_ASK["messages"][1]["content"], "output_config": {"effort": "low"},  # type: ignore[index]
}  # fmt: skip
CHUNKS = [
    *({"type": "message_start", "message": MESSAGES_REPLY}, {"type": "message_stop"}, {"type": "ping"}),
    *({"type": "content_block_start", "index": 0, "content_block": block} for block in MESSAGES_REPLY["content"]),
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": "x"}, "usage": USAGE},
    {"type": "error", "error": {"type": "t", "message": "m"}},
    CHAT_REPLY,
]
FAULT = {"error": {"message": "m", "type": "t", "code": 5, "param": "p", "details": {"error_code": "e"},
                   "resets_at": 5, "reset_seconds": 5}, "status": "439", "msg": "m", "success": False,
         "detail": [{}], "message": "m", "code": "c"}  # fmt: skip


def deep(depth: int) -> list[bytes]:
    """Bodies whose known fields hold arrays `depth` deep."""
    nest = "[" * depth + "]" * depth
    return [
        nest.encode(),
        *(
            json.dumps(body).replace('"HERE"', nest).encode()
            for body in (
                {"model": "m", "messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": "HERE"}]}]},
                {"choices": [{"message": {"tool_calls": [{"function": {"arguments": "HERE"}}]}}]},
                {"content": [{"type": "tool_use", "id": "", "name": "", "input": "HERE"}]},
                {"type": "content_block_start", "content_block": {"type": "tool_use", "input": "HERE"}},
                {"detail": "HERE"},
                {"data": ["HERE"]},
            )
        ),
    ]


@MANY
@given(spoiled(CHAT_ASK))
@example(b'{"model":"m","messages":[{"role":"user","content":"x"}],"stop":5}')
@example(b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":{}}')
@example(b'{"model":"m","messages":[{"role":"user","content":3}]}')
@example(b'{"model":"m","messages":[null]}')
def test_chat_asks(body: bytes) -> None:
    read_asks("openai_chat", body)


@MANY
@given(spoiled(MESSAGES_ASK))
@example(b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"name":5,"input_schema":5}]}')
@example(b'{"model":"m","messages":[{"role":[],"content":"x"}]}')
@example(b'{"model":"m","messages":[{"role":"user","content":[{"type":"thinking","thinking":5}]}]}')
def test_messages_asks(body: bytes) -> None:
    read_asks("anthropic_messages", body)


@MANY
@given(spoiled(CHAT_REPLY))
@example(b'{"choices":[null]}')
@example(b'{"choices":{}}')
@example(b'{"choices":[],"usage":[]}')
@example(b'{"choices":[],"usage":{"prompt_tokens":1e300}}')
def test_chat_replies(body: bytes) -> None:
    read_replies("openai_chat", body)


@MANY
@given(spoiled(MESSAGES_REPLY))
@example(b'{"content":[{"type":"tool_use","input":null}]}')
@example(b'{"content":[],"usage":{"input_tokens":"many"},"stop_reason":5,"stop_sequence":5}')
def test_messages_replies(body: bytes) -> None:
    read_replies("anthropic_messages", body)


@pytest.mark.parametrize("name", DIALECTS)
def test_streams(name: str) -> None:
    @MANY
    @given(st.lists(spoiled(*CHUNKS), min_size=1, max_size=5))
    def check(bodies: list[bytes]) -> None:
        read_streams(name, *bodies)

    check()


@MANY
@given(spoiled(FAULT), st.sampled_from([200, 302, 400, 404, 429, 500, 503]), st.text(max_size=20))
def test_faults(body: bytes, status: int, value: str) -> None:
    read_envelope(body, 0)
    headers = (("retry-after", value), ("x-ratelimit-reset-tokens", value), ("x-ratelimit-limit-tokens", value))
    fault = read_fault(status, headers, body, 0)
    msgspec.convert(msgspec.to_builtins(fault), type(fault))
    read_quota(headers, 0)


@pytest.mark.parametrize("name", DIALECTS)
def test_any_fault_can_be_written(name: str) -> None:
    texts, waits = st.text(max_size=20), st.none() | st.floats() | st.integers(-5, 2**70).map(float)
    faults = st.builds(Fault, reason=st.sampled_from(FaultReason), status=st.none() | st.integers(-1, 999), code=texts,
                       message=texts, retry_after=waits)  # fmt: skip

    @MANY
    @given(faults)
    def check(fault: Fault) -> None:
        status, body = DIALECTS[name].write_fault(fault)
        assert 400 <= status < 600
        again = read_fault(status, (), body, 0)
        assert again.message == fault.message or not fault.message
        with pytest.raises(WireError):
            DIALECTS[name].read_reply(body)
        for stream in (DIALECTS[name].writer(Head(id="i", model="m")), DIALECTS[name].writer(Head(id="", model=""))):
            stream.feed(Broken(fault))

    check()


@pytest.mark.parametrize("name", DIALECTS)
def test_models(name: str) -> None:
    page = json.loads(DIALECTS[name].write_models(Models(("a", "b"))))

    @MANY
    @given(spoiled(page))
    def check(body: bytes) -> None:
        try:
            models = DIALECTS[name].read_models(body)
        except WireError:
            return
        assert all(isinstance(model, str) and model for model in models.ids)

    check()
    models = DIALECTS[name].read_models(json.dumps(page).encode())
    assert models.ids == ("a", "b")
    assert DIALECTS[name].read_models(DIALECTS[name].write_models(models)) == models


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("depth", [100, 850, 900, 950, 985, 990, 995, 1000, 1010, 50_000])
def test_deep_nesting(name: str, depth: int) -> None:
    dialect = DIALECTS[name]
    for body in deep(depth):
        assert read_envelope(body, 0) is None or read_fault(400, (), body, 0).status == 400
        feed = partial(dialect.reader().feed, Frame(data=body.decode()))
        asked = partial(dialect.read_ask, body, PATH)
        for read in (feed, asked, partial(dialect.read_reply, body), partial(dialect.read_models, body)):
            with suppress(WireError):
                read()


@MANY
@given(st.lists(st.binary(max_size=20), max_size=8))
def test_any_bytes_are_frames(chunks: list[bytes]) -> None:
    decoder = Decoder()
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)] + decoder.close()
    assert all(isinstance(frame, Frame) for frame in frames)
