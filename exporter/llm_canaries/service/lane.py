"""A gateway with a bound on what is in flight: waiting for a turn is no part of any latency."""

import asyncio
from collections.abc import Callable, Mapping

from llm_canaries.canary.run import Lane
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Gateway
from llm_canaries.service.assembly import Assembly
from llm_canaries.wire.exchange import Exchange, Look, Page, Send, Via

MIRROR_IN_FLIGHT = 8  # asks at once where only our own mirror answers; a deployed gateway gets one (DESIGN 5.13)
Lanes = Mapping[Via, Lane]


class GatewayLane:
    """Asks at one gateway, at most `in_flight` at a time."""

    def __init__(self, gateway: Gateway, clock: Clock, in_flight: int) -> None:
        self._gateway = gateway
        self._clock = clock
        self._turns = asyncio.Semaphore(in_flight)

    async def send(self, step: Send) -> Exchange:
        """The exchange of one ask. Raises WireError where it cannot be written."""
        async with self._turns:
            return await exchange(self._gateway, step, clock=self._clock)

    async def look(self, step: Look) -> Page:
        """One page."""
        async with self._turns:
            return await look_at(self._gateway, step, clock=self._clock)


def lanes(
    assembly: Assembly,
    name: str,
    clock: Clock,
    *,
    concurrency: int | None = None,
    bend: Callable[[Gateway], Gateway] = lambda gateway: gateway,
) -> Lanes:
    """The ways to the gateway `name`; `concurrency` None is as its kind, `bend` stands before it."""
    gentle = 1 if name not in assembly.mirrored else MIRROR_IN_FLIGHT
    return {"gateway": GatewayLane(bend(assembly.gateways[name]), clock, concurrency or gentle)}
