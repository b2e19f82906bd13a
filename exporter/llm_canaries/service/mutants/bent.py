"""A gateway with a fault in it: what it is asked, what it answers and what its pages say, bent on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.proxy.gateway import Answering, Gateway, Unanswered
from llm_canaries.wire.exchange import Attempt, Look, Loss, Send
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Thinking

PACE = 0.001  # seconds between two pieces, so that what is bent does not look like a buffering proxy


class Whole(Struct, frozen=True, kw_only=True):
    """An answer or a page that has come whole: a stream in events, anything else in one piece.

    `fault` is what breaks it off after its last piece.
    """

    status: int
    headers: Headers
    pieces: tuple[bytes, ...]
    fault: Fault | None = None

    @property
    def body(self) -> bytes:
        """All pieces."""
        return b"".join(self.pieces)

    @property
    def streamed(self) -> bool:
        """Whether it is a stream of events."""
        return any(name.lower() == "content-type" and "event-stream" in value for name, value in self.headers)


Ask = Callable[[Send], Send]
Answer = Callable[[Send, Whole], Whole]
Page = Callable[[Look, Whole], Whole]


class BentAnswer(Struct, frozen=True, kw_only=True):
    """What a bent gateway answers, with the account that the sound one gave."""

    whole: Whole
    sent: bytes = b""
    attempts: tuple[Attempt, ...] = ()
    losses: tuple[Loss, ...] = ()
    translated: Thinking | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.whole.status

    @property
    def headers(self) -> Headers:
        """The headers, bent."""
        return self.whole.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces, one by one. Raises Unanswered where the fault breaks them off."""
        for piece in self.whole.pieces:
            yield piece
            if len(self.whole.pieces) > 1:
                await asyncio.sleep(PACE)
        if self.whole.fault is not None:
            raise Unanswered(self.whole.fault)


class Bent:
    """`gateway` with its asks, answers and pages bent."""

    def __init__(self, gateway: Gateway, ask: Ask, answer: Answer, page: Page) -> None:
        self._gateway, self._ask, self._answer, self._page = gateway, ask, answer, page
        self.limits = gateway.limits

    @asynccontextmanager
    async def open(self, send: Send) -> AsyncIterator[Answering]:
        """Sends the bent ask, and answers once the whole answer has come."""
        async with self._gateway.open(self._ask(send)) as answer:
            whole = self._answer(send, await gathered(answer))
            yield BentAnswer(
                whole=whole,
                sent=answer.sent,
                attempts=answer.attempts,
                losses=answer.losses,
                translated=answer.translated,
            )

    @asynccontextmanager
    async def look(self, look: Look) -> AsyncIterator[Answering]:
        """The page, bent."""
        async with self._gateway.look(look) as answer:
            yield BentAnswer(whole=self._page(look, await gathered(answer)))


async def gathered(answer: Answering) -> Whole:
    """All of `answer`; a stream is cut into its events. Raises Unanswered."""
    body = b"".join([chunk async for chunk in answer.chunks()])
    whole = Whole(status=answer.status, headers=answer.headers, pieces=(body,))
    if not whole.streamed:
        return whole
    blank = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n"  # Google's line ends, or everybody else's
    return replace(whole, pieces=tuple(event + blank for event in body.split(blank) if event))
