"""Covers proxy/transport.py, the request side: what is sent, to whom, and what is never sent."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import aiohttp
import pytest

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.message import Ask, Message, Text

LIMITS = Limits(connect=1, first_byte=1, idle=1, total=2)
Serve = Callable[..., Awaitable[Any]]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: id=7\r\ncontent-length: 2\r\n\r\n{}"


def sending(dialect: str = "openai_chat", **headers: str) -> Send:
    ask = Ask(dialect=dialect, model="m", messages=(Message("user", (Text("hello"),)),), max_tokens=9)
    return Send(ask=ask, dialect=dialect, headers=headers)


def fields(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode().split("\r\n")[1:-2]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


@pytest.mark.parametrize(
    ("dialect", "path", "auth"),
    [
        ("openai_chat", "/v1/chat/completions", {"authorization": "Bearer sk-1"}),
        ("anthropic_messages", "/v1/messages", {"x-api-key": "sk-1", "anthropic-version": "2023-06-01"}),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
async def test_what_is_sent(
    dialect: str, path: str, auth: dict[str, str], raw: bool, serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    server = await serve((OK,))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "sk-1", {"x-team": "blue"})
    send = Send(ask=b'{"model":"m"}', dialect=dialect) if raw else sending(dialect, **{"x-once": "now"})
    got = await exchange(gateway, send, clock=clock)
    (head,) = server.requests
    sent = dict(fields(head))
    assert head.startswith(f"POST {path} HTTP/1.1\r\n".encode())
    assert sent["user-agent"] == f"llm-canaries/{version('llm-canaries')} (canary)"
    assert sent["x-team"] == "blue"
    assert sent["content-type"] == "application/json"
    assert sent["accept-encoding"] == "identity"
    assert int(sent["content-length"]) == len(got.sent)
    assert {name: sent[name] for name in auth} == auth
    assert ("authorization" in sent) != ("x-api-key" in sent), "one kind of key, not both"
    assert raw or sent["x-once"] == "now"


async def test_no_key_no_header(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    server = await serve((OK,))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    await exchange(gateway, sending(), clock=clock)
    assert not {"authorization", "x-api-key"} & {name for name, _ in fields(server.requests[0])}


async def test_configured_headers_replace_our_own(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    """Some gateways let only certain clients in, or want another kind of key."""
    server = await serve((OK,))
    own = {"User-Agent": "claude-cli/1.0", "Authorization": "Basic Zm9v"}
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "sk-1", own)
    await exchange(gateway, sending(), clock=clock)
    sent = fields(server.requests[0])
    assert [value for name, value in sent if name == "user-agent"] == ["claude-cli/1.0"]
    assert [value for name, value in sent if name == "authorization"] == ["Basic Zm9v"]


async def test_no_cookies_kept(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    server = await serve((OK,))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    first = await exchange(gateway, sending(), clock=clock)
    await exchange(gateway, sending(), clock=clock)
    assert ("Set-Cookie", "id=7") in first.headers
    assert len(server.requests) == 2
    assert all(name != "cookie" for head in server.requests for name, _ in fields(head))


async def test_no_proxy_from_the_environment(
    serve: Serve, clock: Clock, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = await serve((OK,))
    async with new_session() as session:
        gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
        got = await exchange(gateway, sending(), clock=clock)
    assert got.status == 200 and len(server.requests) == 1


async def test_every_ask_has_its_own_connection(
    serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """A server that closes without saying so (or whose keep-alive is over) is no fault of the next ask."""
    server = await serve((OK,))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    for _ in range(20):
        got = await exchange(gateway, sending(), clock=clock)
        assert got.status == 200
    assert ("connection", "close") in fields(server.requests[0])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["deployed", "embedded"])
async def test_no_redirects(
    status: int, kind: str, serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """Whoever is redirected to gets neither the ask nor the key."""
    other = await serve((OK,))
    target = f"http://localhost:{other.port}/v1/chat/completions?token=t0p"
    moved = f"HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode()
    server = await serve((moved,))
    url = f"http://127.0.0.1:{server.port}"
    transport = Transport(session, url, LIMITS)
    gateway = (
        Deployed(transport, "sk-secret", {})
        if kind == "deployed"
        else Core([Provider(name="p", url=url)], {"p": transport}, {"p": "sk-secret"}, clock)
    )
    got = await exchange(gateway, sending(), clock=clock)
    assert got.fault is not None and got.fault.reason is FaultReason.NO_ROUTE
    assert "t0p" not in got.fault.message
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.fault is not None
    assert other.requests == []


async def test_no_retries(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    """A 503 or a lost connection is asked once."""
    for script in ((b"HTTP/1.1 503 No\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",), ("reset",)):
        server = await serve(script)
        gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
        got = await exchange(gateway, sending(), clock=clock)
        assert got.fault is not None
        assert len(server.requests) == 1


async def test_connections_are_not_bounded(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    """Callers bound what is in flight: nobody waits for a connection inside a measured time."""
    server = await serve((0.2, OK))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    all_got = await asyncio.gather(*(exchange(gateway, sending(), clock=clock) for _ in range(150)))
    assert all(got.status == 200 for got in all_got)
    assert max(got.duration for got in all_got) < 1.5
