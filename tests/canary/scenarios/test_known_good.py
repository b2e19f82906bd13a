import pytest
from plays import case, chat, error, play, prompt

from llm_canaries.canary.scenarios.known_good import SCENARIO, Params
from llm_canaries.proxy.profiles import read_profiles


def asked(step):
    return prompt(step).rpartition(" ")[2]


def test_asks_once_with_a_mark_and_passes_on_an_exact_echo():
    finding, steps = play(SCENARIO, lambda step: chat(step, asked(step)))
    assert (finding.outcome, finding.reason) == ("pass", "")
    (step,) = steps
    assert prompt(step).startswith(f"[{step.mark}] ")
    assert not any(char.isdigit() for char in step.mark), "the mark must not lend its digits to an answer"
    assert len(asked(step)) == 6


@pytest.mark.parametrize(
    "said",
    ["{n}", " {n}\n", "{n}.", "**{n}**", "The number is {n}"],
)
def test_accepts_the_number_in_any_dress(said):
    assert play(SCENARIO, lambda step: chat(step, said.format(n=asked(step))))[0].outcome == "pass"


def test_accepts_full_width_digits():
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    assert play(SCENARIO, lambda step: chat(step, asked(step).translate(wide)))[0].outcome == "pass"


@pytest.mark.parametrize(
    ("answer", "reason", "domain"),
    [
        (lambda s: chat(s, "I cannot"), "wrong_answer", "provider"),
        (lambda s: chat(s, asked(s) + " 12"), "wrong_answer", "provider"),
        (lambda s: chat(s, "111111"), "stale_answer", "policy"),
        (lambda s: chat(s, asked(s)[:4]), "answer_cut", "translation"),
        (lambda s: chat(s, ""), "empty_answer", "translation"),
        (lambda s: chat(s, "x", finish="network_error"), "odd_finish", "provider"),
        (lambda s: chat(s, "x", finish="tool_calls"), "odd_finish", "provider"),
        (lambda s: chat(s, "x", finish="content_filter"), "refused_answer", "policy"),
        (lambda s: chat(s, body=b"<html></html>"), "html", "deployment"),
        (lambda s: error(s, 429, "slow down"), "rate_limited", "provider"),
        (lambda s: error(s, 500, "boom"), "upstream_error", "provider"),
    ],
)
def test_failures(answer, reason, domain):
    finding, _ = play(SCENARIO, answer)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", reason, domain)


def test_a_limit_eaten_by_reasoning_is_the_canary_s_own_fault():
    for said in (lambda s: "", lambda s: asked(s)[:3]):
        finding, _ = play(SCENARIO, lambda s, said=said: chat(s, said(s), finish="length"))
        assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


def test_too_slow_only_where_a_limit_is_set():
    slow = Params(within_seconds=0.1)
    assert play(SCENARIO, lambda s: chat(s, asked(s)), params=slow)[0].reason == "too_slow"
    assert play(SCENARIO, lambda s: chat(s, asked(s)), params=Params(within_seconds=0.3))[0].outcome == "pass"


def test_streams_when_the_case_does():
    finding, (step,) = play(SCENARIO, lambda s: chat(s, asked(s)), stream=True)
    assert finding.outcome == "pass"
    assert step.stream and step.ask.stream


def test_business_errors_in_a_200_are_read_by_the_profile():
    body = b'{"status":"449","msg":"too many","body":null}'
    known = play(SCENARIO, lambda s: chat(s, body=body), profile=read_profiles()["iflow"])[0]
    unknown = play(SCENARIO, lambda s: chat(s, body=body))[0]
    assert (known.reason, unknown.reason) == ("rate_limited", "business_error")
    assert case(SCENARIO).stream_word == "false"
