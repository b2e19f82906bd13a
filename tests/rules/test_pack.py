"""The shipped rules: their conventions, their tests under three engines, and inputs that are what the ledger shows."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from ledger_series import ledger_series
from promtools import PROMTOOLS, promtool

from llm_canaries.rules.families import strangers
from llm_canaries.rules.load import load
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests
from llm_canaries.service.metrics import FAMILIES, UNFILLED

RULES = Path(__file__).parents[2] / "rules"
FILES = sorted((RULES / "tests").glob("*.yml"))
PACK = {path.name: path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.yml"))}
GROUPS = load(PACK)
ALL = [rule for group in GROUPS for rule in group.rules]
RATIOS = sorted({rule.name for rule in ALL if "ratio_lower" in rule.expression})
INTERVALS = (1, 5, 30)


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
        done = subprocess.run([promtool(which), *words], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_only_families_that_are_filled_are_selected():
    labels = {name: family.labels for name, family in FAMILIES.items()}
    histograms = [name for name, family in FAMILIES.items() if family.kind == "histogram"]
    assert [str(each) for each in strangers(GROUPS, labels, histograms, UNFILLED)] == []


def test_every_alert_has_a_severity_and_says_what_to_do():
    for rule in ALL:
        assert rule.kind == "alert"
        assert rule.severity in ("warning", "critical"), rule.name
        assert {name for name, _ in rule.annotations} == {"summary", "description", "runbook"}, rule.name


def test_a_critical_rule_differs_from_its_warning_only_in_how_bad_it_is():
    """Critical implies warning: the same condition with a higher bound, a longer time, or one condition more."""
    pairs = 0
    for critical in (rule for rule in ALL if rule.severity == "critical"):
        warnings = [rule for rule in ALL if rule.name == critical.name and rule.severity == "warning"]
        for warning in warnings:
            pairs += 1
            same = re.sub(r'severity="critical"|>= 3|0\.1$', "", critical.expression, flags=re.MULTILINE)
            like = re.sub(r'severity="warning"|>= 2|0\.05$', "", warning.expression, flags=re.MULTILINE)
            same, like = same.split("and on")[0], like.split("and on")[0]
            assert same.strip() == like.strip()
            assert critical.hold >= warning.hold
            assert critical.keep <= warning.keep
            assert critical.annotations == warning.annotations
    assert pairs == 16


def test_the_conventions_that_keep_rules_portable():
    for rule in ALL:
        for word in ("increase(", "rate(", "offset", " up ", "absent("):
            assert word not in rule.expression, rule.name
        for names in re.findall(r"\b(?:on|by) \(([^)]*)\)", rule.expression):
            assert {"job", "instance"} <= {name.strip() for name in names.split(",")}, rule.name


def test_every_alert_is_seen_firing_in_each_of_its_severities():
    seen = set()
    for path in FILES:
        for test in read(path).tests:
            for each in test.alerts:
                seen |= {(each.alertname, alert.labels["severity"]) for alert in each.expected}
    assert seen == {(rule.name, rule.severity) for rule in ALL}


def test_assertions_lie_between_the_samples():
    for path in FILES:
        found = read(path)
        for test in found.tests:
            for each in test.alerts:
                assert each.at % test.interval, f"{path.name}:{each.line}"
                assert each.at % found.evaluation_interval, f"{path.name}:{each.line}"


@pytest.mark.parametrize("every", INTERVALS)
@pytest.mark.parametrize("alert", RATIOS)
def test_a_ratio_alert_has_both_tests_at_each_interval(alert, every):
    tests = {test.name: test for test in read(RULES / "tests" / f"ratio_{every}m.yml").tests}
    total, alone = tests[f"{alert} every {every}m, total failure"], tests[f"{alert} every {every}m, one failure alone"]
    severities = [{alert.labels["severity"] for alert in each.expected} for each in total.alerts]
    assert severities[0] == set() and severities[-1] == {"warning", "critical"}
    assert all(before <= after for before, after in pairwise(severities)), "it stays"
    assert len(alone.alerts) >= 4 and not any(each.expected for each in alone.alerts)
    assert max(each.at for each in alone.alerts) > 25 * every * 60


def test_ratio_alerts_are_those_that_were_asked_for():
    assert RATIOS == [
        "CanaryErrorRatio", "EligibilityErrorRatio", "GatewayRateLimited", "KnownGoodErrorRatio", "SparkErrorRatio",
        "ThinkingErrorRatio", "ToolResultImageErrorRatio", "UsageParityErrorRatio",
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
