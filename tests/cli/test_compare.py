"""`canaries compare` and `canaries run --sarif` as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from commands import canaries, interrupted

CONFIG = """\
gateways:
  healthy: {kind: embedded, models: [m], providers: {up: {url: "URL", profile: mirror, aliases: {m: mirror/healthy}}}}
  lying: {kind: embedded, models: [m], providers: {up: {url: "URL", profile: mirror, aliases: {m: mirror/drop-image}}}}
  hidden: {kind: embedded, models: [m], providers: {up: {url: "URL", profile: mirror, aliases: {m: mirror/zero-usage}}}}
canaries:
  - {use: tool-result-image, severity: critical}
  - {use: usage-parity}
  - {use: known-good}
"""
KEYS = ["base", "head", "confidence", "repeat", "pairs", "worse", "differences", "base_only", "head_only", "runs"]
DIFFERENCE = [
    "change",
    "worse",
    "canary",
    "scenario",
    "model",
    "dialect",
    "stream",
    "severity",
    "reason",
    "fault_domain",
    "base",
    "head",
    "p",
    "detail",
    "because",
]


@pytest.fixture(scope="module")
def mirror():
    arguments = [sys.executable, "-m", "llm_canaries", "mirror", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:
        for line in started.stdout:
            if "http://127.0.0.1:" in line:
                yield "http://127.0.0.1:" + line.partition("http://127.0.0.1:")[2].split()[0].strip("/.,")
                break
        started.terminate()


@pytest.fixture
def folder(mirror, tmp_path):
    (tmp_path / "canaries.yml").write_text(CONFIG.replace("URL", mirror))
    return tmp_path


def validate(text):
    log = json.loads(text)
    if (path := Path(os.environ.get("SARIF_SCHEMA", "nowhere"))).is_file():
        jsonschema.Draft4Validator(json.loads(path.read_text())).validate(log)
    return log["runs"][0]["results"]


def test_the_same_gateway_twice_is_not_worse(folder):
    done = canaries("compare", "healthy", "healthy", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "base healthy, head healthy, 20 pairs: 20 same." in done.stdout
    assert done.stdout.splitlines()[-1] == "Next: --repeat 10   # finds what fails only now and then"
    assert len(done.stderr.splitlines()) == 21


def test_what_is_worse_in_every_format(folder):
    reports = ("--json", "a.json", "--junit", "a.xml", "--sarif", "a.sarif")
    done = canaries("compare", "healthy", "lying", *reports, cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("new failure  tool-result-image") == 8
    assert done.stdout.splitlines()[-1] == "Next: canaries explain dropped_silent"
    said = json.loads((folder / "a.json").read_text())
    assert list(said) == KEYS
    assert (said["pairs"], said["worse"], said["repeat"], said["confidence"]) == (20, 8, 1, 0.95)
    assert [list(each) for each in said["differences"]] == [DIFFERENCE] * 8
    assert {(each["reason"], each["change"]) for each in said["differences"]} == {("dropped_silent", "new_failure")}
    assert len(said["runs"]["base"]) == len(said["runs"]["head"])
    root = ET.parse(folder / "a.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("20", "8", "0")
    results = validate((folder / "a.sarif").read_text())
    assert {each["ruleId"] for each in results} == {"tool-result-image/dropped_silent"}
    assert {each["level"] for each in results} == {"error"}
    places = [each["locations"][0]["physicalLocation"] for each in results]
    assert {(each["artifactLocation"]["uri"], each["region"]["startLine"]) for each in places} == {("canaries.yml", 6)}


def test_known_failures_and_mended_ones_do_not_fail(folder):
    known = canaries("compare", "lying", "lying", cwd=folder)
    assert (known.returncode, known.stdout.count("known  tool-result-image")) == (0, 8)
    mended = canaries("compare", "lying", "healthy", cwd=folder)
    assert (mended.returncode, mended.stdout.count("failed at base only  tool-result-image")) == (0, 8)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["healthy", "hidden"], 1),
        (["healthy", "hidden", "--fail-on", "critical"], 0),  # usage-parity is a warning
        (["healthy", "lying", "--fail-on", "critical"], 1),
        (["healthy", "healthy", "--select", "nothing-like-it"], 3),
        (["healthy", "healthy", "--select", "nothing-like-it", "--allow-undecided"], 0),
        (["healthy", "nowhere"], 2),
        (["healthy"], 2),
        (["healthy", "lying", "--confidence", "95"], 2),
        (["healthy", "lying", "--latency-growth", "fast"], 2),
        (["healthy", "lying", "--wait", "soon"], 2),
        (["healthy", "missing.yml"], 2),
        (["healthy", "http://127.0.0.1:9"], 1),  # nobody is there
    ],
)
def test_exit_codes(arguments, code, folder):
    done = canaries("compare", *arguments, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        assert done.stdout == ""


def test_sarif_on_standard_output_is_all_there_is_on_it(folder):
    done = canaries("compare", "healthy", "hidden", "--sarif", "-", cwd=folder)
    assert {each["ruleId"] for each in validate(done.stdout)} == {"usage-parity/zero_usage"}
    assert "Next: canaries explain zero_usage" in done.stderr


def test_github_gets_annotations_and_a_summary(folder):
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    done = canaries("compare", "healthy", "lying", "--select", "tool-result-image", cwd=folder, env=env)
    assert done.stdout.count("::error title=tool-result-image%3A dropped_silent::") == 8
    assert "| new failure | tool-result-image |" in (folder / "summary.md").read_text()


def test_interrupting_tells_of_the_pairs_that_had_ended(folder):
    config = (folder / "canaries.yml").read_text().replace("mirror/zero-usage", "mirror/hang")
    (folder / "canaries.yml").write_text(config)
    done = interrupted("compare", "healthy", "hidden", cwd=folder, pause=1)  # after the forecast
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert "base healthy, head hidden, 0 pairs: nothing to compare" in done.stdout


def test_run_writes_sarif_too(folder):
    done = canaries("run", "--gateway", "lying,hidden", "--sarif", "run.sarif", cwd=folder)
    assert done.returncode == 1
    results = validate((folder / "run.sarif").read_text())
    assert {(each["ruleId"], each["kind"]) for each in results} == {
        ("tool-result-image/dropped_silent", "fail"),
        ("usage-parity/zero_usage", "fail"),
    }
    prints = [json.dumps(each["partialFingerprints"]) for each in results]
    assert len(set(prints)) == len(prints) == 12
    plain = canaries("run", "--model", "mirror/zero-usage", "--sarif", "-", cwd=folder.parent)
    assert all("physicalLocation" not in each["locations"][0] for each in validate(plain.stdout)), "no file, no line"


def test_whose_fault_is_found_out_unless_it_is_not_to_be(mirror, tmp_path):
    """The mirror that cuts streams is the gateway, and its sound model, under the same name, its twin's provider."""
    (tmp_path / "canaries.yml").write_text(
        "gateways:\n"
        f"  it: {{kind: openai-compatible, url: '{mirror}', models: [mirror/stream-cut], twin: own}}\n"
        "  own: {kind: embedded, models: [mirror/stream-cut], providers: {p: "
        f"{{url: '{mirror}', profile: mirror, aliases: {{mirror/stream-cut: mirror/healthy}}}}}}}}\n"
        "canaries: [{scenario: known-good, name: good, gateway: it, dialects: [openai_chat], stream: [true]}]\n"
    )
    for options, domain in (([], "translation"), (["--no-attribution"], "provider")):
        done = canaries("compare", "it", "it", "--json", "-", *options, cwd=tmp_path)
        (known,) = json.loads(done.stdout)["differences"]
        assert (known["change"], known["fault_domain"]) == ("known", domain), done.stderr
        assert bool(known["because"]) is not bool(options)
        gate = ("run", "--gate", "failures < 5%", "--gateway", "it", "--json", "-", *options)
        done = canaries(*gate, cwd=tmp_path)
        (group,) = json.loads(done.stdout)["gate"]["groups"]
        assert [each["fault_domain"] for each in group["blamed"]] == [domain], done.stderr
        assert ("whose fault it is" in done.stderr.splitlines()[0]) is not bool(options)
