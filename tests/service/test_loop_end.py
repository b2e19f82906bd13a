"""Covers service/loop_end.py: the mirror behind `loopback` models is served once, found again, moved, and given up."""

import aiohttp
import pytest
from pydantic import SecretStr
from sinks import free_port

from llm_canaries.config.loopback import MirrorConfig
from llm_canaries.mirror.remote import RemoteMirror
from llm_canaries.mirror.server import Mirror
from llm_canaries.service.loop_end import NO_MARK, LoopEnd
from llm_canaries.wire.script import MirrorGone


def configured(port, key="mk-one-0123", **more):
    return MirrorConfig(key=SecretStr(key), listen=f"127.0.0.1:{port}", **more)


@pytest.fixture
async def end(clock):
    held = LoopEnd(clock)
    yield held
    await held.close()


async def seen(session, port, key):
    return await RemoteMirror(session, f"http://127.0.0.1:{port}", key).seen(NO_MARK)


async def test_it_is_served_once_and_found_again(end, session):
    port = free_port()
    first = await end.at(configured(port), session)
    assert isinstance(first, Mirror) and await seen(session, port, "mk-one-0123") == ()
    assert await end.at(configured(port), session) is first, "a reload finds what it had recorded"


async def test_another_key_or_address_is_served_anew(end, session):
    port, other = free_port(), free_port()
    first = await end.at(configured(port), session)
    second = await end.at(configured(port, "mk-two-0123"), session)
    assert second is not first and await seen(session, port, "mk-two-0123") == ()
    with pytest.raises(MirrorGone, match="does not take the key"):
        await seen(session, port, "mk-one-0123")
    await end.at(configured(other), session)
    with pytest.raises(MirrorGone, match="does not answer"):
        await seen(session, port, "mk-two-0123")


async def test_without_a_mirror_nothing_listens_any_more(end, session):
    port = free_port()
    await end.at(configured(port), session)
    assert await end.at(None, session) is None
    with pytest.raises(MirrorGone, match="does not answer"):
        await seen(session, port, "mk-one-0123")


async def test_one_that_is_there_is_used_and_left_alone(end, clock, session):
    port, there = free_port(), LoopEnd(clock)
    mirror = await there.at(configured(port), session)
    try:
        assert isinstance(await end.at(configured(port), session), RemoteMirror)
        await end.close()
        assert await seen(session, port, "mk-one-0123") == ()
        with pytest.raises(OSError, match=rf"`mirror\.listen`: 127\.0\.0\.1:{port} cannot be listened at"):
            await end.at(configured(port, "mk-two-0123"), session)
    finally:
        assert isinstance(mirror, Mirror)
        await there.close()


async def test_elsewhere_it_is_only_spoken_to(end, session: aiohttp.ClientSession):
    there = await end.at(MirrorConfig(key=SecretStr("mk-one-0123"), url="http://127.0.0.1:9"), session)
    assert isinstance(there, RemoteMirror)
    with pytest.raises(MirrorGone, match=r"the mirror at http://127\.0\.0\.1:9 does not answer"):
        await there.seen(NO_MARK)
