"""Covers canary/scenarios/catalog.py: what belongs into a list, its forms and pages, and differences over runs."""

import json

import pytest
from plays import case, chat, models, play

from llm_canaries.canary.scenarios.catalog import MOST_PAGES, SCENARIO, Memory, Params, expected, listed, more
from llm_canaries.canary.scenarios.eligibility import SCENARIO as ELIGIBILITY
from llm_canaries.wire.exchange import Page, Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError


def over(*lists, params=None, **more):
    """The findings of runs that read these lists one after the other, each remembering the one before."""
    memory, found = None, []
    for ids in lists:
        finding, _ = play(
            SCENARIO, lambda step, ids=ids: models(step, *ids), memory, params=params or Params(), **more
        )
        memory = finding.memory
        found.append(finding)
    return found


def told(findings):
    return [str(finding.reason) or finding.outcome.value for finding in findings]


def page(step, body, status=200, fault=None):
    return Page(look=step, status=status, headers=(), body=body, fault=fault, duration=0.1)


def test_listed_in_one_look_and_without_a_token():
    finding, (step,) = play(SCENARIO, lambda step: models(step, "m", "other"))
    assert (finding.outcome, step.path) == ("pass", "/v1/models")
    assert finding.measures == {"models_listed": 2.0, "models_missing": 0.0}
    its = case(SCENARIO)
    assert SCENARIO.cost(its, its.params).output_tokens == 0


def test_what_belongs_into_the_list():
    params = Params(prefixes=("a", "b/"), aliases=("fast", "m"), ids=("gpt-5",))
    assert expected(case(SCENARIO), params) == ("m", "a/m", "b/m", "fast", "gpt-5")


@pytest.mark.parametrize(
    ("ids", "missing"),
    [
        (["m", "a/m", "fast", "gpt-5"], None),
        (["m", "fast", "gpt-5"], "a/m"),
        (["m", "a/m", "gpt-5"], "fast"),
        (["m", "a/m", "fast"], "gpt-5"),
        (["M", "a/m", "fast", "gpt-5"], "m"),
    ],
)
def test_prefixes_aliases_and_ids(ids, missing):
    (finding,) = over(ids, params=Params(prefixes=("a",), aliases=("fast",), ids=("gpt-5",)))
    assert (finding.outcome, finding.reason) == (("fail", "never_exposed") if missing else ("pass", ""))
    assert finding.detail.endswith(f": {missing}" if missing else "")


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ([["m"], ["m"]], ["pass", "pass"]),
        ([["m", "n"], ["n", "m"]], ["pass", "pass"]),
        ([["n"], ["n"]], ["never_exposed", "never_exposed"]),
        ([["m", "n"], ["n"], ["n"], ["n"]], ["pass", "unsettled", "vanished", "vanished"]),
        ([["m", "n"], ["n"], ["m", "n"], ["n"]], ["pass", "unsettled", "pass", "unsettled"]),
        ([["m", "n"], ["n"], ["n"], ["m", "n"], ["n"]], ["pass", "unsettled", "vanished", "pass", "vanished"]),
        ([["n"], ["m", "n"], ["n"]], ["never_exposed", "pass", "unsettled"]),
        ([[], ["m"]], ["empty_list", "pass"]),
        ([["m"], [], ["m"]], ["pass", "empty_list", "pass"]),
    ],
)
def test_differences_over_runs(lists, words):
    assert told(over(*lists)) == words


@pytest.mark.parametrize("debounce", [1, 3])
def test_the_runs_until_it_counts_may_be_set(debounce):
    lists = [["m", "n"], *[["n"]] * debounce]
    words = ["pass", *["unsettled"] * (debounce - 1), "vanished"]
    assert told(over(*lists, params=Params(debounce=debounce))) == words


def test_settled_changes_of_other_models_are_told_and_no_failure():
    findings = over(["m", "a"], ["m", "b"], ["m", "b"], ["m", "b"])
    assert told(findings) == ["pass"] * 4
    assert [finding.detail for finding in findings] == ["", "", "new in the list: b; gone from the list: a", ""]


def test_a_long_difference_is_told_in_short():
    many = [f"model-{number}" for number in range(30)]
    (*_, finding) = over(["m"], ["m", *many], ["m", *many])
    assert finding.detail == "new in the list: model-0, model-1, model-10, model-11, model-12 and 25 more"


def test_memory_is_kept_while_the_list_cannot_be_read():
    (first,) = over(["m", "n"])
    fault = Fault(reason=FaultReason.OVERLOADED, status=503)
    finding, _ = play(SCENARIO, lambda step: page(step, b"", 503, fault), first.memory)
    assert (finding.outcome, finding.reason, finding.memory) == ("fail", "overloaded", first.memory)
    broken, _ = play(SCENARIO, lambda step: page(step, b"[]"), first.memory)
    assert (broken.reason, broken.memory) == ("malformed_body", first.memory)


