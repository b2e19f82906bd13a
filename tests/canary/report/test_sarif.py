"""canary/report/sarif.py, against the schema of SARIF 2.1.0 and what its prose demands beside it."""

import json
import os
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace
from runs import run

from llm_canaries.canary.comparison import Change, Difference
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.report.sarif import FINGERPRINT, Place, results_compared, results_of, sarif_report
from llm_canaries.canary.trial import Pair

NASTY = 'a|b <c> "d" %41 \x00 \x1b[31m\nnew, line: & ]]> 💥 \ud83d'
RUNS = [
    run("pass"),
    run("fail", "html", detail=NASTY, model="with space/ünï"),
    run("fail", "html", model="n", severity="warning"),
    run("fail", "html", model="n", severity="warning"),
    run("inconclusive", "counts_absent", detail="no counts", model="o"),
    run("skip", "text_only_model", model="p"),
    run("fail", "no_page_for_this", model="q"),
]
PLACES = [Place("canaries.yml", 7), Place("my folder/cänaries.yml", 1), Place("/etc/canaries.yml", 3), None]


@pytest.fixture(scope="module")
def schema():
    """The published schema: a file of the npm package @microsoft/jest-sarif (MIT), which .ci/run brings."""
    path = Path(os.environ.get("SARIF_SCHEMA", "nowhere"))
    if not path.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"SARIF_SCHEMA={str(path)!r} is not there, and CI must check against the schema")
        pytest.skip("SARIF_SCHEMA does not name the schema of SARIF 2.1.0; .ci/run brings it")
    return json.loads(path.read_text())


def of_runs(place=PLACES[0]):
    found = results_of(RUNS, {each.case.key: place for each in RUNS})
    return json.loads(sarif_report(found, read_pages(), "1.2.3"))


def difference(change, pair=True, **more):
    case = run(canary="c", scenario="known-good").case
    its = Pair(replace(case, gateway="base"), replace(case, gateway="head")) if pair else None
    fields = {"reason": "html", "base": "0 of 9 failed", "head": "9 of 9 failed", "severity": case.severity} | more
    return Difference(change=change, canary="c", scenario="known-good", pair=its, **fields)


def of_comparison():
    differences = [difference(change) for change in Change] + [difference(Change.GROWN, pair=False, reason="slower")]
    place = {differences[0].pair.head.key: PLACES[0], "c": PLACES[1]}
    return json.loads(sarif_report(results_compared(differences, place), read_pages(), "1.2.3"))


@pytest.mark.parametrize("place", PLACES)
def test_runs_hold_to_the_schema(schema, place):
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(of_runs(place))


def test_comparisons_hold_to_the_schema(schema):
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(of_comparison())


def test_nothing_found_holds_to_the_schema(schema):
    log = json.loads(sarif_report([], read_pages(), "1.2.3"))
    jsonschema.Draft4Validator(schema).validate(log)
    assert log["runs"][0]["results"] == [], "an empty list: nothing was found"


@pytest.mark.parametrize("log", [of_runs(), of_comparison()], ids=["runs", "comparison"])
def test_what_the_prose_demands(log):
    (its,) = log["runs"]
    rules = its["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in its["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
        assert (result["kind"] == "fail") == (result["level"] != "none")  # 3.27.10
        assert result["message"]["text"]
        for location in result["locations"]:
            physical = location.get("physicalLocation")
            assert physical is None or physical["region"]["startLine"] >= 1
            assert physical is None or " " not in physical["artifactLocation"]["uri"]
    prints = [result["partialFingerprints"][FINGERPRINT] for result in its["results"]]
    assert all(len(each) == 32 for each in prints)


def test_failures_and_open_questions_each_once():
    (its,) = of_runs()["runs"]
    assert [(each["ruleId"], each["kind"], each["level"]) for each in its["results"]] == [
        ("s/html", "fail", "error"),
        ("s/html", "fail", "warning"),
        ("s/counts_absent", "open", "none"),
        ("s/no_page_for_this", "fail", "error"),
    ]
    prints = [each["partialFingerprints"][FINGERPRINT] for each in its["results"]]
    assert len(set(prints)) == 4


def test_a_rule_is_explained():
    (rule,) = [each for each in of_runs()["runs"][0]["tool"]["driver"]["rules"] if each["id"] == "s/html"]
    assert "Check first:" in rule["help"]["text"]
    assert rule["shortDescription"]["text"] == read_pages()["html"].title


def test_places():
    uris = [
        each["runs"][0]["results"][0]["locations"][0].get("physicalLocation") for each in map(of_runs, PLACES)
    ]
    assert [each and each["artifactLocation"]["uri"] for each in uris] == [
        "canaries.yml",
        "my%20folder/c%C3%A4naries.yml",
        "file:///etc/canaries.yml",
        None,
    ]
    name = of_runs(None)["runs"][0]["results"][0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    assert name == "g/c/with%20space%2F%C3%BCn%C3%AF/openai_chat/false"


def test_fingerprints_stay_where_lines_and_words_move():
    moved = [replace(each, finding=replace(each.finding, detail="other words")) for each in RUNS]
    first, second = (
        [each["partialFingerprints"] for each in json.loads(sarif_report(found, {}, "2"))["runs"][0]["results"]]
        for found in (
            results_of(RUNS, {each.case.key: PLACES[0] for each in RUNS}),
            results_of(moved, {each.case.key: PLACES[1] for each in moved}),
        )
    )
    assert first == second


def test_a_comparison_tells_what_is_new_and_what_was_there():
    results = of_comparison()["runs"][0]["results"]
    assert [(each["ruleId"], each["baselineState"]) for each in results] == [
        ("known-good/html", "new"),
        ("known-good/html", "updated"),
        ("known-good/html", "new"),
        ("known-good/html", "new"),
        ("known-good/html", "unchanged"),
        ("known-good/slower", "new"),
    ]
    assert "0 of 9 failed at base, 9 of 9 failed at head" in results[0]["message"]["text"]
