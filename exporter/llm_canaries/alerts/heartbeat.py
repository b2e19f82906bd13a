"""The heartbeat: a URL that is fetched while all is well, so that somebody else notices our silence."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp

TIMEOUT: Final = 10.0  # seconds; less where the interval is shorter


class Heartbeat:
    """Fetches `url`, which may hold a key and is never shown, every `every` seconds; counts what it did."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, every: float, well: Callable[[], bool]) -> None:
        self._session = session
        self._url = url
        self._every = every
        self._well = well
        self.beats = 0
        self.failures = 0
        self.withheld = 0

    async def run(self) -> None:
        """Beats until cancelled, at once and then in a fixed rhythm; whatever goes wrong is counted, not raised."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._well():
                await self._beat()
            else:
                self.withheld += 1
            due = max(due + self._every, loop.time())  # beats that a slow answer swallowed are not made up for
            await asyncio.sleep(due - loop.time())

    async def _beat(self) -> None:
        timeout = aiohttp.ClientTimeout(total=min(TIMEOUT, self._every))
        try:
            async with self._session.get(self._url, timeout=timeout) as answer:
                well = answer.ok
        except (aiohttp.ClientError, OSError, ValueError):  # a TimeoutError is an OSError; ValueError: not a URL
            well = False
        if well:
            self.beats += 1
        else:
            self.failures += 1
