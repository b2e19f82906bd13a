"""Whether our own network is up: TCP connections to other hosts, so that no provider is blamed for our own cable."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from urllib.parse import urlsplit

from llm_canaries.canary.attribution import Net
from llm_canaries.canary.canary import Run
from llm_canaries.config.schema import Config, GatewayConfig
from llm_canaries.config.twins import host_of, is_loopback
from llm_canaries.proxy.clock import Clock
from llm_canaries.wire.fault import Fault, FaultReason

WITHIN = 3.0  # seconds that a host has to take a connection
FRESH = 5.0  # seconds for which a look is good: many failures at once are one look
MOST_HOSTS = 8
LEAST_OTHERS = 2  # hosts besides the one that failed; fewer prove nothing about the network

# what a broken line looks like; a gateway on this machine tells of the one that it shares with us in words of its own
_OF_THE_NETWORK = frozenset(
    {FaultReason.CONNECT, FaultReason.CONNECT_TIMEOUT, FaultReason.TLS, FaultReason.CONNECTION_LOST}
)
_OF_A_NEIGHBOUR = frozenset(
    {FaultReason.UPSTREAM_ERROR, FaultReason.UPSTREAM_TIMEOUT, FaultReason.FIRST_BYTE_TIMEOUT}
)

Connect = Callable[[str, int], Awaitable[bool]]


class Connectivity:
    """Looks at the other hosts of a configuration when one fails; `connect` tells whether one can be reached."""

    def __init__(self, config: Config, clock: Clock, connect: Connect | None = None) -> None:
        self._config, self._clock = config, clock
        self._connect = connect or reachable
        self._hosts = dict(list(_hosts(config))[:MOST_HOSTS])
        self._reached: Mapping[str, bool] = {}
        self._at: float | None = None
        self._looking = asyncio.Lock()
        self.up: bool | None = None

    async def behind(self, run: Run) -> Net:
        """Whether the network is to blame for the failure of `run`."""
        fault = next((answer.fault for answer in run.answers if answer.fault is not None), None)
        return await self.blames(self._failed(run), fault)

    async def blames(self, host: str, fault: Fault | None) -> Net:
        """Whether the network is to blame for `fault` at `host`: unknown where it is of another kind."""
        if fault is None or not host:
            return Net.UNKNOWN
        if fault.reason not in (_OF_A_NEIGHBOUR if is_loopback(host) else _OF_THE_NETWORK):
            return Net.UNKNOWN
        others = {other for other in self._hosts if other != host}
        if len(others) < LEAST_OTHERS:
            return Net.UNKNOWN
        reached = await self._look()
        self.up = any(reached[other] for other in others)
        return Net.OK if self.up else Net.DOWN

    async def look_again(self) -> None:
        """Looks once more where the network was down, so that its coming back is told."""
        if self.up is False:
            self.up = any((await self._look()).values())

    async def _look(self) -> Mapping[str, bool]:
        """Which hosts can be reached, looked up at most every few seconds."""
        async with self._looking:
            if self._at is None or self._clock.monotonic() - self._at >= FRESH:
                found = await asyncio.gather(*(self._connect(host, port) for host, port in self._hosts.items()))
                self._reached = dict(zip(self._hosts, found, strict=True))
                self._at = self._clock.monotonic()
            return self._reached

    def _failed(self, run: Run) -> str:
        """The host that did not answer: the gateway's, or that of the provider which an embedded one asked last.

        Empty where nobody was asked.
        """
        gateway = self._config.gateways[run.case.gateway]
        if gateway.url is not None:
            return host_of(gateway.url)
        asked = next((exchange.attempts[-1].provider for exchange in run.exchanges if exchange.attempts), None)
        provider = (gateway.providers or {}).get(asked or "")
        return host_of(provider.url) if provider is not None else ""


async def reachable(host: str, port: int) -> bool:
    """Whether somebody takes a TCP connection at `host` and `port`; nothing is sent."""
    try:
        async with asyncio.timeout(WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError, UnicodeError):  # the last where a name is none
        return False
    writer.close()
    return True


def _hosts(config: Config) -> Iterator[tuple[str, int]]:
    """Every host beyond this machine that the configuration names, with a port: those named for this purpose first."""
    urls = [*(config.connectivity or ()), *(url for each in config.gateways.values() for url in _urls(each))]
    seen: set[str] = set()
    for url in urls:
        host, parts = host_of(url), urlsplit(url)
        if host and not is_loopback(host) and host not in seen:
            seen.add(host)
            yield host, parts.port or (443 if parts.scheme == "https" else 80)


def _urls(gateway: GatewayConfig) -> Iterator[str]:
    if gateway.url is not None:
        yield gateway.url
    yield from (provider.url for provider in (gateway.providers or {}).values())
