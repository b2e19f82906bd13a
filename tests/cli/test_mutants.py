"""Covers cli/mutants.py: the exit code is the proof, and a scenario that is switched off is missed."""

import json

import pytest
from click.testing import CliRunner

from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.verdict import passed
from llm_canaries.cli.main import main
from llm_canaries.service.mutants import proof
from llm_canaries.service.mutants.replays import Stored, stored

# for each scenario, a mutant that nobody else catches
ALONE = {
    "tool-result-image": "drop-image",
    "known-good": "footer",
    "eligibility": "list-gone",
    "thinking": "no-thinking",
    "usage-parity": "drifting-input",
    "tool-round-trip": "rename-tools",
    "stream-conformance": "changing-id",
    "catalog": "list-second-page",
    "routing": "reroute-messages",
    "negative-control": "catch-all",
    "completion": "masked-words",
    "negotiation": "unhealthy",
    "http": "spares-canaries",
    "loopback": "round-numbers",
    "stale-cooldown": "stale-cooldown",
}


def canaries(*words):
    return CliRunner().invoke(main, ["mutants", *words])


def test_a_proof_of_a_few(tmp_path):
    told = canaries("--mutant", "footer,one-call,healthy,keep-alives", "--controls", "300", "--no-simulation",
                    "--json", str(tmp_path / "proof.json"), "--matrix", str(tmp_path / "matrix.json"))  # fmt: skip
    assert told.exit_code == 0, told.output
    counts = json.loads((tmp_path / "proof.json").read_text())
    assert counts.pop("controls") >= 300
    assert counts == {
        "mutants": 2, "caught": 2, "missed": 0, "wrong_reason": 0, "false_failures": 0, "simulation": None,
    }  # fmt: skip
    matrix = json.loads((tmp_path / "matrix.json").read_text())
    assert list(matrix) == ["healthy", "one-call", "footer", "keep-alives"]
    assert matrix["one-call"] == {"tool-round-trip": {"[one_call]": 8}}
    assert "footer: ok" in told.stderr
    rows = {line.split()[0]: line for line in told.stdout.splitlines() if line.strip()}
    assert rows["footer"].endswith("wrong_answer") or "wrong_answer" in rows["footer"]
    assert "[one_call]" in rows["one-call"]
    assert "(sound)" in rows["keep-alives"]


def test_each_scenario_has_a_mutant_of_its_own():
    """A client's environment is no gateway's: what is wrong with one is in the scenario's own tests."""
    assert set(ALONE) == {name for name, scenario in SCENARIOS.items() if "environment" not in scenario.needs}


@pytest.mark.parametrize("scenario", ALONE)
def test_a_scenario_switched_off_is_missed(scenario):
    """That it is caught otherwise is in the whole matrix."""
    words = ("--mutant", ALONE[scenario], "--controls", "0", "--no-simulation")
    told = canaries(*words, "--without", scenario, "--json", "-")
    assert told.exit_code == 1
    counts = json.loads(told.stdout)
    assert (counts["mutants"], counts["missed"], counts["caught"]) == (1, 1, 0)
    assert f"missed: {ALONE[scenario]}" in told.stderr


def test_growth_needs_the_rules_and_the_scenario():
    words = ("--mutant", "growing-thinking,steady-gpt-5.4", "--controls", "0", "--no-simulation", "--matrix", "-")
    told = canaries(*words)
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == {"growing-thinking": {"thinking": {"ReasoningGrowth": 4}}, "steady-gpt-5.4": {}}
    assert canaries(*words, "--without", "thinking").exit_code == 1


def test_runs_are_judged_again_from_their_evidence(monkeypatch):
    words = ("--mutant", "footer,stale-cooldown", "--controls", "0", "--no-simulation", "--replay")
    told = canaries(*words)
    assert told.exit_code == 0, told.output
    assert "judged otherwise" not in told.stdout
    made_up = lambda runs: [Stored(each.evidence, passed("made up")) for each in stored(runs)]  # noqa: E731
    monkeypatch.setattr(proof, "stored", made_up)
    told = canaries(*words)
    assert told.exit_code == 1
    assert "judged otherwise from its evidence: footer: known-good|" in told.stdout


def test_usage():
    wrong = canaries("--without", "no-such")
    assert (wrong.exit_code, "no such scenario" in wrong.stderr) == (2, True)
    wrong = canaries("--mutant", "no-such")
    assert (wrong.exit_code, "no such mutant" in wrong.stderr) == (2, True)
