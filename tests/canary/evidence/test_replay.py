"""Covers canary/evidence/replay.py: the same bytes give the same finding, and what cannot be judged again is told.

Every fault model through every scenario is replayed in tests/service/test_faults.py.
"""

import random

import pytest
from msgspec.structs import replace
from plays import case, chat, error, models, prompt

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.evidence.bodies import Room
from llm_canaries.canary.evidence.judgement import said
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.evidence.pack import pack, unpack
from llm_canaries.canary.evidence.replay import Unreplayable, differences, replay
from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.eligibility import SCENARIO as ELIGIBLE
from llm_canaries.canary.scenarios.http import SCENARIO as HTTP
from llm_canaries.canary.scenarios.http import Params
from llm_canaries.canary.scenarios.known_good import SCENARIO as GOOD
from llm_canaries.canary.scenarios.stream_conformance import SCENARIO as STREAM
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.secrets import Redactor
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError

NOTHING = Redactor(())


class Lane:
    """Answers steps as `answers` says."""

    def __init__(self, answers):
        self.send = self.look = self._answer
        self._answers = answers

    async def _answer(self, step):
        return self._answers(step)


async def evidence(scenario, answers, redact=NOTHING, room=None, memory=None, **more):
    ways, draw = {"gateway": Lane(answers)}, random.Random(5).randrange
    run = await run_case(case(scenario, **more), scenario, ways, draw=draw, now=9.0, memory=memory)
    return unpack(pack(evidence_of(run, redact, program="x", room=room)))


def echo(step):
    """What a sound gateway answers."""
    return models(step, "m") if not hasattr(step, "ask") else chat(step, prompt(step).rpartition(" ")[2])


async def test_the_same_finding_comes_of_the_same_bytes():
    kept = await evidence(ELIGIBLE, echo)
    found = await replay(kept, SCENARIOS)
    assert (found.finding, found.unused) == (kept.finding, 0)
    assert found.finding.measures == {"model_listed": 1.0, "model_callable": 1.0}
    refused = await evidence(ELIGIBLE, lambda step: error(step, 404, "gone") if hasattr(step, "ask") else echo(step))
    assert (await replay(refused, SCENARIOS)).finding == refused.finding != kept.finding


async def test_another_judge_comes_to_another_finding():
    """What a replay is for: a judge that was wrong is mended, and the old bytes tell whether it is right now."""
    kept = await evidence(GOOD, lambda step: chat(step, "nothing like it"))
    assert kept.finding.outcome is Outcome.FAIL

    def lenient(case, params, draw, memory):
        yield from GOOD.play(case, params, draw, memory)
        return replace(said_pass, measures={"seen": 1.0})

    said_pass = said(replace(kept.finding, outcome=Outcome.PASS, reason="", detail="", fault_domain=None), NOTHING)
    found = await replay(kept, {GOOD.name: replace(GOOD, play=lenient)})
    assert differences(kept.finding, found.finding) == [
        "outcome: fail, now pass",
        f"reason: {kept.finding.reason}, now none",
        f"fault domain: {kept.finding.fault_domain}, now none",
        "seen: absent, now 1.0",
    ]
    assert differences(kept.finding, replace(kept.finding, detail="other words")) == []


async def test_a_judge_that_needs_fewer_answers_tells_so():
    kept = await evidence(ELIGIBLE, echo)

    def hasty(case, params, draw, memory):
        first = ELIGIBLE.play(case, params, draw, memory)
        yield next(first)
        return kept.finding

    found = await replay(kept, {ELIGIBLE.name: replace(ELIGIBLE, play=hasty)})
    assert (found.finding, found.unused) == (kept.finding, 1)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": "other"}, "step 2 asks something else than recorded"),
        ({"dialect": "anthropic_messages"}, "step 2 is another than recorded: asks in anthropic_messages, whole"),
        ({"stream": True}, "step 2 is another than recorded: asks in openai_chat, streamed"),
        ({"params": {"cap": 99}}, "step 2 asks something else than recorded"),
        ({"params": {"cap": "many"}}, "its parameters are of another version"),
        ({"params": {"strange": 1}}, "its parameters are of another version"),
        ({"scenario": "gone"}, "there is no scenario gone any more"),
    ],
)
async def test_other_steps_are_told(changed, told):
    kept = await evidence(ELIGIBLE, echo)
    with pytest.raises(Unreplayable, match=told):
        await replay(replace(kept, case=replace(kept.case, **changed)), SCENARIOS)


