"""`canaries rules`: cli/rules.py, rules_check.py."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_canaries.cli.rules import command

RULES = Path(__file__).parents[2] / "rules"
SOUND = "groups: [{name: g, rules: [{alert: A, expr: x > 1}]}]"
PASSING = """
rule_files: [../*.yml]
evaluation_interval: 1m
tests: [{interval: 1m, input_series: [{series: x, values: '2x5'}],
         alert_rule_test: [{eval_time: 90s, alertname: A, exp_alerts: [{}]}]}]
"""


def canaries(*words: str | Path):
    return CliRunner().invoke(command, [str(word) for word in words])


def test_the_shipped_pack_is_sound():
    done = canaries("check")
    assert done.exit_code == 0, done.output
    assert "117 rules in 21 groups, all evaluated in-process." in done.output
    assert "rules/providers.yml: not loaded unless it is named in `rules.packs`: needs watched." in done.output
    estimate = r"KnownGoodErrorRatio +critical +known-good +10m +4 of 20 or 6 of 45 +0.00057 +42m +72m"
    assert re.search(estimate, done.output)


def test_the_shipped_tests_pass():
    done = canaries("test", RULES / "tests" / "gateway.yml")
    assert (done.exit_code, done.output) == (0, f"{RULES}/tests/gateway.yml: 8 tests, all pass\n")


def test_problems_of_all_files_are_told(tmp_path):
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    one.write_text(SOUND.replace("x > 1", "'mad_over_time(x[5m]) > 1'"))
    two.write_text(SOUND.replace("x > 1", "llm_gateway_op == 0"))
    done = canaries("check", one, two)
    assert done.exit_code == 2
    assert f"{one}:1: group `g`, rule `A`: the function `mad_over_time` is not evaluated here" in done.stderr
    assert "1 problem." in done.stderr
    done = canaries("check", two)
    assert done.exit_code == 1, "it can be loaded, and it can never fire"
    assert "no family is named `llm_gateway_op`" in done.stderr


@pytest.mark.parametrize("word", ["check", "test"])
def test_a_file_that_cannot_be_read_is_told(tmp_path, word):
    (tmp_path / "latin.yml").write_bytes(b"groups: \xff")
    done = canaries(word, tmp_path / "missing.yml", tmp_path, tmp_path / "latin.yml")
    assert done.exit_code == 2
    assert done.stdout == ""
    for said in ("missing.yml: No such file", f"{tmp_path}: Is a directory", "latin.yml: not UTF-8 text"):
        assert said in done.stderr


def test_a_failing_test_is_1_and_a_broken_one_is_2(tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tmp_path / "r.yml").write_text(SOUND)
    passing, failing, broken = tests / "passing.yml", tests / "failing.yml", tests / "broken.yml"
    passing.write_text(PASSING)
    failing.write_text(PASSING.replace("[{}]", "[]"))
    broken.write_text(PASSING.replace("../*.yml", "nowhere.yml"))
    assert canaries("test", passing).exit_code == 0
    done = canaries("test", passing, failing)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{passing}: 1 tests, all pass",
        f"{failing}: 1 tests, 1 expectations not met",
    ]
    assert "there, not wanted: {alertname='A'}" in done.stderr
    done = canaries("test", broken, failing)
    assert done.exit_code == 2
    assert "no file `nowhere.yml`" in done.stderr
