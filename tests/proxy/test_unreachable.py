"""Covers proxy/transport.py: names, addresses and TLS that lead nowhere."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.test_utils import TestServer

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.fault import FaultReason as R
from llm_canaries.wire.message import Ask, Message, Text

LIMITS = Limits(connect=0.3, first_byte=0.3, idle=0.3, total=0.9, body=256 * 1024)
AskUrl = Callable[..., Awaitable[Exchange]]
Serve = Callable[..., Awaitable[Any]]


def head(kind: str = "application/json", *more: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"content-type: {kind}", *more, "", "")
    return "\r\n".join(lines).encode()


def with_length(body: bytes, more: int = 0) -> str:
    return f"content-length: {len(body) + more}"


MESSAGE = {"role": "assistant", "content": "123"}
WHOLE = json.dumps(
    {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
     "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}
).encode()


def sending(dialect: str, stream: bool) -> Send:
    turn = Message("user", (Text("hello"),))
    ask = Ask(dialect=dialect, model="m", messages=(turn,), stream=stream, include_usage=True, max_tokens=100)
    return Send(ask=ask, dialect=dialect, stream=stream)


async def test_refused_connection(ask_url: AskUrl, free_port: int) -> None:
    got = await ask_url(f"http://127.0.0.1:{free_port}", LIMITS)
    assert got.fault is not None and got.fault.reason is R.CONNECT
    assert got.status is None and got.body == b""
    assert f"127.0.0.1:{free_port}" in got.fault.message


@pytest.mark.parametrize(
    "url",
    ["http://nowhere.invalid", "http://" + "a" * 70 + ".invalid", "http://a..b", "http://[::1", "ftp://x", "no url"],
)
async def test_address_that_is_none(ask_url: AskUrl, url: str) -> None:
    got = await ask_url(url, LIMITS)
    assert got.fault is not None and got.fault.reason is R.CONNECT


async def test_key_with_a_line_end(ask_url: AskUrl, serve: Serve) -> None:
    """It cannot be sent, and is not told either."""
    server = await serve((head("application/json", with_length(WHOLE)), WHOLE))
    got = await ask_url(f"http://127.0.0.1:{server.port}", LIMITS, key="sk-secret\nx")
    assert got.fault is not None and got.fault.reason is R.CONNECT
    assert "sk-secret" not in got.fault.message


async def test_slow_resolver(clock: Clock) -> None:
    """Resolving a name is part of connecting."""

    class Slow(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
            await asyncio.sleep(3600)
            return []

        async def close(self) -> None:
            """Nothing is held."""

    limits = Limits(connect=0.2, first_byte=2, idle=1, total=3)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Slow())) as session:
        gateway = Deployed(Transport(session, "http://nowhere.invalid", limits), "", {})
        got = await exchange(gateway, sending("openai_chat", False), clock=clock)
    assert got.fault is not None and got.fault.reason is R.CONNECT_TIMEOUT
    assert got.duration < 1


async def test_untrusted_certificate(ask_url: AskUrl, serve: Serve, untrusted_tls: ssl.SSLContext) -> None:
    server = await serve((head(),), tls=untrusted_tls)
    got = await ask_url(f"https://127.0.0.1:{server.port}", LIMITS)
    assert got.fault is not None and got.fault.reason is R.TLS
    assert "certificate" in got.fault.message
    assert server.requests == [], "nothing was told to a stranger"


async def test_https_to_a_web_server(ask_url: AskUrl) -> None:
    """One that answers a TLS greeting with a plain 400, as web servers do."""
    async with TestServer(web.Application()) as server:
        got = await ask_url(f"https://127.0.0.1:{server.port}", LIMITS)
    assert got.fault is not None and got.fault.reason is R.TLS


async def test_http_to_tls(ask_url: AskUrl, serve: Serve, untrusted_tls: ssl.SSLContext) -> None:
    server = await serve((head(),), tls=untrusted_tls)
    got = await ask_url(f"http://127.0.0.1:{server.port}", LIMITS)
    assert got.fault is not None and got.fault.reason in (R.CONNECTION_LOST, R.MALFORMED_BODY)


async def test_tls_that_never_shakes_hands(ask_url: AskUrl, serve: Serve) -> None:
    server = await serve(("hang",))
    got = await ask_url(f"https://127.0.0.1:{server.port}", Limits(connect=0.3, first_byte=1, idle=1, total=2))
    assert got.fault is not None and got.fault.reason is R.CONNECT_TIMEOUT
