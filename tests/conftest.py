"""Fixtures for every test: no network but loopback, real clocks, seeded draws, the mirror and a core over it."""

import ipaddress
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from llm_canaries.mirror.server import Mirror, serving
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.wire.nonce import Draw

SHORT = Limits(connect=1, first_byte=2, idle=1, total=5)
MakeCore = Callable[..., Core]


def is_loopback(host: object) -> bool:
    """Whether `host`, a name or an address, cannot be anybody else's machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost") or (isinstance(name, str) and name.endswith(".localhost")):
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session", autouse=True)
def no_key_of_the_shells() -> Iterator[None]:
    """The key of a developer's own mirror, which docs/loopback.md has them export, is none of the tests' mirrors'."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MIRROR_KEY", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Any connection that would leave this machine fails the test; names under `.invalid` do not resolve (RFC 6761)."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            pytest.fail(f"a test connects to {address}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(host, str):
            host.encode("idna")  # refused here as the real one refuses it
        if isinstance(host, str) and host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        try:
            ipaddress.ip_address(host or "::")
        except ValueError:
            if not is_loopback(host):
                pytest.fail(f"a test resolves {host}")
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)  # asyncio's sock_connect calls it too
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        yield


@pytest.fixture
def clock() -> Clock:
    """The real clocks."""
    return Clock(time.monotonic, time.time)


@pytest.fixture
def draw() -> Draw:
    """The same numbers in every run."""
    return random.Random(20260101).randrange


@pytest.fixture
def mirror(clock: Clock) -> Mirror:
    """The provider that is us, not yet listening."""
    return Mirror(clock)


@pytest.fixture
async def mirror_url(mirror: Mirror) -> AsyncIterator[str]:
    """Where `mirror` listens."""
    async with serving(mirror, "127.0.0.1", 0) as url:
        yield url


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as the gateways use it."""
    async with new_session() as opened:
        yield opened


@pytest.fixture
def embedded(mirror_url: str, session: aiohttp.ClientSession, clock: Clock) -> MakeCore:
    """Makes a core whose one provider is the mirror: `embedded("anthropic_messages", limits=…, prefix=…)`."""

    def make(*dialects: str, limits: Limits = SHORT, profile: str = "mirror", **fields: Any) -> Core:
        spoken = dialects or ("openai_chat", "anthropic_messages")
        facts = read_profiles()[profile]
        provider = Provider(
            name="mirror", url=mirror_url, profile=facts, dialects=spoken, limits=limits, **fields
        )
        return Core([provider], {"mirror": Transport(session, mirror_url, limits)}, {"mirror": "sk-core"}, clock)

    return make
