"""Covers proxy/exchange.py (and service/lane.py where waiting is concerned): what one exchange keeps, and its times."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count, pairwise
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import MOST_ARRIVALS, exchange, look_at
from llm_canaries.proxy.gateway import Answering, Limits, Unanswered
from llm_canaries.proxy.transport import Transport
from llm_canaries.service.lane import GatewayLane
from llm_canaries.wire.exchange import Attempt, Exchange, Look, Loss, Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Message, Text, Thinking, ToolCall

LIMITS = Limits(connect=1, first_byte=1, idle=1, total=2)
Serve = Callable[..., Awaitable[Any]]
TURN = Message("user", (Text("Reply with exactly this and nothing else: " + "slow " * 30),))


def sending(*, stream: bool = False, model: str = "mirror/healthy") -> Send:
    ask = Ask(dialect="openai_chat", model=model, messages=(TURN,), stream=stream, include_usage=True)
    return Send(ask=ask, dialect="openai_chat", stream=stream)


class Canned(Struct, frozen=True):
    """An answer out of a list."""

    pieces: tuple[bytes | Unanswered, ...]
    sent: bytes = b"{}"
    status: int = 200
    headers: Headers = (("content-type", "text/event-stream"),)
    attempts: tuple[Attempt, ...] = ()
    losses: tuple[Loss, ...] = ()
    translated: Thinking | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Unanswered):
                raise piece
            yield piece


class CannedGateway:
    """A gateway without a network."""

    def __init__(self, pieces: Iterable[bytes | Unanswered], limits: Limits = LIMITS) -> None:
        self.answer = Canned(tuple(pieces))
        self.limits = limits

    @asynccontextmanager
    async def open(self, send: Send) -> AsyncIterator[Answering]:
        yield self.answer

    @asynccontextmanager
    async def look(self, look: Look) -> AsyncIterator[Answering]:
        yield self.answer


def ticking() -> Clock:
    """A clock that moves one second whenever it is read."""
    steps = count()
    return Clock(lambda: float(next(steps)), lambda: 1_700_000_000.0)


def holds(got: Exchange) -> None:
    """What is true of the arrivals of any exchange."""
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(got.arrivals))
    assert not got.arrivals or got.arrivals[-1][1] == len(got.body)
    assert not got.arrivals or got.arrivals[-1][0] <= got.duration


@pytest.mark.parametrize("stream", [False, True])
async def test_arrivals(stream: bool, mirror_url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    got = await exchange(gateway, sending(stream=stream), clock=clock)
    assert got.fault is None and not got.cut
    assert got.arrivals and got.first_content is not None
    assert 0 <= got.first_content <= got.duration
    holds(got)


async def test_arrivals_end_where_the_body_was_cut(clock: Clock) -> None:
    limits = Limits(connect=1, first_byte=1, idle=1, total=2, body=10)
    got = await exchange(CannedGateway([b"1234567", b"1234567", b"never read"], limits), sending(), clock=clock)
    assert got.body == b"1234567123" and got.cut
    assert [size for _, size in got.arrivals] == [7, 10]
    assert got.fault is not None and got.fault.reason is FaultReason.BODY_TOO_LARGE and got.fault.status == 200


async def test_body_of_exactly_the_limit(clock: Clock) -> None:
    limits = Limits(connect=1, first_byte=1, idle=1, total=2, body=14)
    got = await exchange(CannedGateway([b"1234567", b"1234567"], limits), sending(), clock=clock)
    assert not got.cut and len(got.body) == 14


async def test_first_content_before_the_end(
    serve: Serve, session: aiohttp.ClientSession, clock: Clock, mirror_url: str
) -> None:
    whole = await exchange(
        Deployed(Transport(session, mirror_url, LIMITS), "", {}), sending(stream=True), clock=clock
    )
    frames = [frame + b"\n\n" for frame in whole.body.split(b"\n\n")[:-1]]
    pieces = [piece for frame in frames[:6] for piece in (0.06, frame)]
    server = await serve((b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", *pieces, *frames[6:]))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    got = await exchange(gateway, sending(stream=True), clock=clock)
    assert got.fault is None and got.reply == whole.reply
    assert got.first_content is not None and 0.05 < got.first_content < got.duration - 0.1
    holds(got)


async def test_many_tiny_chunks() -> None:
    said = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    pieces = [said, *(b": x\n",) * (MOST_ARRIVALS + 500)]
    got = await exchange(CannedGateway(pieces), sending(stream=True), clock=ticking())
    assert len(got.arrivals) == MOST_ARRIVALS
    assert got.body == b"".join(pieces)
    assert got.arrivals[-1][0] > MOST_ARRIVALS, "the last arrival is the latest"
    holds(got)


async def test_what_arrived_before_a_break_is_kept() -> None:
    lost = Unanswered(Fault(reason=FaultReason.CONNECTION_LOST, message="gone"))
    got = await exchange(CannedGateway([b"data: {", lost]), sending(), clock=ticking())
    assert got.body == b"data: {" and got.cut
    assert got.fault == Fault(reason=FaultReason.CONNECTION_LOST, message="gone", status=200)


async def test_unwritable_ask_is_the_callers(clock: Clock) -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    ask = Ask(dialect="openai_chat", model="m", messages=(TURN, Message("assistant", (ToolCall("1", "f", "{}"),))),
              extra={"deep": deep})
    with pytest.raises(WireError, match="deep"):
        await exchange(CannedGateway([]), Send(ask=ask, dialect="openai_chat"), clock=clock)
    while deep:
        deep = deep.pop("a")  # type: ignore[assignment]  # undone level by level: it is too deep to be freed at once


async def test_waiting_for_a_turn_is_no_latency(
    serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    server = await serve((0.15, b"HTTP/1.1 204 No Content\r\n\r\n"))
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", LIMITS), "", {})
    lane = GatewayLane(gateway, clock, in_flight=1)
    begun = clock.monotonic()
    all_got = await asyncio.gather(*(lane.send(sending()) for _ in range(3)))
    assert clock.monotonic() - begun > 0.45
    assert max(got.duration for got in all_got) < 0.3


async def test_lane_bounds_what_is_in_flight(clock: Clock) -> None:
    class Counting(CannedGateway):
        now = most = 0

        @asynccontextmanager
        async def open(self, send: Send) -> AsyncIterator[Answering]:
            Counting.now += 1
            Counting.most = max(Counting.most, Counting.now)
            await asyncio.sleep(0.01)
            yield self.answer
            Counting.now -= 1

    lane = GatewayLane(Counting([b"{}"]), clock, in_flight=2)
    await asyncio.gather(*(lane.send(sending()) for _ in range(9)))
    assert Counting.most == 2


async def test_look_at_a_page(mirror_url: str, mirror: Mirror, session: aiohttp.ClientSession, clock: Clock) -> None:
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.status == 200 and page.fault is None and b"mirror/healthy" in page.body
    missing = await look_at(gateway, Look(path="/nothing"), clock=clock)
    assert missing.fault is not None and missing.fault.reason is FaultReason.NO_ROUTE


PAGES = [
    ((b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",), FaultReason.NO_ROUTE),
    ((b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>Sign in</html>",), FaultReason.HTML),
    ((b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",), FaultReason.OVERLOADED),
    (("reset",), FaultReason.CONNECTION_LOST),
    (("hang",), FaultReason.FIRST_BYTE_TIMEOUT),
    ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",), FaultReason.CONNECTION_LOST),
    ((b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000,), FaultReason.BODY_TOO_LARGE),
]


@pytest.mark.parametrize(("script", "reason"), PAGES)
async def test_page_faults(
    script: Any, reason: FaultReason, serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    server = await serve(script)
    limits = Limits(connect=0.3, first_byte=0.3, idle=0.3, total=1, body=1000)
    gateway = Deployed(Transport(session, f"http://127.0.0.1:{server.port}", limits), "", {})
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.fault is not None and page.fault.reason is reason
    assert page.duration < 1.5 and len(page.body) <= 1000
