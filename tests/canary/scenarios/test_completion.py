"""Covers canary/scenarios/completion.py: the ask, the expectations, and parameters that make no sense."""

import msgspec
import pytest
from msgspec.structs import replace
from plays import case, chat, counts, error, play, prompt

from llm_canaries.canary.scenarios.completion import SCENARIO, Params
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.profile import ModelFacts


def params(**fields):
    return msgspec.convert({"prompt": "Name the capital of France."} | fields, Params)


def judged(answers, stream=False, **fields):
    finding, _ = play(SCENARIO, answers, params=params(**fields), stream=stream)
    return (finding.outcome, finding.reason)


PARIS = lambda step: chat(step, "Paris.", usage=counts(20, 3, 0))  # noqa: E731


def test_the_prompt_goes_out_behind_a_mark_and_with_all_that_was_set():
    finding, (step,) = play(SCENARIO, PARIS, params=params(system="Be brief.", effort="low", cap=99))
    assert finding.outcome == "pass"
    system, user = step.ask.messages
    assert (system.role, system.content[0].text) == ("system", "Be brief.")
    assert user.content[0].text == f"[{step.mark}] Name the capital of France."
    assert (step.ask.max_tokens, step.ask.thinking) == (99, Thinking(effort="low"))


def test_nothing_is_added_that_was_not_set():
    _, (step,) = play(SCENARIO, PARIS, params=params())
    assert len(step.ask.messages) == 1
    assert step.ask.thinking is None
    assert prompt(step).endswith("] Name the capital of France.")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"contains": ["Paris"], "lacks": ["London"], "matches": ["(?i)^paris"], "finish": ["stop"]}, ""),
        ({"output_least": 3, "output_most": 3, "input_most": 20, "reasoning_most": 0}, ""),
        ({"json": {"choices[0].message.content": "Paris.", "usage.total_tokens": 23}}, ""),
        ({"within_seconds": 1.0, "first_within_seconds": 0.5}, ""),
        ({"contains": ["London"]}, "text_differs"),
        ({"lacks": ["Paris"]}, "text_differs"),
        ({"matches": ["^London"]}, "text_differs"),
        ({"finish": ["length"]}, "finish_differs"),
        ({"output_most": 2}, "tokens_differ"),
        ({"reasoning_least": 1}, "tokens_differ"),
        ({"json": {"model": "n"}}, "json_differs"),
        ({"status": 404}, "status_differs"),
        ({"within_seconds": 0.1}, "late"),
        ({"first_within_seconds": 0.05}, "late"),
    ],
)
def test_expectations(fields, reason):
    assert judged(PARIS, **fields) == ("fail" if reason else "pass", reason)


@pytest.mark.parametrize("fields", [{"contains": ["Paris"], "finish": ["stop"], "output_most": 3}, {"lacks": ["no"]}])
def test_a_stream_is_judged_the_same(fields):
    assert judged(PARIS, stream=True, **fields) == ("pass", "")
    assert judged(PARIS, stream=True, contains=["London"]) == ("fail", "text_differs")


def test_a_fault_keeps_its_name_unless_its_status_was_expected():
    limited = lambda step: error(step, 429, "slow down")  # noqa: E731
    assert judged(limited) == ("fail", "rate_limited")
    assert judged(limited, status=404) == ("fail", "rate_limited")
    assert judged(limited, status=429) == ("pass", "")
    assert judged(limited, status=429, json={"error.message": "slow down"}) == ("pass", "")
    assert judged(limited, status=429, json={"error.message": "go on"}) == ("fail", "json_differs")
    assert judged(lambda step: chat(step, body=b"<html></html>")) == ("fail", "html")


def test_a_limit_eaten_by_reasoning_decides_nothing_unless_it_is_expected():
    empty = lambda step: chat(step, "", finish="length")  # noqa: E731
    assert judged(empty, contains=["Paris"]) == ("inconclusive", "cap_too_small")
    assert judged(empty, finish=["length"]) == ("pass", "")


def test_counts_that_nobody_makes_decide_nothing():
    assert judged(lambda step: chat(step, "Paris."), output_most=9) == ("inconclusive", "no_counts")


def objection(fields, **more):
    return SCENARIO.objection(case(SCENARIO, params=params(**fields), **more))


@pytest.mark.parametrize(
    ("fields", "more", "words"),
    [
        ({"json": {"model": "m"}}, {"stream": True}, "a streamed answer has none"),
        ({"stop": ["END"]}, {"dialect": "openai_responses"}, "no stop sequences"),
        ({"effort": "low"}, {"facts": ModelFacts(thinking=False)}, "m does not reason"),
        ({"reasoning_least": 1}, {"facts": ModelFacts(thinking=False)}, "m does not reason"),
    ],
)
def test_what_cannot_be_asked(fields, more, words):
    assert words in objection(fields, **more)
    assert objection({}, **more) == ""
    assert objection(fields) == ""


def test_what_can_be_asked_all_the_same():
    assert objection({"json": {"error.code": "x"}, "status": 429}, stream=True) == "", "an error is never a stream"
    assert objection({"effort": "none"}, facts=ModelFacts(thinking=False)) == ""


def test_stop_sequences_go_along():
    _, (step,) = play(SCENARIO, PARIS, params=params(stop=["END", "\n"]))
    assert step.ask.stop == ("END", "\n")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"matches": ["("]}, "is not a pattern"),
        ({"reasoning_least": 600}, "at least 600 reasoning tokens do not fit under a `cap` of 512"),
        ({"effort": "none", "reasoning_least": 6}, "switches off"),
        ({"finish": ["tool"]}, "no tools go along"),
        ({"stop": [""]}, "length >= 1"),
        ({"json": {"a[": 1}}, "is not a path"),
        ({"status": 404, "contains": ["x"]}, "no text, finish or tokens"),
        ({"status": 404, "output_most": 1}, "no text, finish or tokens"),
        ({"output_least": 9, "output_most": 8}, "at least 9 and at most 8 output"),
        ({"output_least": 600}, "do not fit under a `cap` of 512"),
        ({"within_seconds": 1.0, "first_within_seconds": 2.0}, "may not come later"),
        ({"prompt": ""}, "length"),
        ({"finish": ["gone"]}, "Invalid enum value"),
        ({"status": 100}, ">= 200"),
        ({"cap": 0}, ">= 1"),
    ],
)
def test_parameters_that_make_no_sense(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        params(**fields)


def test_the_cost_follows_prompt_and_cap():
    its = replace(case(SCENARIO, params=params(cap=99)))
    cost = SCENARIO.cost(its, its.params)
    assert (cost.requests, cost.output_tokens) == (1, 99)
    longer = SCENARIO.cost(its, params(prompt="x" * 4000))
    assert longer.input_tokens > cost.input_tokens + 1000
