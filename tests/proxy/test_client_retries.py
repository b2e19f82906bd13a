"""Covers proxy/asking.py and proxy/ways.py for clients: who is asked again, who instead, and what is told of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from answers import ask, error, http, sse, streamed, whole

from llm_canaries.proxy.breaker import State, Threshold, Tiered
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import Conduct
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.credentials import Credential, Strategy
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.retry import Retries
from llm_canaries.proxy.routes import WORKLOAD, Provider
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.proxy.ways import Settings
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.fault import FaultReason as R

CHAT = "openai_chat"
LIMITS = Limits(connect=0.5, first_byte=0.5, idle=0.5, total=20)
Serve = Callable[..., Awaitable[Any]]
GOOD = http(whole(CHAT))
BUSY = http(error("busy"), status=503)
WAIT = http(error("slow down"), status=429, retry_after="7")


class Time:
    """A clock that stands still but where somebody sleeps; it remembers how long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(lambda: self.now, lambda: 1_700_000_000.0 + self.now)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


Build = Callable[..., Awaitable[Core]]


@pytest.fixture
def build(serve: Serve, session: aiohttp.ClientSession, time: Time) -> Build:
    """A core over providers a, b, …, each of which plays its scripts in turn."""

    async def make(*scripts: Any, names: str = "abc", conduct: Conduct | None = None, **more: Any) -> Core:
        providers, transports = [], {}
        for name, turns in zip(names, scripts, strict=False):
            server = await serve(*turns)
            url = f"http://127.0.0.1:{server.port}"
            providers.append(Provider(name=name, url=url, dialects=(CHAT,), limits=LIMITS))
            transports[name] = Transport(session, url, LIMITS)
        own = conduct or Conduct(raw=False, retries=Retries(attempts=3, base=0.5, cap=8.0))
        return Core(providers, transports, {}, time.clock, conduct=own, sleep=time.sleep, **more)

    return make


def send(*, stream: bool = False, **headers: str) -> Send:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Send(ask=ask(CHAT, stream=stream), dialect=CHAT, stream=stream, headers=named)


async def go(core: Core, time: Time, sent: Send | None = None) -> Exchange:
    return await exchange(core, sent or send(), clock=time.clock)


def tried(got: Exchange) -> list[tuple[str, str, int | None, str]]:
    return [(each.provider, each.credential, each.status, str(each.reason)) for each in got.attempts]


