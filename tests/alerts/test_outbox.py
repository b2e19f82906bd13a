"""alerts/outbox.py: at least once, in order, and nobody waits for a slow one. Real HTTP, real files."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alarms import STORY, story, told
from lateness import lateness
from sinks import sink

from llm_canaries.alerts import outbox as subject
from llm_canaries.alerts.outbox import Outbox
from llm_canaries.alerts.receivers import Receiver
from llm_canaries.proxy.clock import Clock
from llm_canaries.state.database import FILE, Database, StateError
from llm_canaries.state.incidents import pending

HELPERS = Path(__file__).parent.parent / "helpers"
KINDS = [kind for kind, _, _ in STORY]


def receiver(name, where, *, timeout=2.0, severities=("warning", "critical"), path=""):
    return Receiver(name=name, url=where.url(path), timeout=timeout, severities=frozenset(severities))


@asynccontextmanager
async def delivering(folder, *receivers, wait=0.02, wall=time.time, run=True):
    """An outbox at work, with `results` of its attempts; waits between attempts are `wait` seconds at most."""
    database = Database.open(folder)
    results = []
    outbox = Outbox(
        database,
        {each.name: each for each in receivers},
        clock=Clock(time.monotonic, wall),
        draw=lambda bound: min(bound - 1, int(wait * 1000)),
        on_result=lambda name, outcome: results.append((name, outcome)),
    )
    outbox.results, outbox.database = results, database
    task = asyncio.create_task(outbox.run()) if run else None
    try:
        yield outbox
    finally:
        outbox.stop()
        if task is not None:
            await task
        await database.close()


async def until(condition, seconds=15):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def rows(folder):
    with sqlite3.connect(folder / FILE) as connection:
        found = connection.execute(
            "SELECT receiver, title, state, attempts, error FROM deliveries ORDER BY id"
        ).fetchall()
    connection.close()
    return found


def states(folder):
    return [row[2] for row in rows(folder)]


async def test_a_fault_and_its_end_arrive_as_opened_escalated_resolved(tmp_path):
    async with sink() as there, delivering(tmp_path, receiver("phone", there)) as outbox:
        for each in story():
            await outbox.post([each])
        await there.until(3)
        await asyncio.sleep(0.1)
        assert there.titles == KINDS
        assert [each["type"] for each in there.received] == ["warning", "failure", "success"]
        assert outbox.results == [("phone", "success")] * 3
        assert await outbox.database.do(pending) == {}
        assert await outbox.open_incidents() == {}
    assert states(tmp_path) == ["delivered"] * 3


async def test_one_that_is_idle_is_woken_at_once(tmp_path):
    async with sink() as there, delivering(tmp_path, receiver("phone", there)) as outbox:
        await outbox.post([told(a="warm")])
        await there.until(1)
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await outbox.post([told(a="next")])
        await there.until(2)
        assert time.monotonic() - started < 1.0


async def test_each_receiver_hears_of_its_severities(tmp_path):
    async with sink() as chat, sink() as pager:
        pair = receiver("chat", chat), receiver("pager", pager, severities=("critical",))
        async with delivering(tmp_path, *pair) as outbox:
            for each in [told("opened"), told("escalated", "critical", "warning"), told("eased", "warning", "critical"),
                         told("resolved", "warning", "warning")]:  # fmt: skip
                await outbox.post([each])
            await chat.until(4)
            await pager.until(2)
            await asyncio.sleep(0.05)
            assert chat.titles == ["opened", "escalated", "eased", "resolved"]
            assert pager.titles == ["escalated", "eased"]


async def test_a_flip_nobody_hears_of_is_an_incident_all_the_same(tmp_path):
    async with delivering(tmp_path, run=False) as outbox:
        await outbox.post([told("opened", "critical", canary="c")])
        (incident,) = (await outbox.open_incidents()).values()
        assert (incident.level, incident.labels) == ("critical", {"canary": "c"})


async def test_flips_are_stored_all_or_none(tmp_path, monkeypatch):
    async with sink() as there, delivering(tmp_path, receiver("phone", there), run=False) as outbox:
        written = subject.record_flip

        def full(connection, incident, deliveries):
            if incident.labels == {"a": "2"}:
                raise StateError("no room is left")
            return written(connection, incident, deliveries)

        monkeypatch.setattr(subject, "record_flip", full)
        with pytest.raises(StateError, match="no room"):
            await outbox.post([told(a="1"), told(a="2")])
        assert await outbox.open_incidents() == {}
        assert rows(tmp_path) == []
        monkeypatch.undo()
        await outbox.post([told(a="1"), told(a="2")])
        assert len(await outbox.open_incidents()) == 2


@pytest.mark.alone
async def test_a_hanging_receiver_delays_neither_the_others_nor_the_loop(tmp_path):
    async with sink() as stuck, sink() as fine:
        pair = receiver("stuck", stuck, timeout=1.0), receiver("fine", fine)
        async with delivering(tmp_path, *pair) as outbox:
            await outbox.post([told(a="warm")])
            await fine.until(1)
            await stuck.until(1)
            stuck.gate.clear()
            async with lateness() as late:
                started = time.monotonic()
                for number in range(20):
                    await outbox.post([told(a=str(number))])
                await fine.until(21)
                took = time.monotonic() - started
                await until(lambda: ("stuck", "timeout") in outbox.results)
            assert fine.titles == ["opened warm", *(f"opened {number}" for number in range(20))]
            assert took < 1.0 + 5.0, "20 messages, none of them waiting for the stuck receiver's second"
            assert max(late) < 0.02, f"a probe's clock would have been {max(late):.3f} s late"
            stuck.gate.set()
            await stuck.until(21)
            assert stuck.titles == fine.titles, "afterwards, once, in order"


async def test_down_then_up_is_delivered_once_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "QUIET", 0.05)
    async with sink(up=False) as there, delivering(tmp_path, receiver("phone", there)) as outbox:
        for each in story():
            await outbox.post([each])
        await until(lambda: len(outbox.results) >= 4)
        assert set(outbox.results) == {("phone", "failure")}
        await there.up()
        await there.until(3)
        await asyncio.sleep(0.2)
        assert there.titles == KINDS
    assert states(tmp_path) == ["delivered"] * 3
    assert rows(tmp_path)[0][3] >= 5, "attempts are counted"


async def test_a_refusal_is_kept_in_words_without_secrets(tmp_path):
    async with sink() as there:
        there.status = 401
        async with delivering(tmp_path, receiver("phone", there, path="planted0123456789")) as outbox:
            await outbox.post([told()])
            await until(lambda: outbox.results)
    ((_, _, state, attempts, error),) = rows(tmp_path)
    assert (state, attempts >= 1) == ("pending", True)
    assert "error=401" in error
    assert b"planted0123456789" not in (tmp_path / FILE).read_bytes()


async def test_what_can_never_be_delivered_is_dead_and_holds_nobody_up(tmp_path):
    async with delivering(tmp_path, Receiver(name="phone", url="nonsense")) as outbox:
        await outbox.post([told(a="1"), told(a="2")])
        await until(lambda: len(outbox.results) == 4)
        assert outbox.results == [("phone", "nomatch"), ("phone", "dead")] * 2
    assert [(row[2], row[4]) for row in rows(tmp_path)] == [("dead", "the URL is not understood")] * 2


async def test_after_a_day_and_five_attempts_a_message_is_dead_and_the_next_gets_its_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "QUIET", 0.01)
    ahead = 0.0
    async with (
        sink(up=False) as there,
        delivering(tmp_path, receiver("phone", there), wall=lambda: time.time() + ahead) as outbox,
    ):
        await outbox.post([told(a="old")])
        await until(lambda: outbox.results)
        ahead = 25 * 3600.0  # the machine slept
        await outbox.post([told(a="new")])
        await until(lambda: ("phone", "dead") in outbox.results)
        assert outbox.results.index(("phone", "dead")) >= 5
        await there.up()
        await there.until(1)
        assert there.titles == ["opened new"]
        await until(lambda: ("phone", "success") in outbox.results)
    assert states(tmp_path) == ["dead", "delivered"]


async def test_a_clock_that_stepped_back_delays_no_new_message(tmp_path):
    ahead = 7200.0
    async with sink() as there:
        where = receiver("phone", there)
        async with delivering(tmp_path, where, wall=lambda: time.time() + ahead, run=False) as outbox:
            await outbox.post([told()])
        ahead = 0.0
        async with delivering(tmp_path, where):
            await there.until(1, seconds=3)


async def test_a_clock_that_stepped_back_delays_a_retry_by_the_longest_wait_at_most(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "QUIET", 0.01)
    monkeypatch.setattr(subject, "LONGEST_WAIT", 0.2)
    ahead = 7200.0
    async with (
        sink(up=False) as there,
        delivering(tmp_path, receiver("phone", there), wall=lambda: time.time() + ahead) as outbox,
    ):
        await outbox.post([told()])
        await until(lambda: outbox.results)
        ahead = 0.0
        await there.up()
        await there.until(1, seconds=5)


async def test_a_new_flip_cuts_a_long_wait_short_but_a_storm_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "QUIET", 0.4)
    async with sink() as there:
        there.status = 503
        async with delivering(tmp_path, receiver("phone", there), wait=60.0) as outbox:
            outbox._draw = lambda bound: 60_000
            await outbox.post([told(a="0")])
            await until(lambda: outbox.results)
            started = time.monotonic()
            for number in range(1, 30):
                await outbox.post([told(a=str(number))])
            assert len(outbox.results) == 1, "no attempt a flip"
            there.status = 200
            await there.until(30)
            assert 0.2 < time.monotonic() - started < 10
            assert there.titles == [f"opened {number}" for number in range(30)]


def test_the_waits_double_up_to_five_minutes_with_full_jitter():
    bounds = []

    def draw(bound):
        bounds.append(bound)
        return bound - 1

    outbox = Outbox(None, {}, clock=None, draw=draw, on_result=None)
    waits = [outbox._backoff(attempts) for attempts in (0, 1, 2, 8, 9, 5000)]
    assert waits == [1.0, 2.0, 4.0, 256.0, 300.0, 300.0]
    assert bounds[0] == 1001, "from nothing up to the bound"


async def test_receivers_that_went_from_the_configuration_do_not_wait_for_ever(tmp_path):
    async with sink() as there:
        async with delivering(tmp_path, receiver("gone", there), receiver("phone", there), run=False) as outbox:
            await outbox.post([told(a="1")])
        async with delivering(tmp_path, receiver("phone", there)) as outbox:
            await there.until(1)
            await until(lambda: ("gone", "dead") in outbox.results)
            await asyncio.sleep(0.05)
    assert [(row[0], row[2]) for row in rows(tmp_path)] == [("gone", "dead"), ("phone", "delivered")]


async def test_a_stop_takes_less_than_a_second_even_while_a_receiver_hangs(tmp_path):
    async with sink() as there:
        where = Receiver(name="phone", url=there.url("?rto=20"), timeout=20.0)
        async with delivering(tmp_path, where) as outbox:
            await outbox.post([told(a="1")])
            await there.until(1)
            there.gate.clear()
            await outbox.post([told(a="2")])
            while there.tried < 2:
                await asyncio.sleep(0.01)
            started = time.monotonic()
        assert time.monotonic() - started < 1.0
        assert states(tmp_path) == ["delivered", "pending"]
        there.gate.set()
        async with delivering(tmp_path, where):
            await there.until(3)
        assert there.titles == ["opened 1", "opened 2", "opened 2"], "at least once"


async def test_a_stop_lets_a_message_under_way_arrive(tmp_path):
    async with sink() as there:
        async with delivering(tmp_path, receiver("phone", there)) as outbox:
            there.gate.clear()
            await outbox.post([told()])
            while there.tried < 1:
                await asyncio.sleep(0.01)
            outbox.stop()
            there.gate.set()
            outbox.stop()  # a second one changes nothing
            await until(lambda: outbox.results)
        assert states(tmp_path) == ["delivered"]


async def test_a_full_disk_does_not_send_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "STATE_WAIT", 0.02)
    refused = []
    written = subject.delivered

    def full(connection, id, at):
        if len(refused) < 5:
            refused.append(id)
            raise StateError("no room is left")
        written(connection, id, at)

    monkeypatch.setattr(subject, "delivered", full)
    async with sink() as there, delivering(tmp_path, receiver("phone", there)) as outbox:
        await outbox.post([told(a="1"), told(a="2")])
        await there.until(2)
        await until(lambda: len(outbox.results) == 2)
        assert there.titles == ["opened 1", "opened 2"]
    assert len(refused) == 5
    assert states(tmp_path) == ["delivered"] * 2


CHILD = """
import asyncio, random, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from alarms import story
from llm_canaries.alerts.outbox import Outbox
from llm_canaries.alerts.receivers import Receiver
from llm_canaries.proxy.clock import Clock
from llm_canaries.state.database import Database

