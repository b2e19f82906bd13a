"""Covers mirror/server.py: allowance headers, records, refusals, hangs and the end."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from llm_canaries.mirror.carry import scripted_frames
from llm_canaries.mirror.server import MOST_REQUEST_BYTES, Mirror, serving
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.transport import new_session
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.message import Ask, Finish, Message, Reply, Text
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.quota_reading import read_quota
from llm_canaries.wire.script import Script

MARK = "cnry-abcdefghij"
NOW = 1_700_000_000.0
PATHS = {name: dialect.path for name, dialect in DIALECTS.items()}


def body(model: str, **more: Any) -> dict[str, Any]:
    turn = {"role": "user", "content": f"[{MARK}] Reply with exactly this and nothing else: 4711"}
    return {"model": model, "max_tokens": 99, "messages": [turn], **more}


def asked(name: str, model: str, *, stream: bool = False) -> tuple[str, bytes]:
    """Path and body of the same ask in any dialect."""
    turn = Message("user", (Text(f"[{MARK}] Reply with exactly this and nothing else: 4711"),))
    ask = Ask(dialect=name, model=model, messages=(turn,), stream=stream, max_tokens=99)
    request = DIALECTS[name].write_ask(ask, Profile())
    return request.path, request.body


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", [name for name in DIALECTS if name != "gemini"])  # Google says none
async def test_allowance(name: str, stream: bool, mirror_url: str, session: aiohttp.ClientSession) -> None:
    left = []
    path, sent = asked(name, "mirror/healthy", stream=stream)
    for _ in range(2):
        async with session.post(mirror_url + path, data=sent) as response:
            (quota,) = read_quota(tuple(response.headers.items()), NOW)
        assert (quota.scope, quota.unit, quota.limit) == ("requests", "requests", 100_000)
        assert quota.remaining is not None
        left.append(quota.remaining)
    assert left == [99_999, 99_998]
    assert quota.reset_at == (None if name == "anthropic_messages" else NOW + 60)


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_lines_end_as_the_provider_s_own(name: str, mirror_url: str, session: aiohttp.ClientSession) -> None:
    path, sent = asked(name, "mirror/healthy", stream=True)
    async with session.post(mirror_url + path, data=sent) as response:
        said = await response.read()
    end = b"\r\n" if name == "gemini" else b"\n"  # Google's; recordings of real answers have them
    assert said.endswith(end + end) and said.count(b"\n") == said.count(end)
    reply = Reply(dialect="mirror", id="r", model="m", created=1, content=(Text("4711"),), finish=Finish.STOP)
    for frame in scripted_frames(DIALECTS[name], Script(reply=reply), usage=True):
        assert frame.endswith(end + end) and frame.count(b"\n") == frame.count(end)


MALFORMED = [
    b"", b"not json", b"[]", b"{}", b'{"model": "mirror/healthy"}', b'{"model": 1, "messages": []}',
    b'{"model": "mirror/healthy", "messages": "hello"}', b'{"model": "mirror/healthy", "messages": [1]}',
    b"\xff\xfe", b"[" * 100_000,
]


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda sent: repr(sent[:20]))
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_malformed_ask(name: str, sent: bytes, mirror_url: str, session: aiohttp.ClientSession) -> None:
    async with session.post(mirror_url + PATHS[name], data=sent) as response:
        answer = await response.read()
    assert response.status == 400 and response.content_type == "application/json"
    said = json.loads(answer)
    assert said["error"]["message"] and ("type" in said) is (name == "anthropic_messages")
    assert read_fault(400, (), answer, NOW).reason is FaultReason.BAD_REQUEST


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_unknown_model(name: str, mirror_url: str, session: aiohttp.ClientSession) -> None:
    path, sent = asked(name, "mirror/absent")
    async with session.post(mirror_url + path, data=sent) as response:
        answer = await response.read()
    assert response.status == (400 if name == "openai_responses" else 404)  # protocols.md A6
    assert read_fault(response.status, (), answer, NOW).reason is FaultReason.MODEL_NOT_FOUND


async def test_model_without_its_prefix(mirror_url: str, session: aiohttp.ClientSession) -> None:
    async with session.post(mirror_url + PATHS["openai_chat"], json=body("healthy")) as response:
        assert (await response.json())["choices"][0]["message"]["content"] == "4711"


async def test_too_much(mirror_url: str, session: aiohttp.ClientSession) -> None:
    flood = io.BytesIO(bytes(MOST_REQUEST_BYTES + 1))
    async with session.post(mirror_url + PATHS["openai_chat"], data=flood) as response:
        assert response.status == 413


async def test_other_paths_and_methods(mirror_url: str, session: aiohttp.ClientSession) -> None:
    async with session.get(mirror_url + "/nothing") as response:
        assert response.status == 404
    async with session.get(mirror_url + PATHS["openai_chat"]) as response:
        assert response.status == 405


async def test_records(mirror: Mirror, mirror_url: str, session: aiohttp.ClientSession) -> None:
    for name in DIALECTS:
        path, sent = asked(name, "mirror/rate-limited", stream=True)
        async with session.post(mirror_url + path, data=sent) as response:
            assert response.status == 429
    async with session.get(f"{mirror_url}/mirror/records/{MARK}") as response:
        seen = (await response.json())["seen"]
    assert [each["dialect"] for each in seen] == list(DIALECTS)
    assert all(each["model"] == "mirror/rate-limited" and each["stream"] is True for each in seen)
    assert seen[0]["body"].encode() == asked("openai_chat", "mirror/rate-limited", stream=True)[1]
    assert [each.body.decode() for each in mirror.desk.records.of(MARK)] == [each["body"] for each in seen]
    async with session.get(f"{mirror_url}/mirror/records/cnry-zzzzzzzzzz") as response:
        assert await response.json() == {"seen": []}


async def test_long_answers_leave_frame_by_frame(mirror_url: str, session: aiohttp.ClientSession) -> None:
    ask = body("mirror/healthy", stream=True)
    ask["messages"][0]["content"] = "Reply with exactly this and nothing else: " + "word " * 2000
    ask["max_tokens"] = 100_000
    async with session.post(mirror_url + PATHS["openai_chat"], json=ask) as response:
        pieces = [piece async for piece in response.content.iter_any()]
    assert len(pieces) > 1


class Watched(Mirror):
    """A mirror that tells how its answers ended."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.ends: list[str] = []

    async def _answer(self, name: str, request: web.Request) -> web.StreamResponse:
        try:
            answer = await super()._answer(name, request)
        except BaseException as error:
            self.ends.append(type(error).__name__)
            raise
        self.ends.append("answered")
        return answer


