"""Covers mirror/server.py and wire/openai_chat: the official SDK understands the mirror, strictly."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionToolParam

from llm_canaries.wire import png
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.sse import Decoder

ECHO = "Reply with exactly this and nothing else: 123456"
SHOWN = "Reply with only the number shown in the image."
HEALTHY = "mirror/healthy"
CHAT_TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("red", "blue")
]


@pytest.fixture
async def chat(mirror_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=mirror_url + "/v1", api_key="sk-1", max_retries=0) as client:
        yield client


def picture(number: str, draw: Draw) -> str:
    return b64encode(png.draw_number(number, draw)).decode()


def chat_image(number: str, draw: Draw) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture(number, draw)}"}}


async def post(session: aiohttp.ClientSession, url: str, body: dict[str, Any], **headers: str) -> bytes:
    async with session.post(url, json=body, headers=headers) as response:
        assert response.status == 200
        return await response.read()


CHAT_ASKS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": ECHO}]},
    {"messages": [{"role": "user", "content": ECHO}], "reasoning_effort": "low"},
    {"messages": [{"role": "user", "content": "call red and blue"}], "tools": CHAT_TOOLS},
    {"messages": [{"role": "user", "content": ECHO}], "max_completion_tokens": 1},
]


@pytest.mark.parametrize("ask", CHAT_ASKS)
async def test_chat_body_is_whole(ask: dict[str, Any], mirror_url: str, session: aiohttp.ClientSession) -> None:
    """Parsed by the SDK's own types, which miss a required field where the client would forgive it."""
    raw = await post(session, f"{mirror_url}/v1/chat/completions", {"model": HEALTHY, **ask})
    answer = ChatCompletion.model_validate_json(raw)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("ask", CHAT_ASKS)
async def test_chat_chunks_are_whole(ask: dict[str, Any], mirror_url: str, session: aiohttp.ClientSession) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    raw = await post(session, f"{mirror_url}/v1/chat/completions", {"model": HEALTHY, **ask, **options})
    frames = Decoder().feed(raw)
    assert frames[-1].data == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(frame.data) for frame in frames[:-1]]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == [], "the usage has a chunk of its own"
    assert sum(1 for chunk in chunks for choice in chunk.choices if choice.finish_reason) == 1


async def test_chat(chat: openai.AsyncOpenAI) -> None:
    answer = await chat.chat.completions.create(model=HEALTHY, messages=[{"role": "user", "content": ECHO}])
    assert answer.choices[0].message.content == "123456"
    assert answer.choices[0].finish_reason == "stop" and answer.model == HEALTHY


async def test_chat_stream_helper(chat: openai.AsyncOpenAI) -> None:
    async with chat.chat.completions.stream(
        model=HEALTHY,
        messages=[{"role": "user", "content": ECHO}],
        reasoning_effort="low",
        stream_options={"include_usage": True},
    ) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        answer = await stream.get_final_completion()
    assert len(deltas) > 1 and "".join(deltas) == "123456"
    assert answer.choices[0].message.content == "123456"
    assert answer.usage is not None and answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 200


async def test_chat_stream_without_usage(chat: openai.AsyncOpenAI) -> None:
    stream = await chat.chat.completions.create(
        model=HEALTHY, messages=[{"role": "user", "content": ECHO}], stream=True
    )
    assert all([chunk.usage is None async for chunk in stream]), "nobody asked for it"


@pytest.mark.parametrize("prompt", ["call red", "call the tool blue", "call red and blue"])
async def test_chat_tools(prompt: str, chat: openai.AsyncOpenAI) -> None:
    wanted = [name for name in ("red", "blue") if name in prompt]
    whole = await chat.chat.completions.create(
        model=HEALTHY, messages=[{"role": "user", "content": prompt}], tools=CHAT_TOOLS
    )
    async with chat.chat.completions.stream(
        model=HEALTHY, messages=[{"role": "user", "content": prompt}], tools=CHAT_TOOLS
    ) as stream:
        streamed = await stream.get_final_completion()
    for choice in (whole.choices[0], streamed.choices[0]):
        calls = choice.message.tool_calls or []
        assert [call.function.name for call in calls if call.type == "function"] == wanted
        assert [call.function.arguments for call in calls if call.type == "function"] == ["{}"] * len(wanted)
        assert choice.finish_reason == "tool_calls"


async def test_chat_tool_choice(chat: openai.AsyncOpenAI) -> None:
    answer = await chat.chat.completions.create(
        model=HEALTHY,
        messages=[{"role": "user", "content": "hello"}],
        tools=CHAT_TOOLS,
        tool_choice={"type": "function", "function": {"name": "blue"}},
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function" and call.function.name == "blue"


@pytest.mark.parametrize("where", ["user", "tool"])
async def test_chat_images(where: str, chat: openai.AsyncOpenAI, draw: Draw) -> None:
    image = chat_image("90817", draw)
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": SHOWN}]}]
    if where == "user":
        messages[0]["content"].append(image)
    else:
        call = {"id": "call_1", "type": "function", "function": {"name": "red", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "here"}, image]},
        ]
    answer = await chat.chat.completions.create(model=HEALTHY, messages=messages, tools=CHAT_TOOLS)
    assert answer.choices[0].message.content == "90817"
