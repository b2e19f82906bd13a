"""Covers mirror/misbehaviour.py, distortions.py and carry.py: every fault model does on the wire what its help says."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

import aiohttp
import pytest

from llm_canaries.mirror import server
from llm_canaries.mirror.distortions import FOOTER
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire import png
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.fault import FaultReason as R
from llm_canaries.wire.message import Ask, Image, Message, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Usage
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.stream_laws import Law, breaches

CHAT, MESSAGES = "openai_chat", "anthropic_messages"
LIMITS = Limits(connect=2, first_byte=1.5, idle=1.5, total=6, body=200_000)
NUMBER, CAP = "180462", 5000
Judge = Callable[[Exchange, Exchange], bool]


class Check(NamedTuple):
    """What to ask the healthy model and the bent one, and what is then true of the two exchanges."""

    holds: Judge
    ask: str = "echo"
    stream: bool = False
    dialects: tuple[str, ...] = (CHAT, MESSAGES)


def usage(got: Exchange) -> Usage:
    assert got.reply is not None and got.reply.usage is not None
    return got.reply.usage


def output(got: Exchange) -> int:
    return usage(got).output or 0


def text(got: Exchange) -> str:
    assert got.reply is not None
    return got.reply.text


def blind(good: Exchange, bad: Exchange) -> bool:
    return text(good) == NUMBER and text(bad) == "NONE"


def breaks(got: Exchange, law: Law) -> bool:
    decoder = Decoder()
    frames = [*decoder.feed(got.body), *decoder.close()]
    return law in {breach.law for breach in breaches(got.send.dialect, frames)}


def calls(got: Exchange) -> tuple[ToolCall, ...]:
    assert got.reply is not None
    return got.reply.calls


def names(got: Exchange) -> list[str]:
    return [call.name for call in calls(got)]


def codes(got: Exchange) -> list[str | None]:
    return [json.loads(call.arguments).get("code") for call in calls(got)]


def refused(status: int, words: str, reason: R | None = None) -> Judge:
    def judge(good: Exchange, bad: Exchange) -> bool:
        fault = bad.fault
        return (
            bad.status == status
            and fault is not None
            and words in fault.message
            and (reason is None or fault.reason is reason)
        )

    return judge


def ends_as(reason: R) -> Judge:
    return lambda good, bad: bad.status in (200, None) and bad.fault is not None and bad.fault.reason is reason


def opening(got: Exchange) -> bytes:
    return got.body.partition(b"message_delta")[0]


CHECKS: dict[str, Check] = {
    "healthy": Check(lambda good, bad: bad.fault is None and text(bad) == NUMBER, "image"),
    "drop-image": Check(lambda g, b: blind(g, b) and (usage(g).input or 0) - (usage(b).input or 0) == 67, "image"),
    "placeholder-image": Check(lambda g, b: text(b) == "NONE, the image was omitted.", "image"),
    "stringify-image": Check(lambda g, b: blind(g, b) and (usage(b).input or 0) > 10 * (usage(g).input or 0), "image"),
    "misread-image": Check(lambda g, b: text(b) == "291573", "image"),
    "blind-guess": Check(lambda g, b: text(g) == NUMBER and text(b) == "70707", "image"),
    "blind": Check(blind, "image"),
    "recall-tool": Check(lambda g, b: b.reply is not None and [c.name for c in b.reply.calls] == ["red"], "image"),
    "reject-image": Check(refused(400, "not role 'tool'"), "image"),
    "reject-media": Check(refused(400, "Could not process image"), "image"),
    "reject-id": Check(refused(400, "does not match any tool call"), "image"),
    "reject-order": Check(refused(400, "must be a response to"), "image"),
    "drop-tools": Check(lambda g, b: names(g) == ["red", "blue"] and names(b) == [] and text(b) == "ok", "call"),
    "lost-calls": Check(lambda g, b: names(g) == ["red", "blue"] and names(b) == [] and b.reply is not None
                        and b.reply.finish == "tool", "call"),
    "no-call-start": Check(lambda g, b: names(g) == ["red", "blue"] and not any(names(b)) and len(b.body) > 200, "call",
                           stream=True),
    "rename-tools": Check(lambda g, b: names(b) == ["proxy_red", "proxy_blue"], "call"),
    "one-call": Check(lambda g, b: names(b) == ["red"] and codes(b) == codes(g)[:1], "call"),
    "drop-arguments": Check(lambda g, b: codes(g) == ["11", "22"] and codes(b) == [None, None], "call"),
    "broken-arguments": Check(lambda g, b: [c.arguments for c in calls(b)] == ['{"code'] * 2, "call",
                              dialects=(CHAT,)),
    "changed-arguments": Check(lambda g, b: codes(b) == ["00", "00"], "call"),
    "no-call-id": Check(lambda g, b: all(c.id for c in calls(g)) and [c.id for c in calls(b)] == ["", ""], "call"),
    "one-call-id": Check(lambda g, b: len({c.id for c in calls(g)}) == 2 and len({c.id for c in calls(b)}) == 1,
                         "call"),
    "stop-with-calls": Check(lambda g, b: names(b) == names(g) and b.reply is not None and b.reply.finish == "stop",
                             "call"),
    "swap-results": Check(lambda g, b: (text(g), text(b)) == ("11, 22", "22, 11"), "results"),
    "drop-results": Check(lambda g, b: text(g) == "11, 22" and text(b) == "ok", "results"),
    "ignore-choice": Check(lambda g, b: names(g) == ["blue"] and names(b) == ["red", "blue"], "choose"),
    "double-start": Check(lambda g, b: b.body.count(b"message_start") == 2 * g.body.count(b"message_start") > 0,
                          stream=True, dialects=(MESSAGES,)),
    "early-finish": Check(lambda g, b: breaks(b, Law.OUT_OF_ORDER) and not breaks(g, Law.OUT_OF_ORDER), stream=True),
    "double-finish": Check(lambda g, b: breaks(b, Law.FINISH_TWICE) and text(b) == text(g), stream=True),
    "no-end": Check(lambda g, b: "no_end" in b.objections and text(b) == text(g), stream=True),
    "late-event": Check(lambda g, b: "event_after_end" in b.objections and text(b) == text(g), stream=True),
    "other-end": Check(lambda g, b: breaks(b, Law.TEXT_MISMATCH) and text(b) == text(g), stream=True,
                       dialects=("openai_responses",)),
    "changing-id": Check(lambda g, b: breaks(b, Law.IDENTITY_CHANGED), stream=True, dialects=(CHAT, "gemini")),
    "buffered": Check(lambda g, b: b.body.count(b"data:") == g.body.count(b"data:") and len(b.arrivals) == 1,
                      stream=True),
    "zero-usage": Check(lambda g, b: (usage(b).input, output(b)) == (0, 0) and text(b) == text(g)),
    "no-usage": Check(lambda g, b: b.reply is not None and b.reply.usage is None and b"usage" in g.body),
    "no-terminal-usage": Check(lambda g, b: b.reply is not None and b.reply.usage is None and output(g) > 0,
                               stream=True),
    "short-total": Check(lambda g, b: usage(b).total_reported == 0 and output(b) == output(g), dialects=(CHAT,)),
    "hidden-total": Check(lambda g, b: (usage(b).total_reported or 0) == (usage(g).total_reported or 0) + 62,
                          dialects=(CHAT,)),
    "excess-reasoning": Check(lambda g, b: (usage(b).reasoning or 0) > output(b)),
    "excess-cache": Check(lambda g, b: (usage(b).cache_read or 0) > (usage(b).input or 0), dialects=(CHAT,)),
    "zero-output": Check(lambda g, b: output(b) == 0 and usage(b).input == usage(g).input and text(b) == text(g)),
    "zero-input": Check(lambda g, b: usage(b).input == 0 and output(b) == output(g)),
    "text-usage": Check(lambda g, b: len(usage(b).broken) >= 2 and usage(g).broken == ()),
    "over-cap": Check(lambda g, b: output(b) > CAP > output(g)),
    "drifting-input": Check(lambda g, b: (usage(b).input or 0) == (usage(g).input or 0) + 9, stream=True),
    "inflated-stream": Check(lambda g, b: output(b) == 100 * output(g), stream=True),
    "split-model": Check(lambda g, b: b.reply is not None and b.reply.model == "mirror/fallback", stream=True),
    "lost-reasoning": Check(lambda g, b: usage(b).reasoning is None and (usage(g).reasoning or 0) > 0, "think", True),
    "estimated-reasoning": Check(lambda g, b: (usage(g).reasoning, usage(b).reasoning) == (200, 9)
                                 and output(b) == output(g), "think"),
    "shrinking-usage": Check(lambda g, b: b'"output_tokens":5000' in opening(b) and output(b) == output(g),
                             stream=True, dialects=(MESSAGES,)),
    "double-usage": Check(lambda g, b: b.body.count(b'"usage":{') == 2 and usage(b) == usage(g), stream=True,
                          dialects=(CHAT,)),
    "ignore-thinking": Check(lambda g, b: output(b) - output(g) == 500, "think"),
    "unbounded-thinking": Check(lambda g, b: output(b) - output(g) == 800, "think"),
    "no-thinking": Check(lambda g, b: b.reply is not None and b.reply.thoughts == () and output(b) < 10, "think"),
    "wrong-effort": Check(lambda g, b: b.reply is not None and b.reply.effort == "medium", "think"),
    "flat-thinking": Check(lambda g, b: output(b) - output(g) == 200, "think"),
    "not-listed": Check(lambda g, b: b.fault is None and text(b) == text(g)),
    "not-callable": Check(refused(400, "is not supported", R.MODEL_NOT_SUPPORTED)),
    "not-callable-detail": Check(refused(400, "with a ChatGPT account", R.MODEL_NOT_SUPPORTED)),
    "ineligible": Check(refused(400, "is not supported", R.MODEL_NOT_SUPPORTED)),
    "aliased": Check(lambda g, b: b.reply is not None and b.reply.model == "mirror/fallback" and text(b) == text(g)),
    "catch-all": Check(lambda g, b: b.fault is None and text(b) == text(g)),
    "catch-all-unknown": Check(lambda g, b: b.fault is None and text(b) == text(g)),
    "suspended": Check(refused(503, "auth_unavailable", R.NO_CREDENTIAL)),
    "cooling": Check(refused(429, "cooling down", R.COOLDOWN)),
    "quota-exhausted": Check(refused(429, "current quota", R.QUOTA_EXHAUSTED)),
    "wrong-answer": Check(lambda g, b: text(b) == "I cannot do that." and b.fault is None),
    "empty-answer": Check(lambda g, b: b.fault is not None and b.fault.reason is R.EMPTY_ANSWER and text(b) == ""),
    "stale-answer": Check(lambda g, b: text(b) == "739152" != text(g)),
    "footer": Check(lambda g, b: text(b).startswith(text(g)) and FOOTER in text(b)),
    "masked-words": Check(lambda g, b: (text(g), text(b)) == ("Paris", "***"), ask="word"),
    "filtered-answer": Check(lambda g, b: b.reply is not None and b.reply.finish == "filter" and text(b) == ""),
    "odd-finish": Check(lambda g, b: b.reply is not None and b.reply.finish_native == "network_error"),
    "html-200": Check(ends_as(R.HTML)),
    "business-error-200": Check(ends_as(R.BUSINESS_ERROR)),
    "error-in-200": Check(ends_as(R.ERROR_IN_200)),
    "half-json": Check(lambda g, b: ends_as(R.MALFORMED_BODY)(g, b) and 0 < len(b.body) <= len(g.body) // 2 + 1),
    "big-body": Check(ends_as(R.BODY_TOO_LARGE)),
    "empty-200": Check(lambda g, b: ends_as(R.EMPTY_BODY)(g, b) and b.body == b""),
    "stream-cut": Check(lambda g, b: ends_as(R.TRUNCATED_STREAM)(g, b) and 0 < len(b.body) < len(g.body), stream=True),
    "stream-error": Check(lambda g, b: ends_as(R.STREAM_ERROR)(g, b) and b"Overloaded" in b.body, stream=True),
    "not-a-stream": Check(ends_as(R.NOT_A_STREAM), stream=True),
    "always-stream": Check(ends_as(R.UNEXPECTED_STREAM)),
    "rate-limited": Check(lambda g, b: refused(429, "Rate limit", R.RATE_LIMITED)(g, b)
                          and b.fault is not None and b.fault.retry_after == 7),
    "forbidden": Check(refused(403, "not allowed", R.PERMISSION)),
    "unpaid": Check(refused(402, "Payment", R.BILLING)),
    "not-acceptable": Check(refused(406, "Not Acceptable", R.BAD_REQUEST)),
    "request-timeout": Check(refused(408, "stream disconnected", R.UPSTREAM_TIMEOUT)),
    "too-large": Check(refused(413, "too large", R.TOO_LARGE)),
    "bad-request": Check(refused(400, "Unsupported parameter", R.BAD_REQUEST)),
    "server-error": Check(refused(500, "had an error", R.UPSTREAM_ERROR)),
    "upstream-timeout": Check(refused(504, "timed out", R.UPSTREAM_TIMEOUT)),
    "overloaded": Check(refused(503, "overloaded", R.OVERLOADED)),
    "unauthorized": Check(refused(401, "Incorrect API key", R.AUTH)),
    "slow": Check(lambda g, b: b.fault is None and b.duration >= 0.2 > g.duration),
    "hang": Check(lambda g, b: b.status is None and b.fault is not None and b.fault.reason is R.FIRST_BYTE_TIMEOUT),
    "hang-midway": Check(lambda g, b: ends_as(R.IDLE_TIMEOUT)(g, b) and 0 < len(b.body) < len(g.body), stream=True),
}


BOTH = (
    "Call red and blue. Give red the code 11 and give blue the code 22. Once the tools have returned, reply with only "
    "the numbers that they returned."
)


def turns(kind: str, draw: Draw) -> tuple[Message, ...]:
    if kind in ("call", "choose"):
        return (Message("user", (Text(BOTH),)),)
    if kind == "results":
        made = (ToolCall("call_1", "red", "{}"), ToolCall("call_2", "blue", "{}"))
        shown = (ToolResult("call_1", (Text("The number is 11."),)), ToolResult("call_2", (Text("The number is 22."),)))
        return (Message("user", (Text(BOTH),)), Message("assistant", made), Message("tool", shown))
    if kind == "word":
        return (Message("user", (Text("Reply with exactly this and nothing else: Paris"),)),)
    if kind != "image":
        return (Message("user", (Text(f"Reply with exactly this and nothing else: {NUMBER}"),)),)
    picture = b64encode(png.draw_number(NUMBER, draw)).decode()
    return (
        Message("user", (Text("Call red, then reply with only the number shown in the image it returns."),)),
        Message("assistant", (ToolCall("call_1", "red", "{}"),)),
        Message("tool", (ToolResult("call_1", (Image(data=picture, media_type="image/png"),)),)),
    )


def sending(model: str, dialect: str, check: Check, draw: Draw) -> Send:
    thinking = Thinking(effort="low") if check.ask == "think" else None
    offered: dict[str, Any] = {"tools": (Tool("red"), Tool("blue"))}
    choice: dict[str, Any] = {"tool_choice": ToolChoice("tool", "blue")}
    asked = {"image": {"tools": (Tool("red"),)}, "call": offered, "results": offered, "choose": offered | choice}
    fields: dict[str, Any] = asked.get(check.ask, {})
    ask = Ask(
        dialect=dialect, model=model, messages=turns(check.ask, draw), stream=check.stream, include_usage=True,
        max_tokens=CAP, thinking=thinking, **fields,
    )
    return Send(ask=ask, dialect=dialect, stream=check.stream, profile=Profile(tool_images=True))


def test_every_model_is_checked_and_helped() -> None:
    assert list(CHECKS) == list(MISBEHAVIOURS)
    assert all(row.help for row in MISBEHAVIOURS.values())


CASES = [(name, dialect) for name, check in CHECKS.items() for dialect in check.dialects]


@pytest.mark.parametrize(("name", "dialect"), CASES)
async def test_does_what_it_says(
    name: str, dialect: str, mirror_url: str, session: aiohttp.ClientSession, clock: Clock, draw: Draw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.2)
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    check = CHECKS[name]
    good = await exchange(gateway, sending("mirror/healthy", dialect, check, draw), clock=clock)
    assert good.fault is None and good.objections == ()
    bad = await exchange(gateway, sending(f"mirror/{name}", dialect, check, draw), clock=clock)
    assert check.holds(good, bad), (bad.fault, bad.reply, bad.body[:500])


UNTOUCHED = [name for name, check in CHECKS.items() if check.ask == "image"]


@pytest.mark.parametrize("name", UNTOUCHED)
async def test_image_models_leave_plain_asks_alone(
    name: str, mirror_url: str, session: aiohttp.ClientSession, clock: Clock, draw: Draw
) -> None:
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    got = await exchange(gateway, sending(f"mirror/{name}", CHAT, Check(blind), draw), clock=clock)
    assert got.fault is None and text(got) == NUMBER


STREAM_ONLY = [name for name, row in MISBEHAVIOURS.items() if row.stream is not None] + [
    "stream-cut", "stream-error", "not-a-stream", "hang-midway", "shrinking-usage", "other-end", "buffered",
    *(name for name, row in MISBEHAVIOURS.items() if row.frames is not None),
]


@pytest.mark.parametrize("name", STREAM_ONLY)
async def test_stream_models_answer_well_when_not_streamed(
    name: str, mirror_url: str, session: aiohttp.ClientSession, clock: Clock, draw: Draw
) -> None:
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    for dialect in (CHAT, MESSAGES):
        check = Check(blind, "think")
        good = await exchange(gateway, sending("mirror/healthy", dialect, check, draw), clock=clock)
        bad = await exchange(gateway, sending(f"mirror/{name}", dialect, check, draw), clock=clock)
        assert bad.fault is None and usage(bad) == usage(good) and text(bad) == text(good)


async def test_what_is_listed(mirror_url: str, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{mirror_url}/v1/models") as response:
        page = await response.json()
    hidden = {"mirror/not-listed", "mirror/ineligible", "mirror/catch-all-unknown"}
    assert {each["id"] for each in page["data"]} == {f"mirror/{name}" for name in MISBEHAVIOURS} - hidden
