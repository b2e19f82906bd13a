"""`canaries run --gate` as a user runs it."""

import json
from xml.etree import ElementTree as ET

import pytest
from commands import canaries, interrupted

GATE = ("run", "--gate", "failures < 5%")


def test_a_healthy_gateway_passes_with_the_fewest_runs_that_prove_it(tmp_path):
    done = canaries(*GATE, "--select", "known-good", "--json", "a.json", "--junit", "a.xml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / "a.json").read_text())
    (group,) = said["gate"]["groups"]
    assert (group["decision"], group["failures"], group["runs"], group["stopped_after"]) == ("pass", 0, 72, 72)
    assert len(said["runs"]) == 72
    assert ET.parse(tmp_path / "a.xml").getroot().attrib["tests"] == "1"
    first, *progress = done.stderr.splitlines()
    assert "Without a failure 72 requests" in first
    assert "at most 144 requests" in first
    assert len(progress) == 1
    assert "stopped after 72 of 144 runs" in progress[0]
    assert "Gate: failures < 5% at 95 % confidence: pass (1 pass)." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "mirror/drop-image", "--select", "tool-result-image"], 1, "3 of 3"),
        (["--model", "mirror/zero-usage", "--select", "usage-parity", "--fail-on", "critical"], 0, "fail (1 fail)"),
        (["--model", "mirror/rate-limited", "--select", "known-good"], 3, "no more asks for"),
        (["--model", "mirror/zero-usage", "--select", "thinking"], 3, "of 10 runs only 0 tell"),
        (["--select", "known-good", "--max-runs", "16", "--allow-undecided"], 0, "56 more without a failure"),
        (["--select", "known-good", "--gate-by", "case", "--gate", "latency p50 < 30s"], 0, "latency p50 < 30s"),
        (["--select", "known-good,usage-parity", "--gate-by", "all"], 0, "0 of 72"),
        (["--select", "known-good", "--confidence", "0.5"], 0, "at 50 % confidence"),
        (["--select", "nothing-like-it"], 3, "undecided (no group)"),
    ],
)
def test_decisions(arguments, code, words, tmp_path):
    done = canaries(*GATE, *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gate", "failures"], "`failures` is not a claim; write `failures < 5%`"),
        (["--gate", "failures < 5%", "--confidence", "95"], "--confidence: `95` is not a confidence; write `95%`"),
        (["--gate", "failures < 5%", "--confidence", "100%"], "`100%` is out of range"),
        (["--gate", "failures < 5%", "--max-runs", "60"], "that takes 72 runs without a failure"),
        (["--gate", "failures < 5%", "--repeat", "3"], "--repeat and --gate exclude each other"),
        (["--gate", "failures < 5%", "--max-runs", "0"], "0 is not in the range"),
        (["--gate", "dropped_silent < 5%"], "no canary selected (known-good) has this reason"),
        (["--max-runs", "60"], "--max-runs is for a gate; add --gate 'failures < 5%'"),
        (["--confidence", "95%"], "--confidence is for a gate"),
        (["--gate-by", "case"], "--gate-by is for a gate"),
    ],
)
def test_nonsense_is_refused_before_anything_is_sent(arguments, words, tmp_path):
    done = canaries("run", "--select", "known-good", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split()), done.stderr
    assert done.stdout == ""


def test_github_is_told(tmp_path):
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    select = ("--model", "mirror/drop-image", "--select", "tool-result-image")
    done = canaries(*GATE, *select, cwd=tmp_path, env=env)
    assert done.stdout.count("::error title=tool-result-image%3A failures < 5%25::fail") == 1
    assert "| ❌ | tool-result-image embedded |" in (tmp_path / "summary.md").read_text()


def test_interrupting_tells_what_was_found(tmp_path):
    arguments = (*GATE, "--model", "mirror/hang", "--select", "known-good")
    done = interrupted(*arguments, cwd=tmp_path, pause=1)  # after the forecast
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert "interrupted; 72 more without a failure" in done.stdout
