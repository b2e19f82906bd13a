"""Covers proxy/transport.py and proxy/exchange.py: whatever a gateway does, one Exchange says what, within its limits."""

import asyncio
import json
import ssl
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp
import pytest

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Gateway, Limits
from llm_canaries.proxy.routes import Provider
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
HALF = WHOLE[: len(WHOLE) // 2]


class Row(NamedTuple):
    """One way to be bad: what the server says, and the one word for it."""

    name: str
    script: tuple[bytes | float | str, ...]
    reason: R | None
    stream: bool = False
    repeat: int = 1


ROWS = (
    Row("closes without a word", (), R.CONNECTION_LOST),
    Row("resets without a word", ("reset",), R.CONNECTION_LOST),
    Row("accepts and never answers", ("hang",), R.FIRST_BYTE_TIMEOUT),
    Row("half a head, then nothing", (b"HTTP/1.1 200 OK\r\ncontent-", "hang"), R.FIRST_BYTE_TIMEOUT),
    Row("a head, then nothing", (head(SSE, CHUNKED), "hang"), R.FIRST_BYTE_TIMEOUT, stream=True),
    Row("a late head, then nothing", (0.2, head(SSE, CHUNKED), "hang"), R.FIRST_BYTE_TIMEOUT, stream=True),
    Row("stands still in a stream", (head(SSE, CHUNKED), chunk(HELLO), "hang"), R.IDLE_TIMEOUT, stream=True),
    Row("stands still in a body", (head("application/json", with_length(WHOLE)), HALF, "hang"), R.IDLE_TIMEOUT),
    Row("keep-alives for ever", (b": still here\n\n", 0.05), R.TOTAL_TIMEOUT, stream=True, repeat=100),
    Row("blank lines for ever", (b"\n", 0.05), R.TOTAL_TIMEOUT, repeat=100),
    Row("continues for ever", (b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), R.FIRST_BYTE_TIMEOUT, repeat=100),
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
    Row("more than the limit", (head(CHUNKED) + b"", b"x" * 65536), R.BODY_TOO_LARGE, repeat=20),
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
    Row("early hints first", (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", head(SSE, CHUNKED), chunk(STREAM), END),
        None, stream=True),
    Row("HTTP/1.0", (b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n", WHOLE), None),
    Row("blank lines before JSON", (head(), b"\n\n", 0.2, b"\n", WHOLE), None),
    Row("keep-alives before a stream", (head(SSE, CHUNKED), chunk(b": hold on\n\n"), 0.2, chunk(STREAM), END), None,
        stream=True),
    Row("a stream called JSON", (head("application/json", CHUNKED), chunk(STREAM), END), None, stream=True),
    Row("a body in slices", (head("application/json", with_length(WHOLE)), WHOLE[:9], 0.1, WHOLE[9:]), None),
)


def gateway_of(kind: str, session: aiohttp.ClientSession, url: str, clock: Clock) -> Gateway:
    transport = Transport(session, url, LIMITS)
    if kind == "deployed":
        return Deployed(transport, "sk-secret", {})
    provider = Provider(name="p", url=url, dialects=("openai_chat",), limits=LIMITS)
    return Core([provider], {"p": transport}, {"p": "sk-secret"}, clock)


def sending(dialect: str, stream: bool) -> Send:
    turn = Message("user", (Text("hello"),))
    ask = Ask(dialect=dialect, model="m", messages=(turn,), stream=stream, include_usage=True, max_tokens=100)
    return Send(ask=ask, dialect=dialect, stream=stream)


def script_of(row: Row) -> tuple[tuple[bytes | float | str, ...], int]:
    """Rows that repeat open with a head once."""
    if row.reason is R.TOTAL_TIMEOUT:
        return (head(SSE if row.stream else "application/json"), *(row.script * row.repeat)), 1
    if row.reason is R.BODY_TOO_LARGE:
        return (head(), *(row.script[1:] * row.repeat)), 1
    return row.script, row.repeat


@pytest.mark.parametrize("kind", ["deployed", "embedded"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_one_exchange(row: Row, kind: str, serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    script, repeat = script_of(row)
    server = await serve(script, repeat=repeat)
    gateway = gateway_of(kind, session, f"http://127.0.0.1:{server.port}", clock)
    got = await exchange(gateway, sending("openai_chat", row.stream), clock=clock)
    assert (got.fault.reason if got.fault else None) == row.reason, got.fault
    assert got.duration < LIMITS.total + 0.5
    assert len(got.body) <= LIMITS.body
    assert got.sent == server_body(got), "what was sent is known whatever came back"
    if row.reason is None:
        assert got.reply is not None and got.reply.text == "123"
    else:
        assert got.fault is not None and "0x" not in got.fault.message and "sk-secret" not in got.fault.message


def server_body(got: Exchange) -> bytes:
    from llm_canaries.wire.dialects import DIALECTS

    assert isinstance(got.send.ask, Ask)
    return DIALECTS[got.send.dialect].write_ask(got.send.ask, got.send.profile).body
