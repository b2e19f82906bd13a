"""Covers proxy/hearing.py and proxy/streams.py: whatever a provider says, its client reads its own dialect."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import aiohttp
import pytest
from answers import ask, error, http, reply, sse, streamed, whole
from anthropic.types import ErrorObject

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import CLIENT, Conduct
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import End
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.fault import FaultReason as R
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Text, ToolCall, Usage

LIMITS = Limits(connect=1, first_byte=5, idle=0.4, total=8, body=64 * 1024)
ONCE = Conduct(raw=False)
ANTHROPICS = {str(get_args(each.model_fields["type"].annotation)[0]) for each in get_args(get_args(ErrorObject)[0])}
PAIRS = [(client, provider) for client in DIALECTS for provider in DIALECTS]
HTML = b"<!doctype html><html><body>Please sign in</body></html>"
Serve = Callable[..., Awaitable[Any]]
AskCore = Callable[..., Awaitable[tuple[Exchange, Core]]]


@pytest.fixture
def ask_core(serve: Serve, session: aiohttp.ClientSession, clock: Clock) -> AskCore:
    """What a client of one dialect gets where a provider of another plays a script, and the core in between."""

    async def go(pair: tuple[str, str], *scripts: Any, stream: bool = False, conduct: Conduct = ONCE) -> Any:
        server = await serve(*scripts)
        url = f"http://127.0.0.1:{server.port}"
        provider = Provider(name="p", url=url, dialects=(pair[1],), limits=LIMITS)
        core = Core(
            [provider], {"p": Transport(session, url, LIMITS)}, {"p": "sk-secret"}, clock, conduct=conduct,
            traffic=Traffic(), sleep=_no_sleep,
        )
        send = Send(ask=ask(pair[0], stream=stream), dialect=pair[0], stream=stream)
        return await exchange(core, send, clock=clock), core

    return go


async def _no_sleep(seconds: float) -> None:
    assert seconds < 9


def is_proper_error(got: Exchange, dialect: str) -> None:
    """The body is an error that the dialect's own clients read."""
    assert got.status is not None and got.status >= 400
    said = json.loads(got.body)
    inner = said["error"]
    assert isinstance(inner, dict) and isinstance(inner["message"], str)
    if dialect == "anthropic_messages":
        assert said["type"] == "error" and isinstance(inner["type"], str)
    elif dialect == "gemini":
        assert inner["code"] == got.status and isinstance(inner["status"], str)
    else:
        assert isinstance(inner["type"], str)
    assert "sk-secret" not in repr(got)


