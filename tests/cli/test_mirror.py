"""Covers cli/mirror.py and cli/provider_blocks.py: where the key comes from, and blocks that can be pasted."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import yaml
from click.testing import CliRunner

from llm_canaries.cli.main import main
from llm_canaries.cli.provider_blocks import BLOCKS, printed
from llm_canaries.wire.dialects import DIALECTS

KEY = "mk-planted-0123456789"
CONFIG = """
gateways: {core: {kind: embedded, models: [mirror/healthy]}}
mirror: {listen: "127.0.0.1:PORT", key: "${MIRROR_KEY}"}
"""


def mirror(*words, env=None):
    return CliRunner().invoke(main, ["mirror", *words], env={"MIRROR_KEY": None} | (env or {}))


def asked(url, key=""):
    request = urllib.request.Request(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def serving(tmp_path):
    """Starts `canaries mirror` with some words, and says where it listens."""
    started = []

    def serve(*words, **environ):
        log = tmp_path / f"{len(started)}.log"
        with log.open("wb") as file:
            own = {name: value for name, value in os.environ.items() if name != "MIRROR_KEY"} | environ
            arguments = [sys.executable, "-m", "llm_canaries", "mirror", *words]
            started.append(subprocess.Popen(arguments, stdout=file, stderr=subprocess.STDOUT, env=own, cwd=tmp_path))
        deadline = time.monotonic() + 30
        while b"listens on" not in log.read_bytes():
            assert time.monotonic() < deadline and started[-1].poll() is None, log.read_text()
            time.sleep(0.05)
        text = log.read_text()
        assert KEY not in text
        return text.split("listens on ")[1].split()[0], text

    yield serve
    for process in started:
        process.terminate()
        process.wait(10)


def test_without_a_key_it_is_open_on_this_machine(serving):
    url, told = serving("--listen", "127.0.0.1:0")
    assert asked(url) == 200
    assert "for anyone on this machine, without a key (set MIRROR_KEY for one)" in told


@pytest.mark.parametrize("words", [(), ("--key", "${MIRROR_KEY}"), ("--key", "${file:key}")])
def test_with_a_key_it_answers_nobody_else(serving, tmp_path, words):
    (tmp_path / "key").write_text(KEY + "\n")
    url, told = serving("--listen", "127.0.0.1:0", *words, MIRROR_KEY=KEY)
    assert "for canaries with its key" in told
    assert [asked(url), asked(url, "other"), asked(url, KEY)] == [401, 401, 200]


def test_key_and_address_of_the_configuration(serving, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "c.yml").write_text(CONFIG.replace("PORT", str(port)))
    url, _ = serving("--config", "c.yml", MIRROR_KEY=KEY)
    assert url == f"http://127.0.0.1:{port}"
    assert [asked(url), asked(url, KEY)] == [401, 200]


@pytest.mark.parametrize(
    ("words", "env", "told"),
    [
        (("--key", KEY), {}, "a key on the command line can be read by everyone on this machine"),
        (("--key", "${NO_SUCH_KEY}"), {}, "--key ${NO_SUCH_KEY}: there is nothing in it"),
        (("--key", "${file:/nowhere/key}"), {}, "--key ${file:/nowhere/key}: cannot be read: No such file"),
        ((), {"MIRROR_KEY": "two\nlines"}, "MIRROR_KEY: has line breaks, control characters or space around it"),
        (("--listen", "0.0.0.0:0"), {}, "on an address that others reach the mirror needs a key; set MIRROR_KEY"),
        (("--listen", "[::]:0"), {}, "on an address that others reach the mirror needs a key"),
        (("--listen", "nonsense"), {}, "--listen nonsense: expected HOST:PORT"),
        (("--print-config", "other"), {}, "'other' is not one of"),
        (("--config", "/nowhere/c.yml"), {}, "cannot be read"),
    ],
)
def test_usage_errors_end_with_two(words, env, told):
    done = mirror(*words, env=env)
    assert done.exit_code == 2
    assert told in done.stderr
    assert KEY not in done.output and "two" not in done.stderr


def test_a_configuration_without_a_mirror(tmp_path):
    (tmp_path / "c.yml").write_text("gateways: {core: {kind: embedded, models: [m]}}\n")
    done = mirror("--config", str(tmp_path / "c.yml"))
    assert (done.exit_code, "it has no `mirror`" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_can_be_pasted_and_says_what_to_write_beside_it(name):
    done = mirror("--print-config", name, "--listen", "0.0.0.0:9999", env={"MIRROR_KEY": KEY})
    assert done.exit_code == 0
    assert KEY not in done.output and "MIRROR_KEY" in done.output
    comments = [line for line in done.stdout.splitlines() if line.startswith(("#", "//"))]
    body = "\n".join(line for line in done.stdout.splitlines() if line not in comments)
    assert "http://127.0.0.1:9999" in body and "{{" not in body
    said = yaml.safe_load(body)
    assert BLOCKS[name].upstream in json.dumps(said)
    at = next(at for at, line in enumerate(comments) if line.endswith("And in canaries.yml:"))
    beside = yaml.safe_load("\n".join(line.partition(" ")[2] for line in comments[at + 1 :]))
    loop = beside["gateways"]["NAME"]["loopback"]
    assert (loop["model"], loop["upstream"]) == (BLOCKS[name].loopback, BLOCKS[name].upstream)
    assert loop.get("doors", {}) == BLOCKS[name].doors
    assert beside["mirror"] == {"url": "http://127.0.0.1:9999", "key": "${MIRROR_KEY}"}


def test_cliproxyapi_gets_a_door_in_every_dialect_that_sets_nothing_aside():
    said = yaml.safe_load(printed("cliproxyapi", "http://127.0.0.1:9878"))
    kinds = {
        "openai-compatibility": "http://127.0.0.1:9878/v1",  # it adds /chat/completions
        "codex-api-key": "http://127.0.0.1:9878/v1",  # /responses
        "claude-api-key": "http://127.0.0.1:9878",  # /v1/messages
        "gemini-api-key": "http://127.0.0.1:9878",  # /v1beta/models/…
    }
    assert set(said) == set(kinds)
    asked = set()
    for kind, (entry,) in said.items():
        assert (entry["base-url"], entry["disable-cooling"], entry["request-retry"]) == (kinds[kind], True, 0)
        (model,) = entry["models"]
        assert model["name"] == "mirror/healthy"
        asked.add(f"{entry['prefix']}/{model['alias']}")
    assert asked == {BLOCKS["cliproxyapi"].loopback, *BLOCKS["cliproxyapi"].doors.values()}
    assert set(BLOCKS["cliproxyapi"].doors) == set(DIALECTS) - {"openai_chat"}
