"""Covers canary/scenarios/routing.py: each kind of evidence, for, against and lacking."""

import pytest
from msgspec.structs import replace
from plays import chat, error, play

from llm_canaries.canary.scenarios.routing import SCENARIO, Params
from llm_canaries.wire.exchange import Attempt, Seen


def answering(model="m", headers=(), provider="", upstream=()):
    """An answer with the evidence given."""

    def answers(step):
        attempts = (Attempt(provider=provider, credential="", status=200, duration=0.1),) if provider else ()
        seen = tuple(
            Seen(dialect="openai_chat", model=each, stream=False, ask=step.ask, body=b"") for each in upstream
        )
        return replace(chat(step, "1", model=model), headers=headers, attempts=attempts, upstream=seen)

    return answers


LITELLM = (("X-LiteLLM-Model-Id", "4f2a"), ("content-type", "application/json"))


@pytest.mark.parametrize(
    ("answer", "params", "outcome", "reason"),
    [
        (answering(), Params(), "pass", ""),
        (answering("openai/M-2026-01-01"), Params(), "pass", ""),
        (answering("n"), Params(), "fail", "other_model"),
        (answering(""), Params(), "inconclusive", "no_evidence"),
        (answering("gpt-5.3-codex"), Params(expect_model=("gpt-5.*", "x")), "pass", ""),
        (answering("m"), Params(expect_model=("gpt-5.*",)), "fail", "other_model"),
        (answering(""), Params(expect_model=("gpt-5.*",)), "inconclusive", "no_evidence"),
        (answering("n", LITELLM), Params(expect_header={"x-litellm-model-id": "4f*"}), "pass", ""),
        (answering("m", LITELLM), Params(expect_header={"x-litellm-model-id": "aaaa"}), "fail", "other_header"),
        (answering("m", LITELLM), Params(expect_header={"x-portkey-provider": "*"}), "inconclusive", "no_evidence"),
        (answering("n", provider="a"), Params(expect_provider="a"), "pass", ""),
        (answering("m", provider="b"), Params(expect_provider="a"), "fail", "other_provider"),
        (answering("m"), Params(expect_provider="a"), "inconclusive", "no_evidence"),
        (answering("n", upstream=["u"]), Params(expect_upstream_model=("u",)), "pass", ""),
        (answering("m", upstream=["u", "v"]), Params(expect_upstream_model=("u",)), "fail", "other_upstream_model"),
        (answering("m"), Params(expect_upstream_model=("u",)), "inconclusive", "no_evidence"),
    ],
)
def test_evidence(answer, params, outcome, reason):
    finding, steps = play(SCENARIO, answer, params=params)
    assert (finding.outcome, finding.reason, len(steps)) == (outcome, reason, 1)
    assert finding.fault_domain == ("routing" if outcome == "fail" else None)


def test_evidence_against_goes_before_evidence_that_lacks():
    params = Params(expect_model=("x",), expect_header={"x-portkey-provider": "openai"})
    assert play(SCENARIO, answering("m"), params=params)[0].reason == "other_model"


def test_all_that_is_known_is_told():
    finding, _ = play(SCENARIO, answering("m", LITELLM, "up", ["u", "u"]))
    assert finding.detail == "model m, x-litellm-model-id 4f2a, provider up, upstream model u"
    lacking, _ = play(SCENARIO, answering("m"), params=Params(expect_provider="a", expect_upstream_model=("u",)))
    assert lacking.detail == (
        "the mirror saw nothing of this ask; the gateway does not say which provider answered (model m)"
    )


def test_a_fault_keeps_its_name():
    assert play(SCENARIO, lambda step: error(step, 429, "slow down"))[0].reason == "rate_limited"


def test_the_upstreams_name_is_as_good_where_it_is_known():
    assert play(SCENARIO, answering("mirror/healthy"), model="loop-1", upstream="mirror/healthy")[0].outcome == "pass"
    assert play(SCENARIO, answering("other"), model="loop-1", upstream="mirror/healthy")[0].reason == "other_model"
