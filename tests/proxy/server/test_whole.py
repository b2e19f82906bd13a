"""Covers proxy/server/whole.py, beside what aiohttp's own response says in its place."""

import asyncio

import pytest
from aiohttp import web

from llm_canaries.proxy.server.whole import Whole

FIELDS = {"content-type": "application/json", "x-request-id": "r-1", "retry-after": "3"}


async def said(request: bytes, status: int, body: bytes, kind: str) -> bytes:
    """All that a server answers until it closes, or falls silent."""

    async def answer(asked: web.BaseRequest) -> web.StreamResponse:
        await asked.read()
        return Whole(status, FIELDS, body) if kind == "ours" else web.Response(status=status, headers=FIELDS, body=body)

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(request)
        found = bytearray()
        while True:
            try:
                chunk = await asyncio.wait_for(reader.read(65536), 0.3)
            except TimeoutError:
                break
            if not chunk:
                found += b"(closed)"
                break
            found += chunk
        writer.close()
        await writer.wait_closed()
        return bytes(found)
    finally:
        await runner.cleanup()


def parts(answer: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, rest = answer.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    found = {name.lower(): value for name, value in (field.split(b": ", 1) for field in fields)}
    assert found.pop(b"date").endswith(b"GMT")
    return line, found, rest


@pytest.mark.parametrize("status", [200, 201, 404, 429, 502, 529])
@pytest.mark.parametrize(
    ("version", "connection"), [("1.1", ""), ("1.1", "close"), ("1.0", ""), ("1.0", "keep-alive"), ("1.0", "close")]
)
async def test_as_aiohttp_says_it(status: int, version: str, connection: str) -> None:
    fields = f"connection: {connection}\r\n" if connection else ""
    request = f"POST /x HTTP/{version}\r\nhost: a\r\n{fields}content-length: 2\r\n\r\n{{}}".encode()
    ours, theirs = [parts(await said(request, status, b'{"a":1}', kind)) for kind in ("ours", "theirs")]
    assert ours == theirs


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 8 << 20])
async def test_bodies_of_all_sizes(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    request = b"POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
    line, fields, rest = parts(await said(request, 200, body[:size], "ours"))
    assert line == b"HTTP/1.1 200 OK" and fields[b"content-length"] == str(size).encode()
    assert rest == body[:size] + b"(closed)"


async def test_requests_behind_each_other() -> None:
    request = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"
    answers = await said(request * 3, 200, b"whole", "ours")
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == answers.count(b"\r\n\r\nwhole") == 3
