"""Prometheus' own test scripts, as far as they are within what we evaluate: rules/promql/."""

import os
from pathlib import Path

import pytest
from promql_script import run_script

FOLDER = Path(os.environ.get("PROMQLTEST_DIR") or Path(__file__).parents[3] / "shared" / "promqltest")
LEAST = 250  # statements that must run, so that the subset cannot shrink unseen


def test_the_statements_that_we_evaluate_have_prometheus_values(capsys: pytest.CaptureFixture[str]) -> None:
    scripts = sorted(FOLDER.glob("*.test"))
    if not scripts:
        reason = f"no scripts in {FOLDER}; PROMQLTEST_DIR names the folder promql/promqltest/testdata of Prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    tallies = {path.name: run_script(path.name, path.read_text(encoding="utf-8")) for path in scripts}
    ran = sum(tally.ran for tally in tallies.values())
    refused = sum(len(tally.refused) for tally in tallies.values())
    with capsys.disabled():
        print(f"\nPrometheus' scripts: {ran} statements ran, {refused} are refused here")
    assert [wrong for tally in tallies.values() for wrong in tally.wrong] == []
    assert ran >= LEAST