async def test_busy_then_well(build: Build, time: Time) -> None:
    core = await build([BUSY, GOOD], draw=lambda below: below // 2)
    got = await go(core, time)
    assert got.fault is None
    assert tried(got) == [("a", "default", 503, "overloaded"), ("a", "default", 200, "")]
    assert time.slept == [0.25], "half of the bound of the first round"
    assert [each.request for each in got.attempts] == [None, None], "nobody looks at what a client's became"


async def test_waits_double_up_to_the_cap(build: Build, time: Time) -> None:
    retries = Retries(attempts=6, base=0.5, cap=2.0)
    core = await build([BUSY], conduct=Conduct(raw=False, retries=retries), settings=Settings(policy=Threshold(99)))
    got = await go(core, time)
    assert got.status == 503 and len(got.attempts) == 6
    assert [round(each, 2) for each in time.slept] == [0.5, 1.0, 2.0, 2.0, 2.0]


async def test_next_provider_at_once(build: Build, time: Time) -> None:
    core = await build([BUSY], [GOOD])
    got = await go(core, time)
    assert [each[:1] for each in tried(got)] == [("a",), ("b",)]
    assert got.fault is None and time.slept == []


async def test_the_hint_is_honoured(build: Build, time: Time) -> None:
    core = await build([WAIT, GOOD], draw=lambda below: 0)
    got = await go(core, time)
    assert got.fault is None and [each[2] for each in tried(got)] == [429, 200]
    assert len(time.slept) == 1 and 7 <= time.slept[0] < 7.1


async def test_a_hint_beyond_the_deadline_is_the_clients(build: Build, time: Time) -> None:
    core = await build([http(error("slow down"), status=429, retry_after="60"), GOOD])
    got = await go(core, time)
    assert got.status == 429 and len(got.attempts) == 1 and time.slept == []
    assert ("retry-after", "60") in [(name.lower(), value) for name, value in got.headers]
    again = await go(core, time)
    assert again.status == 429 and again.attempts == (), "nobody is asked before the time"
    assert again.fault is not None and 59 < (again.fault.retry_after or 0) <= 60
    time.now += 60.1
    assert (await go(core, time)).fault is None


async def test_quota_headers_say_the_wait_where_the_answer_does_not(build: Build, time: Time) -> None:
    limits = {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "2m0s"}
    core = await build([http(error("slow down"), status=429, **limits), GOOD])
    assert (await go(core, time)).status == 429
    (standing,) = core.standings()
    assert standing.sidelined_until == pytest.approx(time.now + 120, abs=1)


NOT_AGAIN = [
    (400, error("bad"), R.BAD_REQUEST),
    (413, error("long"), R.TOO_LARGE),
    (422, error("bad"), R.BAD_REQUEST),
]


@pytest.mark.parametrize(("status", "body", "reason"), NOT_AGAIN)
async def test_errors_of_the_ask_go_to_nobody_else(
    status: int, body: bytes, reason: R, build: Build, time: Time
) -> None:
    core = await build([http(body, status=status)], [GOOD])
    got = await go(core, time)
    assert got.status == status and got.body == body, "the provider's own words"
    assert tried(got) == [("a", "default", status, reason)]
    assert core.breakers["a"].failures == 0
    (standing, _) = core.standings()
    assert standing.sidelined_until is None


NOT_HERE_AGAIN = [
    (401, error("who"), R.AUTH, 1800.0),
    (402, error("pay"), R.BILLING, 1800.0),
    (403, error("no"), R.PERMISSION, 1800.0),
    (404, error("no model m", code="model_not_found"), R.MODEL_NOT_FOUND, None),
    (429, error("quota", code="insufficient_quota"), R.QUOTA_EXHAUSTED, 60.0),
]


@pytest.mark.parametrize(("status", "body", "reason", "aside"), NOT_HERE_AGAIN)
async def test_errors_of_a_credential_go_to_the_next_one(
    status: int, body: bytes, reason: R, aside: float | None, build: Build, time: Time
) -> None:
    keys = {"a": (Credential("one", "sk-1"), Credential("two", "sk-2"))}
    core = await build([http(body, status=status), GOOD], credentials=keys)
    got = await go(core, time)
    assert tried(got) == [("a", "one", status, reason), ("a", "two", 200, "")]
    assert time.slept == []
    standing = core.standings()[0]
    assert standing.sidelined_until == (None if aside is None else time.now + aside)
    got = await go(core, time)
    assert tried(got) == [("a", "two", 200, "")], "the first one stays aside"


async def test_sole_credential_is_tried_all_the_same(build: Build, time: Time) -> None:
    """What is set aside for its own fault is better than nothing: the operator may have mended it."""
    core = await build([http(error("who"), status=401), GOOD])
    assert (await go(core, time)).status == 401
    assert (await go(core, time)).fault is None
    assert core.standings()[0].sidelined_until is None, "a good answer forgives"


async def test_refused_connection(build: Build, time: Time, session: aiohttp.ClientSession, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    provider = Provider(name="gone", url=url, limits=LIMITS, dialects=(CHAT,))
    core = Core(
        [provider], {"gone": Transport(session, url, LIMITS)}, {}, time.clock,
        conduct=Conduct(raw=False, retries=Retries(attempts=2)), sleep=time.sleep,
    )
    got = await go(core, time)
    assert got.status == 502 and len(got.attempts) == 2 and len(time.slept) == 1
    assert {each[3] for each in tried(got)} == {"connect"}


async def test_nothing_is_asked_again_once_a_byte_was_passed_on(build: Build, time: Time) -> None:
    body = streamed(CHAT)
    half = body[: body.index(b"\n\n", body.index(b"hello")) + 2]
    core = await build([sse(half), sse(body)])
    got = await go(core, time, send(stream=True))
    assert len(got.attempts) == 1 and got.fault is not None
    core = await build([sse(), sse(body)], [sse(body)])
    got = await go(core, time, send(stream=True))
    assert [each[0] for each in tried(got)] == ["a", "b"], "an empty stream had passed on nothing"
    assert got.fault is None


async def test_deadline(build: Build, time: Time) -> None:
    retries = Retries(attempts=9, base=6.0, cap=60.0)
    core = await build([BUSY], conduct=Conduct(raw=False, retries=retries), settings=Settings(policy=Threshold(99)))
    got = await go(core, time)
    assert sum(time.slept) < 20 and len(got.attempts) == 3, "6 and 12 seconds; 24 more would be too late"


async def test_strategies(build: Build, time: Time) -> None:
    keys = {"a": (Credential("one", weight=3), Credential("two", weight=1))}
    for strategy, turns in (
        (Strategy.ROUND_ROBIN, "one two one two"),
        (Strategy.WEIGHTED, "one one two one"),
        (Strategy.FILL_FIRST, "one one one one"),
    ):
        core = await build([GOOD], credentials=keys, settings=Settings(strategies={"a": strategy}))
        used = [(await go(core, time)).attempts[0].credential for _ in range(4)]
        assert " ".join(used) == turns, strategy


async def test_open_breakers_are_passed_by(build: Build, time: Time) -> None:
    settings = Settings(policy=Threshold(failures=1, timeout=30))
    core = await build([BUSY], [GOOD], settings=settings)
    await go(core, time)
    got = await go(core, time)
    assert [each[0] for each in tried(got)] == ["b"]
    time.now += 30
    assert core.breakers["a"].state(time.now) is State.HALF_OPEN
    got = await go(core, time)
    assert [each[0] for each in tried(got)] == ["a", "b"], "one probe, then the next"


async def test_a_threshold_refuses_where_all_are_open(build: Build, time: Time) -> None:
    core = await build([BUSY], settings=Settings(policy=Threshold(failures=1, timeout=30)))
    await go(core, time)
    got = await go(core, time)
    assert got.status == 503 and got.attempts == ()
    assert got.fault is not None and got.fault.retry_after == 30


async def test_safety_valve(build: Build, time: Time) -> None:
    """Where everything cools, the one due first is tried."""
    core = await build([BUSY], [BUSY], settings=Settings(policy=Tiered(tiers=((1, 30.0), (2, 90.0)))))
    await go(core, time)
    assert {core.breakers[name].state(time.now) for name in "ab"} == {State.OPEN}
    got = await go(core, time)
    assert [each[0] for each in tried(got)] == ["a"], "both are due at once: the first one"
    got = await go(core, time)
    assert [each[0] for each in tried(got)] == ["b"], "a cools longer now"


async def test_rate_limits_that_do_not_count(build: Build, time: Time) -> None:
    for counts in (True, False):
        core = await build([WAIT], settings=Settings(count_limits=counts), conduct=Conduct(raw=False))
        await go(core, time)
        assert core.breakers["a"].failures == int(counts)


async def test_traffic(build: Build, time: Time) -> None:
    traffic = Traffic()
    core = await build([BUSY], [GOOD], traffic=traffic)
    await go(core, time)
    seen = traffic.snapshot()
    assert (seen["a"].requests, seen["a"].successes) == (1, 0)
    assert (seen["b"].requests, seen["b"].successes) == (1, 1)
    assert (seen["b"].tokens.input, seen["b"].tokens.output) == (11, 7)
    core = await build([sse(streamed(CHAT))], traffic=traffic, names="s")
    await go(core, time, send(stream=True))
    assert traffic.snapshot()["s"].tokens.output == 7


async def test_pins(build: Build, time: Time) -> None:
    core = await build([GOOD], [GOOD], pins={"nightly": "b"})
    assert tried(await go(core, time, send(**{WORKLOAD: "nightly"})))[0][0] == "b"
    assert tried(await go(core, time, send(**{WORKLOAD.upper(): "nightly"})))[0][0] == "b"
    assert tried(await go(core, time, send(**{WORKLOAD: "other"})))[0][0] == "a"
    assert tried(await go(core, time))[0][0] == "a"


async def test_the_workload_is_not_passed_on(serve: Serve, session: aiohttp.ClientSession, time: Time) -> None:
    server = await serve(GOOD)
    url = f"http://127.0.0.1:{server.port}"
    core = Core([Provider(name="p", url=url)], {"p": Transport(session, url, LIMITS)}, {"p": "sk-p"}, time.clock)
    await go(core, time, send(**{"X-Canary-Workload": "nightly", "x_other": "stays"}))
    (head,) = server.requests
    assert b"workload" not in head.lower() and b"x-other: stays" in head.lower()


async def test_a_client_that_hangs_up_is_no_fault(build: Build, time: Time) -> None:
    traffic = Traffic()
    core = await build([sse(streamed(CHAT), "hang")], traffic=traffic)
    async with core.open(send(stream=True)) as answer:
        async for _ in answer.chunks():
            break
    assert core.breakers["a"].failures == 0
    assert [each.reason for each in answer.attempts] == ["abandoned"]
    assert traffic.snapshot() == {}


async def test_a_canary_is_asked_once_whatever_the_breaker_says(build: Build, time: Time) -> None:
    settings = Settings(policy=Threshold(failures=1))
    core = await build([BUSY], [GOOD], settings=settings, conduct=Conduct())
    for _ in range(3):
        got = await go(core, time)
        assert tried(got) == [("a", "default", 503, "overloaded")] and got.body == error("busy")
    assert core.breakers["a"].failures == 3 and time.slept == []


async def test_secrets_are_in_no_repr(build: Build, time: Time) -> None:
    keys = {"a": (Credential("one", "sk-planted-1"),)}
    core = await build([http(error("who"), status=401)], credentials=keys)
    got = await go(core, time)
    shown = repr((got, core.standings(), keys, core.ways.__dict__))
    assert "sk-planted" not in shown


KEPT = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(whole(CHAT)), whole(CHAT),
)


async def test_stale_connection_is_nobodys_fault(time: Time) -> None:
    """A server that closes its kept connections without a word: the ask goes out again, and that is listed."""
    served = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(KEPT)
        await writer.drain()
        served += 1
        await reader.read(1)  # the next ask on this connection has begun to arrive: it is closed under it
        writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with new_session(keep_alive=True) as session:
        provider = Provider(name="p", url=url, dialects=(CHAT,), limits=LIMITS)
        core = Core([provider], {"p": Transport(session, url, LIMITS)}, {}, time.clock, conduct=Conduct(raw=False))
        first, second = await go(core, time), await go(core, time)
        assert tried(first) == [("p", "default", 200, "")]
        assert tried(second) == [("p", "default", None, "stale_connection"), ("p", "default", 200, "")]
        assert second.fault is None and served == 2
        assert core.breakers["p"].failures == 0 and time.slept == []
    server.close()
    await server.wait_closed()


async def test_connections_are_used_again(mirror_url: str, time: Time) -> None:
    async with new_session(keep_alive=True) as session:
        provider = Provider(name="p", url=mirror_url, dialects=(CHAT,))
        transports = {"p": Transport(session, mirror_url, LIMITS)}
        core = Core([provider], transports, {}, time.clock, conduct=Conduct(raw=False))
        sent = Send(ask=ask(CHAT, model="mirror/healthy"), dialect=CHAT)
        for _ in range(5):
            assert (await go(core, time, sent)).fault is None
        connector = session.connector
        assert connector is not None and sum(map(len, connector._conns.values())) == 1
