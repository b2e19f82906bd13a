"""Covers proxy/core.py: bytes untouched, attempts, breakers, routes and the model list."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.breaker import State
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.message import Ask, Message, Text, Thinking
from llm_canaries.wire.thinking import level_of

CHAT, MESSAGES = "openai_chat", "anthropic_messages"
MARK = "cnry-abcdefghij"
SHORT = Limits(connect=0.3, first_byte=0.3, idle=0.3, total=0.5)
MakeCore = Callable[..., Core]
Serve = Callable[..., Awaitable[Any]]


def sending(dialect: str, *turns: Message, model: str = "mirror/healthy", stream: bool = False, **more: Any) -> Send:
    content = turns or (Message("user", (Text(f"[{MARK}] Reply with exactly this and nothing else: 4711"),)),)
    fields: dict[str, Any] = {"max_tokens": 5000, "include_usage": True, **more}
    ask = Ask(dialect=dialect, model=model, messages=content, stream=stream, **fields)
    return Send(ask=ask, dialect=dialect, stream=stream)


def values(body: bytes) -> dict[str, bytes]:
    return {key: bytes(raw) for key, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()}


RAW = {
    CHAT: b'{ "unknown" : {"b":1.50, "a" : [ ]},\n "messages":[{"role":"user", "content":"'
    + MARK.encode() + b' \\u00e9 <\\/p>"}] , "n": 1e0,"model" : "%s","big":12345678901234567890123 }\r\n',
    MESSAGES: b'{"max_tokens" : 64 ,"odd":  {"x" : 1.0},\t"messages":[ {"content":[{"text":"'
    + MARK.encode() + b'", "type":"text", "zzz":null}],"role":"user"}],"model":"%s" }',
}


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
async def test_same_dialect_and_model_touches_no_byte(
    dialect: str, embedded: MakeCore, mirror: Mirror, clock: Clock
) -> None:
    raw = RAW[dialect] % b"mirror/healthy"
    got = await exchange(embedded(), Send(ask=raw, dialect=dialect), clock=clock)
    assert got.fault is None and got.sent == raw
    (seen,) = mirror.desk.records.of(MARK)
    assert seen.body == raw and seen.dialect == dialect


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
@pytest.mark.parametrize("fields", [{"prefix": "acme"}, {"aliases": {"acme/mirror/healthy": "mirror/healthy"}}])
async def test_another_model_id_keeps_every_other_value(
    dialect: str, fields: dict[str, Any], embedded: MakeCore, mirror: Mirror, clock: Clock
) -> None:
    raw = RAW[dialect] % b"acme/mirror/healthy"
    got = await exchange(embedded(**fields), Send(ask=raw, dialect=dialect), clock=clock)
    assert got.fault is None and got.sent == raw, "what was sent is the client's own"
    (seen,) = mirror.desk.records.of(MARK)
    before, after = values(raw), values(seen.body)
    assert list(after) == list(before)
    assert after.pop("model") == b'"mirror/healthy"'
    before.pop("model")
    assert after == before


async def test_attempts(embedded: MakeCore, clock: Clock) -> None:
    good = await exchange(embedded(), sending(CHAT), clock=clock)
    (attempt,) = good.attempts
    assert (attempt.provider, attempt.status, attempt.credential) == ("mirror", 200, "default")
    assert 0 < attempt.duration <= good.duration
    (attempt,) = (await exchange(embedded(), sending(CHAT, model="mirror/overloaded"), clock=clock)).attempts
    assert attempt.status == 503
    (attempt,) = (await exchange(embedded(limits=SHORT), sending(CHAT, model="mirror/hang"), clock=clock)).attempts
    assert (attempt.status, attempt.reason) == (None, FaultReason.FIRST_BYTE_TIMEOUT)
    assert "sk-core" not in repr(good)


@pytest.mark.parametrize("provider", DIALECTS)
async def test_an_attempt_tells_what_the_provider_was_sent(
    provider: str, embedded: MakeCore, mirror: Mirror, clock: Clock
) -> None:
    """Byte for byte what arrived there; the key is in none of it."""
    got = await exchange(embedded(provider), sending(CHAT), clock=clock)
    (attempt,), (seen,) = got.attempts, mirror.desk.records.of(MARK)
    assert attempt.request is not None
    assert (attempt.request.body, attempt.request.path.partition("?")[0]) == (seen.body, seen.path)
    assert (attempt.request.body == got.sent) == (provider == CHAT)
    assert "sk-core" not in repr(attempt)


async def test_so_does_one_that_nobody_answers(embedded: MakeCore, clock: Clock) -> None:
    got = await exchange(embedded(MESSAGES, limits=SHORT), sending(CHAT, model="mirror/hang"), clock=clock)
    (attempt,) = got.attempts
    assert got.status is None and attempt.request is not None
    assert json.loads(attempt.request.body)["model"] == "mirror/hang"
    assert attempt.request.path == DIALECTS[MESSAGES].path


FEEDS = [
    ("mirror/healthy", False, 0),
    ("mirror/overloaded", False, 1),
    ("mirror/rate-limited", False, 1),
    ("mirror/hang", False, 1),
    ("mirror/hang-midway", True, 1),
    ("mirror/unauthorized", False, 0),
    ("mirror/absent", False, 0),
    ("mirror/not-callable", False, 0),
]


@pytest.mark.parametrize(("model", "stream", "failures"), FEEDS)
async def test_what_feeds_the_breaker(
    model: str, stream: bool, failures: int, embedded: MakeCore, clock: Clock
) -> None:
    core = embedded(limits=SHORT)
    await exchange(core, sending(CHAT, model=model, stream=stream), clock=clock)
    assert core.breakers["mirror"].failures == failures


async def test_total_timeout_feeds_the_breaker(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    server = await serve((head, *(b": still here\n\n", 0.05) * 40))
    url = f"http://127.0.0.1:{server.port}"
    provider = Provider(name="p", url=url, limits=SHORT)
    core = Core([provider], {"p": Transport(session, url, SHORT)}, {}, clock)
    got = await exchange(core, sending(CHAT, stream=True), clock=clock)
    assert got.fault is not None and got.fault.reason is FaultReason.TOTAL_TIMEOUT
    assert core.breakers["p"].failures == 1


async def test_open_breaker_refuses_no_canary(embedded: MakeCore, clock: Clock) -> None:
    core = embedded()
    for _ in range(5):
        await exchange(core, sending(CHAT, model="mirror/overloaded"), clock=clock)
    assert core.breakers["mirror"].state(clock.monotonic()) is State.OPEN
    got = await exchange(core, sending(CHAT, model="mirror/overloaded"), clock=clock)
    assert got.status == 503 and len(got.attempts) == 1, "it was asked, not refused"
    got = await exchange(core, sending(CHAT), clock=clock)
    assert got.fault is None
    assert core.breakers["mirror"].state(clock.monotonic()) is State.CLOSED


@pytest.mark.parametrize(("client", "stream"), [(CHAT, False), (MESSAGES, False), (CHAT, True), (MESSAGES, True)])
async def test_unknown_model(client: str, stream: bool, embedded: MakeCore, clock: Clock) -> None:
    core = embedded(models=("mirror/*",))
    got = await exchange(core, sending(client, model="gpt-5", stream=stream), clock=clock)
    assert got.status == 404 and got.attempts == ()
    assert got.fault is not None and got.fault.reason is FaultReason.MODEL_NOT_FOUND
    assert "gpt-5" in got.fault.message
    assert (json.loads(got.body).get("type") == "error") is (client == MESSAGES)
    assert core.breakers["mirror"].failures == 0


def two(url: str, other: str, session: aiohttp.ClientSession, clock: Clock) -> Core:
    """A core over two providers, of which one speaks Messages only and has a prefix."""
    limits = SHORT
    chat = Provider(name="chat", url=url, dialects=(CHAT,), models=("mirror/h*",), limits=limits,
                    aliases={"fast": "mirror/slow"})
    messages = Provider(name="messages", url=other, dialects=(MESSAGES,), prefix="acme", models=("mirror/healthy",),
                        limits=limits)
    transports = {"chat": Transport(session, url, limits), "messages": Transport(session, other, limits)}
    return Core([chat, messages], transports, {"chat": "sk-c", "messages": "sk-m"}, clock)


async def test_model_list(mirror_url: str, session: aiohttp.ClientSession, clock: Clock) -> None:
    core = two(mirror_url, mirror_url, session, clock)
    page = await look_at(core, Look(path="/v1/models"), clock=clock)
    assert page.status == 200 and page.fault is None
    listed = DIALECTS[CHAT].read_models(page.body).ids
    assert {"mirror/healthy", "mirror/hang", "fast", "acme/mirror/healthy"} <= set(listed)
    assert "mirror/slow" not in listed and "acme/mirror/hang" not in listed
    assert len(listed) == len(set(listed))


async def test_model_list_of_a_messages_provider(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> None:
    """Anthropic refuses a request without a version, a list too."""
    body = b'{"data":[{"type":"model","id":"claude","display_name":"c","created_at":"2026-01-01T00:00:00Z"}]}'
    server = await serve((b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body,))
    url = f"http://127.0.0.1:{server.port}"
    provider = Provider(name="p", url=url, dialects=(MESSAGES,))
    core = Core([provider], {"p": Transport(session, url, SHORT)}, {"p": "sk-m"}, clock)
    page = await look_at(core, Look(path="/v1/models"), clock=clock)
    assert DIALECTS[CHAT].read_models(page.body).ids == ("claude",)
    (head,) = server.requests
    assert b"anthropic-version: 2023-06-01" in head.lower() and b"x-api-key: sk-m" in head.lower()


async def test_provider_down_while_listing(
    mirror_url: str, free_port: int, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """Half a list is not passed off as the list."""
    core = two(mirror_url, f"http://127.0.0.1:{free_port}", session, clock)
    page = await look_at(core, Look(path="/v1/models"), clock=clock)
    assert page.fault is not None and page.fault.reason is FaultReason.CONNECT
    assert page.status is None and page.body == b""
    got = await exchange(core, sending(CHAT), clock=clock)
    assert got.fault is None, "the other provider answers all the same"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", FaultReason.UPSTREAM_ERROR),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", FaultReason.MALFORMED_BODY),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (4 * 1024 * 1024 + 1), FaultReason.BODY_TOO_LARGE),
    ],
)
async def test_listing_that_is_none(
    answer: bytes, reason: FaultReason, serve: Serve, mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    server = await serve((answer,))
    core = two(mirror_url, f"http://127.0.0.1:{server.port}", session, clock)
    page = await look_at(core, Look(path="/v1/models"), clock=clock)
    assert page.fault is not None and page.fault.reason is reason


async def test_no_other_pages(embedded: MakeCore, clock: Clock) -> None:
    page = await look_at(embedded(), Look(path="/metrics"), clock=clock)
    assert page.status == 404 and page.fault is not None


async def test_provider_key_not_the_clients(
    serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """The core authenticates by the provider's dialect."""
    server = await serve((b"HTTP/1.1 204 No Content\r\n\r\n",))
    url = f"http://127.0.0.1:{server.port}"
    core = Core(
        [Provider(name="p", url=url, dialects=(MESSAGES,))], {"p": Transport(session, url, SHORT)}, {"p": "sk-p"}, clock
    )
    await exchange(core, sending(CHAT), clock=clock)
    (head,) = server.requests
    assert head.startswith(b"POST /v1/messages ")
    assert b"x-api-key: sk-p" in head.lower() and b"authorization" not in head.lower()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_suffix_overrides_what_the_body_says(
    dialect: str, embedded: MakeCore, mirror: Mirror, clock: Clock
) -> None:
    """`model(low)` asks for low reasoning, whoever speaks (protocols.md C2)."""
    send = sending(dialect, model="mirror/healthy(low)", thinking=Thinking(effort="high"))
    got = await exchange(embedded(*DIALECTS), send, clock=clock)
    assert got.fault is None
    (seen,) = mirror.desk.records.of(MARK)
    assert (seen.dialect, seen.model) == (dialect, "mirror/healthy")
    assert got.thinking.requested == Thinking(effort="low")
    translated = got.thinking.translated
    assert translated is not None and translated == seen.ask.thinking
    assert level_of(translated) == "low"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_suffix_that_says_nothing_changes_the_model_alone(
    dialect: str, embedded: MakeCore, mirror: Mirror, clock: Clock
) -> None:
    got = await exchange(embedded(*DIALECTS), sending(dialect, model="mirror/healthy(ultra)"), clock=clock)
    assert got.fault is None
    (seen,) = mirror.desk.records.of(MARK)
    assert seen.model == "mirror/healthy" and got.thinking.translated is None


