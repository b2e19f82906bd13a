import pytest
from plays import chat, error, models, play

from llm_canaries.canary.scenarios.eligibility import SCENARIO, Params, same_model
from llm_canaries.wire.exchange import Look
from llm_canaries.wire.fault import Fault, FaultReason

SPARK = "The 'm' model is not supported when using Codex with a ChatGPT account."


def answers(listed, call):
    return lambda step: models(step, *listed) if isinstance(step, Look) else call(step)


OK = lambda step: chat(step, "1")  # noqa: E731
UNSUPPORTED = lambda step: error(step, 400, SPARK)  # noqa: E731
NOT_FOUND = lambda step: error(step, 404, "The model `m` does not exist", "model_not_found")  # noqa: E731


@pytest.mark.parametrize(
    ("listed", "call", "outcome", "reason"),
    [
        (["m"], OK, "pass", ""),
        (["other"], OK, "fail", "callable_unlisted"),
        (["m"], UNSUPPORTED, "fail", "ineligible_listed"),
        (["m"], NOT_FOUND, "fail", "ineligible_listed"),
        ([], UNSUPPORTED, "fail", "ineligible"),
        ([], NOT_FOUND, "fail", "unlisted"),
        (["m"], lambda s: error(s, 503, "auth_unavailable: no auth available"), "fail", "suspended"),
        (["m"], lambda s: error(s, 429, "cooling", "model_cooldown"), "fail", "suspended"),
        (["m"], lambda s: error(s, 429, "limit", "usage_limit_reached"), "fail", "quota"),
        (["m"], lambda s: error(s, 429, "slow down"), "fail", "rate_limited"),
        (["m"], lambda s: chat(s, "1", model="m-mini"), "fail", "aliased_fallback"),
        (["m"], lambda s: chat(s, "1", model=""), "pass", ""),
    ],
)
def test_listed_times_callable(listed, call, outcome, reason):
    finding, steps = play(SCENARIO, answers(listed, call))
    assert (finding.outcome, finding.reason) == (outcome, reason)
    assert len(steps) == 2


@pytest.mark.parametrize(
    ("listed", "call", "outcome", "reason"),
    [
        ([], NOT_FOUND, "pass", ""),
        ([], UNSUPPORTED, "pass", ""),
        (["m"], UNSUPPORTED, "fail", "ineligible_listed"),
        ([], OK, "fail", "unexpectedly_eligible"),
    ],
)
def test_expected_to_be_absent(listed, call, outcome, reason):
    finding, _ = play(SCENARIO, answers(listed, call), params=Params(expect="absent"))
    assert (finding.outcome, finding.reason) == (outcome, reason)


def test_an_alias_may_be_allowed():
    call = lambda s: chat(s, "1", model="fallback")  # noqa: E731
    assert play(SCENARIO, answers(["m"], call), params=Params(allow_alias=True))[0].outcome == "pass"


def test_no_list_is_undecided_and_a_broken_list_is_a_failure():
    def look(fault):
        return lambda step: models(step, fault=fault) if isinstance(step, Look) else OK(step)

    absent = play(SCENARIO, look(Fault(reason=FaultReason.NO_ROUTE, status=404)))[0]
    assert (absent.outcome, absent.reason) == ("inconclusive", "listing_absent")
    assert play(SCENARIO, look(Fault(reason=FaultReason.HTML, status=200)))[0].reason == "html"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_provider_without_a_list_behind_the_embedded_core_is_no_failure(status):
    fault = Fault(reason=FaultReason.UPSTREAM_ERROR, status=status, message="up: no model list")
    finding = play(SCENARIO, lambda step: models(step, fault=fault) if isinstance(step, Look) else OK(step))[0]
    assert (finding.outcome, finding.reason) == ("inconclusive", "listing_absent")


def test_without_a_list_a_refusal_keeps_its_own_reason():
    no_list = Fault(reason=FaultReason.NO_ROUTE, status=404)
    answers = lambda step: models(step, fault=no_list) if isinstance(step, Look) else NOT_FOUND(step)  # noqa: E731
    assert play(SCENARIO, answers)[0].reason == "model_not_found"


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-5", "gpt-5-2025-08-07", True),
        ("openai/gpt-5", "gpt-5", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", True),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5", True),
        ("gemini-2.5-pro", "gemini-2.5-pro-latest", True),
        ("gemini-2.0-flash-001", "gemini-2.0-flash", True),
        ("gpt-5(high)", "gpt-5", True),
        ("gpt-5", "", True),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5.3-codex-spark", "gpt-5.3-codex", False),
        ("claude-sonnet-4-5", "claude-opus-4-5", False),
    ],
)
def test_same_model(asked, answered, same):
    assert same_model(asked, answered) is same


def test_a_suffix_of_reasoning_is_no_part_of_a_listed_name():
    assert play(SCENARIO, answers(["m"], OK), model="m(high)")[0].outcome == "pass"
    assert play(SCENARIO, answers(["other"], OK), model="m(high)")[0].reason == "callable_unlisted"


def test_the_upstreams_name_is_no_alias_where_it_is_known():
    call = lambda s: chat(s, "1", model="mirror/healthy")  # noqa: E731
    assert play(SCENARIO, answers(["loop"], call), model="loop", upstream="mirror/healthy")[0].outcome == "pass"
    assert play(SCENARIO, answers(["loop"], call), model="loop", upstream="up")[0].reason == "aliased_fallback"
