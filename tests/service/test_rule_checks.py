"""What `canaries rules check` finds in rules that can be evaluated: service/rule_checks.py, cli/rules_check.py."""

import pytest
from click.testing import CliRunner

from llm_canaries.cli.rules import command
from llm_canaries.rules.load import load
from llm_canaries.service.metrics import UNFILLED
from llm_canaries.service.rule_checks import examine

UNFILLED_NAME = sorted(UNFILLED)[0]


def told(rule: str, needs: str = "", explained=("A",), **more) -> list[str]:
    groups = load({"r.yml": f"groups: [{{name: g, rules: [{rule}]}}]"})
    found = examine(groups, {"r.yml": needs}, explained, {}, **more)
    return [each.message.removeprefix("group `g`, rule ") for each in found]


def test_unknown_names_with_what_was_meant():
    assert told("{alert: A, expr: llm_canary_sucess == 0}") == [
        "`A`: no family is named `llm_canary_sucess`; did you mean `llm_canary_success`?"
    ]
    assert told("{alert: A, expr: 'llm_canary_success{state=\"x\"} == 0'}")[0].startswith(
        "`A`: `llm_canary_success` has no label `state`; it has canary, scenario"
    )
    assert told("{alert: A, expr: 'up_somewhere_else > 0'}") == []


def test_families_that_nothing_fills_want_the_word():
    rule = f"{{alert: A, expr: 'rate({UNFILLED_NAME}[5m]) > 0'}}"
    assert told(rule) == [f"`A`: nothing fills `{UNFILLED_NAME}`: {UNFILLED[UNFILLED_NAME]}"]
    assert told(rule, "watched") == []
    assert told(rule.replace(UNFILLED_NAME, f"{UNFILLED_NAME}_bucket"))[0].startswith("`A`: nothing fills")
    typo = f"{UNFILLED_NAME[:-2]}x{UNFILLED_NAME[-2:]}"
    assert f"did you mean `{UNFILLED_NAME}`?" in told(f"{{alert: A, expr: {typo} > 0}}", "watched")[0]


def test_joins_that_can_never_match():
    (message,) = told("{alert: A, expr: 'llm_canary_success == 0 and on (gateway, kind) llm_canary_threshold'}")
    assert message == (
        "`A`: can never fire: the sides are joined by `gateway`: there on the left, not there on the right"
    )
    (message,) = told("{record: r, expr: llm_canary_error_ratio / llm_canary_success}")
    assert message.startswith("`r`: can never be recorded: the sides are joined by `window`")


def test_alerts_without_a_runbook():
    lonely = "{alert: B, expr: llm_canary_success == 0}"
    assert told(lonely) == ["`B`: has no runbook: neither a page nor an annotation `runbook_url`"]
    noted = lonely.replace("== 0", "== 0, annotations: {runbook_url: 'https://example.org/b'}")
    assert told(noted) == []
    assert len(told(noted, shipped=True)) == 1, "a shipped alert has a page"


def test_recorded_names_that_are_taken():
    assert told("{record: llm_canary_success, expr: sum(x)}") == [
        "`llm_canary_success`: is recorded under the name of a family that is exported"
    ]


def test_critical_that_does_not_imply_its_warning():
    rules = (
        "{alert: A, expr: llm_canary_success == 0, labels: {severity: warning}},"
        "{alert: A, expr: llm_gateway_up == 0, labels: {severity: critical}}"
    )
    assert "critical does not imply its warning" in told(rules)[0]


def check(*words):
    return CliRunner().invoke(command, ["check", *map(str, words)])


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(
        "groups: [{name: g, rules: ["
        "{alert: Deep, expr: depth > 5, annotations: {runbook_url: x}},"
        "{alert: Kafka, expr: 'depth{transport=\"kafka\"} > 5', annotations: {runbook_url: x}}]}]"
    )
    return path


def test_a_page_is_all_that_there_is(tmp_path, rules):
    assert check(rules).exit_code == 0, "nothing is known of these names"
    page = tmp_path / "page.txt"
    page.write_text('# TYPE depth gauge\ndepth{transport="rabbitmq"} 7\n')
    done = check(rules, "--page", page)
    assert done.exit_code == 1
    assert 'Deep begins on this page at once: {transport="rabbitmq"}' in done.stdout
    assert 'can never fire: no series of `depth` has transport="kafka"; there is "rabbitmq"' in done.stderr
    page.write_text("<html>not a page")
    assert check(rules, "--page", page).exit_code == 2
    assert check(rules, "--page", tmp_path / "missing").exit_code == 2
    assert check(rules, "--page", "http://127.0.0.1:1/metrics").exit_code == 2


def test_estimates_are_those_of_the_configured_canaries(tmp_path):
    config = tmp_path / "canaries.yml"
    config.write_text(
        "gateways: {home: {kind: openai-compatible, url: 'http://127.0.0.1:9', models: [m]}}\n"
        "canaries: [{use: known-good, gateway: home, every: 5m, thresholds: {error_ratio: {warning: 10%}}}]\n"
    )
    done = check("--config", config, "--noise", "0.02")
    assert "If 2.00% of all runs fail" in done.stdout
    assert "KnownGoodErrorRatio" in done.stdout
    assert "5m     4 of 12 or 5 of 20" in done.stdout
    assert "known-good  5m" in done.stdout and "thinking" not in done.stdout.partition("If 2.00%")[2]