@pytest.mark.parametrize("status", [302, 404, 405, 501])
def test_a_gateway_without_a_list(status):
    def answers(step):
        reason = FaultReason.NO_ROUTE if status == 302 else FaultReason.MODEL_NOT_FOUND
        return page(step, b"", status, Fault(reason=reason, status=status))

    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason) == ("skip", "no_list")
    behind = Fault(reason=FaultReason.UPSTREAM_ERROR, status=status if status > 400 else 404)
    core, _ = play(SCENARIO, lambda step: page(step, b"", None, behind))
    assert (core.outcome, core.reason) == ("skip", "no_list"), "a provider behind the embedded core has none"
    before, _ = play(SCENARIO, answers, Memory(known=("m",)))
    assert (before.outcome, before.reason) == ("inconclusive", "no_list")


FORMS = [
    ({"object": "list", "data": [{"id": "m", "object": "model"}]}, "openai_chat"),
    ({"data": [{"type": "model", "id": "m", "display_name": "M"}], "has_more": False}, "anthropic_messages"),
    ({"models": [{"name": "models/m", "supportedGenerationMethods": []}]}, "gemini"),
]


@pytest.mark.parametrize(("said", "dialect"), FORMS)
def test_the_form_is_told_by_the_list_itself(said, dialect):
    assert list(listed(said)) == ["m"]
    for asked in ("openai_chat", "anthropic_messages", "openai_responses", "gemini"):
        finding, (step,) = play(SCENARIO, lambda step: page(step, json.dumps(said).encode()), dialect=asked)
        assert finding.outcome == "pass"
        assert step.path == ("/v1beta/models" if asked == "gemini" else "/v1/models")


def test_a_page_that_is_no_list():
    for said in ({}, {"data": {}}, {"models": None}):
        with pytest.raises(WireError):
            listed(said)


def test_pages_are_followed_to_the_last():
    pages = {
        "/v1/models": {"data": [{"id": "a"}], "has_more": True, "last_id": "a/b"},
        "/v1/models?limit=1000&after_id=a%2Fb": {"data": [{"id": "m"}], "has_more": False, "last_id": "m"},
    }
    finding, steps = play(SCENARIO, lambda step: page(step, json.dumps(pages[step.path]).encode()))
    assert (finding.outcome, len(steps)) == ("pass", 2)
    assert more({"models": [], "nextPageToken": "x y"}) == "?pageToken=x%20y"


def test_a_list_that_never_ends_is_left():
    numbers = iter(range(1000))

    def answers(step):
        at = next(numbers)
        return page(step, json.dumps({"data": [{"id": f"m{at}"}], "has_more": True, "last_id": f"m{at}"}).encode())

    finding, steps = play(SCENARIO, answers)
    assert (finding.reason, len(steps)) == ("never_exposed", MOST_PAGES)
    same = json.dumps({"data": [{"id": "m"}], "has_more": True, "last_id": "m"}).encode()
    assert len(play(SCENARIO, lambda step: page(step, same))[1]) == 2


@pytest.mark.parametrize(
    ("reason", "behind_the_core", "at_a_gateway"),
    [
        (FaultReason.UPSTREAM_ERROR, "provider", "deployment"),
        (FaultReason.MALFORMED_BODY, "translation", "deployment"),
        (FaultReason.HTML, "deployment", "deployment"),
        (FaultReason.RATE_LIMITED, "provider", "policy"),
        (FaultReason.CONNECTION_LOST, "network", "network"),
        (FaultReason.AUTH, "client", "client"),
    ],
)
def test_a_list_that_does_not_come_is_a_deployed_gateways_own(reason, behind_the_core, at_a_gateway):
    """The embedded core has its list from its providers, a deployed gateway makes it itself."""
    fault = Fault(reason=reason, status=500)
    for scenario in (SCENARIO, ELIGIBILITY):
        for deployed, domain in ((False, behind_the_core), (True, at_a_gateway)):
            finding, _ = play(
                scenario,
                lambda step: chat(step, "x") if isinstance(step, Send) else page(step, b"{}", 500, fault),
                deployed=deployed,
            )
            assert (finding.reason, finding.fault_domain) == (reason, domain), scenario.name


def test_a_list_that_is_none_is_a_deployed_gateways_own():
    for deployed, domain in ((False, "translation"), (True, "deployment")):
        finding, _ = play(SCENARIO, lambda step: page(step, b'{"data": 3}'), deployed=deployed)
        assert (finding.reason, finding.fault_domain) == ("malformed_body", domain)


@pytest.mark.parametrize(("ids", "missing"), [(["m"], ""), (["m(high)"], ""), (["other"], "m")])
def test_a_suffix_of_reasoning_is_no_part_of_a_listed_name(ids, missing):
    (finding,) = over(ids, model="m(high)")
    assert finding.detail.partition("never seen there: ")[2] == missing
