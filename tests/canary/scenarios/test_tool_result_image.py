from base64 import b64decode

import pytest
from plays import case, chat, counts, error, play

from llm_canaries.canary.scenarios.image_answers import numbers, several
from llm_canaries.canary.scenarios.tool_result_image import BASELINE_RUNS, SCENARIO, Memory, Params
from llm_canaries.wire import png
from llm_canaries.wire.message import Image, ToolCall, ToolResult
from llm_canaries.wire.profile import ModelFacts


def parts_of(step, kind):
    return [part for message in step.ask.messages for part in message.content if isinstance(part, kind)]


def images_of(step):
    """The pictures in the step's tool results, none in its twin without."""
    return [part for result in parts_of(step, ToolResult) for part in result.content if isinstance(part, Image)]


def image_of(step):
    return next(iter(images_of(step)), None)


def is_control(step):
    return not parts_of(step, ToolResult)


def read(image):
    return png.read_number(b64decode(image.data))


def shown(step):
    return read(image_of(step))


def sees_users(answers):
    """`answers`, by a model that reads the picture of the control."""
    return lambda step: chat(step, read(*parts_of(step, Image))) if is_control(step) else answers(step)


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
    finding, steps = play(SCENARIO, sees_users(answers))
    assert (finding.outcome, finding.reason) == ("fail", reason)
    assert finding.fault_domain is not None
    assert sum(is_control(step) for step in steps) == (reason in CONTROLLED)
    assert ("in a user message the model reads it" in finding.detail) == (reason in CONTROLLED)


CONTROLLED = {"dropped_silent", "placeholder", "seen_but_wrong", "rejected_type", "rejected_media"}


@pytest.mark.parametrize(
    "answers",
    [
        blind(0),
        blind(24, "NONE, the image was omitted"),
        blind(300, "11111"),
        lambda s: chat(s, "NONE") if not parts_of(s, Image) else error(s, 400, "image input is not supported here"),
    ],
)
def test_a_picture_that_is_not_seen_in_a_user_message_either_does_not_blame_tool_results(answers):
    finding, steps = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("inconclusive", "control_failed", None)
    assert sum(is_control(step) for step in steps) == 1
    known, _ = play(SCENARIO, answers, facts=ModelFacts(vision=True))
    assert (known.outcome, known.reason, known.fault_domain) == ("fail", "control_failed", "translation")


def test_a_control_that_does_not_come_tells_nothing():
    for lost in (lambda s: error(s, 503, "overloaded"), lambda s: chat(s, "", finish="length")):
        finding, _ = play(SCENARIO, lambda s, lost=lost: lost(s) if is_control(s) else blind(0)(s))
        assert (finding.outcome, finding.reason) == ("fail", "dropped_silent")


@pytest.mark.parametrize(
    ("finish", "found"), [("stop", ("fail", "answer_cut")), ("length", ("inconclusive", "cap_too_small"))]
)
def test_a_control_that_is_cut_tells_of_the_cut(finish, found):
    def answers(step):
        return chat(step, read(*parts_of(step, Image))[:-1], finish=finish) if is_control(step) else blind(0)(step)

    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason) == found


def test_the_control_may_be_left_out():
    finding, steps = play(SCENARIO, blind(0), params=Params(control=False))
    assert (finding.reason, len(steps)) == ("dropped_silent", 2)


def test_the_control_shows_another_number():
    _, steps = play(SCENARIO, blind(0))
    assert read(*parts_of(steps[-1], Image)) != shown(steps[0])
    assert len({step.mark for step in steps}) == len(steps)


def call():
    return {"id": "c", "type": "function", "function": {"name": "read_image", "arguments": "{}"}}


def test_none_without_usage_is_still_a_dropped_image_and_anything_else_cannot_be_told():
    assert play(SCENARIO, sees_users(lambda s: chat(s, "NONE")))[0].reason == "dropped_silent"
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


PAIR = Params(parallel=True)


def both(step):
    return [read(image) for image in images_of(step)]


def test_two_calls_with_an_image_each():
    finding, (step,) = play(SCENARIO, lambda s: chat(s, ", ".join(both(s))), params=PAIR)
    assert finding.outcome == "pass"
    assert [call.arguments for call in parts_of(step, ToolCall)] == ['{"page":1}', '{"page":2}']
    assert [call.id for call in parts_of(step, ToolCall)] == [each.id for each in parts_of(step, ToolResult)]
    assert len(set(both(step))) == 2


@pytest.mark.parametrize("words", ["{0} {1}", "{0}\n{1}", "Page 1: {0}, page 2: {1}.", "**{0}** and **{1}**"])
def test_two_numbers_in_any_phrasing(words):
    assert play(SCENARIO, lambda s: chat(s, words.format(*both(s))), params=PAIR)[0].outcome == "pass"


