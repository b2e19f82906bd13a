"""The shipped rules: their conventions, their tests under three engines, and inputs that are what the ledger shows."""

import os
import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from ledger_series import ledger_series
from promtools import PROMTOOLS, promtool

from llm_canaries.alerts.runbook.pages import read_alert_pages
from llm_canaries.rules.load import load
from llm_canaries.rules.packs import WATCHED, needs_of
from llm_canaries.rules.severities import disagreements
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests
from llm_canaries.service.metrics import UNFILLED
from llm_canaries.service.rule_checks import examine

RULES = Path(__file__).parents[2] / "rules"
FILES = sorted((RULES / "tests").glob("*.yml"))
PACK = {path.name: path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.yml"))}
GROUPS = load(PACK)
ALL = [rule for group in GROUPS for rule in group.rules]
ALERTS = [rule for rule in ALL if rule.kind == "alert"]
NEEDS = {name: needs_of(text) for name, text in PACK.items()}
LEVELS = ("critical", "warning")
LEDGER_RATIOS = sorted(
    {rule.name for rule in ALERTS if re.search("llm_canary_(error|failure)_ratio_lower", rule.expression)}
)
RATIOS = sorted({rule.name for rule in ALERTS if "ratio_lower" in rule.expression or "ratio:lower" in rule.expression})
INTERVALS = (1, 5, 30)


@cache
def read(path: Path):
    def files(pattern: str) -> dict[str, str]:
        return {pattern: (path.parent / pattern).read_text(encoding="utf-8")}

    return read_tests(path.name, path.read_text(encoding="utf-8"), files)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_under_our_engine(path):
    assert [str(each) for each in run_tests(read(path))] == []


@pytest.mark.parametrize("which", PROMTOOLS)
def test_under_promtool(which):
    for words in (["check", "rules", *(str(RULES / name) for name in PACK)], ["test", "rules", *map(str, FILES)]):
        # it collects garbage for a third of its time, which a larger heap of 200 MB spares it
        environ = os.environ | {"GOGC": "400"}
        done = subprocess.run(
            [promtool(which), *words], capture_output=True, text=True, timeout=300, check=False, env=environ
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_nothing_is_wrong_with_them():
    """Names, labels, joins, severities, runbooks: what `canaries rules check` finds."""
    found = examine(GROUPS, NEEDS, read_alert_pages(), {}, shipped=True)
    assert [str(each) for each in found] == []


def test_packs_on_families_that_nothing_fills_say_so():
    """And no other does: a pack whose families are all filled is loaded by default."""
    for group in GROUPS:
        selected = {name for rule in group.rules for name in rule.names or ()}
        if not NEEDS[group.file]:
            assert not {re.sub("_(bucket|count|sum)$", "", name) for name in selected} & set(UNFILLED), group.file
    for file, needs in NEEDS.items():
        names = {name for group in GROUPS if group.file == file for rule in group.rules for name in rule.names or ()}
        families = {re.sub("_(bucket|count|sum)$", "", name) for name in names}
        assert needs in ("", WATCHED)
        if needs:
            assert families & set(UNFILLED), f"{file}: every family is filled; it needs nothing any more"


def test_every_alert_has_a_severity_and_says_what_to_do():
    pages = read_alert_pages()
    for rule in ALERTS:
        assert rule.severity in ("warning", "critical") or rule.name == "Watchdog", rule.name
        assert {name for name, _ in rule.annotations} == {"summary", "description", "runbook"}, rule.name
        assert rule.name in pages
    assert set(pages) == {rule.name for rule in ALERTS}


def test_warning_and_critical_of_a_name_differ_only_in_how_bad_it_is():
    """The severity convention on the shipped pairs; test_severities.py shows that it is no empty promise."""
    assert disagreements(GROUPS) == []
    pairs = {rule.name for rule in ALERTS if rule.severity == "critical"} & {
        rule.name for rule in ALERTS if rule.severity == "warning"
    }
    assert len(pairs) == 22
    for name in pairs:
        critical, warning = ([each for each in ALERTS if (each.name, each.severity) == (name, s)] for s in LEVELS)
        assert len(critical) == len(warning) == 1
        assert critical[0].annotations == warning[0].annotations
        assert {label for label, _ in critical[0].labels} == {label for label, _ in warning[0].labels}


def test_the_conventions_that_keep_rules_portable():
    for rule in ALL:
        assert " up " not in rule.expression, rule.name
        for names in re.findall(r"\b(?:on|by) \(([^)]*)\)", rule.expression):
            assert {"job", "instance"} <= {name.strip() for name in names.split(",")}, rule.name
        assert rule.reach <= 3600 + 300, "an hour, and the lookback"
        if "llm_canary_error_ratio" in rule.expression or "consecutive_failures" in rule.expression:
            assert "increase(" not in rule.expression, f"{rule.name}: a canary's counter moves once in minutes"


def test_every_alert_is_seen_firing_in_each_of_its_severities():
    seen = set()
    for path in FILES:
        for test in read(path).tests:
            for each in test.alerts:
                seen |= {(each.alertname, alert.labels["severity"]) for alert in each.expected}
    assert seen == {(rule.name, rule.severity) for rule in ALERTS}


def test_assertions_lie_between_the_samples():
    for path in FILES:
        found = read(path)
        for test in found.tests:
            for each in test.alerts:
                assert each.at % test.interval, f"{path.name}:{each.line}"
                assert each.at % found.evaluation_interval, f"{path.name}:{each.line}"


@pytest.fixture(scope="module")
def tests_by_name():
    return {test.name: test for path in FILES for test in read(path).tests}


@pytest.mark.parametrize("every", INTERVALS)
@pytest.mark.parametrize("alert", RATIOS)
def test_a_ratio_alert_has_both_tests_at_each_interval(alert, every, tests_by_name):
    total = tests_by_name[f"{alert} every {every}m, total failure"]
    alone = tests_by_name[f"{alert} every {every}m, one failure alone"]
    severities = [{alert.labels["severity"] for alert in each.expected} for each in total.alerts]
    assert severities[0] == set()
    assert severities[-1] == {rule.severity for rule in ALERTS if rule.name == alert}
    assert all(before <= after for before, after in pairwise(severities)), "it stays"
    assert len(alone.alerts) >= 4 and not any(each.expected for each in alone.alerts)
    assert max(each.at for each in alone.alerts) >= 2 * every * 60
    if alert in LEDGER_RATIOS:
        assert max(each.at for each in alone.alerts) > 25 * every * 60


def test_ratio_alerts_are_those_that_were_asked_for():
    assert LEDGER_RATIOS == [
        "CanaryErrorRatio", "EligibilityErrorRatio", "GatewayRateLimited", "KnownGoodErrorRatio", "SparkErrorRatio",
        "ThinkingErrorRatio", "ToolResultImageErrorRatio", "UsageParityErrorRatio",
    ]  # fmt: skip
    assert sorted({*RATIOS} - {*LEDGER_RATIOS}) == [
        "AntigravityTrend", "ProviderErrorRatio", "ProviderFallbacks", "ProviderRateLimited", "ProviderRetries",
        "ProviderTimeouts", "ReasoningGrowth", "ThinkingMismatch",
    ]  # fmt: skip


@pytest.mark.parametrize("every", INTERVALS)
def test_the_inputs_of_ratio_tests_are_what_the_ledger_shows(every):
    document = yaml.safe_load((RULES / "tests" / f"ratio_{every}m.yml").read_text(encoding="utf-8"))
    for test in document["tests"]:
        failed = [True] * 30 if test["name"].endswith("total failure") else [True] + [False] * 29
        checked = 0
        for each in test["input_series"]:
            found = re.search(r'ratio_(lower|runs)\{.*window="(\w+)"', each["series"])
            if found is not None:
                lower, runs = ledger_series(failed, every, found[2], 30 * every)
                assert each["values"] == (lower if found[1] == "lower" else runs), (test["name"], each["series"])
                checked += 1
        assert checked == (6 if "GatewayRateLimited" in test["name"] else 4)
