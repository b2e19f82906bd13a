from base64 import b64decode

import pytest
from plays import chat, counts, error, play

from llm_canaries.canary.scenarios.tool_result_image import SCENARIO, numbers
from llm_canaries.wire import png
from llm_canaries.wire.message import Image, ToolResult


def image_of(step):
    """The picture in the step's tool result, None in its twin without."""
    (result,) = (p for m in step.ask.messages for p in m.content if isinstance(p, ToolResult))
    return next((part for part in result.content if isinstance(part, Image)), None)


def shown(step):
    return png.read_number(b64decode(image_of(step).data))


def blind(cost, said="NONE"):
    """A model that never gets the number, and whose gateway bills `cost` tokens for the picture."""

    def answers(step):
        extra = (cost(step) if callable(cost) else cost) if image_of(step) else 0
        return chat(step, said, usage=counts(50 + extra, 1))

    return answers


def test_passes_when_the_number_comes_back_and_asks_only_once():
    finding, steps = play(SCENARIO, lambda step: chat(step, shown(step)))
    assert finding.outcome == "pass"
    assert len(steps) == 1


def test_the_number_is_nowhere_but_in_the_picture():
    _, (step,) = play(SCENARIO, lambda step: chat(step, shown(step)))
    image = image_of(step)
    assert shown(step) not in repr(step).replace(image.data, "")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (blind(0), "dropped_silent"),
        (blind(0, "81522"), "dropped_silent"),
        (blind(8), "dropped_silent"),
        (blind(24), "dropped_silent"),  # a gateway's label round a moved image, as LiteLLM's
        (blind(24, "NONE, the image was omitted"), "placeholder"),
        (blind(45, "I cannot see the image"), "placeholder"),
        (blind(lambda step: len(image_of(step).data) // 3), "stringified"),
        (blind(300, "11111"), "seen_but_wrong"),
        (lambda s: chat(s, "", finish="tool_calls", tool_calls=[call()]), "refused_or_recalled"),
        (lambda s: chat(s, "no", finish="content_filter"), "refused_or_recalled"),
        (lambda s: chat(s, shown(s)[:3] if image_of(s) else "NONE"), "answer_cut"),
        (lambda s: error(s, 400, "Image URLs are only allowed for messages with role 'user'"), "rejected_type"),
        (lambda s: error(s, 400, "Invalid 'messages[2]'. array too long"), "rejected_type"),
        (lambda s: error(s, 400, "Could not process image"), "rejected_media"),
        (lambda s: error(s, 400, "unsupported media type"), "rejected_media"),
        (lambda s: error(s, 400, "tool_call_id call_1 not found"), "id_mismatch"),
        (lambda s: error(s, 400, "`tool_use` ids were found without `tool_result` blocks"), "id_mismatch"),
        (lambda s: error(s, 400, "must be a response to a preceding message with 'tool_calls'"), "order"),
        (lambda s: error(s, 400, "maximum context length is 8192"), "stringified"),
        (lambda s: error(s, 400, "temperature is unsupported"), "bad_request"),
        (lambda s: error(s, 503, "overloaded"), "overloaded"),
    ],
)
def test_failures(answers, reason):
    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason) == ("fail", reason)
    assert finding.fault_domain is not None


def call():
    return {"id": "c", "type": "function", "function": {"name": "read_image", "arguments": "{}"}}


def test_none_without_usage_is_still_a_dropped_image_and_anything_else_cannot_be_told():
    assert play(SCENARIO, lambda s: chat(s, "NONE"))[0].reason == "dropped_silent"
    finding = play(SCENARIO, lambda s: chat(s, "55555"))[0]
    assert (finding.outcome, finding.reason) == ("inconclusive", "unclassified")


def test_a_misread_number_gets_a_second_chance_with_another_number():
    tries = []

    def answers(step):
        if image_of(step) is None:
            return chat(step, "NONE", usage=counts(50, 1))
        tries.append(shown(step))
        return chat(step, "11111" if len(tries) == 1 else shown(step), usage=counts(200, 1))

    finding, steps = play(SCENARIO, answers)
    assert finding.outcome == "pass"
    assert len(steps) == 3
    assert len(set(tries)) == 2


def test_the_cost_of_the_picture_is_a_measure():
    assert play(SCENARIO, blind(300, "11111"))[0].measures == {"image_input_tokens": 300.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [("48213", ["48213"]), ("4 8 2 1 3", ["48213"]), ("４８２１３", ["48213"]), ("12 or 4821", ["4821"]), ("123", [])],
)
def test_numbers(text, found):
    assert numbers(text) == found


def test_needs_vision():
    assert "vision" in SCENARIO.needs
