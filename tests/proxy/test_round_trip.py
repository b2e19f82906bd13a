"""Covers proxy/round_trip.py: what a request looks like on the wire, and when its connection carries another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.round_trip import Peer
from llm_canaries.proxy.transport import Transport, new_session

LIMITS = Limits(connect=2, first_byte=5, idle=5, total=9)
TIMEOUT, GW = aiohttp.ClientTimeout(total=None), URL("http://gw")
AGENT = "llm-canaries/1 (test)"
BIG = bytes(range(256)) * 16 * 1024  # 4 MiB, more than sockets hold
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def of_head(head: bytes) -> tuple[str, dict[str, str]]:
    line, *fields = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    return line, dict(field.split(": ", 1) for field in fields)


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://127.0.0.1:8317/v1/messages", "POST /v1/messages HTTP/1.1", "127.0.0.1:8317"),
        ("https://api.example.com/v1/messages?beta=true", "POST /v1/messages?beta=true HTTP/1.1", "api.example.com"),
        ("https://api.example.com:443", "POST / HTTP/1.1", "api.example.com"),
        ("http://[::1]:80/a b/é", "POST /a%20b/%C3%A9 HTTP/1.1", "[::1]"),
        ("http://user:word@gw/a/../b#c", "POST /b HTTP/1.1", "gw"),
    ],
)
async def test_request_line_and_host(url: str, line: str, host: str, session: aiohttp.ClientSession) -> None:
    found, fields = of_head(Peer(session, URL(url), TIMEOUT, AGENT).head("POST", URL(url), (), b"{}"))
    assert (found, fields["host"], fields["content-length"]) == (line, host, "2")


async def test_own_fields_are_replaced_but_for_the_length(session: aiohttp.ClientSession) -> None:
    peer = Peer(session, GW, TIMEOUT, AGENT)
    own = {"host": "front", "user-agent": "cli", "content-length": "9", "x-ü": "ü"}
    assert of_head(peer.head("GET", GW, (), None))[1]["user-agent"] == AGENT
    sent = of_head(peer.head("POST", GW, tuple(own.items()), b"123"))[1]
    assert sent == own | {"content-length": "3", "accept": "*/*", "accept-encoding": "identity", "connection": "close"}
    assert "content-length" not in of_head(peer.head("GET", GW, (), None))[1]
    assert of_head(peer.head("GET", GW, (("X-A", "1"), ("x-a", "2")), None))[1]["x-a"] == "2"
    async with new_session(keep_alive=True) as kept:
        assert "connection" not in of_head(Peer(kept, GW, TIMEOUT, AGENT).head("GET", GW, (), None))[1]


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, len(BIG)])
async def test_a_body_arrives_whole_by_an_independent_server(size: int) -> None:
    async def echo(request: web.Request) -> web.Response:
        assert request.headers.getall("Content-Length") == [str(size)]
        return web.Response(body=await request.read())

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1/echo", echo)
    async with TestServer(app) as server, new_session(keep_alive=True) as session:
        transport = Transport(session, str(server.make_url("")), LIMITS)
        for _ in range(2):
            async with transport.request("POST", "/v1/echo", (), BIG[:size]) as answer:
                assert (answer.status, b"".join([chunk async for chunk in answer.chunks()])) == (200, BIG[:size])


@asynccontextmanager
async def listening(accept: Accept) -> AsyncIterator[tuple[Transport, list[int]]]:
    """A transport to a server that treats each connection so, and a list that grows with each."""
    begun, tasks = list[int](), list[asyncio.Task[None]]()

    async def treated(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await accept(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(len(begun))
        tasks.append(asyncio.create_task(treated(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with new_session(keep_alive=True) as session:
        yield Transport(session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", LIMITS), begun
    server.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def asked(transport: Transport, body: bytes) -> tuple[int, bytes]:
    async with transport.request("POST", "/v1/x", (), body) as answer:
        return answer.status, b"".join([chunk async for chunk in answer.chunks()])


async def test_an_answer_before_the_request_was_there_ends_its_connection() -> None:
    """What is left of the request would stand before the next one."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        small = b"content-length: 2\r\n" in head
        said = (b"200 OK", b"ok") if small else (b"413 No", b"no")
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: 2\r\n\r\n%s" % said)
        await reader.read(-1) if small else await asyncio.sleep(0.1)

    async with listening(accept) as (transport, begun):
        assert await asked(transport, BIG) == (413, b"no")
        assert await asked(transport, b"{}") == (200, b"ok")
        assert len(begun) == 2


@pytest.mark.parametrize("read", [False, True])
async def test_only_an_answer_read_to_its_end_leaves_a_connection(read: bool) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
            await asyncio.sleep(0.05)
            writer.write(b"cd")

    async with listening(accept) as (transport, begun):
        for _ in range(3):
            async with transport.request("POST", "/v1/x", (), b"{}") as answer:
                assert answer.at_hand() is None
                if read:
                    assert b"".join([chunk async for chunk in answer.chunks()]) == b"abcd"
        assert len(begun) == (1 if read else 3)


async def test_a_provider_that_closes_after_each_answer_is_believed() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        await reader.read(-1)

    async with listening(accept) as (transport, begun):
        assert [await asked(transport, b"{}") for _ in range(3)] == [(200, b"ok")] * 3
        assert len(begun) == 3


async def test_a_cancelled_ask_ends_its_connection() -> None:
    gone = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        gone.set()

    async with listening(accept) as (transport, _):
        task = asyncio.create_task(asked(transport, b"{}"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 2)
