"""Covers service/patience.py and gate.py: pauses that gateways ask for and their own cooldowns; scripted and real."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from bent_gateways import LIMITS, settings_of
from msgspec.structs import replace
from plays import case, chat, error
from runs import run as made

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.canary import Finding, Severity
from llm_canaries.canary.comparison import Change, compare
from llm_canaries.canary.exit_code import ExitCode, exit_code
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.trial import Plan, match
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.compare import comparing
from llm_canaries.service.door import Plan as DoorPlan
from llm_canaries.service.door import opened
from llm_canaries.service.gate import gate
from llm_canaries.service.patience import Patience
from llm_canaries.service.playing import Order

CASE = case(SCENARIO)
STEP = sending(CASE, text_ask(CASE, "hi", cap=9), "cnry-aaaaaaaaaa")


class Time:
    """A clock that goes on by sleeping, and by nothing else than the real one's pace."""

    def __init__(self):
        self.slept, self.told = [], []

    @property
    def clock(self):
        return Clock(lambda: time.monotonic() + sum(self.slept), lambda: time.time() + sum(self.slept))

    async def sleep(self, seconds):
        self.slept.append(seconds)


class Turns:
    """Answers as `script` says: P passes, F fails, C refuses by itself for 30 s, R for 30 s after a rate limit;
    I is C, and the case cannot tell; U refuses the model, which holds for 30 s."""

    def __init__(self, script, clock):
        self._script, self._clock = list(script), clock
        self._until, self.asked, self._unsupported = 0.0, 0, False

    def held(self, case):
        reason = HoldReason.SUPPORT_ERROR if self._unsupported else HoldReason.RETRY_AFTER
        return {reason: self._until} if self._until > self._clock.wall() else {}

    async def run(self, case, draw, memory):
        assert not self.held(case), "nobody is asked before the time that was told"
        self.asked += 1
        word = self._script.pop(0)
        self._unsupported = word == "U"
        if word in "CIRU":
            self._until = self._clock.wall() + 30
        answers = {
            "P": (chat(STEP, "x"),),
            "F": (error(STEP, 500, "broken"),),
            "C": (error(STEP, 429, "no", code="model_cooldown"),),
            "I": (error(STEP, 429, "no", code="model_cooldown"),),
            "R": (error(STEP, 429, "slow down"),),
            "U": (error(STEP, 400, "not supported"),),
        }[word]
        reasons = {"P": "", "F": "upstream_error", "C": "cooldown", "I": "cooling", "R": "rate_limited"}
        outcome = {"P": "pass", "I": "inconclusive"}.get(word, "fail")
        return replace(made(outcome, reasons.get(word, "model_not_supported"), answers=answers), case=case)


async def played(script, count, seconds=100.0):
    its = Time()
    turns = Turns(script, its.clock)
    patient = Patience("head", turns, its.clock, seconds, its.told.append, its.sleep)
    found = [await patient.run(CASE, None, None) for _ in range(count)]
    words = [each.detail if isinstance(each, Finding) else str(each.finding.reason) or "pass" for each in found]
    return words, its, turns


async def test_a_pause_that_is_asked_for_is_waited_for():
    words, its, turns = await played("RP", 2)
    assert words == ["rate_limited", "pass"]
    assert [round(each) for each in its.slept] == [30]
    assert its.told[0].startswith("waiting 30 s, for head wants no asks of m")
    assert turns.asked == 2


async def test_its_own_cooldown_after_a_failure_is_no_answer_of_the_next_case():
    words, its, _ = await played("FCP", 2)
    assert words == ["upstream_error", "pass"]
    assert "by its own cooldown, after upstream_error of known-good openai_chat stream=false at 1970" in its.told[0]


async def test_a_case_that_its_cooldown_leaves_undecided_is_asked_again():
    words, its, _ = await played("PIP", 2)
    assert (words, len(its.slept)) == (["pass", "pass"], 1)
    words, its, _ = await played("I", 1, seconds=0)
    assert (words, its.slept) == (["cooling"], [])


