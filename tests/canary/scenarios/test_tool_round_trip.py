"""Covers canary/scenarios/tool_round_trip.py: the steps, and what each answer is judged to be."""

import json
import re

import pytest
from msgspec.structs import replace
from plays import chat, error, play, prompt

from llm_canaries.canary.scenarios.tool_round_trip import SCENARIO, Params
from llm_canaries.wire.message import Finish, ToolCall, ToolResult

CODE = re.compile(r"give (record_[ab]) the code (\d+)", re.IGNORECASE)


def results(step):
    return [part for message in step.ask.messages for part in message.content if isinstance(part, ToolResult)]


def returned(step):
    return [re.search(r"\d+", result.content[0].text)[0] for result in results(step)]


def made(*calls):
    """Chat's `tool_calls`: name, arguments and id of each."""
    return [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments, id in calls
    ]


def asked_for(step):
    """The calls that the prompt asks for, as a good model makes them."""
    codes = CODE.findall(prompt(step))
    return [(name, json.dumps({"code": code}), f"call_{name}") for name, code in codes]


def called(step, calls, finish="tool_calls", text=None):
    return chat(step, text, finish=finish, tool_calls=made(*calls))


def good(step):
    """A model that does what it is told, one step of the four after the other."""
    choice = step.ask.tool_choice
    if results(step):
        return chat(step, ", ".join(returned(step)))
    if choice is None:
        return called(step, asked_for(step))
    return chat(step, "ok") if choice.mode == "none" else called(step, [(choice.name, "{}", "c")])


def first(answer):
    """`answer` to the first ask, a good model's to all others."""
    seen = []

    def answers(step):
        seen.append(step)
        return answer(step) if len(seen) == 1 else good(step)

    return answers


def after(answer):
    """`answer` to the ask that holds the results, a good model's to all others."""
    return lambda step: answer(step) if results(step) else good(step)


def chosen(mode, answer):
    """`answer` to the ask with that tool_choice."""
    return lambda step: answer(step) if step.ask.tool_choice and step.ask.tool_choice.mode == mode else good(step)


def test_a_good_model_passes_in_four_asks():
    finding, steps = play(SCENARIO, good)
    assert (finding.outcome, finding.reason) == ("pass", "")
    choices = [step.ask.tool_choice for step in steps]
    assert [choice.mode if choice else None for choice in choices] == [None, None, "none", "tool"]
    assert len({step.mark for step in steps}) == 3, "the results belong to the calls that were asked for"


def test_results_answer_their_own_calls():
    _, steps = play(SCENARIO, good)
    calls = [part for message in steps[1].ask.messages for part in message.content if isinstance(part, ToolCall)]
    assert [call.id for call in calls] == [result.id for result in results(steps[1])]
    assert len(set(returned(steps[1]))) == 2


def test_choices_may_be_left_out():
    finding, steps = play(SCENARIO, good, params=Params(choices=False))
    assert (finding.outcome, len(steps)) == ("pass", 2)


def altered(change):
    """The calls asked for, each bent by `change(name, arguments, id)`."""
    return first(lambda step: called(step, [change(*call) for call in asked_for(step)]))


def wrong_code(name, arguments, id):
    return name, json.dumps({"code": "1" + json.loads(arguments)["code"][1:][::-1] + "0"}), id


