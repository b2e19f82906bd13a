"""When cases run: splayed starts, kept clocks, and a wall clock that is set."""

import asyncio
import time

import pytest
from msgspec.structs import replace
from plays import case

from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.service.schedule import MIRROR_WITHIN, Schedule, splay

CASES = [replace(case(SCENARIO), model=f"m{number}", every=600.0) for number in range(200)]


@pytest.fixture
async def schedule():
    async def run(key, due):
        pass

    made = Schedule(run, time.time)
    made.start()
    yield made
    made.stop()


def test_starts_are_splayed_over_the_interval_and_the_same_at_every_start():
    shares = [splay(each, frozenset()) for each in CASES]
    assert shares == [splay(each, frozenset()) for each in CASES]
    assert min(shares) < 60
    assert max(shares) > 540
    busiest = max(sum(start <= share < start + 60 for share in shares) for start in range(0, 600, 60))
    assert busiest < 40, "no minute gets a fifth of what ten minutes hold"


def test_at_our_own_mirror_every_case_begins_at_once():
    assert all(splay(each, frozenset({"g"})) < MIRROR_WITHIN for each in CASES)


async def test_a_case_that_stays_keeps_its_clock(schedule):
    schedule.replace(CASES[:2], frozenset(), 2_000_000_000.0)
    before = schedule.due_times()
    schedule.replace([CASES[0], replace(CASES[1], every=60.0), CASES[2]], frozenset(), 2_000_000_100.0)
    after = schedule.due_times()
    assert after[CASES[0].key] == before[CASES[0].key]
    assert after[CASES[1].key] != before[CASES[1].key], "another interval is another clock"
    assert set(after) == {each.key for each in CASES[:3]}


async def test_a_clock_set_back_does_not_silence_the_canaries(schedule):
    schedule.replace(CASES[:3], frozenset(), 2_000_000_000.0)
    schedule.anew()
    schedule.replace(CASES[:3], frozenset(), 1_999_990_000.0)
    due = schedule.due_times()
    assert len(due) == 3
    assert all(1_999_990_000.0 <= at <= 1_999_990_600.0 for at in due.values())


async def test_a_start_that_has_just_passed_is_run_at_once_and_lag_does_not_drift():
    runs = []

    async def run(key, due):
        runs.append(time.time() - due)
        await asyncio.sleep(0.35 if len(runs) == 1 else 0)

    made = Schedule(run, time.time)
    made.start()
    made.replace([replace(CASES[0], every=0.1)], frozenset(), time.time() - 0.1 * splay(CASES[0], frozenset()) - 0.01)
    await asyncio.sleep(0.9)
    made.stop()
    assert len(runs) >= 4
    assert all(lag < 0.1 for lag in runs), "a slow run does not make the later ones late"