async def test_a_refusal_that_comes_again_after_its_own_wait_is_an_answer():
    words, its, _ = await played("CC", 1)
    assert (words, len(its.slept)) == (["cooldown"], 1)
    words, its, _ = await played("FCC", 2)
    assert (words, len(its.slept)) == (["upstream_error", "cooldown"], 1), "one cause excuses one refusal"


async def test_a_refusal_without_time_to_wait_and_without_a_cause_is_an_answer():
    words, its, _ = await played("C", 1, seconds=0)
    assert (words, its.slept) == (["cooldown"], [])


async def test_a_refusal_with_a_cause_and_no_time_to_wait_is_told():
    words, its, turns = await played("FC", 3, seconds=10)
    assert (words[0], its.slept, turns.asked) == ("upstream_error", [], 2)
    assert words[1] == words[2], "the same words for all that one pause withholds"
    assert "head wants no more asks of m until " in words[1]
    assert "by its own cooldown, after upstream_error of known-good" in words[1]
    assert "docs/compare.md says how to switch its cooldown off" in words[1]


async def test_waits_have_a_bound_in_all():
    words, its, _ = await played("RRRR", 4, seconds=70)
    assert words[:3] == ["rate_limited"] * 3
    assert len(its.slept) == 2 and sum(its.slept) <= 70
    assert "61 s were waited for in all" in words[3]


async def test_a_model_that_is_not_supported_is_not_waited_for():
    words, its, turns = await played("U", 2, seconds=1000.0)
    assert (words[0], its.slept, turns.asked) == ("model_not_supported", [], 1)
    assert words[1] == "head has said that it does not support m: it is not asked again"


class Together:
    """A clock for those that sleep at the same time: the next to wake is whose sleep ends first."""

    def __init__(self):
        self.now, self.told, self._asleep = 1000.0, [], []

    @property
    def clock(self):
        return Clock(lambda: self.now, lambda: self.now)

    async def sleep(self, seconds):
        mine = (self.now + seconds, asyncio.Event())
        self._asleep.append(mine)
        for _ in range(20):  # all others come to where they sleep
            await asyncio.sleep(0)
        if not mine[1].is_set():
            end = min(each for each, _ in self._asleep)
            self.now = max(self.now, end)
            for each in [each for each in self._asleep if each[0] <= self.now]:
                self._asleep.remove(each)
                each[1].set()
        await mine[1].wait()


async def test_cases_that_wait_at_the_same_time_wait_for_the_same_seconds():
    """One case is refused for 30 s while six others stand behind it: all run after one wait, which is told once."""
    its = Together()
    turns = Turns("RPPPPPP", its.clock)
    patient = Patience("head", turns, its.clock, 40.0, its.told.append, its.sleep)
    runs = await asyncio.gather(*(patient.run(CASE, None, None) for _ in range(7)))
    assert [isinstance(run, Finding) for run in runs] == [False] * 7
    assert (its.now, len(its.told)) == (1030.5, 1)


async def test_a_pass_forgets_what_failed_before_it():
    words, _, _ = await played("FPCC", 3)
    assert words == ["upstream_error", "pass", "cooldown"]


@asynccontextmanager
async def breaking(clock, draw, breaker):
    """The base URL of `canaries proxy` with this breaker, in front of a mirror of its own."""
    settings = settings_of(f"gateways: {{it: {{kind: embedded, models: [m], breaker: {breaker}, {LIMITS}}}}}")
    plan = DoorPlan(config=settings.config, gateway="it", host="127.0.0.1", port=0, keys=(), redact=settings.redactor)
    async with opened(plan, clock, draw) as url:
        yield url


