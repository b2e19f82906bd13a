"""Covers service/mutants: what counts as caught, healthy models of every habit, the stepped month."""

import math
import random
import statistics
from collections import Counter
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.verdict import failed, passed
from llm_canaries.service.mutants.answerer import Answerer
from llm_canaries.service.mutants.bench import bench_cases, bench_settings, play
from llm_canaries.service.mutants.catalogue import Mutant, catalogue, compared
from llm_canaries.service.mutants.controls import Controls, FalseFailure, control, played
from llm_canaries.service.mutants.habits import HABITS, Temper, lognormal, phrased, reasoning, spelled, temper
from llm_canaries.service.mutants.proof import Proof
from llm_canaries.service.mutants.simulation import EVERY, START, WARM, Figures, World, delays
from llm_canaries.service.replay import covered
from llm_canaries.service.rule_files import read_groups
from llm_canaries.wire.fault import Domain, FaultReason
from llm_canaries.wire.json import decode


@pytest.fixture(scope="module")
def settings():
    return bench_settings()


def mutant(expected, **fields):
    return Mutant(name="it", help="it", model="healthy", bend=lambda gateway: gateway, expected=expected, **fields)


def test_there_are_sixty_mutants_and_more_and_a_control_for_what_is_only_unusual():
    mutants = [each for each in catalogue() if not each.control]
    assert len(mutants) >= 60
    assert len({each.name for each in mutants}) == len(mutants)
    assert {each.name for each in catalogue() if each.control} > {"healthy", "keep-alives"}
    assert all(each.help for each in mutants)


def test_every_scenario_is_the_only_one_to_catch_something():
    """So that one which is switched off leaves a mutant that nobody catches."""
    alone = Counter()
    for each in catalogue():
        told = [name for name, row in each.expected.items() if any(not reason.startswith("(") for reason in row)]
        if len(told) == 1:
            alone[told[0]] += 1
    assert set(alone) == {name for name, scenario in SCENARIOS.items() if "environment" not in scenario.needs}


@dataclass(frozen=True)
class Verdict:
    missed: bool
    wrong: bool


@pytest.mark.parametrize(
    ("expected", "found", "without", "verdict"),
    [
        ({"a": {"r": 2}}, {"a": {"r": 2}}, (), Verdict(missed=False, wrong=False)),
        ({"a": {"r": 2}}, {}, (), Verdict(missed=True, wrong=False)),
        ({"a": {"r": 2}}, {"a": {"r": 1}}, (), Verdict(missed=False, wrong=True)),
        ({"a": {"r": 2}}, {"a": {"s": 2}}, (), Verdict(missed=False, wrong=True)),
        ({"a": {"r": 2}}, {"a": {"[r]": 2}}, (), Verdict(missed=False, wrong=True)),
        ({"a": {"[r]": 2}}, {"a": {"[r]": 2}}, (), Verdict(missed=False, wrong=False)),
        ({"a": {"(r)": 2}}, {"a": {"(r)": 2}}, (), Verdict(missed=True, wrong=False)),
        ({"a": {"r": 2}}, {"a": {"r": 2}, "b": {"r": 1}}, (), Verdict(missed=False, wrong=True)),
        ({"a": {"r": 2}, "b": {"r": 1}}, {"b": {"r": 1}}, ("a",), Verdict(missed=False, wrong=False)),
        ({"a": {"r": 2}}, {}, ("a",), Verdict(missed=True, wrong=False)),
        ({}, {"a": {"r": 1}}, (), Verdict(missed=False, wrong=True)),
    ],
)
def test_what_counts_as_caught(expected, found, without, verdict):
    caught = compared(mutant(expected), found, without)
    assert Verdict(caught.missed, caught.wrong) == verdict
    assert bool(caught.differences) is (verdict.wrong or (verdict.missed and not without and "(r)" not in str(found)))


def test_a_control_that_anybody_fails_is_wrong():
    control_ = mutant({}, control=True)
    assert not compared(control_, {}, ()).wrong
    assert compared(control_, {"a": {"r": 1}}, ()).wrong


def proof(**fields):
    sound = {"caught": [], "controls": Controls(10, {}, []), "figures": Figures(0, 40.0, 1.1)}
    return Proof(**(sound | fields))


def test_what_a_proof_needs():
    lie = compared(mutant({"a": {"r": 1}}), {}, ())
    other = compared(mutant({"a": {"r": 1}}), {"a": {"s": 1}}, ())
    unwell = compared(mutant({}, control=True), {"a": {"r": 1}}, ())
    assert proof().holds
    assert not proof(caught=[lie]).holds
    assert not proof(caught=[other]).holds
    assert not proof(caught=[unwell]).holds
    assert not proof(controls=Controls(1, {}, [FalseFailure("a", "d", "h", 1, "r", "")])).holds
    for figures in (Figures(1, 40.0, 1.1), Figures(0, 61.0, 1.1), Figures(0, 40.0, 2.1)):
        assert not proof(figures=figures).holds
    told = proof(caught=[lie, other, unwell]).report()
    assert {name: told[name] for name in ("mutants", "caught", "missed", "wrong_reason", "false_failures")} == {
        "mutants": 2, "caught": 0, "missed": 1, "wrong_reason": 1, "false_failures": 1,
    }  # fmt: skip


