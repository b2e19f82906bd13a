"""Covers mirror/server.py: what both official SDKs make of its lists and errors."""

from collections.abc import AsyncIterator

import aiohttp
import anthropic
import openai
import pytest
from openai.types import Model

ECHO = "Reply with exactly this and nothing else: 123456"
HEALTHY = "mirror/healthy"


@pytest.fixture
async def chat(mirror_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=mirror_url + "/v1", api_key="sk-1", max_retries=0) as client:
        yield client


@pytest.fixture
async def claude(mirror_url: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=mirror_url, api_key="sk-1", max_retries=0) as client:
        yield client


async def test_model_lists(
    chat: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic, mirror_url: str, session: aiohttp.ClientSession
) -> None:
    ours = [model.id async for model in chat.models.list()]
    theirs = [model.id async for model in claude.models.list()]
    assert ours == theirs and HEALTHY in ours and len(set(ours)) == len(ours)
    async with session.get(f"{mirror_url}/v1/models") as response:
        page = await response.json()
    assert page["object"] == "list" and all(Model.model_validate(each) for each in page["data"])
    async with session.get(f"{mirror_url}/v1/models", headers={"anthropic-version": "2023-06-01"}) as response:
        page = await response.json()
    assert page["has_more"] is False and page["first_id"] == ours[0] and page["last_id"] == ours[-1]


@pytest.mark.parametrize(
    ("model", "chat_error", "claude_error"),
    [
        ("mirror/absent", openai.NotFoundError, anthropic.NotFoundError),
        ("mirror/rate-limited", openai.RateLimitError, anthropic.RateLimitError),
        ("mirror/unauthorized", openai.AuthenticationError, anthropic.AuthenticationError),
        ("mirror/not-callable", openai.BadRequestError, anthropic.BadRequestError),
        ("mirror/overloaded", openai.InternalServerError, anthropic.InternalServerError),
    ],
)
async def test_errors(
    model: str,
    chat_error: type[openai.APIStatusError],
    claude_error: type[anthropic.APIStatusError],
    chat: openai.AsyncOpenAI,
    claude: anthropic.AsyncAnthropic,
) -> None:
    with pytest.raises(chat_error) as chat_caught:
        await chat.chat.completions.create(model=model, messages=[{"role": "user", "content": ECHO}])
    with pytest.raises(claude_error) as claude_caught:
        await claude.messages.create(model=model, max_tokens=9, messages=[{"role": "user", "content": ECHO}])
    if model == "mirror/rate-limited":
        assert chat_caught.value.response.headers["retry-after"] == "7"
        assert claude_caught.value.response.headers["retry-after"] == "7"
        assert chat_caught.value.code == "rate_limit_exceeded"


async def test_errors_in_a_stream(chat: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic) -> None:
    stream = await chat.chat.completions.create(
        model="mirror/stream-error", messages=[{"role": "user", "content": ECHO}], stream=True
    )
    with pytest.raises(openai.APIError, match="Overloaded"):
        async for _ in stream:
            pass
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        async with claude.messages.stream(
            model="mirror/stream-error", max_tokens=9, messages=[{"role": "user", "content": ECHO}]
        ) as events:
            await events.get_final_message()