@pytest.mark.parametrize(
    ("answers", "reason", "domain"),
    [
        (first(lambda s: chat(s, "I have no such tool")), "no_call", "translation"),
        (first(lambda s: chat(s, "Let me see.", finish="tool_calls")), "call_lost", "translation"),
        (first(lambda s: chat(s, None, finish="tool_calls")), "call_lost", "translation"),
        (altered(lambda name, arguments, id: ("", arguments, id)), "call_lost", "translation"),
        (altered(lambda name, arguments, id: (f"x_{name}", arguments, id)), "name_changed", "translation"),
        (altered(lambda name, arguments, id: (name, arguments, "")), "id_missing", "translation"),
        (altered(lambda name, arguments, id: (name, arguments, "same")), "id_repeated", "translation"),
        (altered(lambda name, arguments, id: (name, "{}", id)), "arguments_lost", "translation"),
        (altered(lambda name, arguments, id: (name, "", id)), "arguments_lost", "translation"),
        (altered(lambda name, arguments, id: (name, arguments[:-2], id)), "arguments_broken", "translation"),
        (altered(lambda name, arguments, id: (name, "[1]", id)), "arguments_broken", "translation"),
        (altered(wrong_code), "arguments_changed", "provider"),
        (first(lambda s: called(s, asked_for(s), finish="stop")), "finish_not_tool", "translation"),
        (after(lambda s: chat(s, returned(s)[0])), "result_lost", "translation"),
        (after(lambda s: chat(s, "They returned nothing.")), "result_lost", "translation"),
        (after(lambda s: chat(s, ", ".join(reversed(returned(s))))), "misbound", "translation"),
        (after(lambda s: called(s, [("record_a", "{}", "again")])), "called_again", "translation"),
        (chosen("none", lambda s: called(s, asked_for(s))), "choice_ignored", "translation"),
        (chosen("tool", lambda s: chat(s, "ok")), "choice_ignored", "translation"),
        (chosen("tool", lambda s: called(s, [("record_a", "{}", "c")])), "choice_ignored", "translation"),
        (first(lambda s: error(s, 503, "overloaded")), "overloaded", "provider"),
        (after(lambda s: error(s, 400, "tool_call_id not found")), "bad_request", "translation"),
    ],
)
def test_failures(answers, reason, domain):
    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", reason, domain)


def test_one_call_at_a_time_decides_nothing_though_the_rest_is_tried():
    finding, steps = play(SCENARIO, first(lambda step: called(step, asked_for(step)[:1])))
    assert (finding.outcome, finding.reason) == ("inconclusive", "one_call")
    assert len(steps) == 4


def test_one_call_that_is_also_wrong_is_a_failure():
    finding, _ = play(SCENARIO, first(lambda step: called(step, [("record_a", "{}", "c")])))
    assert (finding.outcome, finding.reason) == ("fail", "arguments_lost")


def test_a_limit_eaten_by_reasoning_is_the_canary_s_own_fault():
    finding, _ = play(SCENARIO, first(lambda step: chat(step, "", finish="length")))
    assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


@pytest.mark.parametrize(
    "words", ["{0} and {1}", "record_a: {0}\nrecord_b: {1}", "In order: {0}, {1}. That is {0} first.", "**{0}** {1}"]
)
def test_phrasing_does_not_matter(words):
    finding, _ = play(SCENARIO, after(lambda step: chat(step, words.format(*returned(step)))))
    assert finding.outcome == "pass"


def test_numbers_in_full_width_digits_count():
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    finding, _ = play(SCENARIO, after(lambda step: chat(step, ", ".join(returned(step)).translate(wide))))
    assert finding.outcome == "pass"


def test_calls_in_the_other_order_are_lawful():
    """The second tool is called first, and the numbers are still told in the order asked for."""

    def answers(step):
        if results(step):
            return chat(step, ", ".join(reversed(returned(step))))
        if step.ask.tool_choice is None:
            return called(step, asked_for(step)[::-1])
        return good(step)

    assert play(SCENARIO, answers)[0].outcome == "pass"


def test_words_beside_the_calls_are_lawful():
    finding, _ = play(SCENARIO, first(lambda step: called(step, asked_for(step), text="I will call both.")))
    assert finding.outcome == "pass"


def test_a_stop_that_gemini_says_before_the_calls_is_still_its_word_for_calls():
    """As the first chunk of CLIProxyAPI's streams does; that it came too early is for stream-conformance to say."""

    def early(step):
        exchange = good(step)
        if exchange.reply.finish is not Finish.TOOL:
            return exchange
        reply = replace(exchange.reply, dialect="gemini", finish=Finish.STOP, finish_native="STOP")
        return replace(exchange, reply=reply)

    assert play(SCENARIO, early)[0].outcome == "pass"