@pytest.fixture
async def watched(clock: Clock) -> AsyncIterator[tuple[Watched, str]]:
    mirror = Watched(clock)
    async with serving(mirror, "127.0.0.1", 0) as url:
        yield mirror, url


@pytest.mark.parametrize("model", ["mirror/hang", "mirror/hang-midway", "mirror/slow", "mirror/big-body"])
async def test_ends_when_the_client_leaves(model: str, watched: tuple[Watched, str], clock: Clock) -> None:
    mirror, url = watched
    async with new_session() as session:
        asking = asyncio.ensure_future(session.post(url + PATHS["openai_chat"], json=body(model, stream=True)))
        await asyncio.sleep(0.2)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            (await asking).close()
    until = clock.monotonic() + 1
    while not mirror.ends and clock.monotonic() < until:
        await asyncio.sleep(0.01)
    (end,) = mirror.ends
    assert end in ("CancelledError", "ClientConnectionResetError", "ConnectionResetError")


async def test_stops_soon_though_somebody_hangs(clock: Clock, session: aiohttp.ClientSession) -> None:
    async with serving(Mirror(clock), "127.0.0.1", 0) as url:
        asks = [asked(name, "mirror/hang") for name in DIALECTS]
        hanging = [asyncio.ensure_future(session.post(url + path, data=sent)) for path, sent in asks]
        await asyncio.sleep(0.1)
        begun = clock.monotonic()
    assert clock.monotonic() - begun < 1
    ended = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(each, aiohttp.ClientError) for each in ended)
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(url + "/v1/models")


async def test_address_that_is_taken(mirror_url: str, clock: Clock) -> None:
    port = int(mirror_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address"):
        async with serving(Mirror(clock), "127.0.0.1", port):
            pass


async def test_ipv6_url(clock: Clock, session: aiohttp.ClientSession) -> None:
    async with serving(Mirror(clock), "::1", 0) as url:
        assert url.startswith("http://[::1]:")
        async with session.get(url + "/v1/models") as response:
            assert response.status == 200