async def main():
    where = Receiver(name="phone", url=sys.argv[2], timeout=20.0)
    outbox = Outbox(Database.open(Path(sys.argv[1])), {"phone": where}, clock=Clock(time.monotonic, time.time),
                    draw=random.Random(1).randrange, on_result=lambda name, outcome: print(outcome, flush=True))
    running = asyncio.create_task(outbox.run()) if sys.argv[4] == "run" else None
    for each in story():
        await outbox.post([each])
    print("stored", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def killed_child(folder, where, how, wait_for):
    """A process that stores the three flips and is killed as soon as it said or did what `wait_for` waits for."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), where.url("?rto=20"), str(HELPERS), how],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    )
    try:
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(child.stdout.readline) == "stored\n"
            while not wait_for():
                await asyncio.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()


async def test_kill_between_flip_and_delivery_loses_nothing(tmp_path):
    async with sink() as there:
        await killed_child(tmp_path, there, "store", lambda: True)
        assert there.tried == 0
        async with delivering(tmp_path, receiver("phone", there)):
            await there.until(3)
            await asyncio.sleep(0.1)
            assert there.titles == KINDS


async def test_kill_while_a_delivery_is_under_way_loses_nothing_and_keeps_the_order(tmp_path):
    async with sink() as there:
        there.gate.clear()
        await killed_child(tmp_path, there, "run", lambda: there.tried == 1)
        await there.down()
        there.received.clear()
        there.gate.set()
        await there.up()
        async with delivering(tmp_path, receiver("phone", there)):
            await there.until(3)
            await asyncio.sleep(0.1)
            assert there.titles == KINDS


async def test_a_sink_that_is_down_for_a_minute_gets_all_afterwards_once_and_in_order(tmp_path):
    async with sink(up=False) as phone, delivering(tmp_path, receiver("phone", phone)) as outbox:
        outbox._draw = lambda bound: bound // 2  # the real waits, at their mean: the seventh ends after 64 s
        for each in story():
            await outbox.post([each])
        await asyncio.sleep(60)
        assert phone.received == []
        assert len(outbox.results) > 3, "tried, and again"
        await phone.up()
        await phone.until(len(STORY), seconds=60)
        await asyncio.sleep(1)
        assert phone.titles == KINDS
