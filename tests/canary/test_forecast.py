"""Covers canary/forecast.py: a day in advance, held against days that were played run by run."""

import math
import random

import msgspec
import pytest
from budget_days import Simulated, crowd, demand
from msgspec.structs import replace
from plays import case

from llm_canaries.canary.budget import DAY, NANO, Caps
from llm_canaries.canary.canary import Priority
from llm_canaries.canary.forecast import Load, cost_of, load_of, outlooks
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.service.mutants.answerer import Answerer
from llm_canaries.service.mutants.habits import HABITS, temper
from llm_canaries.wire.exchange import Both, Send
from llm_canaries.wire.message import Ask
from llm_canaries.wire.profile import ModelFacts

PARAMS = {  # what people's own cannot do without
    "completion": {"prompt": "hi", "contains": ["1"]},
    "http": {"get": "/v1/models"},
}
HIGH, NORMAL, LOW = Priority.HIGH, Priority.NORMAL, Priority.LOW


def test_a_load_is_runs_times_cost():
    its = replace(case(SCENARIO), every=600.0)
    cost = cost_of(its, SCENARIO)
    assert load_of(its, cost, 0.01) == Load(144, 144 * 60, pytest.approx(1.44))
    assert load_of(its, cost, None).dollars == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_ask_may_take_more_than_the_most_that_is_forecast(name):
    """Held against the caps of the asks that a healthy run really sends; people's own body names its own."""
    its = case(SCENARIOS[name], params=msgspec.convert(PARAMS.get(name, {}), SCENARIOS[name].params))
    cost, sent = cost_of(its, SCENARIOS[name]), []
    draw = random.Random(7).randrange
    answerer = Answerer(temper(HABITS[1], draw), draw, 0.0)
    running = SCENARIOS[name].play(its, its.params, draw, None)
    try:
        step = next(running)
        while True:
            sent += step.steps if isinstance(step, Both) else [step]
            step = running.send(answerer.answer(step))
    except StopIteration:
        pass
    caps = [each.ask.max_tokens or 0 for each in sent if isinstance(each, Send) and isinstance(each.ask, Ask)]
    scripted = any(isinstance(each, Send) and each.script is not None for each in sent)
    assert sum(caps) <= cost.most.output_tokens or scripted
    assert cost.most.output_tokens >= cost.output_tokens
    assert len(sent) <= cost.requests


def test_a_model_that_cannot_reason_takes_no_more_than_its_words():
    its = case(SCENARIO)
    assert cost_of(its, SCENARIO).most.output_tokens == 512
    assert cost_of(replace(its, facts=ModelFacts(thinking=False)), SCENARIO).most.output_tokens == 20


def day(caps, whole=Caps(), **loads):  # noqa: B008  # frozen
    given = {Priority(name): Load(tokens=tokens) for name, tokens in loads.items()}
    own, all_of = outlooks({"g": given}, {"g": caps}, whole)
    return own["g"], all_of


def test_within_the_caps_there_is_nothing_to_tell():
    own, whole = day(Caps(tokens=1_000_000), high=400_000, normal=500_000)
    assert (own.load.tokens, own.spent_at, own.stretched, own.stopped_at) == (900_000, {}, {}, None)
    assert whole.load == own.load


def test_the_hour_at_which_each_cap_would_be_spent():
    given = {"g": {HIGH: Load(100, 3000, 6.0)}}
    own, whole = outlooks(given, {"g": Caps(50, 4000, 4 * NANO)}, Caps(nanodollars=3 * NANO))
    assert own["g"].spent_at == {"requests": DAY / 2, "dollars": pytest.approx(DAY * 2 / 3)}
    assert whole.spent_at == {"dollars": DAY / 2}
    assert whole.stopped_at == own["g"].stopped_at
    assert own["g"].stopped_at == pytest.approx(DAY / 2, abs=600), "high ones alone stop at the first cap"


def test_low_ones_give_way_before_normal_ones_and_high_ones_never():
    own, _ = day(Caps(tokens=1_000_000), high=500_000, normal=500_000, low=500_000)
    assert own.stopped_at is None
    assert 600 < own.stretched[LOW].start <= own.stretched[NORMAL].start
    assert own.stretched[LOW].times > own.stretched[NORMAL].times > 1
    assert HIGH not in own.stretched


def test_the_total_stretches_gateways_that_have_enough_for_themselves():
    loads = {name: {NORMAL: Load(tokens=1000.0)} for name in "ab"}
    own, whole = outlooks(loads, {name: Caps(tokens=5000) for name in "ab"}, Caps(tokens=1000))
    assert own["a"].spent_at == {} and whole.spent_at == {"tokens": DAY / 2}
    assert whole.stretched[NORMAL].start < DAY / 4


@pytest.mark.parametrize("plenty", [0.5, 0.8])
def test_it_says_what_a_day_played_run_by_run_comes_to(plenty):
    """From when they give way, within a quarter of an hour, and that high ones do not stop."""
    cases = crowd()
    cap = int(demand(cases) * plenty)
    played = Simulated(cases, cap)
    loads = {}
    for priority, every, tokens in cases:
        loads[priority] = loads.get(priority, 0.0) + DAY / every * tokens
    own, _ = day(Caps(tokens=cap), **{priority.value: tokens for priority, tokens in loads.items()})
    first = min(at for held in played.held.values() for at in held)
    assert math.isclose(own.stretched[LOW].start, first, abs_tol=900)
    assert own.stopped_at is None
    assert not any(played.held[index] for index in range(5))
