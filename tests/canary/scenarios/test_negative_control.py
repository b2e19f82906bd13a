"""Covers canary/scenarios/negative_control.py: what is sent where, and what a companion that passes means."""

from base64 import b64decode

import pytest
from msgspec.structs import replace
from plays import case, chat, error, play, prompt

from llm_canaries.canary.asks import number_image
from llm_canaries.canary.scenarios.negative_control import SCENARIO, UNKNOWN, Params, corrupted
from llm_canaries.wire import png
from llm_canaries.wire.exchange import Seen
from llm_canaries.wire.message import Image, ToolResult
from llm_canaries.wire.profile import ModelFacts


def picture(step):
    parts = [part for message in step.ask.messages for part in message.content]
    inner = [each for part in parts if isinstance(part, ToolResult) for each in part.content]
    return next((part for part in inner if isinstance(part, Image)), None)


def number_of(step):
    """The number in the step's picture, None where there is none to be found."""
    image = picture(step)
    try:
        return png.read_number(b64decode(image.data)) if image else None
    except png.PngError:
        return None


def mirrored(answer):
    """`answer` with the mirror behind it."""
    seen = Seen(dialect="openai_chat", model="m", stream=False, ask=answer.send.ask, body=b"")
    return replace(answer, upstream=(seen,))


def good(step):
    if step.ask.model.endswith(UNKNOWN):
        return error(step, 404, f"The model {step.ask.model} does not exist", "model_not_found")
    return chat(step, number_of(step) or ("NONE" if picture(step) else prompt(step).rpartition(" ")[2]))


def kinds(steps):
    return [
        "unknown" if step.ask.model.endswith(UNKNOWN) else "image" if number_of(step) else "corrupt" if picture(step)
        else "sound"
        for step in steps
    ]  # fmt: skip


def test_behind_the_mirror_every_companion_is_sent():
    finding, steps = play(SCENARIO, lambda step: mirrored(good(step)))
    assert finding.outcome == "pass"
    assert kinds(steps) == ["sound", "unknown", "image", "corrupt"]
    assert finding.detail == (
        "a model that does not exist is refused (model_not_found); a corrupt picture is not read"
    )


def test_a_real_provider_is_never_asked_for_a_model_that_does_not_exist():
    finding, steps = play(SCENARIO, good)
    assert finding.outcome == "pass"
    assert kinds(steps) == ["sound", "image", "corrupt"]


def test_the_corrupt_ask_differs_in_its_picture_alone():
    _, (_, shown, corrupt) = play(SCENARIO, good)
    assert prompt(shown) == prompt(corrupt)
    assert shown.mark == corrupt.mark
    assert len(picture(shown).data) == len(picture(corrupt).data)


def test_a_gateway_that_answers_under_any_name():
    def answers(step):
        return mirrored(chat(step, "ok", model="default") if step.ask.model.endswith(UNKNOWN) else good(step))

    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "vacuous", "routing")
    assert finding.detail == "asked for m-unknown, which does not exist, and default answered"


def test_a_cache_that_looks_at_words_alone():
    cache = {}

    def answers(step):
        return chat(step, cache.setdefault(prompt(step), good(step).reply.text))

    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "vacuous", "policy")


@pytest.mark.parametrize(
    ("status", "message", "outcome"),
    [
        (404, "no such model", "pass"),
        (400, "model is not supported", "pass"),
        (502, "unknown provider for model m-unknown", "pass"),
        (429, "slow down", "unproven"),
        (500, "boom", "unproven"),
        (401, "bad key", "unproven"),
    ],
)
def test_only_a_refusal_proves_something(status, message, outcome):
    def answers(step):
        unknown = step.ask.model.endswith(UNKNOWN)
        return mirrored(error(step, status, message) if unknown else good(step))

    finding, _ = play(SCENARIO, answers)
    assert (finding.reason or finding.outcome) == outcome
    assert finding.outcome != "fail"


