"""alerts/courier.py: one message, one thread, a hard limit."""

import asyncio
import threading
import time

import pytest
from sinks import free_port, sink

from llm_canaries.alerts.courier import Courier, send
from llm_canaries.alerts.receivers import Outcome, Receiver

SECRET = "planted0123456789"


def receiver(where, path="", timeout=2.0):
    return Receiver(name="phone", url=where.url(path), timeout=timeout)


async def test_a_message_arrives_as_it_was_written():
    async with sink() as there:
        text = "a < b & *c*\n\\n stays, :smile: too, ü"
        sent = await Courier(receiver(there)).send("title <b>", text, kind="escalated")
        assert sent.outcome is Outcome.SUCCESS
        (message,) = there.received
        assert (message["title"], message["message"], message["type"]) == ("title <b>", text, "failure")


@pytest.mark.parametrize(("kind", "tone"), [("opened", "warning"), ("resolved", "success"), ("removed", "info")])
async def test_the_kind_gives_the_tone(kind, tone):
    async with sink() as there:
        await Courier(receiver(there)).send("t", "b", kind=kind)
        assert there.received[0]["type"] == tone


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_refusal_is_a_failure_in_the_services_words_without_secrets(status):
    async with sink() as there:
        there.status = status
        sent = await send(receiver(there, SECRET), "t", "b")
        assert sent.outcome is Outcome.FAILURE
        assert f"error={status}" in sent.error
        assert SECRET not in sent.error


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_is_a_failure_for_it_would_lose_the_message(status):
    async with sink() as there:
        there.status = status
        sent = await send(receiver(there), "t", "b")
        assert (sent.outcome, there.tried) == (Outcome.FAILURE, 1)


async def test_nobody_there_is_a_failure():
    where = Receiver(name="phone", url=f"json://127.0.0.1:{free_port()}/{SECRET}", timeout=2.0)
    sent = await send(where, "t", "b")
    assert sent.outcome is Outcome.FAILURE
    assert "onnection error" in sent.error
    assert SECRET not in sent.error


async def test_a_url_that_is_not_understood_is_no_match():
    sent = await send(Receiver(name="phone", url=f"nonsense-{SECRET}"), "t", "b")
    assert (sent.outcome, sent.error) == (Outcome.NOMATCH, "the URL is not understood")


async def test_a_hanging_service_takes_its_timeout_and_not_the_loop():
    async with sink() as there:
        courier = Courier(receiver(there, timeout=0.6))
        await courier.send("warm", "up")
        there.gate.clear()
        started = time.monotonic()
        sent = await courier.send("t", "b")
        assert sent.outcome is Outcome.TIMEOUT
        assert 0.5 < time.monotonic() - started < 1.5


async def test_a_message_that_arrives_late_is_not_sent_again():
    async with sink() as there:
        slow = Receiver(name="phone", url=there.url(), timeout=0.5)
        courier = Courier(slow)
        await courier.send("warm", "up", ticket=1)
        there.gate.clear()
        assert (await courier.send("t", "b", ticket=2)).outcome is Outcome.TIMEOUT
        again = await courier.send("t", "b", ticket=2)
        assert (again.outcome, again.error) == (Outcome.TIMEOUT, "the attempt before this one still hangs")
        assert len([each for each in threading.enumerate() if each.name == "notify phone"]) == 1
        there.gate.set()
        assert (await courier.send("t", "b", ticket=2)).outcome is Outcome.SUCCESS
        assert there.titles == ["warm", "t"]
        assert (await courier.send("u", "b", ticket=3)).outcome is Outcome.SUCCESS
        assert there.titles == ["warm", "t", "u"]


async def test_another_message_follows_the_late_one():
    async with sink() as there:
        courier = Courier(Receiver(name="phone", url=there.url(), timeout=0.5))
        await courier.send("warm", "up", ticket=1)
        there.gate.clear()
        assert (await courier.send("t", "b", ticket=2)).outcome is Outcome.TIMEOUT
        there.gate.set()
        assert (await courier.send("u", "b", ticket=3)).outcome is Outcome.SUCCESS
        assert there.titles == ["warm", "t", "u"]


async def test_a_late_refusal_is_tried_anew():
    async with sink() as there:
        courier = Courier(Receiver(name="phone", url=there.url(), timeout=0.5))
        await courier.send("warm", "up", ticket=1)
        there.gate.clear()
        there.status = 500
        assert (await courier.send("t", "b", ticket=2)).outcome is Outcome.TIMEOUT
        there.gate.set()
        await asyncio.sleep(0.1)
        there.status = 200
        assert (await courier.send("t", "b", ticket=2)).outcome is Outcome.SUCCESS
        assert there.titles == ["warm", "t"]


async def test_ten_that_hang_do_not_delay_the_eleventh():
    """Apprise's own pool has six threads on two cores; ours is one thread each."""
    async with sink() as stuck, sink() as fine:
        await send(receiver(fine), "warm", "up")
        stuck.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                one = Receiver(name=f"stuck {number}", url=stuck.url(), timeout=3.0)
                tasks.create_task(Courier(one).send("t", "b"))
            while stuck.tried < 10:
                await asyncio.sleep(0.01)
            started = time.monotonic()
            assert (await send(receiver(fine), "t", "b")).outcome is Outcome.SUCCESS
            assert time.monotonic() - started < 1.5
            stuck.gate.set()


async def test_a_cancelled_send_leaves_nothing_behind_that_complains():
    async with sink() as there:
        courier = Courier(receiver(there))
        await courier.send("warm", "up")
        there.gate.clear()
        task = asyncio.create_task(courier.send("t", "b"))
        while there.tried < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        there.gate.set()
        await there.until(2)


async def test_no_thread_left_is_a_failure(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sent = await send(Receiver(name="phone", url="json://127.0.0.1:1/"), "t", "b")
    assert (sent.outcome, sent.error) == (Outcome.FAILURE, "the system has no thread left")
