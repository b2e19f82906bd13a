"""Prometheus' own test scripts against our evaluator: rules/promql/. The report is build/conformance/promql.json."""

import json
import os
import re
from pathlib import Path

import pytest
from promql_script import Tally, run_script

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("PROMQLTEST_DIR") or ROOT.parent / "shared" / "promqltest")
REPORT = ROOT / "build" / "conformance" / "promql.json"
EVALS = 1281
LEAST_RIGHT = 870


@pytest.fixture(scope="module")
def scripts() -> list[Path]:
    found = sorted(FOLDER.glob("*.test"))
    if not found:
        reason = f"no scripts in {FOLDER}; PROMQLTEST_DIR names the folder promql/promqltest/testdata of Prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def counted(tally: Tally) -> dict[str, int]:
    return {
        "evals": tally.evals,
        "right": tally.right,
        "refused": len(tally.refused),
        "wrong": len(tally.wrong),
        "annotations_not_compared": tally.annotations,
    }


def test_no_statement_is_wrong_and_what_need_not_be_refused_is_right(scripts, capsys):
    tallies = {path.name: run_script(path.name, path.read_text(encoding="utf-8")) for path in scripts}
    files = {name: counted(tally) for name, tally in tallies.items()}
    total = {key: sum(each[key] for each in files.values()) for key in next(iter(files.values()))}
    wrong = [each for tally in tallies.values() for each in tally.wrong]
    refused = [each for tally in tallies.values() for each in tally.refused]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    report = {**total, "files": files, "wrong_statements": wrong, "refused_statements": refused}
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with capsys.disabled():
        print(f"\nPrometheus' scripts: {total}")
    assert wrong == []
    assert total["evals"] == EVALS
    assert total["right"] >= LEAST_RIGHT


@pytest.mark.parametrize(
    ("file", "line", "altered"),
    [
        ("staleness.test", '{__name__="metric"} 1', '{__name__="metric"} 1.001'),
        ("selectors.test", '\ttestmetric{a="abb"} 2\n', '\ttestmetric{a="abb"} 3\n'),
        ("range_queries.test", "  {} 0 11 1100", "  {} 0 11 1101"),
        ("functions.test", '\t{path="/foo"} 1\n', '\t{path="/fu"} 1\n'),
    ],
)
def test_a_script_with_one_expected_value_altered_is_wrong_once(scripts, file, line, altered):
    text = (FOLDER / file).read_text(encoding="utf-8")
    spoiled = text.replace(line, altered, 1)
    assert spoiled != text
    assert len(run_script(file, spoiled).wrong) == 1


def test_a_statement_that_must_fail_and_does_not_is_wrong(scripts):
    name = "collision.test"
    text = (FOLDER / name).read_text(encoding="utf-8")
    spoiled, altered = re.subn(r"ceil\(\{[^)]*\}\)", "ceil(testmetric1)", text)
    assert altered == 1
    assert len(run_script(name, spoiled).wrong) == 1


def test_an_order_that_must_be_kept_and_is_not_is_wrong(scripts):
    name = "aggregators.test"
    text = (FOLDER / name).read_text(encoding="utf-8")
    spoiled = text.replace("topk(3, http_requests)", "bottomk(3, http_requests)", 1)
    if spoiled == text:
        spoiled = text.replace("topk((3), (http_requests))", "bottomk((3), (http_requests))", 1)
    assert spoiled != text
    assert len(run_script(name, spoiled).wrong) == 1
