from msgspec.structs import replace
from plays import case, chat, error
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.budget import Allowance, day_end, day_of, forecast
from llm_canaries.canary.canary import Cost
from llm_canaries.canary.holds import Hold, HoldReason, Holds, holds_after, may_confirm
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.scenarios.table import SCENARIOS

ITS = case(SCENARIO)
STEP = sending(ITS, text_ask(ITS, "hi", cap=9), "cnry-aaaaaaaaaa")


def after(answer):
    return holds_after(run("fail", "x", answers=[answer]), 1000.0)


def limited(**fault):
    answer = error(STEP, 429, "slow down")
    return replace(answer, fault=replace(answer.fault, **fault))


def test_a_retry_after_holds_the_whole_gateway():
    assert after(limited(retry_after=7.0)) == [Hold("g", "", HoldReason.RETRY_AFTER, 1007.0)]
    assert after(limited()) == [Hold("g", "", HoldReason.RETRY_AFTER, 1060.0)]
    assert after(limited(retry_after=1e9))[0].until == 1000 + 86400


def test_a_cooldown_holds_its_model_only():
    (hold,) = after(error(STEP, 429, "cooling down", "model_cooldown"))
    assert (hold.model, hold.reason) == ("m", HoldReason.RETRY_AFTER)


def test_a_support_error_holds_its_model_for_an_hour():
    answer = error(STEP, 400, "The 'm' model is not supported when using Codex")
    assert after(answer) == [Hold("g", "m", HoldReason.SUPPORT_ERROR, 4600.0)]


def test_an_answer_holds_nothing():
    assert after(chat(STEP, "fine")) == []


def test_only_harmless_failures_are_confirmed():
    assert may_confirm(run("fail", "wrong_answer", answers=[chat(STEP, "no")]))
    assert may_confirm(run("fail", "upstream_error", answers=[error(STEP, 500, "boom")]))
    for status in (401, 402, 403, 404, 429):
        assert not may_confirm(run("fail", "x", answers=[error(STEP, status, "no")])), status


def test_the_longest_hold_counts_and_ends():
    holds = Holds()
    holds.add(Hold("g", "", HoldReason.RETRY_AFTER, 100.0))
    holds.add(Hold("g", "", HoldReason.RETRY_AFTER, 50.0))
    holds.add(Hold("g", "m", HoldReason.SUPPORT_ERROR, 200.0))
    assert holds.of("g", "m", 0.0) == {HoldReason.RETRY_AFTER: 100.0, HoldReason.SUPPORT_ERROR: 200.0}
    assert holds.of("g", "other", 0.0) == {HoldReason.RETRY_AFTER: 100.0}
    assert holds.of("h", "m", 0.0) == {}
    assert holds.of("g", "m", 100.0) == {HoldReason.SUPPORT_ERROR: 200.0}


def test_an_allowance_is_never_overstepped():
    cap = Allowance(requests=10, tokens=100)
    assert cap.covers((9, 0), Cost(1, 50, 50))
    assert not cap.covers((10, 0), Cost(1, 1, 1))
    assert not cap.covers((0, 1), Cost(1, 50, 50))


def test_days_are_utc():
    assert day_of(86399.0) == "0"
    assert day_of(86400.0) == "1"
    assert day_end(86400.0) == 172800.0


def test_a_forecast_is_runs_times_cost():
    its = replace(ITS, every=600.0)
    found = forecast([its, its], SCENARIOS)
    assert found.requests == 288
    assert found.tokens == 288 * 60
