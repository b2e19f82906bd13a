"""Servers that say exactly the bytes they are told, as bad gateways do."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import aiohttp
import pytest
import trustme

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.message import Ask, Message, Text

Script = Sequence[bytes | float | str]
"""Bytes are written, a number waits, `hang` waits for ever, `reset` drops the connection without a farewell."""


def text_send(dialect: str = "openai_chat", *, stream: bool = False, model: str = "m") -> Send:
    """A small ask."""
    turn = Message("user", (Text("Reply with exactly this and nothing else: 123"),))
    ask = Ask(dialect=dialect, model=model, messages=(turn,), stream=stream, include_usage=True, max_tokens=100)
    return Send(ask=ask, dialect=dialect, stream=stream)


class ScriptedServer:
    """A listening socket that answers every request with one script; `requests` are the heads it read."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._read(reader)
                for step in self._steps():
                    await self._act(step, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _steps(self) -> Script:
        return self._script

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.partition(b":")[2]))

    async def _act(self, step: bytes | float | str, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif step == "hang":
            await asyncio.sleep(3600)
        elif step == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            await asyncio.sleep(float(step))


class TurningServer(ScriptedServer):
    """A server that answers the first request with the first script, and so on; the last one goes on."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        super().__init__(())
        self._scripts = scripts

    def _steps(self) -> Script:
        return self._scripts[min(len(self.requests), len(self._scripts)) - 1]


Serve = Callable[..., Awaitable[ScriptedServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts servers: `server = await serve(script, tls=context)`; further scripts are for further requests."""
    opened: list[tuple[ScriptedServer, asyncio.Server]] = []

    async def start(script: Script, *more: Script, tls: ssl.SSLContext | None = None) -> ScriptedServer:
        scripted = TurningServer((script, *more)) if more else ScriptedServer(script)
        server = await asyncio.start_server(scripted.accept, "127.0.0.1", 0, ssl=tls, limit=2**20, backlog=512)
        scripted.port = server.sockets[0].getsockname()[1]
        opened.append((scripted, server))
        return scripted

    yield start
    for scripted, server in opened:
        server.close()
        for task in scripted.tasks:
            task.cancel()
        await asyncio.gather(*scripted.tasks, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture
def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def untrusted_tls() -> ssl.SSLContext:
    """A server's context whose certificate nobody has heard of."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


AskUrl = Callable[..., Awaitable[Exchange]]


@pytest.fixture
def ask_url(session: aiohttp.ClientSession, clock: Clock) -> AskUrl:
    """The exchange of one small ask at a deployed gateway: `await ask_url(url, limits, stream=True)`."""

    async def ask(
        url: str, limits: Limits, *, key: str = "", send: Send | None = None, **words: bool
    ) -> Exchange:
        gateway = Deployed(Transport(session, url, limits), key, {})
        return await exchange(gateway, send or text_send(**words), clock=clock)

    return ask
