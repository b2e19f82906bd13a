"""Covers proxy/translate.py: a client of one dialect, a provider of another, and the mirror behind."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.translate import Order, Pair, translate_ask
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire import png
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.message import Ask, Image, Message, Text, Thinking, Tool, ToolCall, ToolResult
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.profile import Profile

CHAT, MESSAGES = "openai_chat", "anthropic_messages"
CROSS = [(CHAT, MESSAGES), (MESSAGES, CHAT)]
PAIRS = [*CROSS, (CHAT, CHAT), (MESSAGES, MESSAGES)]
MARK = "cnry-abcdefghij"
TOOLS = (
    Tool("red", "Returns red.", {"type": "object", "properties": {}}),
    Tool("blue", "Returns blue.", {"type": "object", "properties": {}}),
)
SHORT = Limits(connect=0.3, first_byte=0.3, idle=0.3, total=0.5)
MakeCore = Callable[..., Core]
Serve = Callable[..., Awaitable[Any]]


def sending(dialect: str, *turns: Message, model: str = "mirror/healthy", stream: bool = False, **more: Any) -> Send:
    content = turns or (Message("user", (Text(f"[{MARK}] Reply with exactly this and nothing else: 4711"),)),)
    fields: dict[str, Any] = {"max_tokens": 5000, "include_usage": True, **more}
    ask = Ask(dialect=dialect, model=model, messages=content, stream=stream, **fields)
    return Send(ask=ask, dialect=dialect, stream=stream)


def image_turns(number: str, draw: Draw) -> tuple[Message, ...]:
    picture = b64encode(png.draw_number(number, draw)).decode()
    question = f"[{MARK}] Call red, then reply with only the number shown in the image it returns."
    result = ToolResult("call_1", (Text("image attached"), Image(data=picture, media_type="image/png")))
    return (
        Message("user", (Text(question),)),
        Message("assistant", (ToolCall("call_1", "red", "{}"),)),
        Message("tool", (result,)),
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("profile", ["mirror", "generic"])
@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_image_in_a_tool_result_is_read(
    client: str, provider: str, profile: str, stream: bool, embedded: MakeCore, mirror: Mirror, draw: Draw, clock: Clock
) -> None:
    """The mirror reads the digits off the picture, wherever the profile makes it stand."""
    core = embedded(provider, profile=profile)
    got = await exchange(core, sending(client, *image_turns("735128", draw), stream=stream, tools=TOOLS), clock=clock)
    assert got.fault is None and got.reply is not None
    assert got.reply.text == "735128"
    (seen,) = mirror.desk.records.of(MARK)
    assert seen.dialect == provider and seen.stream is stream


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_tools(client: str, provider: str, stream: bool, embedded: MakeCore, clock: Clock) -> None:
    turn = Message("user", (Text("call red and blue"),))
    got = await exchange(embedded(provider), sending(client, turn, stream=stream, tools=TOOLS), clock=clock)
    assert got.fault is None and got.reply is not None
    assert [(call.name, call.arguments) for call in got.reply.calls] == [("red", "{}"), ("blue", "{}")]
    assert len({call.id for call in got.reply.calls}) == 2
    assert got.reply.finish == "tool" and got.objections == ()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_thinking(client: str, provider: str, stream: bool, embedded: MakeCore, clock: Clock) -> None:
    send = sending(client, stream=stream, thinking=Thinking(effort="low"))
    got = await exchange(embedded(provider), send, clock=clock)
    assert got.fault is None and got.reply is not None
    (thought,) = got.reply.thoughts
    assert thought.text.startswith("I thought about it for ")
    assert got.reply.text == "4711"
    assert got.reply.usage is not None and (got.reply.usage.output or 0) > 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "provider"), CROSS)
async def test_usage_is_the_same_as_without_translation(
    client: str, provider: str, stream: bool, embedded: MakeCore, clock: Clock
) -> None:
    send = sending(client, stream=stream)
    straight = await exchange(embedded(client), send, clock=clock)
    crossed = await exchange(embedded(provider), send, clock=clock)
    assert straight.reply is not None and crossed.reply is not None
    one, two = straight.reply.usage, crossed.reply.usage
    assert one is not None and two is not None
    assert (one.input, one.output) == (two.input, two.output)
    assert one.input and one.output


ERRORS = [
    ("mirror/rate-limited", 429, FaultReason.RATE_LIMITED),
    ("mirror/unauthorized", 401, FaultReason.AUTH),
    ("mirror/not-callable", 400, FaultReason.MODEL_NOT_SUPPORTED),
    ("mirror/overloaded", 503, FaultReason.OVERLOADED),
    ("mirror/absent", 404, FaultReason.MODEL_NOT_FOUND),
    ("mirror/quota-exhausted", 429, FaultReason.QUOTA_EXHAUSTED),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("client", "provider"), CROSS)
@pytest.mark.parametrize(("model", "status", "reason"), ERRORS)
async def test_errors_in_the_clients_words(
    model: str, status: int, reason: FaultReason, client: str, provider: str, stream: bool, embedded: MakeCore,
    clock: Clock,
) -> None:
    got = await exchange(embedded(provider), sending(client, model=model, stream=stream), clock=clock)
    assert got.status == status
    said = json.loads(got.body)
    assert said["error"]["message"] and said["error"]["type"]
    assert ("type" in said) is (client == MESSAGES), "each dialect has its own envelope"
    assert (said.get("type") == "error") is (client == MESSAGES)
    assert got.fault is not None
    if reason is FaultReason.QUOTA_EXHAUSTED and client == MESSAGES:  # it has one word for both
        assert got.fault.reason in (reason, FaultReason.RATE_LIMITED)
    else:
        assert got.fault.reason is reason
    if model == "mirror/rate-limited":
        assert got.fault.retry_after == 7


BROKEN = [
    ("mirror/html-200", FaultReason.HTML),
    ("mirror/half-json", FaultReason.MALFORMED_BODY),
    ("mirror/empty-200", FaultReason.EMPTY_BODY),
    ("mirror/error-in-200", FaultReason.ERROR_IN_200),
    ("mirror/stream-cut", FaultReason.TRUNCATED_STREAM),
    ("mirror/stream-error", FaultReason.STREAM_ERROR),
    ("mirror/not-a-stream", FaultReason.NOT_A_STREAM),
    ("mirror/always-stream", FaultReason.UNEXPECTED_STREAM),
    ("mirror/empty-answer", FaultReason.EMPTY_ANSWER),
    ("mirror/hang-midway", FaultReason.IDLE_TIMEOUT),
    ("mirror/hang", FaultReason.FIRST_BYTE_TIMEOUT),
]
STREAMED = {"mirror/stream-cut", "mirror/stream-error", "mirror/not-a-stream", "mirror/hang-midway"}


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize(("model", "reason"), BROKEN)
async def test_broken_answers_stay_broken(
    model: str, reason: FaultReason, client: str, provider: str, embedded: MakeCore, clock: Clock
) -> None:
    """A translation mends nothing and hides nothing."""
    send = sending(client, model=model, stream=model in STREAMED)
    got = await exchange(embedded(provider, limits=SHORT), send, clock=clock)
    assert got.fault is not None and got.fault.reason is reason
    assert [each.provider for each in got.attempts] == ["mirror"]


@pytest.mark.parametrize(("client", "provider"), CROSS)
async def test_losses_are_declared(client: str, provider: str, embedded: MakeCore, clock: Clock) -> None:
    send = sending(client, extra={"seed": 7} if client == CHAT else {"top_k": 7})
    got = await exchange(embedded(provider), send, clock=clock)
    lost = {loss.what for loss in got.losses}
    assert got.fault is None
    assert ("field seed" if client == CHAT else "field top_k") in lost
    straight = await exchange(embedded(client), send, clock=clock)
    assert straight.losses == ()


@pytest.mark.parametrize(("client", "provider"), CROSS)
async def test_keep_alive_before_the_head_hides_nobody(
    client: str, provider: str, serve: Serve, session: aiohttp.ClientSession, embedded: MakeCore, clock: Clock
) -> None:
    """A comment that comes in a packet of its own tells nothing of who answers."""
    whole = await exchange(embedded(provider), sending(provider, stream=True), clock=clock)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    server = await serve((head, b": hold on\n\n", 0.05, whole.body))
    url = f"http://127.0.0.1:{server.port}"
    core = Core([Provider(name="p", url=url, dialects=(provider,))], {"p": Transport(session, url, SHORT)}, {}, clock)
    got = await exchange(core, sending(client, stream=True), clock=clock)
    assert got.fault is None and got.reply is not None and whole.reply is not None
    assert (got.reply.model, got.reply.id, got.reply.text) == ("mirror/healthy", whole.reply.id, "4711")


async def test_stream_that_is_no_json_is_a_value(
    serve: Serve, session: aiohttp.ClientSession, clock: Clock
) -> None:
    server = await serve((b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", b"data: {oops\n\n", 0.05))
    url = f"http://127.0.0.1:{server.port}"
    core = Core([Provider(name="p", url=url, dialects=(CHAT,))], {"p": Transport(session, url, SHORT)}, {}, clock)
    got = await exchange(core, sending(MESSAGES, stream=True), clock=clock)
    assert got.fault is not None and got.fault.reason is FaultReason.MALFORMED_BODY
    assert core.breakers["p"].failures == 1


async def test_profile_decides_how_it_is_written(embedded: MakeCore, mirror: Mirror, clock: Clock) -> None:
    facts = Profile(max_tokens_field="max_tokens")
    got = await exchange(embedded(CHAT), msgspec.structs.replace(sending(CHAT), profile=facts), clock=clock)
    assert got.fault is None
    (seen,) = mirror.desk.records.of(MARK)
    assert json.loads(seen.body)["max_tokens"] == 5000


def used_twice(dialect: str) -> Order:
    """Calls of three turns under one id, two of them in one turn, one without an answer."""
    turns = [("red", "blue"), ("gone",), ("green",)]
    messages: list[Message] = [Message("user", (Text("call red"),))]
    for names in turns:
        messages.append(Message("assistant", tuple(ToolCall("same", name, "{}") for name in names)))
        results = [ToolResult("same", (Text(f"that of {name}"),)) for name in names if name != "gone"]
        messages += [Message("tool", tuple(results))] if results else [Message("user", (Text("go on"),))]
    asked = Ask(dialect=dialect, model="m", messages=tuple(messages), tools=TOOLS, max_tokens=50)
    request = DIALECTS[dialect].write_ask(asked, Profile())
    return Order(body=request.body, path=request.path, asked="m", model="m")


@pytest.mark.parametrize(("client", "provider"), [(c, p) for c in DIALECTS for p in DIALECTS if c != p])
def test_results_under_an_id_used_twice_stay_with_their_calls(client: str, provider: str) -> None:
    request = translate_ask(Pair(client, provider), used_twice(client), Profile())
    sent = DIALECTS[provider].read_ask(request.body, request.path)
    parts = [part for message in sent.messages for part in message.content]
    names = {part.id: part.name for part in parts if isinstance(part, ToolCall)}
    assert sorted(names.values()) == ["blue", "gone", "green", "red"], "no two calls have one id"
    results = {names[part.id]: part.content for part in parts if isinstance(part, ToolResult)}
    assert results == {name: (Text(f"that of {name}"),) for name in ("red", "blue", "green")}
    assert sum(loss.where == "tool call" for loss in request.losses) == 3
    if provider == "gemini":  # which binds by name as well
        said = [part for turn in json.loads(request.body)["contents"] for part in turn["parts"]]
        bound = [each["functionResponse"] for each in said if "functionResponse" in each]
        assert [(each["name"], each["response"]["output"]) for each in bound] == [
            (name, f"that of {name}") for name in ("red", "blue", "green")
        ]


def test_the_same_dialects_ids_are_the_clients_own() -> None:
    order = used_twice("openai_chat")
    assert translate_ask(Pair("openai_chat", "openai_chat"), order, Profile()).body == order.body
