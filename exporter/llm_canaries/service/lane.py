"""A gateway with a bound on what is in flight: waiting for a turn is no part of any latency."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, TypeVar

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Gateway
from llm_canaries.service.assembly import Assembly
from llm_canaries.wire.exchange import Exchange, Look, Page, Send, Via

MIRROR_IN_FLIGHT = 8  # asks at once where only our own mirror answers; a deployed gateway gets one (DESIGN 5.13)
T = TypeVar("T")
Around: TypeAlias = Callable[[Callable[[], Awaitable[T]]], Awaitable[T]]
"""Carries out the work it is given, once its turn has come; what it raises is raised."""


class GatewayLane:
    """Asks at one gateway, at most `in_flight` at a time."""

    def __init__(self, gateway: Gateway, clock: Clock, in_flight: int) -> None:
        self._gateway = gateway
        self._clock = clock
        self._turns = asyncio.Semaphore(in_flight)

    async def send(self, step: Send, around: Around[Exchange] = lambda work: work()) -> Exchange:
        """The exchange of one ask, made within `around`. Raises WireError where it cannot be written."""
        async with self._turns:
            return await around(lambda: exchange(self._gateway, step, clock=self._clock))

    async def look(self, step: Look, around: Around[Page] = lambda work: work()) -> Page:
        """One page, read within `around`."""
        async with self._turns:
            return await around(lambda: look_at(self._gateway, step, clock=self._clock))


Lanes: TypeAlias = Mapping[Via, GatewayLane]


def in_flight(assembly: Assembly, name: str, concurrency: int | None = None) -> int:
    """How many asks the gateway `name` gets at once; `concurrency` None is as its kind."""
    return concurrency or (1 if name not in assembly.mirrored else MIRROR_IN_FLIGHT)


def lanes(
    assembly: Assembly,
    clock: Clock,
    *,
    concurrency: int | None = None,
    bend: Callable[[Gateway], Gateway] = lambda gateway: gateway,
) -> Mapping[str, Lanes]:
    """The ways to every gateway; `concurrency` None is as its kind, `bend` stands before each that is no twin.

    "direct" is the very lane of the twin: whoever asks it, its credentials have one ask in flight.
    """
    twins, own = set(assembly.twins.values()), dict[str, GatewayLane]()
    for name, gateway in assembly.gateways.items():
        bent = gateway if name in twins else bend(gateway)
        own[name] = GatewayLane(bent, clock, in_flight(assembly, name, concurrency))
    found: dict[str, Lanes] = {name: {"gateway": lane} for name, lane in own.items()}
    for name, gateway in assembly.wrong_keys.items():
        found[name] = {**found[name], "wrong_key": GatewayLane(bend(gateway), clock, MIRROR_IN_FLIGHT)}
    return found | {name: {"gateway": own[name], "direct": own[twin]} for name, twin in assembly.twins.items()}
