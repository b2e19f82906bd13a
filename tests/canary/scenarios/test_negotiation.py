"""Covers canary/scenarios/negotiation.py: what is asked in which order, on which way, and where it stops."""

import json

import msgspec
import pytest
from msgspec.structs import replace
from plays import case, chat, error, models, play

from llm_canaries.canary.scenarios.negotiation import SCENARIO, Params
from llm_canaries.mirror import model
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look, Page
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.profile import ModelFacts

ALL = "alive, listed, callable, tools, thinking, stream"


def page(step, status, body=b"{}"):
    fault = read_fault(status, (), body, 0.0) if status is not None and status >= 400 else None
    if status is None:
        fault = Fault(reason=FaultReason.CONNECT, message="refused")
    return Page(look=step, status=status, headers=(), body=body, fault=fault, duration=0.1)


def stage_of(step):
    """Which stage an ask belongs to."""
    if step.ask.tools:
        return "tools"
    if step.stream:
        return "stream"
    return "thinking" if step.ask.thinking else "callable"


def sound(step):
    reply = replace(model.answer(step.ask, id="r", created=1), dialect=step.dialect)
    if not step.stream:
        return chat(step, body=DIALECTS["openai_chat"].write_reply(reply).body)
    return chat(step, reply.text)


class Way:
    """Answers of one way; `fails` maps a stage to what comes in its place."""

    def __init__(self, health=200, ids=("m",), list_status=200, fails=()):
        self.health, self.ids, self.list_status, self.fails = health, ids, list_status, dict(fails)

    def __call__(self, step):
        if isinstance(step, Look):
            if step.path == "/v1/models":
                return models(step, *self.ids) if self.list_status == 200 else page(step, self.list_status)
            return page(step, self.health)
        answer = self.fails.get(stage_of(step))
        return answer(step) if answer else sound(step)


def negotiated(gateway, direct=None, **more):
    ways = {"gateway": gateway, "direct": direct}
    finding, steps = play(SCENARIO, lambda step: ways[step.via](step), twin="own" if direct is not None else "", **more)
    return finding, [(step.via, step.path if isinstance(step, Look) else stage_of(step)) for step in steps]


BOOM = lambda step: error(step, 500, "boom")  # noqa: E731
LIMITED = lambda step: error(step, 429, "slow down")  # noqa: E731


def test_stages_come_in_order():
    finding, steps = negotiated(Way())
    assert (finding.outcome, finding.detail) == ("pass", f"through the gateway: {ALL}")
    assert [what for _, what in steps] == [
        "/healthz", "/v1/models", "callable", "tools", "tools", "thinking", "stream"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("way", "reason", "domain", "last", "detail"),
    [
        (Way(health=503), "not_alive", "provider", "/v1/models", "alive: /healthz: overloaded"),
        (Way(health=None), "not_alive", "deployment", "/v1/models", "alive: /healthz: connect: refused"),
        (Way(health=404, list_status=None), "not_alive", "deployment", "/v1/models", "alive: /v1/models: connect"),
        (Way(ids=("n", "o")), "not_listed", "routing", "/v1/models", "m is not among the 2 models of the list"),
        (Way(list_status=403), "not_listed", "policy", "/v1/models", "listed: permission: HTTP 403"),
        (Way(fails={"callable": BOOM}), "not_callable", "provider", "callable", "callable: upstream_error: HTTP 500"),
        (Way(fails={"callable": lambda s: chat(s, "no")}), "not_callable", "provider", "callable", "wrong_answer"),
        (Way(fails={"tools": lambda s: chat(s, "no")}), "advanced_failed", "translation", "tools", "tools: no_call"),
        (Way(fails={"thinking": BOOM}), "advanced_failed", "provider", "thinking", "thinking: upstream_error"),
        (Way(fails={"stream": BOOM}), "advanced_failed", "provider", "stream", "stream: upstream_error"),
    ],
)
def test_it_stops_at_the_stage_that_fails(way, reason, domain, last, detail):
    finding, steps = negotiated(way)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", reason, domain)
    assert steps[-1][1] == last
    assert finding.detail.startswith("through the gateway: ")
    assert detail in finding.detail


def test_what_was_reached_before_is_told():
    finding, _ = negotiated(Way(fails={"thinking": BOOM}))
    assert finding.detail.endswith("(reached: alive, listed, callable, tools)")