@pytest.mark.parametrize(("wait", "undecided"), [(600.0, False), (0.0, True)])
async def test_a_gateway_whose_breaker_opens_leaves_nothing_undecided_that_was_waited_for(draw, wait, undecided):
    """One case fails at both sides often enough to open head's breaker; the others are sound."""
    its = Time()
    never, soon = "{policy: threshold, failures: 1000}", "{policy: threshold, failures: 1, timeout: 30s}"
    async with breaking(its.clock, draw, never) as old, breaking(its.clock, draw, soon) as new:
        common = f"kind: openai-compatible, dialects: [openai_chat], models: [mirror/stream-cut], {LIMITS}"
        settings = settings_of(
            f"gateways:\n  old: {{{common}, url: '{old}'}}\n  new: {{{common}, url: '{new}'}}\n"
            "canaries: [{scenario: known-good, name: good, stream: [true, false]}]\n"
        )
        sides = [
            cases(settings.config, settings.binding, Wanted(gateways=(name,)))
            for name in ("old", "new")
        ]
        matched = match(*sides, key=lambda case: (case.canary, case.stream))
        orders = [Order(config=settings.config, cases=side, attribution=True, afterwards=True) for side in sides]
        plan = Plan(rounds=2, confidence=0.95, latency=99.0, tokens=99.0)
        trials = await comparing(
            tuple(orders), matched.pairs, plan, clock=its.clock, draw=draw, redact=(str, str),
            learn=(lambda secret: None, lambda secret: None), end=lambda trial: None, wait=wait, tell=its.told.append,
            sleep=its.sleep,
        )  # fmt: skip
    found = {each.pair.head.stream: each for each in compare(trials, plan) if each.pair is not None}
    if undecided:
        assert found[False].change is Change.UNDECIDED
        assert "by its own cooldown, after stream_error of good" in found[False].detail
        return
    assert found[True].change is Change.KNOWN, "it fails at both"
    assert found[False].change is Change.SAME, "head's cooldown after the other case is no failure of this one"
    assert its.slept and all("by its own cooldown" in told for told in its.told)


@pytest.mark.parametrize(("wait", "after"), [(600.0, "pass"), (0.0, "skip"), (None, "fail")])
async def test_a_run_heeds_pauses(draw, wait, after):
    """A stream that is cut opens the gateway's breaker; the case after it is asked when that closes, or not at all."""
    its, told = Time(), []
    async with breaking(its.clock, draw, "{policy: threshold, failures: 1, timeout: 30s}") as url:
        settings = settings_of(
            f"gateways:\n  it: {{kind: openai-compatible, dialects: [openai_chat], models: [mirror/stream-cut],"
            f" {LIMITS}, url: '{url}'}}\n"
            "canaries: [{scenario: known-good, name: good, stream: [true, false]}]\n"
        )
        order = Order(config=settings.config, cases=cases(settings.config, settings.binding, Wanted()), wait=wait)
        runs = await gate(
            order, clock=its.clock, draw=draw, redact=str, report=told.append, tell=its.told.append, sleep=its.sleep
        )
    assert [run.finding.outcome for run in runs] == ["fail", after]
    assert told == runs, "what was set aside is not told"
    assert len(its.slept) == (wait == 600)
    if after == "skip":
        assert runs[1].finding.reason == HoldReason.RETRY_AFTER
        assert "it wants no more asks of mirror/stream-cut until" in runs[1].finding.detail
        assert exit_code(runs[1:], fail_on=Severity.WARNING, allow_undecided=False) is ExitCode.UNDECIDED


async def test_a_case_that_judges_refusals_is_asked_while_the_gateway_refuses():
    its = Time()
    turns = Turns("FC", its.clock)
    patient = Patience("it", turns, its.clock, 100.0, its.told.append, its.sleep)
    await patient.run(CASE, None, None)
    stale = replace(CASE, scenario="stale-cooldown")
    found = await patient.run(stale, None, None)
    assert (found.finding.reason, its.slept) == ("cooldown", [])
