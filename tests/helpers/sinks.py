"""A real HTTP server for Apprise's `json://` and for heartbeats: it accepts, refuses, redirects, hangs or is down."""

import asyncio
import socket
from contextlib import asynccontextmanager

from aiohttp import web


class Sink:
    """Keeps what arrived in `received`; `status` is what it answers, and while `gate` is clear it does not answer."""

    def __init__(self):
        self.received = []
        self.tried = 0
        self.status = 200
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = free_port()
        self._runner = None

    def url(self, path="", scheme="json"):
        return f"{scheme}://127.0.0.1:{self.port}/{path}"

    @property
    def titles(self):
        return [each["title"] for each in self.received]

    async def up(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        # what was abandoned before it was answered is not taken: otherwise "at least once" shows as twice
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def down(self):
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, count, seconds=15):
        """Waits until `count` have arrived."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:
                await asyncio.sleep(0.005)

    async def _answer(self, request):
        self.tried += 1
        body = await request.json() if request.method == "POST" else {"title": request.method}
        await self.gate.wait()
        if self.status == 200:
            self.received.append(body)
        headers = {"Location": "/elsewhere"} if 300 <= self.status < 400 and request.path != "/elsewhere" else {}
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def sink(up=True):
    made = Sink()
    if up:
        await made.up()
    try:
        yield made
    finally:
        made.gate.set()
        await made.down()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
