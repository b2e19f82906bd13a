"""Covers canary/scenarios/stream_conformance.py: laws broken in a stream, and streams that come in one piece."""

import json
import re

import pytest
from plays import case, chat, error, play, prompt

from llm_canaries.canary.scenarios.stream_conformance import FASTEST, LEAST_TEXT, REASONS, SCENARIO, Params, Reason
from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.stream_laws import Law

HEAD = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
SLOWLY = 0.05  # seconds between two frames of a model that takes its time


def numbers(step):
    first, last = map(int, re.search(r"from (\d+) to (\d+)", prompt(step)).groups())
    return " ".join(str(number) for number in range(first, last + 1))


def said(text="", finish=None, **more):
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return HEAD | {"choices": [choice]} | more


def frames(step, pieces=10):
    """A well-made stream of the numbers asked for."""
    text = numbers(step)
    size = len(text) // pieces + 1
    whole = [said(text[at : at + size]) for at in range(0, len(text), size)]
    return [*whole, said(finish="stop"), "[DONE]"]


def streamed(step, events, pace=SLOWLY):
    """The exchange of a stream whose events arrive one by one, `pace` seconds apart."""
    encoded = [f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode() for each in events]
    arrivals, total = [], 0
    for at, frame in enumerate(encoded):
        total += len(frame)
        arrivals.append((1.0 + at * pace, total))
    got = Received(
        sent=b"",
        status=200,
        headers=(("content-type", "text/event-stream"),),
        body=b"".join(encoded),
        arrivals=tuple(arrivals),
        duration=arrivals[-1][0] if arrivals else 1.0,
    )
    return read_answer(step, got, 0.0)


def bent(change, pace=SLOWLY):
    return lambda step: streamed(step, change(frames(step)), pace)


def test_a_good_stream_passes_in_one_ask():
    finding, (step,) = play(SCENARIO, bent(lambda events: events), stream=True)
    assert (finding.outcome, finding.reason) == ("pass", "")
    assert step.stream and len(numbers(step)) > LEAST_TEXT


def test_it_streams_whatever_the_case_says():
    _, (step,) = play(SCENARIO, bent(lambda events: events), stream=False)
    assert step.stream


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda events: events[:-1], "no_terminal"),
        (lambda events: [*events, said("more")], "after_terminal"),
        (lambda events: [*events[:-2], events[-2], said("late"), events[-1]], "out_of_order"),
        (lambda events: [*events[:-1], said(finish="length"), events[-1]], "finish_twice"),
        (lambda events: [events[0] | {"id": "y"}, *events[1:]], "identity_changed"),
        (lambda events: events[: len(events) // 2], "truncated_stream"),
        (lambda events: [*events[:3], {"error": {"message": "Overloaded", "type": "x"}}], "stream_error"),
    ],
)
def test_failures(change, reason):
    finding, _ = play(SCENARIO, bent(change), stream=True)
    assert (finding.outcome, finding.reason) == ("fail", reason)
    assert finding.fault_domain is not None


def test_keep_alives_and_blank_lines_are_lawful():
    def answers(step):
        good = streamed(step, frames(step))
        body = good.body.replace(b"\n\n", b"\n\n: keep-alive\n\n\n", 3)
        got = Received(
            sent=b"", status=200, headers=good.headers, body=body, arrivals=((1.0, 300), (2.0, len(body))), duration=2.0
        )
        return read_answer(step, got, 0.0)

    assert play(SCENARIO, answers, stream=True)[0].outcome == "pass"


def test_the_same_finish_said_again_beside_the_usage_is_lawful():
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    finding, _ = play(SCENARIO, bent(lambda e: [*e[:-1], said(finish="stop", usage=usage), e[-1]]), stream=True)
    assert finding.outcome == "pass"


def test_a_stream_in_one_piece_is_asked_for_again_before_it_fails():
    finding, steps = play(SCENARIO, bent(lambda events: events, pace=0.0), stream=True)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "buffered", "deployment")
    assert len(steps) == 2
    assert prompt(steps[0]) != prompt(steps[1])


def test_one_piece_once_is_a_busy_machine():
    paces = iter((0.0, SLOWLY))
    finding, steps = play(SCENARIO, lambda step: streamed(step, frames(step), next(paces)), stream=True)
    assert (finding.outcome, len(steps)) == ("pass", 2)


def test_a_buffer_may_be_allowed():
    params = Params(buffered=False)
    finding, steps = play(SCENARIO, bent(lambda events: events, pace=0.0), stream=True, params=params)
    assert (finding.outcome, len(steps)) == ("pass", 1)
    assert "characters within" in finding.detail


def test_the_fastest_provider_is_no_buffer():
    """Three times the speed of the fastest provider would still be streamed."""
    seconds = 300 / FASTEST * 1.2
    finding, _ = play(SCENARIO, bent(lambda events: events, pace=seconds / 10), stream=True)
    assert finding.outcome == "pass"


def test_a_short_answer_may_come_in_one_piece():
    finding, steps = play(SCENARIO, lambda step: chat(step, "100 101 102"), stream=True)
    assert (finding.outcome, len(steps)) == ("pass", 1)


def test_faults_and_an_eaten_limit_keep_their_names():
    assert play(SCENARIO, lambda step: error(step, 429, "slow down"), stream=True)[0].reason == "rate_limited"
    assert play(SCENARIO, lambda step: error(step, 500, "boom"), stream=True)[0].reason == "upstream_error"
    finding, _ = play(SCENARIO, lambda step: chat(step, "", finish="length"), stream=True)
    assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


def test_every_law_has_its_reason_but_the_one_that_is_a_fault():
    assert set(REASONS) == set(Law) - {Law.NO_FINISH}
    assert set(REASONS.values()) == set(Reason) - {Reason.BUFFERED}


def test_the_cost_is_that_of_one_answer():
    its = case(SCENARIO, stream=True)
    assert SCENARIO.cost(its, its.params).requests == 1
