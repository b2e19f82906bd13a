"""canary/claim.py."""

import pytest
from msgspec.structs import replace
from plays import case, chat
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.claim import parse_claim, parse_confidence
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.config.values import Refused


@pytest.mark.parametrize(
    ("text", "said", "limit", "reason", "seconds"),
    [
        ("failures < 5%", "failures < 5%", 0.05, "", 0),
        ("failures<=0.05", "failures <= 0.05", 0.05, "", 0),
        ("  failures  <  0.5 %  ", "failures < 0.5 %", 0.005, "", 0),
        ("dropped_silent < 1%", "dropped_silent < 1%", 0.01, "dropped_silent", 0),
        ("rate_limited < 1%", "rate_limited < 1%", 0.01, "rate_limited", 0),
        ("latency p95 < 2s", "latency p95 < 2s", 0.05, "", 2),
        ("latency p99.9 <= 1m30s", "latency p99.9 <= 1m30s", 0.001, "", 90),
        ("latency p50 < 250ms", "latency p50 < 250ms", 0.5, "", 0.25),
    ],
)
def test_claims(text, said, limit, reason, seconds):
    claim = parse_claim(text)
    assert (claim.text, claim.limit, claim.reason, claim.seconds) == (said, limit, reason, seconds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a claim; write `failures < 5%`"),
        ("failures", "is not a claim"),
        ("failures > 5%", "is not a claim"),
        ("failures < 5", "limit `5` is more than 100%"),
        ("failures < nan", "limit `nan` is not a ratio"),
        ("failures < -1%", "limit `-1%` is not a ratio"),
        ("failures < 0%", "which no number of runs proves"),
        ("failures <= 100%", "which one pass proves"),
        ("failures p95 < 5%", "a percentile, which only latency has"),
        ("failure < 5%", "did you mean `failures`?"),
        ("dropped_silnt < 1%", "did you mean `dropped_silent`?"),
        ("latency < 2s", "names no percentile"),
        ("latency p0 < 2s", "names no percentile"),
        ("latency p100 < 2s", "is not a claim"),
        ("latency p95 < 2", "limit `2` is not a duration"),
        ("latency p95 < 0s", "take no time"),
    ],
)
def test_what_is_no_claim_is_refused_with_what_is_allowed(text, words):
    with pytest.raises(Refused) as refused:
        parse_claim(text)
    assert words in str(refused.value)
    assert "`" in str(refused.value), "something to write instead"


@pytest.mark.parametrize(("text", "value"), [("95%", 0.95), ("0.95", 0.95), (" 99.9 % ", 0.999), ("50%", 0.5)])
def test_confidence(text, value):
    assert parse_confidence(text) == value


@pytest.mark.parametrize("text", ["95", "1", "100%", "0", "49%", "-3", "nan", "", "high", "99.99999%"])
def test_nonsense_is_no_confidence(text):
    with pytest.raises(Refused, match="write `"):
        parse_confidence(text)


def took(duration, outcome="pass", reason=""):
    its = case(SCENARIO)
    exchange = replace(chat(sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa")), duration=duration)
    return run(outcome, reason, answers=(exchange,))


def test_what_goes_wrong():
    failures, reason, latency = (
        parse_claim(text) for text in ("failures < 5%", "html < 5%", "latency p95 < 2s")
    )
    table = [
        (run("pass"), False, False, None),  # nothing was sent: no latency
        (run("fail", "html"), True, True, True),
        (run("fail", "auth"), True, None, True),
        (run("inconclusive", "cap_too_small"), None, None, None),
        (took(1.9), False, False, False),
        (took(2.0), False, False, True),
        (took(0.1, "fail", "html"), True, True, True),  # quick to fail is no good answer in time
    ]
    for its, *wanted in table:
        assert [claim.wrong(its) for claim in (failures, reason, latency)] == wanted, its.finding


def test_whom_it_concerns():
    cases = [run(scenario=name).case for name in ("known-good", "tool-result-image")]
    assert [parse_claim("failures < 5%").concerns(each) for each in cases] == [True, True]
    assert [parse_claim("dropped_silent < 5%").concerns(each) for each in cases] == [False, True]
    assert [parse_claim("connect < 5%").concerns(each) for each in cases] == [True, True]
