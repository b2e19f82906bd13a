"""Asks in four dialects, and providers that say what they are told."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

PROVIDER_KEY = "sk-provider-0123456789"

ASKS: dict[str, tuple[str, dict[str, Any]]] = {  # by dialect: path and body of "What is 6 times 7?"
    "openai_chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "What is 6 times 7?"}]}),
    "openai_responses": ("/v1/responses", {"input": "What is 6 times 7?"}),
    "anthropic_messages": (
        "/v1/messages",
        {"max_tokens": 99, "messages": [{"role": "user", "content": "What is 6 times 7?"}]},
    ),
    "gemini": (
        "/v1beta/models/{model}:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "What is 6 times 7?"}]}]},
    ),
}


def asking(dialect: str, model: str, *, stream: bool = False) -> tuple[str, dict[str, Any]]:
    """Path and body of an ask for `model`."""
    path, body = ASKS[dialect]
    if dialect == "gemini":
        path = path.format(model=model)
        return (path.replace("generateContent", "streamGenerateContent?alt=sse") if stream else path), body
    return path, body | {"model": model} | ({"stream": True} if stream else {})


@asynccontextmanager
async def serving_one(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server with one answer, cancelled when its client hangs up."""
    server = web.Server(handler, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Echo:
    """A provider that remembers what it was sent, and sends headers of every sort."""

    answer = b'{ "id":"1", "choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":2} }'

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(request.headers)
        said = {
            "x-request-id": "r1",
            "x-ratelimit-remaining-requests": "9",
            "retry-after": "3",
            "set-cookie": "session=secret",
            "x-internal-host": "10.0.0.1",
            "alt-svc": "h3",
        }
        return web.Response(body=self.answer, content_type="application/json", headers=said)
