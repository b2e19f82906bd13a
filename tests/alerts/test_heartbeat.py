"""alerts/heartbeat.py: a sign of life while all is well."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aioresponses import aioresponses
from sinks import free_port, sink

from llm_canaries.alerts.heartbeat import Heartbeat


@asynccontextmanager
async def beating(heartbeat):
    task = asyncio.create_task(heartbeat.run())
    try:
        yield heartbeat
        assert not task.done(), "it never ends by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_beats_at_once_and_again_while_all_is_well(session):
    async with sink() as there:
        async with beating(Heartbeat(session, there.url("ping", "http"), every=0.05, well=lambda: True)) as heartbeat:
            await until(lambda: heartbeat.beats >= 3)
        assert there.titles[:3] == ["GET"] * 3
        assert heartbeat.failures == heartbeat.withheld == 0


async def test_it_is_silent_while_something_is_wrong(session):
    well = False
    async with (
        sink() as there,
        beating(Heartbeat(session, there.url("", "http"), every=0.02, well=lambda: well)) as heartbeat,
    ):
        await until(lambda: heartbeat.withheld >= 3)
        assert there.tried == 0
        well = True
        await until(lambda: heartbeat.beats >= 1)


@pytest.mark.parametrize("status", [404, 500])
async def test_refusals_are_counted(session, status):
    async with sink() as there:
        there.status = status
        async with beating(Heartbeat(session, there.url("", "http"), every=0.02, well=lambda: True)) as heartbeat:
            await until(lambda: heartbeat.failures >= 2)
            there.status = 200
            await until(lambda: heartbeat.beats >= 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://nowhere.invalid/", "nonsense", "http://"])
async def test_nothing_it_meets_ends_it(session, url):
    async with beating(Heartbeat(session, url.format(port=free_port()), every=0.02, well=lambda: True)) as heartbeat:
        await until(lambda: heartbeat.failures >= 2)


async def test_one_that_hangs_is_a_failure_in_time(session):
    async with sink() as there:
        there.gate.clear()
        async with beating(Heartbeat(session, there.url("", "http"), every=0.1, well=lambda: True)) as heartbeat:
            await until(lambda: heartbeat.failures >= 2)
            assert heartbeat.beats == 0


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("cut"),
        aiohttp.TooManyRedirects(None, ()),
        ConnectionResetError(104, "reset"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_is_raised_is_a_failure_and_the_next_beat_comes(session, error):
    with aioresponses() as answers:
        answers.get("http://127.0.0.1/ping", exception=error, repeat=True)
        async with beating(Heartbeat(session, "http://127.0.0.1/ping", every=0.02, well=lambda: True)) as heartbeat:
            await until(lambda: heartbeat.failures >= 2)
            assert heartbeat.beats == 0
