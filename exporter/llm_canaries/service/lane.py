"""A gateway with a bound on what is in flight: waiting for a turn is no part of any latency."""

import asyncio

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Gateway
from llm_canaries.wire.exchange import Exchange, Look, Page, Send


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
