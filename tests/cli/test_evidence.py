"""`canaries run --state`, `evidence` and `replay` as a user runs them: words, files, exit codes, and no secret."""

import asyncio
import contextlib
import json
import os
import sqlite3
import zlib
from http.server import BaseHTTPRequestHandler

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from commands import canaries as spawned
from har_schema import HAR
from msgspec import Struct
from small_server import handled_by

from llm_canaries.cli.main import main
from llm_canaries.state.database import FILE, Database
from llm_canaries.state.migrations import MIGRATIONS


class Done(Struct):
    """What a command came to, as subprocess says it."""

    returncode: int
    stdout: str
    stderr: str


def canaries(*arguments, cwd, env=None):
    """`canaries ARGUMENTS` in the folder `cwd`, in this process."""
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(main, list(arguments), env=env, catch_exceptions=False)
    return Done(result.exit_code, result.stdout, result.stderr)


WRONG = ("run", "--model", "mirror/wrong-answer", "--select", "known-good,catalog", "--state", "kept")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a state `kept`: eight runs that failed, and one that passed."""
    path = tmp_path_factory.mktemp("evidence")
    done = spawned(*WRONG, cwd=path)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-2] == "Next: canaries explain wrong_answer"
    nexts = [f"      canaries evidence {each} --state kept   # all that was sent and came" for each in failing(path)]
    assert lines[-1] in nexts
    return path


def failing(path):
    listed = canaries("evidence", "--state", "kept", "--json", cwd=path)
    return [row["id"] for row in json.loads(listed.stdout)["runs"]]


def passing(path):
    (number,) = {*range(1, 10)} - {*failing(path)}
    return number


def test_without_a_number_the_latest_failures_are_listed(folder):
    done = canaries("evidence", "--state", "kept", cwd=folder)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(row[0]) for row in rows] == sorted(failing(folder), reverse=True)
    assert {row[2] for row in rows} == {"fail wrong_answer"}
    assert len(canaries("evidence", "--state", "kept", "--limit", "3", cwd=folder).stdout.splitlines()) == 3


def test_it_shows_what_was_sent_and_came(folder):
    number = failing(folder)[0]
    done = canaries("evidence", str(number), "--state", "kept", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"run {number}: known-good at embedded, model mirror/wrong-answer, ")
    words = ("→ ", "⇒ POST /v1", "← HTTP 200 in ", "I cannot do that.", "  usage: input ", "came in ", "How it was")
    assert [each for each in words if each not in done.stdout] == []


def test_a_pass_is_kept_as_well(folder):
    done = canaries("evidence", str(passing(folder)), "--state", "kept", cwd=folder)
    assert done.stdout.splitlines()[-1] == "  pass"


def test_json_is_all_of_it(folder):
    number = failing(folder)[0]
    said = json.loads(canaries("evidence", str(number), "--state", "kept", "--json", cwd=folder).stdout)
    assert (said["id"], said["problem"]) == (number, "")
    (answer,) = said["evidence"]["answers"]
    assert (answer["kind"], answer["status"]) == ("exchange", 200)
    assert json.loads(answer["sent"]["text"])


def test_har_is_written_and_told_where_it_cannot_be(folder, tmp_path):
    number = str(failing(folder)[0])
    done = canaries("evidence", number, "--state", "kept", "--har", str(tmp_path / "a.har"), cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    said = json.loads((tmp_path / "a.har").read_text())
    jsonschema.validate(said, HAR)
    assert canaries("evidence", number, "--state", "kept", "--har", "-", cwd=folder).stdout.startswith('{\n  "log"')
    done = canaries("evidence", number, "--state", "kept", "--har", "no/such/a.har", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "no/such/a.har: cannot be written: No such file or directory\n")


def test_every_run_is_judged_alike_again(folder):
    for number in range(1, 10):
        done = canaries("replay", str(number), "--state", "kept", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert lines[1].removeprefix("recorded: ") == lines[2].removeprefix("replayed: ")
        assert lines[3] == "the same judgement"


def test_sent_again_it_is_compared_with_what_was_recorded(folder):
    number = str(failing(folder)[0])
    done = canaries("replay", number, "--state", "kept", "--send", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every mark and number is drawn anew" in done.stdout
    assert "sent now: fail wrong_answer" in done.stdout
    elsewhere = {"gateways": {"other": {"kind": "embedded", "models": ["mirror/healthy"]}}}
    (folder / "other.yml").write_text(yaml.safe_dump(elsewhere))
    done = canaries("replay", number, "--state", "kept", "--send", "--config", "other.yml", cwd=folder)
    assert done.returncode == 2
    assert "the configuration has no gateway embedded" in done.stderr


def test_memory_goes_on_from_run_to_run(tmp_path):
    """Five pairs of answers prove flat thinking: one pair in each of five commands, as in one command of five."""
    reasons = []
    for _ in range(5):
        select = ("--model", "mirror/flat-thinking", "--select", "thinking", "--state", "kept", "--json", "a.json")
        spawned("run", *select, cwd=tmp_path)
        reasons.append({run["reason"] for run in json.loads((tmp_path / "a.json").read_text())["runs"]})
    assert reasons == [{None}] * 4 + [{"order_flat"}]
    assert canaries("replay", str(failing(tmp_path)[0]), "--state", "kept", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("command", ["evidence", "replay"])
@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("10", "no run 10 in kept; the last one is 9"),
        ("0", "no run 0 in kept; the last one is 9"),
        ("abc", "abc: not the number of a run; `canaries evidence` lists them"),
        ("-1", "No such option"),
        ("1.5", "1.5: not the number of a run"),
        ("٣", "٣: not the number of a run"),
        ("9" * 40, "not the number of a run"),
    ],
)
def test_numbers_that_are_none(folder, command, number, told):
    done = canaries(command, number, "--state", "kept", cwd=folder)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["evidence", "1", "--state", "nowhere"], "does not exist. `canaries serve` and `canaries run"),
        (["evidence", "--state", "kept", "--url", "http://127.0.0.1:9"], "--state and --url: give one of them"),
        (["evidence", "1", "--url", "http://127.0.0.1:9"], "http://127.0.0.1:9: no sidecar answers: "),
        (["evidence", "1", "--url", "no-url"], "no-url: no sidecar answers: "),
        (["evidence", "--state", "kept", "--har", "a.har"], "--har: needs the number of a run"),
        (["evidence", "1", "--config", "missing.yml"], "missing.yml:1: cannot be read"),
        (["replay", "--state", "kept"], "Missing argument 'ID'"),
        (["run", "--state", "file"], "file cannot be opened (File exists)."),
    ],
)
def test_other_usage(folder, arguments, told):
    (folder / "file").touch()
    done = canaries(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr and "Traceback" not in done.stderr


def spoilt(folder, tmp_path, statement, *values):
    """A copy of the state with one statement carried out on it; the run that it is about."""
    number = failing(folder)[0]
    (tmp_path / "kept").mkdir()
    with sqlite3.connect(folder / "kept" / FILE) as source, sqlite3.connect(tmp_path / "kept" / FILE) as copy:
        source.backup(copy)
        copy.execute(statement, (*values, number))
    source.close()
    copy.close()
    return str(number)


def test_evidence_that_is_gone_is_told(folder, tmp_path):
    number = spoilt(folder, tmp_path, "DELETE FROM evidence WHERE run = ?")
    done = canaries("evidence", number, "--state", "kept", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[2].startswith("fail wrong_answer (")
    assert done.stderr.startswith("its evidence is no longer kept: ")
    done = canaries("replay", number, "--state", "kept", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith(f"run {number} cannot be judged again: its evidence is no longer kept")


@pytest.mark.parametrize("body", [b"", b"\x00\x01", zlib.compress(b'{"program": 3}')])
def test_evidence_that_is_damaged_is_told_and_the_rest_stays(folder, tmp_path, body):
    number = spoilt(folder, tmp_path, "UPDATE evidence SET body = ? WHERE run = ?", body)
    done = canaries("evidence", number, "--state", "kept", cwd=tmp_path)
    assert done.returncode == 1
    assert "fail wrong_answer (" in done.stdout
    assert done.stderr.startswith("its evidence cannot be read: not ")
    assert canaries("replay", number, "--state", "kept", cwd=tmp_path).returncode == 3
    assert canaries("evidence", number, "--state", "kept", "--har", "-", cwd=tmp_path).returncode == 2
    other = str(failing(tmp_path)[1])
    assert canaries("replay", other, "--state", "kept", cwd=tmp_path).returncode == 0


def test_the_text_of_an_older_version_is_shown(folder, tmp_path):
    number = spoilt(folder, tmp_path, "UPDATE evidence SET body = ? WHERE run = ?", "→ old words")
    done = canaries("evidence", number, "--state", "kept", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "→ old words"
    assert done.stderr == "its evidence is the text that an older version wrote\n"
    assert canaries("replay", number, "--state", "kept", cwd=tmp_path).returncode == 3


def test_a_run_that_is_forgotten_is_not_one_that_never_was(folder, tmp_path):
    number = spoilt(folder, tmp_path, "DELETE FROM runs WHERE id = ?")
    done = canaries("evidence", number, "--state", "kept", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2, f"run {number} is forgotten: runs are kept for 30 days, the last one is 9"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("PRAGMA application_id = 7", "is a database of another program"),
        (f"PRAGMA user_version = {len(MIGRATIONS) + 1}", "written by a newer llm-canaries"),
    ],
)
def test_other_programs_states_are_told_and_left_alone(folder, tmp_path, statement, told):
    spoilt(folder, tmp_path, "DELETE FROM evidence WHERE run = ?")
    with sqlite3.connect(tmp_path / "kept" / FILE) as connection:
        connection.execute(statement)
    connection.close()
    before = (tmp_path / "kept" / FILE).read_bytes()
    for command in (["evidence", "1"], ["replay", "1"], ["run", "--select", "catalog"]):
        done = canaries(*command, "--state", "kept", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "kept" / FILE).read_bytes() == before


def test_a_state_that_another_instance_holds_is_told(tmp_path):
    database = Database.open(tmp_path / "kept")
    done = canaries("run", "--select", "catalog", "--state", "kept", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"is held by another instance (process {os.getpid()})" in done.stderr
    assert done.stderr.splitlines()[-1] == "Nothing was run."
    assert canaries("evidence", "--state", "kept", cwd=tmp_path).returncode == 0, "reading takes no lock"
    assert database.failures == 0


def test_the_sidecars_own_state_is_refused_and_untouched(tmp_path):
    (tmp_path / "canaries.yml").write_text("gateways: {it: {kind: embedded, models: [m]}}\nstate: own\n")
    for named in ("own", str(tmp_path / "own")):
        done = canaries("run", "--select", "catalog", "--state", named, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "there `canaries serve` keeps its ledger" in done.stderr
        assert done.stderr.splitlines()[-1] == "Nothing was run."
    assert not (tmp_path / "own").exists()
    asyncio.run(Database.open(tmp_path / "elsewhere").close())
    done = canaries("run", "--select", "catalog", "--state", "elsewhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is the state of a sidecar (`canaries serve`)" in done.stderr


def test_a_sidecar_refuses_the_state_of_a_gate(tmp_path):
    canaries("run", "--select", "catalog", "--state", "own", cwd=tmp_path)
    (tmp_path / "canaries.yml").write_text("gateways: {it: {kind: embedded, models: [m]}}\nstate: own\n")
    done = spawned("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert "is the state of `canaries run --state`, and those runs would enter the sidecar's ledger" in done.stderr
    assert "Traceback" not in done.stderr


KEYS = {"KEY": "planted-key-0123456789", "T": "planted-header-98765", "Q": "planted-query-55555"}


class Leaky(BaseHTTPRequestHandler):
    """A gateway that repeats the keys it was sent in answers, errors, headers and places to go."""

    def do_POST(self):
        length = int(self.headers["content-length"])
        ask = json.loads(self.rfile.read(length))
        key, other = KEYS["KEY"], KEYS["T"]
        if ask.get("stream"):
            head = {"id": key, "object": "chat.completion.chunk", "created": 1, "model": key}
            pieces = [f"the key {key}", f" in pieces: {other[:9]}", other[9:]]
            frames = [head | {"choices": [{"index": 0, "delta": {"content": each}}]} for each in pieces]
            frames.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            body = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in frames) + b"data: [DONE]\n\n"
            self.answer(200, "text/event-stream", body)
        elif self.path.startswith("/v1/chat"):
            self.answer(401, "application/json", json.dumps({"error": {"message": f"bad {key}", "code": key}}).encode())
        else:
            self.answer(302, "text/plain", b"")

    def do_GET(self):
        self.answer(200, "application/json", json.dumps({"object": "list", "data": [{"id": KEYS["KEY"]}]}).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        for name, value in (("x-echo", KEYS["KEY"]), ("x-other", f"a {KEYS['T']} b"), ("content-type", kind)):
            self.send_header(name, value)
        self.send_header("location", f"http://{KEYS['KEY']}@elsewhere/?q={KEYS['Q']}")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def leaky():
    with handled_by(Leaky) as url:
        yield url


def test_no_secret_is_in_the_state_or_in_anything_made_of_it(leaky, tmp_path):
    gateway = {"kind": "openai-compatible", "url": leaky, "api_key": "${KEY}", "models": ["m"]}
    gateway["headers"] = {"x-t": "${T}", "x-q": "${Q}"}
    (tmp_path / "canaries.yml").write_text(yaml.safe_dump({"gateways": {"leaky": gateway}}))
    select = ("--select", "known-good,catalog,eligibility,stream-conformance")
    done = spawned("run", "-v", *select, "--state", "kept", cwd=tmp_path, env=KEYS)
    assert done.returncode == 1, done.stderr
    said, runs = [done.stdout + done.stderr], failing(tmp_path)
    assert len(runs) > 5
    for number in runs:
        for command in (["evidence"], ["evidence", "--json"], ["evidence", "--har", "-"], ["replay"]):
            done = canaries(*command, str(number), "--state", "kept", cwd=tmp_path)
            said.append(done.stdout + done.stderr)
    with sqlite3.connect(tmp_path / "kept" / FILE) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        bodies = [body for (body,) in connection.execute("SELECT body FROM evidence")]
    connection.close()
    said += [zlib.decompress(body).decode() for body in bodies]
    raw = b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    assert sum(text.count("***") for text in said) > 50
    assert any("withheld" in text for text in said)
    for key in KEYS.values():
        assert not [text for text in said if key in text]
        assert key.encode() not in raw
