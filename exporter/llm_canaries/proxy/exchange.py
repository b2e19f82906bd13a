"""Makes one ask at a gateway and keeps what came of it, bounded in time and bytes.

The other side's faults are values of the Exchange, never exceptions.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.gateway import Answering, Gateway, Limits, Unanswered
from llm_canaries.wire.answer import Received, read_answer, read_page
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Look, Page, Send
from llm_canaries.wire.fault import Fault, FaultReason

MOST_ARRIVALS = 4096  # times kept of one answer; later ones overwrite the last


async def exchange(gateway: Gateway, send: Send, *, clock: Clock) -> Exchange:
    """`send` and its answer. Raises WireError only where the ask itself cannot be written."""
    collecting = _Collecting(clock, gateway.limits, _written(send))
    try:
        async with asyncio.timeout(gateway.limits.total), gateway.open(send) as answer:
            await collecting.collect(answer)
    except (TimeoutError, Unanswered) as error:
        collecting.broke_off(error)
    return read_answer(send, collecting.received(), clock.wall())


async def look_at(gateway: Gateway, look: Look, *, clock: Clock) -> Page:
    """The page that `look` asks for; `fault` is set where it did not come whole."""
    collecting = _Collecting(clock, gateway.limits, b"")
    try:
        async with asyncio.timeout(gateway.limits.total), gateway.look(look) as answer:
            await collecting.collect(answer)
    except (TimeoutError, Unanswered) as error:
        collecting.broke_off(error)
    return read_page(look, collecting.received(), clock.wall())


class _Collecting:
    """An answer on its way in."""

    def __init__(self, clock: Clock, limits: Limits, sent: bytes) -> None:
        self._clock, self._limits = clock, limits
        self._started = clock.monotonic()
        self._body = bytearray()
        self._arrivals: list[tuple[float, int]] = []
        self._head = Received(sent=sent, status=None)
        self._answer: Answering | None = None
        self._cut = False
        self._fault: Fault | None = None

    async def collect(self, answer: Answering) -> None:
        """Reads `answer` to its end, or to the limit of bytes."""
        self._answer = answer
        self._head = Received(
            sent=answer.sent,
            status=answer.status,
            headers=answer.headers,
        )
        async with aclosing(_generator(answer)) as chunks:
            async for chunk in chunks:
                self._body += chunk
                too_large = len(self._body) > self._limits.body
                del self._body[self._limits.body :]
                self._arrived()
                if too_large:
                    self._cut = True
                    message = f"more than {self._limits.body} bytes"
                    self._fault = Fault(
                        reason=FaultReason.BODY_TOO_LARGE, status=answer.status, message=message
                    )
                    return

    def broke_off(self, error: TimeoutError | Unanswered) -> None:
        """Remembers why the answer did not come whole."""
        self._cut = True
        if isinstance(error, Unanswered):
            self._fault = replace(error.fault, status=error.fault.status or self._head.status)
            self._head = replace(self._head, attempts=error.attempts)
        else:
            message = f"not whole within {self._limits.total:g} s"
            self._fault = Fault(reason=FaultReason.TOTAL_TIMEOUT, status=self._head.status, message=message)

    def received(self) -> Received:
        """All that came; what the gateway tells of its attempts and losses is whole only now."""
        head, answer = self._head, self._answer
        if answer is not None:
            attempts = answer.attempts or head.attempts
            head = replace(head, attempts=attempts, losses=answer.losses, translated=answer.translated)
        return replace(
            head,
            body=bytes(self._body),
            cut=self._cut,
            arrivals=tuple(self._arrivals),
            duration=self._clock.monotonic() - self._started,
            fault=self._fault,
        )

    def _arrived(self) -> None:
        moment = (self._clock.monotonic() - self._started, len(self._body))
        if len(self._arrivals) < MOST_ARRIVALS:
            self._arrivals.append(moment)
        else:
            self._arrivals[-1] = moment


def _written(send: Send) -> bytes:
    """The body that `send` is, also for an ask that nobody answers. Raises WireError."""
    return send.ask if isinstance(send.ask, bytes) else DIALECTS[send.dialect].write_ask(send.ask, send.profile).body


async def _generator(answer: Answering) -> AsyncGenerator[bytes, None]:
    async for chunk in answer.chunks():
        yield chunk
