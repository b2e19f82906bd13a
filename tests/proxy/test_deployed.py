"""Covers proxy/deployed.py: paths, keys, and what is sent as it is."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.json import encode
from llm_canaries.wire.message import Ask, Message, Text

LIMITS = Limits(connect=1, first_byte=1, idle=1, total=2)
TURN = Message("user", (Text("Reply with exactly this and nothing else: 123"),))


Serve = Callable[..., Awaitable[Any]]


def said(status: str, body: object, *more: str) -> bytes:
    data = encode(body)
    lines = (f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(data)}", *more, "", "")
    return "\r\n".join(lines).encode() + data


def sending(dialect: str, **more: object) -> Send:
    ask = Ask(dialect=dialect, model="mirror/healthy", messages=(TURN,), max_tokens=64)
    return Send(ask=ask, dialect=dialect, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
async def test_base_url(
    tail: str, dialect: str, mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """People write base URLs as OpenAI's clients want them and as Anthropic's do."""
    gateway = Deployed(Transport(session, mirror_url + tail, LIMITS), "sk-1", {})
    got = await exchange(gateway, sending(dialect), clock=clock)
    assert got.fault is None and got.reply is not None and got.reply.text == "123"
    assert got.attempts == ()
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.fault is None and b'"object":"list"' in page.body


@pytest.mark.parametrize("prefix", ["/gateway", "/a/b"])
async def test_path_before_the_api(
    prefix: str, serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    server = await serve((said("401 Unauthorized", {"error": "bad key"}),))
    url = f"http://127.0.0.1:{server.port}{prefix}/v1"
    got = await exchange(Deployed(Transport(session, url, LIMITS), "", {}), sending("openai_chat"), clock=clock)
    assert got.fault is not None and got.fault.reason is FaultReason.AUTH
    (head,) = server.requests
    assert head.startswith(f"POST {prefix}/v1/chat/completions HTTP/1.1\r\n".encode())


async def test_pages_are_asked_for_with_a_bearer_key(
    serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """Anthropic's headers would change the form of the list."""
    server = await serve((said("200 OK", {"object": "list", "data": []}),))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "sk-1", {"x-team": "blue"})
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.status == 200 and page.fault is None
    (head,) = server.requests
    line, *lines = head.decode().lower().split("\r\n")
    assert line == "get /v1/models http/1.1"
    assert "authorization: bearer sk-1" in lines and "x-team: blue" in lines
    assert not [each for each in lines if each.startswith(("x-api-key", "anthropic-version"))]


async def test_retry_after_is_read(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    server = await serve((said("429 Too Many Requests", error, "retry-after: 7"),))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    got = await exchange(gateway, sending("anthropic_messages"), clock=clock)
    assert got.fault is not None and got.fault.reason is FaultReason.RATE_LIMITED and got.fault.retry_after == 7


async def test_bytes_are_sent_as_they_are(
    mirror: Mirror, mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    mark = "cnry-abcdefghij"
    raw = b'{ "model":"mirror/healthy",\n\t"unknown" : 1.50,"messages":[{"role":"user","content":"%s"}] }'
    raw %= mark.encode()
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    got = await exchange(gateway, Send(ask=raw, dialect="openai_chat"), clock=clock)
    assert got.fault is None and got.sent == raw
    (seen,) = mirror.desk.records.of(mark)
    assert seen.body == raw


async def test_losses_of_our_own_writing_are_told(
    mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """An ask in another dialect's words loses some; a deployed gateway's own losses are not known."""
    ask = Ask(dialect="openai_chat", model="mirror/healthy", messages=(TURN,), extra={"seed": 1})
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    got = await exchange(gateway, Send(ask=ask, dialect="anthropic_messages"), clock=clock)
    assert {loss.what for loss in got.losses} >= {"field seed"}
