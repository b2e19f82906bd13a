"""A door over one upstream, listening on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from doors import PROVIDER_KEY, Echo, serving_one
from msgspec import Struct

from llm_canaries.config.secrets import Redactor
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import Conduct
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.retry import Retries
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.server.door import PATIENCE, Door, serving
from llm_canaries.proxy.server.keys import ClientKeys
from llm_canaries.proxy.server.pages import Pages
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.wire.dialects import DIALECTS

LIMITS = Limits(connect=1, first_byte=2, idle=1, total=5)
ONCE = Conduct(raw=False, retries=Retries(attempts=1))


class Opened(Struct, frozen=True):
    """A door that listens: its URL, and what is behind it."""

    url: str
    core: Core
    traffic: Traffic


OpenDoor = Callable[..., Awaitable[Opened]]


@pytest.fixture
async def open_door(clock: Clock) -> AsyncIterator[OpenDoor]:
    """Opens doors: `await open_door(upstream, keys=[…], dialects=[…], limit=…)`."""
    async with AsyncExitStack() as stack:

        async def start(
            upstream: str,
            *,
            keys: tuple[str, ...] = (),
            dialects: tuple[str, ...] = tuple(DIALECTS),
            limits: Limits = LIMITS,
            limit: int = 2**20,
            within: float = PATIENCE,
            **fields: Any,
        ) -> Opened:
            session = await stack.enter_async_context(new_session(keep_alive=True))
            provider = Provider(name="up", url=upstream, dialects=dialects, limits=limits, **fields)
            traffic = Traffic(["up"])
            core = Core(
                [provider],
                {"up": Transport(session, upstream, limits)},
                {"up": PROVIDER_KEY},
                clock,
                conduct=ONCE,
                traffic=traffic,
            )
            redact = Redactor((PROVIDER_KEY, *keys))
            door = Door(core, Pages(core, traffic, clock), ClientKeys(keys), redact=redact, limit=limit, within=within)
            url = await stack.enter_async_context(serving(door, "127.0.0.1", 0, within))
            return Opened(url, core, traffic)

        yield start


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who talks to the door."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """A provider that repeats nothing and remembers everything."""
    provider = Echo()
    async with serving_one(provider) as provider.url:
        yield provider
