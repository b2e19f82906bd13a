"""Covers proxy/deployed.py: paths, keys, and the edges that need no server (aioresponses)."""

from collections.abc import Iterator
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses, core

from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.json import encode
from llm_canaries.wire.message import Ask, Message, Text

LIMITS = Limits(connect=1, first_byte=1, idle=1, total=2)
TURN = Message("user", (Text("Reply with exactly this and nothing else: 123"),))


class WithWriter(ClientResponse):
    """aioresponses 0.7.9 knows nothing of the `stream_writer` that aiohttp 3.14 wants."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **({"stream_writer": Mock(output_size=0)} | kwargs))  # type: ignore[arg-type]


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    monkeypatch.setattr(core, "ClientResponse", WithWriter)
    with aioresponses() as canned:
        yield canned


def sending(dialect: str, **more: object) -> Send:
    ask = Ask(dialect=dialect, model="mirror/healthy", messages=(TURN,), max_tokens=64)
    return Send(ask=ask, dialect=dialect, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
async def test_base_url(
    tail: str, dialect: str, mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """People write base URLs as OpenAI's clients want them and as Anthropic's do."""
    gateway = Deployed(Transport(session, mirror_url + tail, LIMITS), "sk-1", {})
    got = await exchange(gateway, sending(dialect), clock=clock)
    assert got.fault is None and got.reply is not None and got.reply.text == "123"
    assert got.attempts == ()
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.fault is None and b'"object":"list"' in page.body


@pytest.mark.parametrize("prefix", ["/gateway", "/a/b"])
async def test_path_before_the_api(
    prefix: str, responses: aioresponses, session: aiohttp.ClientSession, clock: Clock
) -> None:
    responses.post(f"http://gw{prefix}/v1/chat/completions", status=401, body=encode({"error": "bad key"}))
    got = await exchange(
        Deployed(Transport(session, f"http://gw{prefix}/v1", LIMITS), "", {}), sending("openai_chat"), clock=clock
    )
    assert got.fault is not None and got.fault.reason is FaultReason.AUTH


async def test_pages_are_asked_for_with_a_bearer_key(
    responses: aioresponses, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """Anthropic's headers would change the form of the list."""
    responses.get("http://gw/v1/models", body=encode({"object": "list", "data": []}))
    gateway = Deployed(Transport(session, "http://gw", LIMITS), "sk-1", {"x-team": "blue"})
    page = await look_at(gateway, Look(path="/v1/models"), clock=clock)
    assert page.status == 200 and page.fault is None
    ((call,),) = responses.requests.values()
    sent = call.kwargs["headers"]
    assert sent["authorization"] == "Bearer sk-1" and sent["x-team"] == "blue"
    assert "x-api-key" not in sent and "anthropic-version" not in sent


async def test_retry_after_is_read(responses: aioresponses, session: aiohttp.ClientSession, clock: Clock) -> None:
    responses.post(
        "http://gw/v1/messages", status=429, headers={"retry-after": "7"},
        body=encode({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}),
    )
    got = await exchange(
        Deployed(Transport(session, "http://gw", LIMITS), "", {}), sending("anthropic_messages"), clock=clock
    )
    assert got.fault is not None and got.fault.reason is FaultReason.RATE_LIMITED and got.fault.retry_after == 7


async def test_bytes_are_sent_as_they_are(
    mirror: Mirror, mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    mark = "cnry-abcdefghij"
    raw = b'{ "model":"mirror/healthy",\n\t"unknown" : 1.50,"messages":[{"role":"user","content":"%s"}] }'
    raw %= mark.encode()
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    got = await exchange(gateway, Send(ask=raw, dialect="openai_chat"), clock=clock)
    assert got.fault is None and got.sent == raw
    (seen,) = mirror.desk.records.of(mark)
    assert seen.body == raw


async def test_losses_of_our_own_writing_are_told(
    mirror_url: str, session: aiohttp.ClientSession, clock: Clock
) -> None:
    """An ask in another dialect's words loses some; a deployed gateway's own losses are not known."""
    ask = Ask(dialect="openai_chat", model="mirror/healthy", messages=(TURN,), extra={"seed": 1})
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "", {})
    got = await exchange(gateway, Send(ask=ask, dialect="anthropic_messages"), clock=clock)
    assert {loss.what for loss in got.losses} >= {"field seed"}