async def test_a_model_in_the_path(embedded: MakeCore, mirror: Mirror, clock: Clock) -> None:
    """Gemini keeps model and method in the path; raw bytes go where they were sent, to the model that is meant."""
    raw = b'{"contents": [ {"role":"user","parts":[{"text":"' + MARK.encode() + b' hi"}]} ],  "odd":1.0}'
    for model, fields in (("mirror/healthy", {}), ("fast", {"aliases": {"fast": "mirror/healthy"}})):
        core = embedded("gemini", **fields)
        for method, stream in (("generateContent", False), ("streamGenerateContent?alt=sse", True)):
            path = f"/v1beta/models/{model}:{method}"
            got = await exchange(core, Send(ask=raw, dialect="gemini", path=path, stream=stream), clock=clock)
            assert got.fault is None and got.sent == raw
            seen = mirror.desk.records.of(MARK)[-1]
            assert (seen.body, seen.model, seen.stream) == (raw, "mirror/healthy", stream)


@pytest.mark.parametrize("stream", [False, True])
async def test_losses_of_the_answer_are_told_once_it_is_read(
    stream: bool, embedded: MakeCore, clock: Clock
) -> None:
    """A chat client cannot be shown the signature of a thought."""
    send = sending(CHAT, stream=stream, thinking=Thinking(effort="low"))
    core = embedded(MESSAGES)
    got = await exchange(core, send, clock=clock)
    assert got.fault is None
    assert [loss.what for loss in got.losses if loss.where == "thinking" and "signature" in loss.what]
    async with core.open(send) as answer:
        before = answer.losses
        assert [attempt.status for attempt in answer.attempts] == [200]
        async for _ in answer.chunks():
            pass
    assert set(before) < set(answer.losses)


async def test_other_things_feed_no_breaker(embedded: MakeCore, clock: Clock) -> None:
    """An answer that is no answer is somebody's fault; an ask that is none is the client's."""
    core = embedded()
    for model, failures in (("html-200", 1), ("error-in-200", 2), ("half-json", 3), ("empty-200", 4)):
        await exchange(core, sending(CHAT, model=f"mirror/{model}"), clock=clock)
        assert core.breakers["mirror"].failures == failures, model
    for model in ("unauthorized", "not-callable", "absent"):
        await exchange(core, sending(CHAT, model=f"mirror/{model}"), clock=clock)
        assert core.breakers["mirror"].failures == 4, "no failure, and no success either"
    await exchange(core, sending(CHAT), clock=clock)
    assert core.breakers["mirror"].failures == 0