async def test_more_steps_and_other_draws_are_told():
    kept = await evidence(ELIGIBLE, echo)
    with pytest.raises(Unreplayable, match="a step that was not recorded: asks in openai_chat, whole"):
        await replay(replace(kept, answers=kept.answers[:1]), SCENARIOS)
    with pytest.raises(Unreplayable, match="it goes on where the recorded run had come to its end"):
        await replay(replace(kept, drawn=kept.drawn[:-1]), SCENARIOS)
    with pytest.raises(Unreplayable, match="draw 1 is another than recorded: a number of 5 bits"):
        await replay(replace(kept, drawn=("b:3", *kept.drawn[1:])), SCENARIOS)
    thinking = replace(kept, case=replace(kept.case, scenario="thinking", params={}), remembered={"model": 3})
    with pytest.raises(Unreplayable, match="what it remembered is of another version"):
        await replay(thinking, SCENARIOS)


async def test_a_cut_answer_is_told_by_how_much():
    kept = await evidence(GOOD, lambda step: chat(step, "x" * 2000), room=Room(str, most_body=500))
    size = kept.answers[0].body.size
    with pytest.raises(Unreplayable, match=f"the answer of step 1 was cut: {size - 500} of {size} bytes are not kept"):
        await replay(kept, SCENARIOS)


async def test_a_cut_answer_that_broke_off_anyway_is_judged_by_that():
    too_large = Fault(reason=FaultReason.BODY_TOO_LARGE, status=200, message="more than 8 bytes")

    def flood(step):
        return replace(chat(step, "x" * 2000), cut=True, fault=too_large, broke=too_large, reply=None)

    kept = await evidence(GOOD, flood, room=Room(str, most_body=500))
    assert kept.answers[0].body.cut
    assert (await replay(kept, SCENARIOS)).finding == kept.finding


async def test_a_withheld_answer_is_told():
    secret = "planted-0123456789"
    odd = "".join(f"\\u{ord(letter):04x}" for letter in secret).encode()
    body = b'{"error": {"message": "%s"}}' % odd
    kept = await evidence(GOOD, lambda step: chat(step, status=500, body=body), redact=Redactor([secret]))
    with pytest.raises(Unreplayable, match="the answer of step 1 was withheld: it held a secret in pieces"):
        await replay(kept, SCENARIOS)


async def test_an_ask_that_could_not_be_written_cannot_again():

    def unsayable(case, params, draw, memory):
        raise WireError("in no dialect")
        yield

    scenario = replace(GOOD, play=unsayable)
    kept = await evidence(scenario, echo)
    assert kept.finding.reason == "unwritable_ask" and not kept.answers
    assert (await replay(kept, {GOOD.name: scenario})).finding == kept.finding

    def refused(step):
        raise WireError("not by this dialect")

    kept = await evidence(GOOD, refused)
    assert kept.finding.reason == "unwritable_ask"
    with pytest.raises(Unreplayable, match="a step that was not recorded"):  # today's writer can say it
        await replay(kept, SCENARIOS)


async def test_masked_parameters_are_not_held_against_the_ask():
    params = Params(body={"model": "m", "note": "planted-0123456789"}, status=500)
    kept = await evidence(
        HTTP, lambda step: chat(step, status=500, body=b"{}"), redact=Redactor(["planted-0123456789"]), params=params
    )
    assert kept.params_masked
    assert (await replay(kept, SCENARIOS)).finding == kept.finding


async def test_the_time_of_the_answer_is_the_recorded_one():
    """A Retry-After date and the pace of a stream are as they were, however late they are looked at."""
    text = " ".join(map(str, range(100, 160)))

    def slow(step):
        answer = chat(step, text)
        ends = answer.body.index(b"\n\n") + 2, len(answer.body)
        return replace(answer, arrivals=((0.1, ends[0]), (2.0, ends[1])), first_content=0.1, duration=2.1)

    kept = await evidence(STREAM, slow, stream=True)
    assert kept.finding.outcome is Outcome.PASS
    assert (await replay(kept, SCENARIOS)).finding == kept.finding

    def at_once(step):
        return replace(slow(step), arrivals=((2.0, len(slow(step).body)),))

    burst = await evidence(STREAM, at_once, stream=True)
    assert burst.finding.reason != "buffered", "by hand its first content came early"
    with pytest.raises(Unreplayable, match="it goes on where the recorded run had come to its end"):
        await replay(burst, SCENARIOS)  # read again it came in one piece, and is to be asked for once more