@pytest.mark.parametrize("order", [(1, 0), (1, 1), (0, 0)])
def test_images_that_are_mixed_up_twice_are_misbound(order):
    finding, steps = play(SCENARIO, lambda s: chat(s, ", ".join(both(s)[at] for at in order)), params=PAIR)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "misbound", "translation")
    assert len(steps) == 2
    assert not set(both(steps[0])) & set(both(steps[1]))


def test_images_that_are_mixed_up_once_are_a_weak_model_s():
    tries = []

    def answers(step):
        tries.append(step)
        return chat(step, ", ".join(both(step)[:: -1 if len(tries) == 1 else 1]))

    assert play(SCENARIO, answers, params=PAIR)[0].outcome == "pass"


@pytest.mark.parametrize(
    ("cost", "said", "reason"),
    [(0, "NONE", "dropped_silent"), (80, "NONE", "dropped_silent"), (60, "omitted", "placeholder"),
     (9000, "NONE", "stringified"), (600, "NONE", "seen_but_wrong")],
)  # fmt: skip
def test_two_images_that_do_not_arrive(cost, said, reason):
    finding, _ = play(SCENARIO, sees_users(blind(cost, said)), params=PAIR)
    assert (finding.outcome, finding.reason) == ("fail", reason)


def test_the_stringified_form_is_marked_and_belongs_to_responses():
    params = Params(stringified=True)
    asked = []

    def answers(step):
        asked.append(step)
        return chat(step, status=503, body=b"{}")

    play(SCENARIO, answers, params=params, dialect="openai_responses")
    assert dict(parts_of(asked[0], ToolResult)[0].extra) == {"stringified": None}
    assert SCENARIO.objection(case(SCENARIO, params=params, dialect="openai_responses")) == ""
    assert "openai_responses" in SCENARIO.objection(case(SCENARIO, params=params))


def test_two_images_cost_more():
    one, two = case(SCENARIO), case(SCENARIO, params=PAIR)
    assert SCENARIO.cost(two, two.params).input_tokens > SCENARIO.cost(one, one.params).input_tokens


def test_several_keeps_numbers_apart():
    assert several("48213 90817") == ["48213", "90817"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("48213", ["48213"]), ("4 8 2 1 3", ["48213"]), ("４８２１３", ["48213"]), ("12 or 4821", ["4821"]), ("123", [])],
)
def test_numbers(text, found):
    assert numbers(text) == found


def test_needs_vision():
    assert "vision" in SCENARIO.needs


@pytest.mark.parametrize(("stream", "lost", "kept"), [(True, "streamed", "whole"), (False, "whole", "streamed")])
def test_an_image_that_is_lost_one_way_alone(stream, lost, kept):
    """D2: the verdict of the stream is another than that of the whole answer."""

    def answers(step):
        if not image_of(step) or step.stream == stream:
            return blind(0)(step)
        return chat(step, shown(step))

    finding, steps = play(SCENARIO, sees_users(answers), stream=stream)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "mode_split", "translation")
    assert finding.detail.startswith(f"{lost}: dropped_silent: ")
    assert finding.detail.endswith(f"; {kept} the model reads it")
    assert [step.stream for step in steps] == [stream, stream, stream, not stream]


def test_an_image_that_is_lost_both_ways_keeps_its_reason():
    finding, steps = play(SCENARIO, sees_users(blind(0)))
    assert (finding.reason, [step.stream for step in steps]) == ("dropped_silent", [False, False, False, True])


def test_what_the_conversation_costs_without_the_image_is_remembered_for_a_while():
    bare = lambda steps: sum(not is_control(step) and not images_of(step) for step in steps)  # noqa: E731
    finding, steps = play(SCENARIO, sees_users(blind(0)))
    assert (finding.memory, bare(steps)) == (Memory("m", 50), 1)
    for left in range(BASELINE_RUNS - 1, -1, -1):
        finding, steps = play(SCENARIO, sees_users(blind(0)), memory=finding.memory)
        assert (finding.reason, finding.memory.left, bare(steps)) == ("dropped_silent", left, 0)
    finding, steps = play(SCENARIO, sees_users(blind(0)), memory=finding.memory)
    assert (finding.memory.left, bare(steps)) == (BASELINE_RUNS, 1)
    _, steps = play(SCENARIO, sees_users(blind(0)), memory=Memory("other", 50))
    assert bare(steps) == 1, "another model is counted anew"


def test_a_pass_keeps_what_is_remembered():
    before = Memory("m", 50, 3)
    assert play(SCENARIO, lambda step: chat(step, shown(step)), memory=before)[0].memory == before