async def test_a_fault_declared_as_another_is_told(settings, clock, draw):
    """The comparison is made with what was really found: a wrong declaration cannot pass."""
    wrong = mutant({"known-good": {"stale_answer": 8}})
    found = await play([replace(wrong, model="footer")], settings=settings, without=(), clock=clock, draw=draw,
                       report=lambda caught: None)  # fmt: skip
    assert found[0].wrong
    assert found[0].differences == ["known-good: expected stale_answer 8, found wrong_answer 8"]


def test_healthy_models_of_every_habit_are_never_failed(settings):
    found = control(bench_cases(settings, "healthy"), 2000, seed=7)
    assert found.runs >= 2000
    assert found.failures == []
    assert sum(found.undecided.values()) <= found.runs // 100


def test_a_scenario_that_fails_the_healthy_is_told(settings, monkeypatch):
    scenario = SCENARIOS["known-good"]

    def strict(case, params, draw, memory):
        finding = yield from scenario.play(case, params, draw, memory)
        return finding if draw(10) else failed(FaultReason.HTML, Domain.PROVIDER, "made up")

    monkeypatch.setitem(SCENARIOS, "known-good", replace(scenario, play=strict))
    found = control(bench_cases(settings, "healthy"), 400, seed=7)
    assert {(each.scenario, each.reason) for each in found.failures} == {("known-good", "html")}


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_reasoning_varies_as_measured(habit):
    draw = random.Random(3).randrange
    model = temper(habit, draw)
    assert habit.spread[0] <= model.spread <= habit.spread[1]
    amounts = [reasoning(2400, 1_000_000, model, draw) for _ in range(3000)]
    assert statistics.stdev(math.log(each) for each in amounts) == pytest.approx(model.spread, rel=0.1)
    assert all(each % habit.quantum == 0 for each in amounts)
    assert max(reasoning(2400, 500, model, draw) for _ in range(50)) <= 500


def test_latency_is_about_its_median():
    draw = random.Random(3).randrange
    assert statistics.median(lognormal(0.6, 0.5, draw) for _ in range(3000)) == pytest.approx(0.6, rel=0.1)


def test_phrasing_differs_and_says_the_same():
    draw = random.Random(3).randrange
    model = Temper(HABITS[3], 0.5)
    said = {phrased("48213", "the number shown in the image", model, draw) for _ in range(400)}
    assert {"48213", "48213.", "4 8 2 1 3", "**48213**", "The number shown in the image is 48213."} <= said
    assert all("48213" in each.replace(" ", "") for each in said)


def test_arguments_are_spelled_in_ways_that_mean_the_same():
    draw = random.Random(3).randrange
    said = {spelled('{"code":"123456"}', draw) for _ in range(100)}
    assert len(said) == 5
    assert {str(decode(each)["code"]) for each in said} == {"123456"}


def test_one_run_without_a_network(settings):
    case = next(each for each in bench_cases(settings, "healthy") if each.scenario == "stream-conformance")
    draw = random.Random(3).randrange
    answerer = Answerer(temper(HABITS[0], draw), draw, START)
    assert played(case, SCENARIOS[case.scenario], answerer, draw, None) == passed()
    blind = replace(case, scenario="tool-result-image", facts=replace(case.facts, vision=False))
    assert played(blind, SCENARIOS["tool-result-image"], answerer, draw, None).outcome is Outcome.SKIP


@pytest.fixture
def world(settings):
    case = next(each for each in bench_cases(settings, "healthy") if each.scenario == "known-good")
    cases = [replace(case, model=f"model{number}", every=EVERY) for number in range(10)]
    groups, _ = covered(read_groups(settings.config.rules))
    return lambda seed=1: World(cases, groups, random.Random(seed).randrange)


def test_a_quiet_week_of_ten_canaries(world):
    week = world()
    week.live(START + 7 * 86400.0, 0.005)
    assert all(1007 <= runs <= 1008 for runs in week.runs)
    assert week.flips == []


def test_an_outage_is_told_with_its_confirmations(world):
    found = delays(world(), 1.0)
    assert all(runs == 1 for runs, _ in found)
    assert max(seconds for _, seconds in found) <= EVERY + 60.0 + 15.0
    assert min(seconds for _, seconds in found) >= 45.0, "never before the burst has failed"


def test_a_tenth_is_told_and_nobody_is_told_before(world):
    quiet = world()
    quiet.live(START + WARM * EVERY, 0.005)
    assert quiet.told == {}
    found = sorted(runs for runs, _ in delays(world(2), 0.1))
    assert found[len(found) // 2] <= 80
    assert found[0] > 3, "three failures of twenty are not believed"


def test_a_configuration_in_this_folder_is_none_of_the_mutants_business(tmp_path, monkeypatch):
    (tmp_path / "canaries.yml").write_text("gateways: {home: {kind: openai-compatible, api_key: '${UNSET}'}}\n")
    monkeypatch.chdir(tmp_path)
    assert set(bench_settings().config.gateways) == {"mirror"}
