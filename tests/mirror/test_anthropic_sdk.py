"""Covers mirror/server.py and wire/anthropic_messages: the official SDK understands the mirror, strictly."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anthropic
import pytest
from anthropic.types import (
    ImageBlockParam,
    Message,
    MessageParam,
    ModelInfo,
    RawMessageDeltaEvent,
    RawMessageStreamEvent,
    ThinkingBlock,
    ToolParam,
    ToolUseBlock,
)
from pydantic import TypeAdapter

from llm_canaries.wire import png
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.sse import Decoder

ECHO = "Reply with exactly this and nothing else: 123456"
SHOWN = "Reply with only the number shown in the image."
HEALTHY = "mirror/healthy"
TOOLS: list[ToolParam] = [{"name": name, "input_schema": {"type": "object"}} for name in ("red", "blue")]


@pytest.fixture
async def claude(mirror_url: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=mirror_url, api_key="sk-1", max_retries=0) as client:
        yield client


def picture(number: str, draw: Draw) -> str:
    return b64encode(png.draw_number(number, draw)).decode()


def claude_image(number: str, draw: Draw) -> ImageBlockParam:
    source = {"type": "base64", "media_type": "image/png", "data": picture(number, draw)}
    return {"type": "image", "source": source}  # type: ignore[typeddict-item]


async def post(session: aiohttp.ClientSession, url: str, body: dict[str, Any], **headers: str) -> bytes:
    async with session.post(url, json=body, headers=headers) as response:
        assert response.status == 200
        return await response.read()


CLAUDE_ASKS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": ECHO}]},
    {"messages": [{"role": "user", "content": ECHO}], "thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"messages": [{"role": "user", "content": "call red and blue"}], "tools": TOOLS},
    {"messages": [{"role": "user", "content": ECHO}], "max_tokens": 1},
]


@pytest.mark.parametrize("ask", CLAUDE_ASKS)
async def test_message_is_whole(ask: dict[str, Any], mirror_url: str, session: aiohttp.ClientSession) -> None:
    body = {"model": HEALTHY, "max_tokens": 3000, **ask}
    raw = await post(session, f"{mirror_url}/v1/messages", body, **{"anthropic-version": "2023-06-01"})
    answer = Message.model_validate_json(raw)
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


@pytest.mark.parametrize("ask", CLAUDE_ASKS)
async def test_message_events_are_whole(ask: dict[str, Any], mirror_url: str, session: aiohttp.ClientSession) -> None:
    body = {"model": HEALTHY, "max_tokens": 3000, "stream": True, **ask}
    raw = await post(session, f"{mirror_url}/v1/messages", body, **{"anthropic-version": "2023-06-01"})
    events: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
    frames = Decoder().feed(raw)
    said = [events.validate_json(frame.data) for frame in frames]
    assert [frame.event for frame in frames] == [event.type for event in said]
    assert said[0].type == "message_start" and said[-1].type == "message_stop"
    (delta,) = [event for event in said if isinstance(event, RawMessageDeltaEvent)]
    assert delta.delta.stop_reason is not None and delta.usage.output_tokens > 0


async def test_claude(claude: anthropic.AsyncAnthropic) -> None:
    answer = await claude.messages.create(
        model=HEALTHY, max_tokens=100, system="Be brief.", messages=[{"role": "user", "content": ECHO}]
    )
    assert answer.content[0].type == "text" and answer.content[0].text == "123456"
    assert answer.stop_reason == "end_turn" and answer.model == HEALTHY


@pytest.mark.parametrize("budget", [1024, 2048])
async def test_claude_thinking(budget: int, claude: anthropic.AsyncAnthropic) -> None:
    ask: dict[str, Any] = {
        "model": HEALTHY,
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": budget},
        "messages": [{"role": "user", "content": ECHO}],
    }
    whole = await claude.messages.create(**ask)
    async with claude.messages.stream(**ask) as stream:
        streamed = await stream.get_final_message()
    assert [block.type for block in streamed.content] == [block.type for block in whole.content]
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    for answer in (whole, streamed):
        thought, text = answer.content
        assert isinstance(thought, ThinkingBlock) and thought.thinking and thought.signature
        assert text.type == "text" and text.text == "123456"
        assert 0.6 * budget <= answer.usage.output_tokens <= budget


async def test_claude_thoughts_go_back(claude: anthropic.AsyncAnthropic) -> None:
    """A turn with thinking and a call is taken back as it was said, and answered."""
    first: list[MessageParam] = [{"role": "user", "content": "call red"}]
    asked = await claude.messages.create(
        model=HEALTHY, max_tokens=3000, tools=TOOLS, messages=first, thinking={"type": "enabled", "budget_tokens": 1024}
    )
    call = asked.content[-1]
    assert isinstance(call, ToolUseBlock) and asked.stop_reason == "tool_use"
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "is_error": True, "content": "no such file"}
    answer = await claude.messages.create(
        model=HEALTHY,
        max_tokens=3000,
        tools=TOOLS,
        messages=[
            *first,
            {"role": "assistant", "content": asked.content},
            {"role": "user", "content": [result, {"type": "text", "text": ECHO}]},
        ],
    )
    assert answer.content[-1].type == "text" and answer.content[-1].text == "123456"


@pytest.mark.parametrize("prompt", ["call red", "call red and blue"])
async def test_claude_tools(prompt: str, claude: anthropic.AsyncAnthropic) -> None:
    wanted = [name for name in ("red", "blue") if name in prompt]
    turns: list[MessageParam] = [{"role": "user", "content": prompt}]
    whole = await claude.messages.create(model=HEALTHY, max_tokens=100, messages=turns, tools=TOOLS)
    async with claude.messages.stream(model=HEALTHY, max_tokens=100, messages=turns, tools=TOOLS) as stream:
        streamed = await stream.get_final_message()
    for answer in (whole, streamed):
        calls = [block for block in answer.content if isinstance(block, ToolUseBlock)]
        assert [call.name for call in calls] == wanted and [call.input for call in calls] == [{}] * len(wanted)
        assert answer.stop_reason == "tool_use"


@pytest.mark.parametrize("where", ["user", "tool"])
async def test_claude_images(where: str, claude: anthropic.AsyncAnthropic, draw: Draw) -> None:
    image = claude_image("52704", draw)
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": SHOWN}]}]
    if where == "user":
        messages[0]["content"].append(image)
    else:
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "x"}, image]}
        messages += [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "red", "input": {}}]},
            {"role": "user", "content": [result]},
        ]
    answer = await claude.messages.create(model=HEALTHY, max_tokens=100, messages=messages, tools=TOOLS)
    assert answer.content[0].type == "text" and answer.content[0].text == "52704"


async def test_claude_model_list_is_whole(mirror_url: str, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{mirror_url}/v1/models", headers={"anthropic-version": "2023-06-01"}) as response:
        page = await response.json()
    assert all(ModelInfo.model_validate(each) for each in page["data"])