@pytest.mark.parametrize(
    ("status", "message", "outcome"), [(400, "Could not process image", "pass"), (503, "overloaded", "unproven")]
)
def test_a_corrupt_picture_may_be_refused(status, message, outcome):
    def answers(step):
        return error(step, status, message) if picture(step) and not number_of(step) else good(step)

    finding, _ = play(SCENARIO, answers)
    assert (finding.reason or finding.outcome) == outcome


def test_what_passes_goes_before_what_proves_nothing():
    def answers(step):
        if step.ask.model.endswith(UNKNOWN):
            return mirrored(chat(step, "ok"))
        return mirrored(error(step, 503, "overloaded") if picture(step) and not number_of(step) else good(step))

    assert play(SCENARIO, answers)[0].reason == "vacuous"


def test_a_model_that_reads_no_pictures_gets_no_corrupt_one():
    finding, steps = play(SCENARIO, lambda step: chat(step, "NONE"))
    assert (finding.outcome, finding.reason, kinds(steps)) == ("skip", "no_companion", ["sound", "image"])
    finding, steps = play(SCENARIO, good, facts=ModelFacts(vision=False))
    assert (finding.outcome, finding.reason, kinds(steps)) == ("skip", "no_companion", ["sound"])


def wrong_key(step):
    return step.via == "wrong_key"


def test_a_wrong_key_is_tried_where_the_mirror_is_built_in_and_nowhere_else():
    def answers(step):
        return error(step, 401, "not the key of this mirror") if wrong_key(step) else mirrored(good(step))

    finding, steps = play(SCENARIO, answers, mirror="built-in")
    assert finding.outcome == "pass"
    assert "; a wrong key is refused (auth); " in finding.detail
    assert [step.via for step in steps] == ["gateway", "gateway", "wrong_key", "gateway", "gateway"]
    for mirror, answering in (("loopback", answers), ("", answers), ("built-in", good)):
        _, steps = play(SCENARIO, answering, mirror=mirror)
        assert not any(map(wrong_key, steps))
    its = case(SCENARIO, mirror="built-in")
    assert SCENARIO.cost(its, its.params).requests == SCENARIO.cost(case(SCENARIO), its.params).requests + 1


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (lambda s: chat(s, "123456"), "fail", "vacuous"),
        (lambda s: error(s, 403, "no"), "pass", ""),
        (lambda s: error(s, 429, "slow down"), "inconclusive", "unproven"),
        (lambda s: error(s, 404, "no such model"), "inconclusive", "unproven"),
    ],
)
def test_what_may_come_of_a_wrong_key(answer, outcome, reason):
    def answers(step):
        return answer(step) if wrong_key(step) else mirrored(good(step))

    params = Params(companions=("wrong_key",))
    finding, _ = play(SCENARIO, answers, mirror="built-in", params=params)
    assert (finding.outcome, finding.reason) == (outcome, reason)
    assert finding.fault_domain == ("policy" if outcome == "fail" else None)


def test_companions_may_be_chosen():
    params = Params(companions=("unknown_model",))
    assert kinds(play(SCENARIO, lambda s: mirrored(good(s)), params=params)[1]) == ["sound", "unknown"]
    its = case(SCENARIO, params=params)
    assert SCENARIO.cost(its, params).requests == 2


def test_a_sound_ask_that_fails_is_a_failure_of_its_own():
    finding, steps = play(SCENARIO, lambda step: error(step, 503, "overloaded"))
    assert (finding.outcome, finding.reason, len(steps)) == ("fail", "overloaded", 1)


def test_no_pixel_of_a_corrupt_picture_is_left(draw):
    image = number_image("180462", draw)
    broken = b64decode(corrupted(image), validate=True)
    assert broken[:33] == b64decode(image)[:33]
    assert not any(broken[33:-4])
    with pytest.raises(png.PngError):
        png.read_number(broken)