WHOLE = [
    ("HTML", lambda d: http(HTML, kind="text/html"), R.HTML),
    ("HTML called JSON", lambda d: http(HTML), R.HTML),
    ("an error", lambda d: http(error("over there")), R.ERROR_IN_200),
    ("an error in a list", lambda d: http(b'[{"error":{"code":500,"message":"x","status":"INTERNAL"}}]'), None),
    ("a bare message", lambda d: http(b'{"message":"no such luck"}'), None),
    ("nothing", lambda d: http(b""), R.EMPTY_BODY),
    ("blank lines", lambda d: http(b"\n\n"), R.EMPTY_BODY),
    ("half a body", lambda d: http(whole(d)[:-9]), R.MALFORMED_BODY),
    ("another form", lambda d: http(b'{"answer":"hello"}'), R.MALFORMED_BODY),
    ("not UTF-8", lambda d: http(whole(d).replace(b"hello", b"he\xff\xfeo")), R.MALFORMED_BODY),
    ("too much", lambda d: http(whole(d, Text("x" * 70_000))), R.BODY_TOO_LARGE),
    ("a lost connection", lambda d: (http(whole(d))[0][:-20],), R.CONNECTION_LOST),
    ("silence", lambda d: (http(whole(d))[0][:-20], "hang"), R.IDLE_TIMEOUT),
    ("a redirect", lambda d: http(b"", status=302, location="http://127.0.0.1:1/login"), R.NO_ROUTE),
    ("an HTML error", lambda d: http(HTML, status=502, kind="text/html"), R.HTML),
    ("an error of words", lambda d: http(b"upstream connect error", status=503, kind="text/plain"), R.OVERLOADED),
    ("nobody", lambda d: ("reset",), R.CONNECTION_LOST),
    ("HTML called a stream", lambda d: http(HTML, kind="text/event-stream"), R.HTML),
]


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize(("script", "reason"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_no_answer(
    client: str, provider: str, script: Any, reason: R | None, stream: bool, ask_core: AskCore
) -> None:
    got, core = await ask_core((client, provider), script(provider), stream=stream)
    is_proper_error(got, client)
    assert got.fault is not None
    (attempt,) = got.attempts
    assert attempt.reason == reason or reason is None
    counted = reason not in (R.NO_ROUTE,)
    assert core.breakers["p"].failures == int(counted)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize("stream", [False, True])
async def test_well(client: str, provider: str, stream: bool, ask_core: AskCore) -> None:
    script = sse(streamed(provider)) if stream else http(whole(provider))
    got, core = await ask_core((client, provider), script, stream=stream)
    assert got.fault is None and got.reply is not None and got.reply.text == "hello"
    assert got.objections == ()
    assert got.reply.usage is not None and (got.reply.usage.input, got.reply.usage.output) == (11, 7)
    assert core.breakers["p"].failures == 0
    if client == provider:
        assert got.body == (streamed(provider) if stream else whole(provider)), "no byte changes"


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_whole_where_a_stream_was_asked_for(client: str, provider: str, ask_core: AskCore) -> None:
    got, _ = await ask_core((client, provider), http(whole(provider)), stream=True)
    assert got.fault is None and got.reply is not None and got.reply.text == "hello" and got.objections == ()


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize("kind", ["sse", "called JSON"])
async def test_stream_where_a_body_was_asked_for(client: str, provider: str, kind: str, ask_core: AskCore) -> None:
    script = sse(streamed(provider)) if kind == "sse" else http(streamed(provider))
    got, _ = await ask_core((client, provider), script)
    assert got.fault is None and got.reply is not None and got.reply.text == "hello"


def cut(dialect: str) -> bytes:
    """A stream's beginning, up to its words."""
    body = streamed(dialect)
    return body[: body.index(b"\n\n", body.index(b"hello")) + 2]


def ends(got: Exchange) -> None:
    """The client's stream ends with an error or its terminal event; each frame of it is whole."""
    assert got.body.endswith(b"\n\n")
    reader_ok = got.fault is not None or any(isinstance(event, End) for event in got.events)
    assert reader_ok, got.body
    for frame in got.body.split(b"\n\n"):
        data = b"\n".join(line[5:].strip() for line in frame.split(b"\n") if line.startswith(b"data:"))
        if data and data != b"[DONE]":
            json.loads(data)


STREAMS = [
    ("ends early", lambda d: sse(cut(d)), R.TRUNCATED_STREAM),
    ("closes early", lambda d: sse(cut(d))[:-1], R.CONNECTION_LOST),
    ("breaks off in a frame", lambda d: sse(cut(d), b'data: {"half'), R.TRUNCATED_STREAM),
    ("is lost in a frame", lambda d: (*sse(cut(d), b'data: {"half')[:-1], 0.05, "reset"), R.CONNECTION_LOST),
    ("stands still", lambda d: (*sse(cut(d))[:-1], "hang"), R.IDLE_TIMEOUT),
    ("grows too large", lambda d: sse(cut(d), 0.05, *(b": " + b"x" * 8000 + b"\n\n",) * 9), R.BODY_TOO_LARGE),
]


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize(("script", "reason"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
async def test_broken_streams(client: str, provider: str, script: Any, reason: R, ask_core: AskCore) -> None:
    got, core = await ask_core((client, provider), script(provider), stream=True)
    assert got.status == 200
    ends(got)
    assert got.fault is not None and not got.cut, "the client's own stream is not cut"
    assert "hello" in got.body.decode(), "what came before is not lost"
    (attempt,) = got.attempts
    assert attempt.reason == reason
    assert core.breakers["p"].failures == 1


IN_ONE_PIECE = [
    ("not UTF-8", lambda d: sse(streamed(d).replace(b"hello", b"he\xff\xfeo")), R.MALFORMED_BODY),
    ("too much", lambda d: sse(streamed(d, Text("x" * 70_000))), R.BODY_TOO_LARGE),
]


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize(("script", "reason"), [row[1:] for row in IN_ONE_PIECE], ids=[row[0] for row in IN_ONE_PIECE])
async def test_a_stream_in_one_piece(client: str, provider: str, script: Any, reason: R, ask_core: AskCore) -> None:
    got, core = await ask_core((client, provider), script(provider), stream=True)
    assert got.body, "its end is in the piece that is not passed on"
    ends(got)
    assert got.fault is not None
    (attempt,) = got.attempts
    assert attempt.reason == reason
    assert core.breakers["p"].failures == 1
    if client == "openai_responses" != provider:
        assert got.body.startswith(b"event: response.created"), "OpenAI's SDK takes no failure before it"


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_a_canary_sees_that_a_stream_was_not_utf8(client: str, provider: str, ask_core: AskCore) -> None:
    script = sse(streamed(provider).replace(b"hello", b"he\xff\xfeo"))
    got, _ = await ask_core((client, provider), script, stream=True, conduct=Conduct())
    said = {*got.objections, got.fault.reason if got.fault is not None else ""}
    assert said & {"not_utf8", "malformed_body"}


MIDWAY = {
    "openai_chat": b'data: {"error":{"message":"overloaded","type":"server_error","code":null}}\n\n',
    "openai_responses": b'event: error\ndata: {"type":"error","code":"server_error","message":"overloaded",'
    b'"param":null,"sequence_number":9}\n\n',
    "anthropic_messages": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
    b'"message":"overloaded"}}\n\n',
    "gemini": b'data: {"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}\n\n',
}


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_error_in_mid_stream(client: str, provider: str, ask_core: AskCore) -> None:
    got, core = await ask_core((client, provider), sse(cut(provider), MIDWAY[provider]), stream=True)
    ends(got)
    assert got.fault is not None and "overloaded" in got.fault.message
    assert b"overloaded" in got.body.rstrip().rpartition(b"\n\n")[2], "nothing comes after the error"
    if client == "anthropic_messages" != provider:
        assert got.fault.code in ANTHROPICS, "another dialect's word is none for Anthropic's clients"
    (attempt,) = got.attempts
    assert attempt.reason and core.breakers["p"].failures == 1


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_error_before_anything_has_a_status(client: str, provider: str, ask_core: AskCore) -> None:
    got, core = await ask_core((client, provider), sse(MIDWAY[provider]), stream=True)
    is_proper_error(got, client)
    assert core.breakers["p"].failures == 1


ENDED = [pair for pair in PAIRS if pair[1] in ("openai_chat", "anthropic_messages")]


@pytest.mark.parametrize(("client", "provider"), ENDED)
async def test_terminal_event_is_added_where_the_answer_was_over(client: str, provider: str, ask_core: AskCore) -> None:
    body = streamed(provider)
    mark = b"data: [DONE]" if provider == "openai_chat" else b"event: message_stop"
    got, core = await ask_core((client, provider), sse(body[: body.index(mark)]), stream=True)
    ends(got)
    assert got.fault is None and got.objections == () and got.reply is not None
    assert got.reply.text == "hello"
    assert core.breakers["p"].failures == 0


# Gemini's calls need no id, and its writers make their own
WITH_IDS = [pair for pair in PAIRS if pair[0] != pair[1] and "gemini" not in pair]


@pytest.mark.parametrize(("client", "provider"), WITH_IDS)
@pytest.mark.parametrize("stream", [False, True])
async def test_two_calls_under_one_id(client: str, provider: str, stream: bool, ask_core: AskCore) -> None:
    calls = (ToolCall("call_1", "red", "{}"), ToolCall("call_1", "blue", "{}"))
    script = sse(streamed(provider, *calls, finish=Finish.TOOL)) if stream else http(whole(provider, *calls))
    got, _ = await ask_core((client, provider), script, stream=stream)
    assert got.reply is not None
    assert [call.name for call in got.reply.calls] == ["red", "blue"]
    assert len({call.id for call in got.reply.calls}) == 2
    assert any(loss.where == "tool call" for loss in got.losses)


NEGATIVE = {
    "openai_chat": (b'"completion_tokens":7', b'"completion_tokens":-7'),
    "openai_responses": (b'"output_tokens":7', b'"output_tokens":-7'),
    "anthropic_messages": (b'"output_tokens":7', b'"output_tokens":-7'),
}


@pytest.mark.parametrize(("client", "provider"), [p for p in PAIRS if p[0] != p[1] and p[1] in NEGATIVE])
async def test_negative_usage(client: str, provider: str, ask_core: AskCore) -> None:
    good, bad = NEGATIVE[provider]
    assert good in whole(provider)
    got, core = await ask_core((client, provider), http(whole(provider).replace(good, bad)))
    assert got.fault is None and got.reply is not None and got.reply.text == "hello"
    assert any(loss.where == "usage" and "no number" in loss.what for loss in got.losses), got.losses
    assert b"-7" not in got.body
    assert core.breakers["p"].failures == 0


async def test_unreadable_ask_is_the_clients_fault(ask_core: AskCore, serve: Serve, clock: Clock) -> None:
    _, core = await ask_core(("openai_chat", "openai_chat"), http(whole("openai_chat")))
    for body in (b"", b"{", b"[]", b'{"model":7}', b'{"messages":[]}', b'{"model":"m","stream":"yes"}'):
        got = await exchange(core, Send(ask=body, dialect="anthropic_messages"), clock=clock)
        is_proper_error(got, "anthropic_messages")
        assert got.status == 400 and got.attempts == ()
        with pytest.raises(WireError):
            async with core.open(Send(ask=body, dialect="anthropic_messages"), Conduct()):
                pass
    assert core.breakers["p"].failures == 0


async def test_canaries_see_what_came(ask_core: AskCore) -> None:
    """The same core, the other conduct: nothing is mended."""
    got, core = await ask_core(("openai_chat", "openai_chat"), http(HTML), conduct=Conduct())
    assert got.status == 200 and got.body == HTML
    assert got.fault is not None and got.fault.reason is R.HTML
    assert core.breakers["p"].failures == 1
    script = sse(cut("openai_chat"))
    got, core = await ask_core(("anthropic_messages", "openai_chat"), script, stream=True, conduct=Conduct())
    assert got.fault is not None and got.fault.reason is R.TRUNCATED_STREAM
    assert got.attempts[0].reason == R.TRUNCATED_STREAM and core.breakers["p"].failures == 1


def test_conducts() -> None:
    assert Conduct().raw and Conduct().retries.attempts == 1
    assert not CLIENT.raw and CLIENT.retries.attempts > 1
    assert reply("openai_chat").usage == Usage(input=11, output=7)
