"""Covers mirror/desk.py, scripts.py and remote.py: the key, what came, and what to answer, here and over HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request

from llm_canaries.mirror.desk import Desk
from llm_canaries.mirror.remote import RemoteMirror
from llm_canaries.mirror.scripts import LASTS, MOST_BYTES, MOST_SCRIPTS, MOST_USES, Scripts, read_script, write_script
from llm_canaries.mirror.server import Mirror, serving
from llm_canaries.proxy.clock import Clock
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Finish, Message, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.script import MirrorGone, Script

MARK = "cnry-abcdefghij"
KEY = "mk-planted-0123456789"
REPLY = Reply(
    dialect="mirror",
    id="r1",
    model="m",
    content=(Thought("hm", "c2VhbA=="), Text("Grüße 🌍"), ToolCall("call_1", "f", '{"n":12345678901234567890}')),
    finish=Finish.TOOL,
    usage=Usage(input=20, output=9, reasoning=4, cache_read=7),
)
SAID = Script(reply=REPLY)
LIMITED = Script(fault=Fault(reason=FaultReason.RATE_LIMITED, status=429, message="slow down", retry_after=7))


def asked(name: str, *, mark: str = MARK, stream: bool = False) -> tuple[str, bytes]:
    turn = Message("user", (Text(f"[{mark}] Reply with exactly this and nothing else: 4711"),))
    ask = Ask(dialect=name, model="mirror/healthy", messages=(turn,), stream=stream, include_usage=True, max_tokens=99)
    request = DIALECTS[name].write_ask(ask, Profile())
    return request.path, request.body


@pytest.fixture
async def keyed(clock: Clock) -> AsyncIterator[str]:
    """The URL of a mirror that wants a key."""
    async with serving(Mirror(clock, KEY), "127.0.0.1", 0) as url:
        yield url


@pytest.mark.parametrize("script", [SAID, LIMITED, Script(reply=REPLY, fault=LIMITED.fault, after=3)])
def test_a_script_survives_its_journey(script: Script) -> None:
    assert read_script(write_script(script)) == script


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"{", b'{"reply":1}', b'{"after":1}', b'{"fault":{"reason":"bad"}}', b'{"colour":1}',
             b"\xff", b"[" * 50_000]
)  # fmt: skip
def test_what_is_no_script(body: bytes) -> None:
    with pytest.raises(WireError, match="not a script"):
        read_script(body)


def test_scripts_are_forgotten_once_used_up() -> None:
    scripts = Scripts()
    scripts.tell(MARK, SAID, 0.0)
    assert [scripts.play((MARK,), 1.0) for _ in range(MOST_USES + 1)] == [*[SAID] * MOST_USES, None]
    scripts.tell(MARK, SAID, 0.0)
    assert scripts.play((MARK,), LASTS - 1) == SAID
    assert scripts.play((MARK,), LASTS) is None and scripts.play((MARK,), LASTS - 1) is None


def test_scripts_are_bounded_in_number() -> None:
    scripts = Scripts()
    for number in range(MOST_SCRIPTS + 1):
        scripts.tell(f"m{number}", SAID, 0.0)
    assert scripts.play(("m0",), 1.0) is None and scripts.play(("m1",), 1.0) == SAID
    assert scripts.play(("other", "m2"), 1.0) == SAID


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_a_scripted_reply_is_the_answer(
    name: str, stream: bool, mirror: Mirror, mirror_url: str, session: aiohttp.ClientSession
) -> None:
    await mirror.tell(MARK, SAID)
    path, sent = asked(name, stream=stream)
    async with session.post(mirror_url + path, data=sent) as response:
        body = await response.read()
    assert response.status == 200
    assert "Grüße 🌍".encode() in body or all(piece in body for piece in ("Grü".encode(), "🌍".encode()))
    assert ("text/event-stream" in response.headers["content-type"]) is stream


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_a_scripted_fault_has_its_status_and_its_wait(
    name: str, mirror: Mirror, mirror_url: str, session: aiohttp.ClientSession
) -> None:
    await mirror.tell(MARK, LIMITED)
    path, sent = asked(name)
    for _ in range(2):
        async with session.post(mirror_url + path, data=sent) as response:
            said = json.loads(await response.read())
        assert (response.status, response.headers["retry-after"]) == (429, "7")
        assert said["error"]["message"] == "slow down"


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_nobody_comes_in_without_the_key(name: str, keyed: str, session: aiohttp.ClientSession) -> None:
    path, sent = asked(name)
    wrong = [{}, {"authorization": "Bearer no"}, {"x-api-key": KEY + "x"}, {"authorization": f"Basic {KEY}"}]
    for headers in wrong:
        async with session.post(keyed + path, data=sent, headers=headers) as response:
            said = json.loads(await response.read())
        assert response.status == 401 and "key" in said["error"]["message"]
        assert ("type" in said) is (name == "anthropic_messages"), "in the dialect's own error form"
    for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"x-goog-api-key": KEY}):
        async with session.post(keyed + path, data=sent, headers=headers) as response:
            assert response.status == 200
    async with session.post(f"{keyed}{path}{'&' if '?' in path else '?'}key={KEY}", data=sent) as response:
        assert response.status == 200


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_it_is_no_open_model(name: str, keyed: str, session: aiohttp.ClientSession) -> None:
    path, sent = asked(name, mark="hello")
    async with session.post(keyed + path, data=sent, headers={"x-api-key": KEY}) as response:
        said = json.loads(await response.read())
    assert response.status == 400 and "answers canaries alone" in said["error"]["message"]


async def test_the_desk_needs_the_key(keyed: str, session: aiohttp.ClientSession) -> None:
    for method, path in (("GET", f"/mirror/records/{MARK}"), ("PUT", f"/mirror/scripts/{MARK}"), ("GET", "/v1/models")):
        async with session.request(method, keyed + path, data=write_script(SAID)) as response:
            assert response.status == 401


async def test_without_a_key_the_desk_is_for_this_machine(clock: Clock) -> None:
    door = Desk(clock).door

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=200)

    async def status(path: str, remote: str, host: str) -> int:
        request = make_mocked_request("GET", path, headers={"host": host})
        return (await door(request.clone(remote=remote), answer)).status

    for path in (f"/mirror/records/{MARK}", f"/mirror/scripts/{MARK}"):
        assert await status(path, "127.0.0.1", "127.0.0.1:9878") == 200
        assert await status(path, "127.0.0.1", "localhost:9878") == 200
        assert await status(path, "::1", "[::1]:9878") == 200
        assert await status(path, "192.0.2.7", "127.0.0.1:9878") == 403
        assert await status(path, "127.0.0.1", "rebound.example:9878") == 403, "a page that had its name point at us"
        assert await status(path, "", "127.0.0.1") == 403
    assert await status("/v1/models", "192.0.2.7", "mirror.example") == 200, "as open as it was"


async def test_a_script_too_large_or_broken_is_refused(mirror_url: str, session: aiohttp.ClientSession) -> None:
    async def tell(body: Any) -> tuple[int, str]:
        async with session.put(f"{mirror_url}/mirror/scripts/{MARK}", data=body) as response:
            return response.status, (await response.json())["error"]

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MOST_BYTES // 16)

    assert await tell(bytes(MOST_BYTES + 1)) == (413, f"a script has at most {MOST_BYTES} bytes")
    assert await tell(slowly()) == (413, f"a script has at most {MOST_BYTES} bytes")
    assert (await tell(b"{}"))[0] == 400
    path, sent = asked("openai_chat")
    async with session.post(mirror_url + path, data=sent) as response:
        assert (await response.json())["choices"][0]["message"]["content"] == "4711", "the model's own answer"


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_told_and_asked_over_http(name: str, keyed: str, session: aiohttp.ClientSession) -> None:
    there = RemoteMirror(session, keyed + "/v1", KEY)
    await there.tell(MARK, LIMITED)
    path, sent = asked(name, stream=True)
    async with session.post(keyed + path, data=sent, headers={"x-api-key": KEY}) as response:
        assert response.status == 429
    (seen,) = await there.seen(MARK)
    assert (seen.dialect, seen.model, seen.stream, seen.body) == (name, "mirror/healthy", True, sent)
    assert seen.ask == DIALECTS[name].read_ask(sent, path) and KEY not in repr(seen)
    assert await there.seen("cnry-zzzzzzzzzz") == ()


async def test_a_mirror_that_is_gone_or_none(keyed: str, session: aiohttp.ClientSession) -> None:
    with pytest.raises(MirrorGone, match="does not take the key"):
        await RemoteMirror(session, keyed, "other").seen(MARK)
    with pytest.raises(MirrorGone, match=r"does not answer \(ClientConnectorError\)"):
        await RemoteMirror(session, "http://127.0.0.1:9", KEY).tell(MARK, SAID)
    async with TestServer(web.Application()) as server:
        with pytest.raises(MirrorGone, match=r"is no mirror \(HTTP 404"):
            await RemoteMirror(session, str(server.make_url("")), KEY).seen(MARK)

    async def odd(request: web.Request) -> web.Response:
        rows = {"a": b"[]", "b": b'{"seen": [1]}', "c": b'{"seen": [{"dialect": "chat"}]}', "d": b"<html>"}
        return web.Response(body=rows[request.match_info["mark"]])

    app = web.Application()
    app.router.add_get("/mirror/records/{mark}", odd)
    async with TestServer(app) as server:
        for mark in "abcd":
            with pytest.raises(MirrorGone, match="another version"):
                await RemoteMirror(session, str(server.make_url("")), KEY).seen(mark)
