"""Covers canary/scenarios/stale_cooldown.py: only a refusal of the gateway's own is compared, and only gently."""

import random

import pytest
from msgspec.structs import replace
from plays import case, chat, error, play

from llm_canaries.canary.holds import FAR, Hold, HoldReason, Holds, holds_after
from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.stale_cooldown import PATIENCE, SCENARIO, Memory
from llm_canaries.service.sending import held
from llm_canaries.wire.exchange import Attempt

NOW = 1_700_000_000.0
ATTEMPT = Attempt(provider="codex", credential="one", status=200, duration=0.5)
COOLDOWN = (429, "All credentials for model m are cooling down", "model_cooldown")
NO_CREDENTIAL = (503, "auth_unavailable: no auth available (providers=codex, model=m)", "internal_server_error")
LIMIT = (429, "Rate limit reached", "rate_limit_exceeded")


def answer(step, said, *, took=0.004, at=NOW, wait=None):
    """An answer or, where `said` is (status, message, code), a refusal; the provider of direct ones is told."""
    found = chat(step, "fine") if said == "fine" else error(step, *said)
    if wait is not None:
        found = replace(found, fault=replace(found.fault, retry_after=wait))
    attempts = (ATTEMPT,) if step.via == "direct" else ()
    return replace(found, duration=took, at=at, attempts=attempts)


def look(gateway, direct="fine", memory=None, *, at=NOW, took=0.004, wait=None, direct_wait=None):
    """The finding, and on which ways it was asked for."""

    def answers(step):
        if step.via == "direct":
            return answer(step, direct, took=0.6, at=at + 1, wait=direct_wait)
        return answer(step, gateway, took=took, at=at, wait=wait)

    finding, steps = play(SCENARIO, answers, memory, twin="own")
    return finding, [step.via for step in steps]


@pytest.mark.parametrize("refusal", [COOLDOWN, NO_CREDENTIAL])
def test_a_gateway_that_refuses_by_itself_while_the_provider_answers_is_stale(refusal):
    finding, ways = look(refusal)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "stale_cooldown", "policy")
    assert "codex answers directly" in finding.detail
    assert "in 4 ms" in finding.detail
    assert finding.measures == {"cooldown_lost:codex": 0.0, "cooldown_lost_hours": 0.0}, "nothing is known before now"
    assert ways == ["gateway", "direct"]


def test_the_time_lost_is_counted_from_sight_to_sight():
    memory, lost = None, []
    for minutes in (0, 10, 20, 180):
        finding, _ = look(COOLDOWN, memory=memory, at=NOW + minutes * 60)
        memory = finding.memory
        lost.append(finding.measures["cooldown_lost:codex"])
    assert lost == [0.0, 600.0, 600.0, 9600.0]
    assert finding.measures["cooldown_lost_hours"] == 3.0
    assert "and has for 3.0 h" in finding.detail


def test_a_gateway_that_answers_passes_and_the_count_begins_anew():
    stale = look(COOLDOWN, memory=look(COOLDOWN)[0].memory, at=NOW + 600)[0].memory
    finding, ways = look("fine", memory=stale, at=NOW + 1200, took=0.8)
    assert (finding.outcome, ways) == ("pass", ["gateway"])
    assert finding.memory == Memory(quickest=0.6)
    assert look(COOLDOWN, memory=finding.memory, at=NOW + 1800)[0].measures["cooldown_lost:codex"] == 0.0


def test_a_refusal_that_the_provider_shares_passes_and_the_provider_is_left_alone_for_as_long_as_it_says():
    finding, _ = look(COOLDOWN, LIMIT, direct_wait=7200.0)
    assert (finding.outcome, finding.reason) == ("pass", "")
    assert "directly: HTTP 429 rate_limited" in finding.detail
    later, ways = look(COOLDOWN, "fine", finding.memory, at=NOW + 7100)
    assert (later.outcome, later.reason, ways) == ("inconclusive", "cooldown_justified", ["gateway"])
    after, ways = look(COOLDOWN, "fine", later.memory, at=NOW + 7202)
    assert (after.reason, ways) == ("stale_cooldown", ["gateway", "direct"])


