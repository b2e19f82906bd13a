import pytest

from llm_canaries.canary.load import Wanted, cases, fits
from llm_canaries.config.load import load
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