@pytest.mark.parametrize("status", [401, 403])
def test_a_guarded_page_of_life_is_a_sign_of_life(status):
    assert negotiated(Way(health=status))[0].outcome == "pass"


def test_without_a_page_of_life_the_list_tells():
    finding, steps = negotiated(Way(health=404))
    assert finding.outcome == "pass"
    assert [what for _, what in steps][:3] == ["/healthz", "/health", "/v1/models"]


def test_a_front_end_that_answers_everywhere_tells_nothing_of_life():
    html = Fault(reason=FaultReason.HTML, status=200, message="an HTML page")
    way = Way(health=404)

    def answers(step):
        answer = way(step)
        front = isinstance(step, Look) and step.path != "/v1/models"
        return replace(answer, status=200, fault=html) if front else answer

    finding, steps = negotiated(answers)
    assert (finding.outcome, [what for _, what in steps][:3]) == ("pass", ["/healthz", "/health", "/v1/models"])


def test_without_a_list_nothing_is_asked():
    finding, steps = negotiated(Way(list_status=404))
    assert (finding.outcome, finding.reason) == ("skip", "no_list")
    assert steps[-1][1] == "/v1/models"


def test_a_list_that_cannot_be_read_is_none():
    finding, _ = negotiated(lambda step: page(step, 200, b"[]"))
    assert (finding.reason, finding.fault_domain) == ("not_listed", "translation")


def test_a_limit_eaten_by_reasoning_decides_nothing():
    finding, _ = negotiated(Way(fails={"callable": lambda step: chat(step, "", finish="length")}))
    assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


def test_flows_that_the_model_does_not_have_or_nobody_needs_are_left_out():
    finding, _ = negotiated(Way(), facts=ModelFacts(thinking=False), params=Params(flows=("thinking", "stream")))
    assert finding.detail == "through the gateway: alive, listed, callable, stream"
    assert SCENARIO.cost(case(SCENARIO), Params(flows=())).requests == 4


def test_the_embedded_way_goes_first_and_is_enough():
    finding, steps = negotiated(Way(), Way(health=404))
    assert (finding.outcome, finding.detail) == ("pass", f"directly: {ALL}")
    assert {via for via, _ in steps} == {"direct"}


@pytest.mark.parametrize("direct", [Way(ids=()), Way(fails={"callable": BOOM}), Way(fails={"stream": BOOM})])
def test_the_fallback_is_tried_and_told(direct):
    finding, steps = negotiated(Way(), direct)
    assert (finding.outcome, finding.reason) == ("fail", "fallback_used")
    assert finding.detail.startswith("directly: ")
    assert finding.detail.endswith(f"; through the gateway: {ALL}")
    assert [via for via, _ in steps] == sorted((via for via, _ in steps), key=("direct", "gateway").index)


def test_where_both_ways_fail_the_gateway_s_stage_is_the_reason():
    finding, _ = negotiated(Way(fails={"tools": BOOM}), Way(ids=()))
    assert (finding.reason, "directly: listed" in finding.detail) == ("advanced_failed", True)


def test_a_direct_way_without_a_list_leaves_it_to_the_gateway():
    finding, _ = negotiated(Way(), Way(list_status=404))
    assert (finding.outcome, finding.reason) == ("pass", "")
    assert finding.detail.startswith("directly: listed: there is no model list to go by (reached: alive); through")
    assert negotiated(Way(list_status=404), Way(list_status=404))[0].outcome == "skip"


def test_a_direct_way_that_decides_nothing_leaves_it_undecided():
    starved = Way(fails={"callable": lambda step: chat(step, "", finish="length")})
    finding, _ = negotiated(Way(), starved)
    assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


def test_a_limit_of_the_credential_is_not_pressed_by_another_way():
    finding, steps = negotiated(Way(), Way(fails={"callable": LIMITED}))
    assert (finding.outcome, finding.reason) == ("fail", "not_callable")
    assert {via for via, _ in steps} == {"direct"}


def test_a_page_of_life_is_a_path():
    with pytest.raises(msgspec.ValidationError, match="begins with `/`"):
        msgspec.json.decode(json.dumps({"health": ["healthz"]}), type=Params)
