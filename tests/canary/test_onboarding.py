"""Covers canary/onboarding.py: what is asked, and what makes a block ready, not ready or undecided."""

import pytest
from msgspec.structs import replace
from plays import case, chat, error
from runs import run

from llm_canaries.canary.onboarding import KINDS, Reason, Seen, Tick, judge, one_of_each, prefixed, under, vanished
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.wire.exchange import Send

STEP = Send(ask=b"{}", dialect="openai_chat")


def answered(outcome="pass", reason="", *, latency=0.1, answer=None, **more):
    exchange = replace(answer or chat(STEP, "1"), duration=latency)
    return run(outcome, reason, answers=(exchange,), model="new/a", scenario="known-good", **more)


def refused(status, message="no", code=None):
    return answered("fail", "it", answer=error(STEP, status, message, code))


GOOD = answered()
BOOM = refused(500)
LISTED = frozenset({"new/a", "other"})


def tick(its=GOOD, ids=LISTED):
    return Tick(at=1.0, ids=ids, run=its)


SOUND = Seen(expected=("new/a",), listed=("new/a",), runs=(GOOD,), ticks=(tick(), tick()), watched=60.0, planned=60.0)


def test_ready():
    verdict = judge(SOUND)
    assert (verdict.word, verdict.causes) == ("ready", ())
    assert judge(replace(SOUND, ticks=(), watched=0.0, planned=0.0)).word == "ready", "nobody asked to watch"


@pytest.mark.parametrize(
    ("fields", "word", "reasons"),
    [
        ({"listed": ()}, "not ready", [Reason.NOT_LISTED]),
        ({"listed": None}, "undecided", [Reason.NO_LIST]),
        ({"runs": (GOOD, answered("fail", "no_call"))}, "not ready", [Reason.CANARY_FAILED]),
        ({"runs": (GOOD, answered("inconclusive", "one_call"))}, "undecided", [Reason.CANARY_UNDECIDED]),
        ({"runs": (GOOD, answered("skip", "text_only_model"))}, "ready", []),
        ({"runs": (answered("skip", "text_only_model"),)}, "undecided", [Reason.NOTHING_ASKED]),
        ({"runs": ()}, "undecided", [Reason.NOTHING_ASKED]),
        ({"ticks": (tick(), tick(refused(401)))}, "not ready", [Reason.REFUSED_MEANWHILE]),
        ({"ticks": (tick(refused(403)),)}, "not ready", [Reason.REFUSED_MEANWHILE]),
        ({"ticks": (tick(refused(429)), tick())}, "undecided", [Reason.FAILED_ONCE]),
        ({"ticks": (tick(refused(429)), tick(), tick(refused(429)))}, "not ready", [Reason.LIMITED_MEANWHILE]),
        ({"ticks": (tick(BOOM), tick())}, "undecided", [Reason.FAILED_ONCE]),
        ({"ticks": (tick(BOOM), tick(BOOM))}, "not ready", [Reason.FAILED_MEANWHILE]),
        ({"ticks": (tick(ids=frozenset()), tick(ids=frozenset()))}, "not ready", [Reason.VANISHED]),
        ({"ticks": (tick(ids=frozenset()), tick())}, "ready", []),
        ({"ticks": (tick(ids=None), tick(ids=None))}, "ready", []),
        ({"watched": 30.0}, "undecided", [Reason.CUT_SHORT]),
    ],
)
def test_what_speaks_against_it(fields, word, reasons):
    verdict = judge(replace(SOUND, **fields))
    assert (verdict.word, [cause.reason for cause in verdict.causes]) == (word, reasons)


def test_hard_causes_come_first_and_soft_ones_are_told_as_well():
    verdict = judge(replace(SOUND, watched=1.0, listed=()))
    assert (verdict.word, [cause.reason for cause in verdict.causes]) == (
        "not ready", [Reason.NOT_LISTED, Reason.CUT_SHORT]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        ([0.1, 0.1, 3.0, 3.0], "undecided"),
        ([0.001, 0.001, 0.1, 0.1], "ready"),
        ([2.0, 2.0, 3.5, 3.5], "ready"),
        ([0.1, 3.0], "ready"),
        ([3.0, 3.0, 0.1, 0.1], "ready"),
    ],
)
def test_slower_is_twice_as_slow_and_a_second_more(seconds, word):
    ticks = tuple(tick(answered(latency=each)) for each in seconds)
    verdict = judge(replace(SOUND, ticks=ticks))
    assert verdict.word == word
    assert [cause.reason for cause in verdict.causes] == ([Reason.SLOWED] if word == "undecided" else [])


def test_an_id_is_gone_when_it_was_missing_twice_in_a_row():
    gone, there = tick(ids=frozenset({"other"})), tick()
    assert vanished(replace(SOUND, ticks=(gone, there, gone))) == []
    assert vanished(replace(SOUND, ticks=(there, gone, gone))) == ["new/a"]
    assert vanished(replace(SOUND, ticks=(gone,))) == []


def test_prefixes():
    assert under("new", {"new/b", "new/a", "newer/a", "new"}) == ("new/a", "new/b")
    assert prefixed("new", ["a", "new/a", "b"]) == ("new/a", "new/b")


def test_one_case_of_each_kind_whole_before_streamed():
    made = [
        case(SCENARIOS[name], stream=stream, model=model, dialect=dialect)
        for model in ("new/a", "new/b")
        for dialect in ("openai_chat", "gemini")
        for name in ("thinking", "catalog", "known-good", "usage-parity")
        for stream in (True, False)
    ]
    chosen = one_of_each(made)
    kinds = ["known-good", "usage-parity", "thinking"]
    assert [(each.model, each.scenario) for each in chosen] == [(m, k) for m in ("new/a", "new/b") for k in kinds]
    assert {each.dialect for each in chosen} == {"openai_chat"}
    assert not any(each.stream for each in chosen)
    assert set(KINDS) <= set(SCENARIOS)
