"""A server of ours at its address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def listening(runner: web.ServerRunner | web.AppRunner, host: str, port: int) -> AsyncIterator[str]:
    """`runner` at work; the value is its base URL, port 0 takes a free one.

    Raises OSError where the address is taken.
    """
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        await runner.cleanup()
