"""The commands as a user runs them: their words, files and exit codes."""

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml
from commands import canaries, interrupted
from small_server import handled_by

SECRET = "sk-planted-0123456789abcdef"


def test_run_needs_nothing(tmp_path):
    done = canaries("run", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert " ".join(lines[0].split()) == "canary gateway model dialect stream outcome reason latency tokens"
    assert lines[-2] == "55 passed."
    assert lines[-1].startswith("Next: canaries run --model mirror/drop-image")
    assert len(done.stderr.splitlines()) == 55, "one line of progress a run, where there is no terminal"
    assert list(tmp_path.iterdir()) == [], "a run without --state leaves nothing behind"


def test_run_on_a_fault_fails_with_its_reason_and_says_what_next(tmp_path):
    done = canaries("run", "--model", "mirror/zero-usage", "--select", "usage-parity", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("zero_usage") == 4 + 1 + 1  # four rows, one remark for all, the next step
    assert done.stdout.splitlines()[-1] == "Next: canaries explain zero_usage"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--model", "mirror/drop-image", "--fail-on", "critical"], 1),
        (["--model", "mirror/zero-usage", "--fail-on", "critical"], 3),  # parity is a warning; thinking cannot tell
        (["--model", "mirror/zero-usage", "--fail-on", "critical", "--allow-undecided"], 0),
        (["--select", "thinking", "--model", "mirror/zero-usage"], 3),
        (["--select", "nothing-like-it"], 3),
        (["--select", "nothing-like-it", "--allow-undecided"], 0),
        (["--gateway", "elsewhere"], 2),
        (["--no-such-option"], 2),
        (["--repeat", "0"], 2),
        (["--config", "missing.yml"], 2),
        (["--select", "known-good", "--repeat", "3"], 0),
    ],
)
def test_exit_codes(arguments, code, tmp_path):
    done = canaries("run", *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_json_and_junit_files_hold_the_runs(tmp_path):
    done = canaries("run", "--model", "mirror/not-listed", "--json", "a.json", "--junit", "a.xml", cwd=tmp_path)
    assert done.returncode == 1
    runs = json.loads((tmp_path / "a.json").read_text())["runs"]
    failed = [each for each in runs if each["outcome"] == "fail"]
    assert {(each["canary"], each["reason"], each["fault_domain"]) for each in failed} == {
        ("eligibility", "callable_unlisted", "routing"),
        ("catalog", "never_exposed", "routing"),
    }
    root = ET.parse(tmp_path / "a.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("47", "2")


def test_json_on_standard_output_is_all_there_is_on_it(tmp_path):
    done = canaries("run", "--select", "known-good", "--json", "-", cwd=tmp_path)
    assert len(json.loads(done.stdout)["runs"]) == 8
    assert "8 passed." in done.stderr


def test_github_gets_annotations_and_a_summary(tmp_path):
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    done = canaries("run", "--model", "mirror/drop-image", cwd=tmp_path, env=env)
    assert done.stdout.count("::error title=tool-result-image%3A dropped_silent::") == 8
    assert "| ❌ | tool-result-image |" in (tmp_path / "summary.md").read_text()


def test_verbose_shows_each_exchange(tmp_path):
    done = canaries("run", "--select", "known-good", "-v", cwd=tmp_path)
    assert done.stdout.count("→ openai_chat") == 2
    assert done.stdout.count("← HTTP 200") == 8
    assert "characters of base64" in canaries("run", "--select", "tool-result-image", "-v", cwd=tmp_path).stdout


def test_interrupting_leaves_a_table_and_no_traceback(tmp_path):
    first = []
    done = interrupted("run", "--model", "mirror/hang", cwd=tmp_path, told=lambda line: first.append(line) or True)
    assert "catalog" in first[0], "the catalog has ended, whatever asks the model hangs"
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    left = re.search(r"interrupted; (\d+) of (\d+) runs are left out", done.stderr)
    assert left is not None and int(left[1]) == int(left[2]) - 1
    assert "1 passed." in done.stdout, "the catalog alone asks no model"


class Leaky(BaseHTTPRequestHandler):
    """A gateway that repeats the key it was sent in its errors and headers."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        key = self.headers.get("authorization") or self.headers.get("x-api-key")
        body = json.dumps({"error": {"message": f"bad key {key}", "type": "x", "code": key}}).encode()
        self.send_response(401)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-echo", key)
        self.send_header("x-canary-signature", self.headers["x-canary-signature"])
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_error(401)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def leaky():
    with handled_by(Leaky) as url:
        yield url


def test_a_secret_never_shows_even_where_the_gateway_repeats_it(leaky, tmp_path):
    gateway = {"kind": "openai-compatible", "url": leaky, "api_key": "${KEY}", "models": ["m"]}
    gateway["headers"] = {"x-t": "${T}"}
    config = {"gateways": {"leaky": gateway}, "mark": {"key": "${MARK}"}}
    (tmp_path / "canaries.yml").write_text(yaml.safe_dump(config))
    env = {"KEY": SECRET, "T": "header-secret-98765", "MARK": "signing-key-0123456789"}
    env |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "s.md")}
    done = canaries("run", "-v", "--json", "a.json", "--junit", "a.xml", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert '"reason": "auth"' in (tmp_path / "a.json").read_text()
    everything = done.stdout + done.stderr + "".join(
        (tmp_path / name).read_text() for name in ("a.json", "a.xml", "s.md")
    )
    assert SECRET not in everything
    assert "header-secret-98765" not in everything
    assert "signing-key-0123456789" not in everything
    assert "x-canary-signature: ***" in everything, "who sees a signature can use it for five minutes"


def test_a_down_gateway_is_one_finding_each(tmp_path):
    gateway = {"kind": "openai-compatible", "url": "http://127.0.0.1:9", "models": ["m"]}
    (tmp_path / "canaries.yml").write_text(yaml.safe_dump({"gateways": {"down": gateway}}))
    done = canaries("run", "--json", "a.json", cwd=tmp_path)
    assert done.returncode == 1
    runs = json.loads((tmp_path / "a.json").read_text())["runs"]
    assert {(each["outcome"], each["reason"], each["fault_domain"]) for each in runs} == {
        ("fail", "connect", "deployment")
    }


BAD = """\
gateways:
  home: {kind: openai-compatibel, url: "http://127.0.0.1:1", models: [m], api_key: "${NO_SUCH_VARIABLE}"}
canaries:
  - {use: tool-result-imag, gateway: hone, every: 10 minutes}
  - {use: known-good, gatway: home}
"""


def test_every_problem_is_told_at_once_with_its_line(tmp_path):
    (tmp_path / "bad.yml").write_text(BAD)
    for command in ("run", "check", "list"):
        done = canaries(command, "--config", "bad.yml", cwd=tmp_path, env={"COLUMNS": "40"})
        assert done.returncode == 2
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert all(re.match(r"bad\.yml:\d+: ", line) for line in lines[:-1]), lines
        assert [line.split(":")[1] for line in lines[:-1]] == ["2", "2", "4", "4", "4", "5"]
        assert "openai-compatible" in lines[0] + lines[1]
        assert "tool-result-image" in done.stderr
        assert lines[-1] == "6 problems; nothing was run."


def test_list_is_tab_separated(tmp_path):
    done = canaries("list", "--select", "usage-parity", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"usage-parity\tembedded\tmirror/healthy\t{dialect}\tboth\twarning"
        for dialect in ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
    ]


def test_show_and_its_suggestion(tmp_path):
    done = canaries("show", "thinking", cwd=tmp_path)
    assert done.returncode == 0
    assert "low_budget=1024" in done.stdout
    wrong = canaries("show", "thinkin", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.strip()) == (2, "no canary thinkin; did you mean thinking?")


def test_explain(tmp_path):
    assert canaries("explain", "dropped_silent", cwd=tmp_path).stdout.startswith("dropped_silent: ")
    assert "dropped_silent" in canaries("explain", cwd=tmp_path).stdout
    wrong = canaries("explain", "droped_silent", cwd=tmp_path)
    told = "no reason or alert droped_silent; did you mean dropped_silent?"
    assert (wrong.returncode, wrong.stderr.strip()) == (2, told)
    assert "Check first:" in canaries("explain", "BreakerStuck", cwd=tmp_path).stdout


def test_schema_is_a_schema_that_takes_the_default(tmp_path):
    schema = json.loads(canaries("schema", cwd=tmp_path).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"gateways": {"e": {"kind": "embedded", "models": ["mirror/healthy"]}}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"gateways": {"e": {"kind": "embeded", "models": ["mirror/healthy"]}}}, schema)


def test_check_says_what_there_is(tmp_path):
    done = canaries("check", cwd=tmp_path)
    assert done.returncode == 0
    assert "gateways: 1, canaries: 12, cases: 55." in done.stdout


OWN = """\
gateways:
  it: {kind: embedded, models: [mirror/healthy]}
canaries:
  - scenario: completion
    name: capital
    gateway: it
    dialects: [openai_chat, anthropic_messages]
    stream: [false, true]
    params:
      prompt: "Reply with exactly this and nothing else: Paris"
      matches: ['(?i)^paris$']
      finish: [stop]
      output_most: 64
      within_seconds: 20s
  - scenario: http
    name: list
    gateway: it
    params: {get: /v1/models, header: {content-type: ^application/json}, json: {"data[*].id": "mirror/healthy"}}
  - scenario: http
    name: raw
    gateway: it
    severity: critical
    params:
      body: {messages: [{role: user, content: "[{mark}] hi"}], max_tokens: 9}
      json: {"choices[0].finish_reason": length}
"""


def test_people_s_own_checks_run_and_say_what_differs(tmp_path):
    (tmp_path / "own.yml").write_text(OWN)
    done = canaries("run", "--config", "own.yml", "--json", "a.json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    runs = json.loads((tmp_path / "a.json").read_text())["runs"]
    told = [(each["canary"], each["dialect"], each["stream"], each["outcome"], each["reason"]) for each in runs]
    assert told == [
        ("capital", "openai_chat", False, "pass", None),
        ("capital", "openai_chat", True, "pass", None),
        ("capital", "anthropic_messages", False, "pass", None),
        ("capital", "anthropic_messages", True, "pass", None),
        ("list", "openai_chat", False, "pass", None),
        ("raw", "openai_chat", False, "fail", "json_differs"),
    ]
    assert '`choices[0].finish_reason` is "stop", expected "length"' in done.stdout


def test_own_checks_that_make_no_sense_are_refused_before_anything_runs(tmp_path):
    bad = OWN.replace("'(?i)^paris$'", "'('").replace("{get: /v1/models,", "{get: /v1/models, path: /x,")
    kept, _, _ = bad.partition("  - scenario: http\n    name: raw")
    (tmp_path / "own.yml").write_text(f"{kept}  - {{use: eligibility, gateway: it, every: 10m}}\n")
    done = canaries("check", "--config", "own.yml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "`(` is not a pattern: missing )" in done.stderr
    assert "`path` and `headers` go with a `body`" in done.stderr
    assert "`10m` is too often for `eligibility`; write at least `30m`" in done.stderr
    assert done.stderr.splitlines()[-1] == "3 problems; nothing was run."


def test_help_imports_no_command(tmp_path):
    code = "import sys; from llm_canaries.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in sys.modules if m in ('aiohttp', 'pydantic', 'rich', 'yaml', 'msgspec')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", ":80", "127.0.0.1:"])
def test_mirror_refuses_a_nonsense_address(listen, tmp_path):
    done = canaries("mirror", "--listen", listen, cwd=tmp_path)
    assert done.returncode == 2
    assert "expected HOST:PORT" in done.stderr


def test_mirror_lists_its_models(tmp_path):
    done = canaries("mirror", "--list", cwd=tmp_path)
    assert done.stdout.splitlines()[0].split(maxsplit=1) == ["mirror/healthy", "answers as it should"]
