import pytest
from msgspec.structs import replace
from plays import case, chat, error
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.holds import Hold, HoldReason, Holds, holds_after, listing, may_confirm
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.wire.exchange import Attempt, Look, Page
from llm_canaries.wire.quota_reading import read_quota

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


def test_a_refused_model_is_not_asked_for_again_until_its_hold_has_passed():
    """Not by the run that would confirm the failure, and not by the next two that are due half an hour apart."""
    refusal = run("fail", "ineligible_listed", answers=[error(STEP, 400, "The 'm' model is not supported with Codex")])
    assert not may_confirm(refusal)
    holds = Holds()
    for hold in holds_after(refusal, 1000.0):
        holds.add(hold)
    every = SCENARIOS["eligibility"].least_every
    assert [bool(holds.of("g", "m", 1000.0 + every * due)) for due in (0, 1, 2)] == [True, True, False]
    assert not holds.of("g", "other", 1000.0 + every)


def refused_at(*held):
    holds = Holds()
    for model in held:
        holds.add(Hold("g", model, HoldReason.SUPPORT_ERROR, 4600.0))
    return holds


def test_a_refused_model_that_comes_back_into_the_list_is_asked_for_again():
    holds = refused_at("m", "n")
    for ids, left in (({"m", "n"}, True), ({"n"}, True), ({"m", "n"}, False)):
        holds.saw("g", ids)
        assert bool(holds.of("g", "m", 1000.0)) is left, ids
    assert holds.of("g", "n", 1000.0), "it never left the list"


def test_a_list_lifts_nothing_elsewhere_and_no_other_hold():
    holds = refused_at("m")
    holds.add(Hold("g", "m", HoldReason.RETRY_AFTER, 4600.0))
    for gateway, ids in (("h", set()), ("h", {"m"}), ("g", set()), ("g", {"m"})):
        holds.saw(gateway, ids)
    assert set(holds.of("g", "m", 1000.0)) == {HoldReason.RETRY_AFTER}


def test_a_model_refused_once_more_has_to_come_back_once_more():
    holds = refused_at("m")
    holds.saw("g", set())
    holds.add(Hold("g", "m", HoldReason.SUPPORT_ERROR, 9000.0))
    holds.saw("g", {"m"})
    assert holds.of("g", "m", 1000.0)


@pytest.mark.parametrize(
    ("pages", "ids"),
    [
        ([b'{"data":[{"id":"a"},{"id":"b"}]}'], {"a", "b"}),
        ([b'{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}', b'{"data":[{"id":"b"}]}'], {"a", "b"}),
        ([b'{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}'], None),
        ([b"[]"], None),
        ([], None),
    ],
)
def test_the_list_that_a_run_read(pages, ids):
    look = Look(path="/v1/models")
    answers = [Page(look=look, status=200, headers=(), body=body, fault=None, duration=0.1) for body in pages]
    assert listing(run("pass", answers=answers)) == ids
    broken = [replace(answer, fault=error(STEP, 503, "no").fault) for answer in answers]
    assert listing(run("fail", "x", answers=[chat(STEP, "fine"), *broken])) is None


def test_another_page_is_no_list():
    page = Page(look=Look(path="/health"), status=200, headers=(), body=b'{"data":[]}', fault=None, duration=0.1)
    assert listing(run("pass", answers=[page])) is None


def test_a_model_that_is_not_known_costs_no_hold():
    assert after(error(STEP, 404, "The model `m` does not exist", "model_not_found")) == []
    assert not may_confirm(run("fail", "unlisted", answers=[error(STEP, 404, "no such model", "model_not_found")]))


def answered(credential=None, **headers):
    """A good answer with headers, `_` for `-` in their names; at an embedded core where a credential is named."""
    said = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    attempts = () if credential is None else (Attempt(provider="p", credential=credential, status=200, duration=0.1),)
    answer = replace(chat(STEP, "fine"), headers=said, attempts=attempts, quota=read_quota(said, 1000.0))
    return holds_after(run("pass", answers=[answer]), 1000.0)


LIMIT = "x_ratelimit_"
USED_UP = {f"{LIMIT}remaining_requests": "0", f"{LIMIT}limit_requests": "10", f"{LIMIT}reset_requests": "2m"}
CODEX = {"x_codex_primary_used_percent": "100", "x_codex_primary_reset_after_seconds": "60"}
CLAUDE = "anthropic_ratelimit_"
UNIFIED = f"{CLAUDE}unified_"


@pytest.mark.parametrize(
    ("headers", "until"),
    [
        (USED_UP, 1120.0),
        (USED_UP | {"x_ratelimit_remaining_requests": "1"}, None),
        (USED_UP | {"x_ratelimit_reset_requests": ""}, None),
        (USED_UP | {"x_ratelimit_limit_requests": "0"}, None),
        (USED_UP | {"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "10m"}, 1600.0),
        ({f"{CLAUDE}tokens_remaining": "0", f"{CLAUDE}tokens_reset": "1970-01-01T00:20:00Z"}, 1200.0),
        ({"ratelimit": '"api";r=0;t=30'}, 1030.0),
        (CODEX, 1060.0),
        (CODEX | {"x_codex_primary_used_percent": "99"}, None),
        ({f"{UNIFIED}5h_status": "rejected", f"{UNIFIED}5h_reset": "5000"}, 5000.0),
        ({f"{UNIFIED}5h_status": "allowed", f"{UNIFIED}5h_utilization": "1", f"{UNIFIED}5h_reset": "5000"}, None),
        ({f"{UNIFIED}7d_oi_status": "rejected", f"{UNIFIED}7d_oi_reset": "5000"}, None),
        ({f"{UNIFIED}status": "rejected", f"{UNIFIED}reset": "900000"}, 1000.0 + 86400),
        ({"x_quota_snapshot_premium_interactions": "ent=300&rem=0&rst=1970-01-02T00%3A00%3A00Z"}, None),
    ],
)
def test_a_quota_that_is_used_up_holds_until_it_is_renewed_without_any_429(headers, until):
    """Only the model that was asked; what is served for money, or counts for another model, holds nothing."""
    expected = [] if until is None else [Hold("g", "m", HoldReason.RETRY_AFTER, until)]
    assert answered(**headers) == expected
    said = tuple((f"llm_provider-{name.replace('_', '-')}", value) for name, value in headers.items())
    answer = replace(chat(STEP, "fine"), headers=said, quota=read_quota(said, 1000.0))
    assert holds_after(run("pass", answers=[answer]), 1000.0) == expected


def test_a_429_that_names_no_time_waits_for_the_quota_that_it_names():
    said = (("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "2m"))
    answer = replace(limited(), headers=said, quota=read_quota(said, 1000.0))
    assert after(answer) == [Hold("g", "", HoldReason.RETRY_AFTER, 1120.0)]
    hinted = replace(limited(retry_after=7.0), headers=said, quota=read_quota(said, 1000.0))
    assert after(hinted) == [Hold("g", "", HoldReason.RETRY_AFTER, 1007.0)]


def test_one_of_several_credentials_is_left_to_the_core():
    assert answered("one", **USED_UP) == []
    assert answered("default", **USED_UP) == [Hold("g", "m", HoldReason.RETRY_AFTER, 1120.0)]


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
