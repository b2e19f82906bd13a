import pytest

from llm_canaries.canary.load import Wanted, cases, fits
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.load import ConfigError, load
from llm_canaries.service.settings import known, read_settings, shipped

TWO = """
gateways:
  a: {kind: openai-compatible, url: 'http://127.0.0.1:1', models: [gpt-5, iflow/qwen3, gpt-5.3-codex-spark]}
  b: {kind: openai-compatible, url: 'http://127.0.0.1:2', models: [{id: gpt-5, vision: false}], dialects: [openai_chat]}
"""


def found(text, **wanted):
    definitions, _ = shipped()
    config = load(text, known(definitions), file="t", environ={}, read_file=str)
    return cases(config, read_settings(None, {}).binding, Wanted(**wanted))


def test_without_canaries_every_definition_runs_where_it_fits():
    all_of = found(TWO)
    where = {(case.canary, case.model) for case in all_of if case.gateway == "a"}
    assert ("iflow-known-good", "iflow/qwen3") in where
    assert ("known-good", "iflow/qwen3") not in where
    assert ("spark-eligibility", "gpt-5.3-codex-spark") in where
    assert ("eligibility", "gpt-5.3-codex-spark") not in where
    assert {case.dialect for case in all_of if case.gateway == "b"} == {"openai_chat"}


def test_a_dialect_is_certain_only_where_the_user_says_so():
    certain = {case.gateway: case.dialect_certain for case in found(TWO)}
    assert certain == {"a": False, "b": True}


def test_facts_come_from_the_user_then_from_the_profile():
    vision = {(case.gateway, case.model): case.facts.vision for case in found(TWO)}
    assert vision["b", "gpt-5"] is False
    assert vision["a", "gpt-5.3-codex-spark"] is False
    assert vision["a", "gpt-5"] is None


def test_a_definition_s_profile_reaches_its_cases():
    (case,) = found(TWO, canaries=("iflow-known-good",))
    assert case.profile.name == "iflow"
    assert case.stream is False


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"gateways": ("b",)}, {("b", "gpt-5")}),
        ({"models": ("gpt-5",)}, {("a", "gpt-5"), ("b", "gpt-5")}),
        ({"models": ("*spark",)}, {("a", "gpt-5.3-codex-spark")}),
        ({"models": ("new-model",), "gateways": ("b",)}, {("b", "new-model")}),
        ({"models": ("no*such",)}, set()),
    ],
)
def test_wanted(wanted, left):
    assert {(case.gateway, case.model) for case in found(TWO, **wanted)} == left


def test_select_takes_canaries_and_scenarios():
    assert {case.canary for case in found(TWO, canaries=("eligibility",))} == {"eligibility", "spark-eligibility"}
    assert {case.canary for case in found(TWO, canaries=("spark-*",))} == {"spark-eligibility"}


def test_a_canary_overrides_its_definition():
    text = TWO + (
        "canaries:\n"
        "  - {use: usage-parity, gateway: b, severity: critical, params: {input_tolerance: 3}}\n"
        "  - {scenario: known-good, name: mine, gateway: a, stream: [true], dialects: [openai_chat], models: [gpt-5]}\n"
    )
    parity, mine = found(text)
    assert (parity.canary, parity.severity, parity.params.input_tolerance, parity.stream) == (
        "usage-parity",
        "critical",
        3,
        None,
    )
    assert (mine.canary, mine.scenario, mine.gateway, mine.stream) == ("mine", "known-good", "a", True)


@pytest.mark.parametrize(
    ("model", "patterns", "fit"),
    [
        ("a", ["*"], True),
        ("a", ["*", "!a"], False),
        ("iflow/a", ["!iflow/*"], False),
        ("b", ["!iflow/*"], True),
        ("a", ["b"], False),
    ],
)
def test_fits(model, patterns, fit):
    assert fits(model, patterns) is fit


