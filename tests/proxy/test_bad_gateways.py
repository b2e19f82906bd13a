"""Covers proxy/transport.py and proxy/exchange.py: whatever a gateway does, one Exchange says what it was."""

import json
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Gateway, Limits
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.fault import FaultReason as R
from llm_canaries.wire.message import Ask, Message, Text

LIMITS = Limits(connect=0.3, first_byte=0.3, idle=0.3, total=0.9, body=256 * 1024)
Serve = Callable[..., Awaitable[Any]]


def head(kind: str = "application/json", *more: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"content-type: {kind}", *more, "", "")
    return "\r\n".join(lines).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def frame(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    said = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def with_length(body: bytes, more: int = 0) -> str:
    return f"content-length: {len(body) + more}"


MESSAGE = {"role": "assistant", "content": "123"}
WHOLE = json.dumps(
    {"id": "1", "object": "chat.completion", "created": 1, "model": "m",
     "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}
).encode()
HELLO = frame({"role": "assistant", "content": "12"})
STREAM = HELLO + frame({"content": "3"}) + frame({}, "stop") + b"data: [DONE]\n\n"
SSE, CHUNKED, END = "text/event-stream", "transfer-encoding: chunked", b"0\r\n\r\n"
HTML = b"<!doctype html><html><body>Please sign in</body></html>"
HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
HALF = WHOLE[: len(WHOLE) // 2]


class Row(NamedTuple):
    """One way to be bad: what the server says, and the one word for it."""

    name: str
    script: tuple[bytes | float | str, ...]
    reason: R | None
    stream: bool = False


ROWS = (
    Row("closes without a word", (), R.CONNECTION_LOST),
    Row("resets without a word", ("reset",), R.CONNECTION_LOST),
    Row("accepts and never answers", ("hang",), R.FIRST_BYTE_TIMEOUT),
    Row("half a head, then nothing", (b"HTTP/1.1 200 OK\r\ncontent-", "hang"), R.FIRST_BYTE_TIMEOUT),
    Row("a head, then nothing", (head(SSE, CHUNKED), "hang"), R.FIRST_BYTE_TIMEOUT, stream=True),
    Row("a late head, then nothing", (0.2, head(SSE, CHUNKED), "hang"), R.FIRST_BYTE_TIMEOUT, stream=True),
    Row("stands still in a stream", (head(SSE, CHUNKED), chunk(HELLO), "hang"), R.IDLE_TIMEOUT, stream=True),
    Row("stands still in a body", (head("application/json", with_length(WHOLE)), HALF, "hang"), R.IDLE_TIMEOUT),
    Row("keep-alives for ever", (head(SSE), *(b": still here\n\n", 0.05) * 100), R.TOTAL_TIMEOUT, stream=True),
    Row("blank lines for ever", (head(), *(b"\n", 0.05) * 100), R.TOTAL_TIMEOUT),
    Row("continues for ever", (b"HTTP/1.1 100 Continue\r\n\r\n", 0.02) * 100, R.FIRST_BYTE_TIMEOUT),
    Row("ends a stream early", (head(SSE, CHUNKED), chunk(HELLO), END), R.TRUNCATED_STREAM, stream=True),
    Row("closes in a stream", (head(SSE, CHUNKED), chunk(HELLO)), R.TRUNCATED_STREAM, stream=True),
    Row("resets in a stream", (head(SSE, CHUNKED), chunk(HELLO), 0.1, "reset"), R.TRUNCATED_STREAM, stream=True),
    Row("closes in a frame", (head(SSE, CHUNKED), chunk(STREAM[:-40]), END), R.TRUNCATED_STREAM, stream=True),
    Row("no [DONE] and no finish", (head(SSE), HELLO), R.TRUNCATED_STREAM, stream=True),
    Row("half a body, too long a length", (head("application/json", with_length(HALF, 99)), HALF), R.CONNECTION_LOST),
    Row("half a body, its own length", (head("application/json", with_length(HALF)), HALF), R.MALFORMED_BODY),
    Row("half a body, no length", (head(), HALF), R.MALFORMED_BODY),
    Row("HTML with 200", (head("text/html", with_length(HTML)), HTML), R.HTML),
    Row("HTML as JSON", (head("application/json", with_length(HTML)), HTML), R.HTML),
    Row("HTML for a stream", (head("text/html", with_length(HTML)), HTML), R.HTML, stream=True),
    Row("HTML with 502", (head("text/html", with_length(HTML), status="502 Bad Gateway"), HTML), R.HTML),
    Row("an empty body", (head("application/json", "content-length: 0"),), R.EMPTY_BODY),
    Row("an empty stream", (head(SSE, CHUNKED), END), R.EMPTY_BODY, stream=True),
    Row("nothing but blank lines", (head(), b"\n\n\n"), R.EMPTY_BODY),
    Row("204", (b"HTTP/1.1 204 No Content\r\n\r\n",), R.EMPTY_BODY),
    Row("205 for a stream", (head(SSE, "content-length: 0", status="205 Reset Content"),), R.EMPTY_BODY, stream=True),
    Row("more than the limit", (head(), *(b"x" * 65536,) * 20), R.BODY_TOO_LARGE),
    Row("a stream beyond the limit", (head(SSE), *(b"data: " + b"x" * 65536,) * 20), R.BODY_TOO_LARGE, stream=True),
    Row("not HTTP at all", (b"SSH-2.0-OpenSSH_9.6\r\n",), R.MALFORMED_BODY),
    Row("binary noise", (bytes(range(256)) * 4,), R.MALFORMED_BODY),
    Row("a header of 100 kB", (head("application/json", "x-big: " + "x" * 100_000) + WHOLE,), R.MALFORMED_BODY),
    Row("a broken length", (head("application/json", "content-length: many") + WHOLE,), R.MALFORMED_BODY),
    Row("a negative length", (head("application/json", "content-length: -5") + WHOLE,), R.MALFORMED_BODY),
    Row("a chunk size of no number", (head(SSE, CHUNKED), b"zz\r\n" + HELLO), R.MALFORMED_BODY, stream=True),
    Row("a broken size later", (head(SSE, CHUNKED), chunk(HELLO), 0.05, b"zz\r\n\r\n"), R.MALFORMED_BODY, stream=True),
    Row("broken gzip", (head("application/json", "content-encoding: gzip", with_length(WHOLE)), WHOLE),
        R.MALFORMED_BODY),
    Row("an unknown encoding", (head("application/json", "content-encoding: rot13", with_length(WHOLE)), WHOLE), None),
    Row("not JSON in a stream", (head(SSE, CHUNKED), chunk(HELLO + b"data: {oops\n\n"), END), R.MALFORMED_BODY,
        stream=True),
    Row("JSON for a stream", (head("application/json", with_length(WHOLE)), WHOLE), R.NOT_A_STREAM, stream=True),
    Row("a stream for JSON", (head(SSE, CHUNKED), chunk(STREAM), END), R.UNEXPECTED_STREAM),
    Row("a redirect", (head("text/html", "location: /login", "content-length: 0", status="302 Found"),), R.NO_ROUTE),
    Row("an error with no words", (head("text/plain", "content-length: 0", status="500 Oops"),), R.UPSTREAM_ERROR),
    Row("an error that breaks off", (head("text/plain", "content-length: 9", status="500 Oops"), b"x"),
        R.CONNECTION_LOST),
    # odd, and well all the same
    Row("well", (head("application/json", with_length(WHOLE)), WHOLE), None),
    Row("well, streamed", (head(SSE, CHUNKED), chunk(STREAM), END), None, stream=True),
    Row("a continue first", (b"HTTP/1.1 100 Continue\r\n\r\n", head("application/json", with_length(WHOLE)), WHOLE),
        None),
    Row("early hints first", (HINTS, head(SSE, CHUNKED), chunk(STREAM), END), None, stream=True),
    Row("HTTP/1.0", (b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n", WHOLE), None),
    Row("blank lines before JSON", (head(), b"\n\n", 0.2, b"\n", WHOLE), None),
    Row("keep-alives before a stream", (head(SSE, CHUNKED), chunk(b": hold on\n\n"), 0.2, chunk(STREAM), END), None,
        stream=True),
    Row("a stream called JSON", (head("application/json", CHUNKED), chunk(STREAM), END), None, stream=True),
    Row("a body in slices", (head("application/json", with_length(WHOLE)), WHOLE[:9], 0.1, WHOLE[9:]), None),
)


def gateway_of(
    kind: str, session: aiohttp.ClientSession, url: str, clock: Clock, limits: Limits = LIMITS
) -> Gateway:
    """A deployed gateway, or an embedded core whose provider speaks `kind`."""
    transport = Transport(session, url, limits)
    if kind == "deployed":
        return Deployed(transport, "sk-secret", {})
    provider = Provider(name="p", url=url, dialects=(kind,), limits=limits)
    return Core([provider], {"p": transport}, {"p": "sk-secret"}, clock)


def sending(dialect: str, stream: bool) -> Send:
    turn = Message("user", (Text("hello"),))
    ask = Ask(dialect=dialect, model="m", messages=(turn,), stream=stream, include_usage=True, max_tokens=100)
    return Send(ask=ask, dialect=dialect, stream=stream)


def written(send: Send) -> bytes:
    assert isinstance(send.ask, Ask)
    return DIALECTS[send.dialect].write_ask(send.ask, send.profile).body


@pytest.mark.parametrize("kind", ["deployed", "openai_chat"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_one_exchange(row: Row, kind: str, serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    server = await serve(row.script)
    gateway = gateway_of(kind, session, f"http://127.0.0.1:{server.port}", clock)
    send = sending("openai_chat", row.stream)
    got = await exchange(gateway, send, clock=clock)
    assert (got.fault.reason if got.fault else None) == row.reason, got.fault
    assert got.duration < LIMITS.total + 0.5
    assert len(got.body) <= LIMITS.body
    assert got.sent == written(send), "what was sent is known whatever came back"
    assert kind == "deployed" or [each.provider for each in got.attempts] == ["p"]
    if got.fault is None:
        assert got.reply is not None and got.reply.text == "123"
    else:
        assert "0x" not in got.fault.message and "sk-secret" not in got.fault.message


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_translated(row: Row, serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    """A Messages client of a chat provider hears the same; a stream under another name cannot be translated."""
    server = await serve(row.script)
    gateway = gateway_of("openai_chat", session, f"http://127.0.0.1:{server.port}", clock)
    got = await exchange(gateway, sending("anthropic_messages", row.stream), clock=clock)
    expected = R.EMPTY_BODY if row.name == "a stream called JSON" else row.reason
    assert (got.fault.reason if got.fault else None) == expected, got.fault
    assert got.duration < LIMITS.total + 0.5


class Flood(NamedTuple):
    """Far more than fits: `slices` of `data`."""

    headers: dict[str, str]
    data: bytes
    slices: int
    stream: bool


def bomb() -> bytes:
    """1 GB of zeros, in about 1 MB of gzip: 16 members of 64 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(2**20)
    return (b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()) * 16


JSON = {"content-type": "application/json"}
FLOODS = {
    "a body": lambda: Flood(JSON, b"x" * 65536, 800, False),
    "a stream of comments": lambda: Flood({"content-type": SSE}, b": " + b"x" * 65533 + b"\n", 800, True),
    "a gzip bomb": lambda: Flood(JSON | {"content-encoding": "gzip"}, bomb(), 1, False),
}


@pytest.mark.parametrize("kind", ["deployed", "openai_chat", "anthropic_messages"])
@pytest.mark.parametrize("name", FLOODS)
async def test_bounded_memory(name: str, kind: str, session: aiohttp.ClientSession, clock: Clock) -> None:
    flood = FLOODS[name]()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=flood.headers)
        await response.prepare(request)
        for _ in range(flood.slices):
            await response.write(flood.data)
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    limit = 2 * 2**20
    limits = Limits(connect=1, first_byte=5, idle=5, total=10, body=limit)
    async with TestServer(app) as server:
        gateway = gateway_of(kind, session, str(server.make_url("")), clock, limits)
        tracemalloc.start()
        try:
            got = await exchange(gateway, sending("openai_chat", flood.stream), clock=clock)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert got.fault is not None and got.fault.reason is R.BODY_TOO_LARGE
    assert got.cut and len(got.body) <= limit
    assert peak < (4 if flood.stream else 3) * limit, f"{peak / limit:.1f} times the limit"