def test_a_provider_that_does_not_say_for_how_long_is_left_alone_for_a_minute():
    finding, _ = look(COOLDOWN, (503, "overloaded", None))
    assert finding.memory.alone_until == NOW + 1 + PATIENCE


@pytest.mark.parametrize("refusal", [LIMIT, (429, "insufficient", "insufficient_quota"), (503, "busy", None)])
def test_a_refusal_that_may_be_the_providers_asks_nobody_directly(refusal):
    finding, ways = look(refusal, took=0.3, memory=Memory(quickest=0.6))
    assert (finding.outcome, finding.reason, ways) == ("inconclusive", "providers_refusal", ["gateway"])
    assert look(refusal)[0].reason == "providers_refusal", "4 ms tell nothing before an answer has been seen"


def test_a_refusal_too_fast_to_have_been_to_the_provider_is_the_gateways_own():
    finding, ways = look(LIMIT, took=0.004, memory=Memory(quickest=0.6))
    assert (finding.reason, ways) == ("stale_cooldown", ["gateway", "direct"])
    assert "too fast" in finding.detail


def test_a_reset_that_lies_far_away_is_looked_into_and_a_near_one_is_not():
    finding, ways = look(LIMIT, took=0.3, wait=FAR * 20)
    assert (finding.reason, ways) == ("stale_cooldown", ["gateway", "direct"])
    assert "20.0 h" in finding.detail
    assert look(LIMIT, took=0.3, wait=FAR / 2)[0].reason == "providers_refusal"


@pytest.mark.parametrize("direct", [(500, "boom", None), (401, "bad key", "invalid_api_key")])
def test_a_direct_failure_of_another_kind_tells_nothing(direct):
    finding, _ = look(COOLDOWN, direct)
    assert (finding.outcome, finding.reason) == ("inconclusive", "direct_failed")


@pytest.mark.parametrize("other", [(500, "boom", None), (404, "no such model", "model_not_found"), (401, "no", None)])
def test_what_is_no_refusal_is_for_other_canaries(other):
    finding, ways = look(other)
    assert (finding.outcome, finding.reason, ways) == ("inconclusive", "no_cooldown", ["gateway"])


class Lane:
    """A way that answers with one thing."""

    def __init__(self, said, **more):
        self.said, self.more = said, more

    async def send(self, step):
        return answer(step, self.said, **self.more)


async def run_of(direct, wait=90.0):
    its = case(SCENARIO, twin="own")
    lanes = {"gateway": Lane(COOLDOWN, wait=50_000.0), "direct": Lane(direct, wait=wait if direct != "fine" else None)}
    return await run_case(its, SCENARIO, lanes, draw=random.Random(7).randrange, now=NOW)


async def test_it_goes_on_looking_while_the_gateway_wants_a_pause_that_nobody_else_asks_for():
    run = await run_of("fine")
    assert holds_after(run, NOW) == [Hold("g", "m", HoldReason.RETRY_AFTER, NOW + 50_000, own=True)]
    holds = Holds()
    for hold in holds_after(run, NOW):
        holds.add(hold)
    assert holds.of("g", "m", NOW + 600), "the others are held"
    assert not held(holds, run.case, NOW + 600)


async def test_a_provider_that_wants_to_be_left_alone_holds_its_twin_and_whoever_asks_it():
    run = await run_of(LIMIT)
    holds = Holds()
    for hold in holds_after(run, NOW):
        holds.add(hold)
    assert holds.of("own", "m", NOW + 60)
    assert set(held(holds, run.case, NOW + 60)) == {HoldReason.RETRY_AFTER}
    assert not held(holds, run.case, NOW + 91)


async def test_other_holds_of_the_gateway_hold_it_too():
    run = await run_of("fine")
    holds = Holds()
    holds.add(Hold("g", "m", HoldReason.SUPPORT_ERROR, NOW + 100))
    holds.add(Hold("g", "", HoldReason.RETRY_AFTER, NOW + 100))
    assert set(held(holds, run.case, NOW)) == {HoldReason.SUPPORT_ERROR, HoldReason.RETRY_AFTER}


def test_without_a_twin_it_cannot_be_asked():
    assert "no `twin`" in SCENARIO.objection(case(SCENARIO))
    assert not SCENARIO.objection(case(SCENARIO, twin="own"))