def test_a_model_is_asked_for_in_its_providers_own_dialects():
    text = """
gateways:
  own:
    kind: embedded
    models: [gpt-5, pre/claude, other]
    providers:
      openai: {url: http://127.0.0.1:1, profile: openai, models: ["gpt-*"]}
      anthropic: {url: http://127.0.0.1:1, profile: anthropic, prefix: pre, models: ["claude*"]}
      third: {url: http://127.0.0.1:1, dialects: [gemini], models: [other]}
"""
    asked = {}
    for case in found(text, canaries=("known-good",)):
        asked.setdefault(case.model, set()).add(case.dialect)
    assert asked == {
        "gpt-5": {"openai_chat", "openai_responses"},
        "pre/claude": {"anthropic_messages"},
        "other": {"gemini"},
    }


ANTIGRAVITY = """
gateways:
  a: {kind: openai-compatible, url: 'http://127.0.0.1:1', models: [antigravity/gemini-3-flash, gpt-5]}
"""


def test_antigravity_models_have_a_matrix_of_their_own():
    its = [case for case in found(ANTIGRAVITY) if case.model.startswith("antigravity/")]
    matrix = {case.canary: case.scenario for case in its if case.canary.startswith("antigravity-")}
    assert matrix == {
        "antigravity-text": "known-good",
        "antigravity-tools": "tool-round-trip",
        "antigravity-image": "tool-result-image",
        "antigravity-stream": "stream-conformance",
    }
    again = [case for case in its if case.scenario in matrix.values() and case.canary not in matrix]
    assert {case.canary for case in again} == {"tool-result-images"}, "nothing is asked twice"
    assert not [case for case in found(ANTIGRAVITY) if case.model == "gpt-5" and case.canary in matrix]


def test_a_check_of_one_s_own_needs_no_shipped_definition():
    text = TWO + (
        "canaries:\n"
        "  - {scenario: completion, name: mine, gateway: a, models: [gpt-5], params: {prompt: hi, contains: [ho]}}\n"
        "  - {scenario: http, name: page, gateway: a, models: [gpt-5], every: 1m, severity: critical,\n"
        "     params: {get: /x}}\n"
    )
    mine, page = found(text)
    assert (mine.dialect, mine.stream, mine.every, mine.severity) == ("openai_chat", False, 600.0, "warning")
    assert (mine.params.prompt, mine.params.contains) == ("hi", ("ho",))
    assert (page.every, page.severity, page.params.get) == (60.0, "critical", "/x")


def refused(canary):
    """What is wrong with a configuration that has this canary, a line each."""
    with pytest.raises(ConfigError) as error:
        found(f"{TWO}canaries:\n  - {canary}\n")
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("{prompt: hi, matches: ['(']}", "`(` is not a pattern: missing )"),
        ("{prompt: hi, json: {'a[': 1}}", "is not a path"),
        ("{prompt: hi, status: 404, contains: [x]}", "an answer with status 404 has no text"),
        ("{prompt: hi, output_least: 600}", "do not fit under a `cap` of 512"),
        ("{prompt: hi, first_within_seconds: 3s, within_seconds: 2s}", "may not come later than the whole answer"),
        ("{contains: [x]}", "missing parameter"),
        ("{prompt: hi, contain: [x]}", "did you mean `contains`?"),
        ("{prompt: hi, finish: [gone]}", "one of"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused_when_the_file_loads(params, words):
    (problem,) = refused(f"{{scenario: completion, name: mine, gateway: a, params: {params}}}")
    assert problem.startswith("t:6: ") and words in problem, problem


def test_a_model_is_not_tried_more_often_than_every_30_minutes():
    for canary in ("{use: eligibility, gateway: a, every: 10m}", "{use: spark-eligibility, every: 29m59s}",
                   "{scenario: eligibility, name: mine, gateway: a, every: 1m}"):  # fmt: skip
        (problem,) = refused(canary)
        assert problem.startswith("t:6: `every`: ")
        assert "is too often for `eligibility`; write at least `30m`" in problem
    for canary in ("{use: eligibility, gateway: b, every: 30m}", "{use: known-good, gateway: b, every: 1m}"):
        assert found(f"{TWO}canaries:\n  - {canary}\n")


def test_no_shipped_definition_is_run_more_often_than_does_no_harm():
    definitions, problems = shipped()
    assert problems == ()
    for name, definition in definitions.items():
        assert definition.every >= SCENARIOS[definition.scenario].least_every, name
