"""`canaries proxy` as a user runs it: what it prints, what it refuses, and how it ends."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from processes import canaries as serving

SECRET = "sk-planted-0123456789abcdef"
CLIENT_KEY = "ck-planted-0123456789abcdef"
TWO = """\
gateways:
  one: {kind: embedded, models: [mirror/healthy]}
  two: {kind: embedded, models: [mirror/slow]}
  far: {kind: openai-compatible, url: "http://127.0.0.1:9", models: [m]}
"""
KEYED = """\
gateways:
  home: {kind: embedded, models: [mirror/healthy]}
proxy: {client_keys: ["${CLIENT_KEY}"], listen: "127.0.0.1:0"}
prices:
  "mirror/*": {input: 1, output: 2}
"""


def canaries(*arguments, cwd, env=None):
    return subprocess.run(
        [sys.executable, "-m", "llm_canaries", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=30,
    )


def fetch(url, key="", body=None):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers, data=body), timeout=10) as response:
        return json.load(response)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_newcomer_can_talk_to_it_at_once(number, tmp_path):
    with serving(tmp_path, "proxy") as running:
        assert fetch(running.url + "/healthz") == {"status": "ok"}
        assert "built-in mirror" in running.said[1]
        curl = shlex.split(running.said[2].removeprefix("Try: "))
        assert curl[0] == "curl"
        done = subprocess.run(curl, capture_output=True, text=True, timeout=10, check=True)
        assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "42"
        assert running.stop(number) == (0, "")


def test_it_ends_while_a_client_listens(tmp_path):
    body = json.dumps(
        {"model": "mirror/hang-midway", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    ).encode()
    with serving(tmp_path, "proxy") as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as plug:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
            plug.sendall(head.encode() + body)
            assert plug.recv(12) == b"HTTP/1.1 200"
            code, complaints = running.stop()
    assert (code, complaints) == (0, "")


def test_keys_and_prices_of_the_configuration(tmp_path):
    (tmp_path / "canaries.yml").write_text(KEYED)
    with serving(tmp_path, "proxy", env={"CLIENT_KEY": CLIENT_KEY}) as running:
        assert "clients that show a key" in running.said[0] and "$CLIENT_KEY" in running.said[2]
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(running.url + "/v1/models")
        caught.value.close()
        assert caught.value.code == 401
        ask = {"model": "mirror/healthy", "messages": [{"role": "user", "content": "What is 6 times 7?"}]}
        usage = fetch(running.url + "/v1/chat/completions", CLIENT_KEY, json.dumps(ask).encode())["usage"]
        said = fetch(running.url + "/v1/metrics/providers", CLIENT_KEY)["mirror"]
        assert said["cost_dollars"] == (usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 1e6
        code, complaints = running.stop()
    assert (code, complaints) == (0, "")
    assert CLIENT_KEY not in "".join(running.said)


def test_keys_of_a_file(tmp_path):
    (tmp_path / "keys").write_text(f"# team a\n{CLIENT_KEY}\n\nck-other\n")
    with serving(tmp_path, "proxy", "--client-key-file", "keys") as running:
        for key in (CLIENT_KEY, "ck-other"):
            assert fetch(running.url + "/v1/models", key)["object"] == "list"
        for key in ("", "# team a", "wrong"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                fetch(running.url + "/v1/models", key)
            caught.value.close()
            assert caught.value.code == 401


def test_with_keys_it_listens_anywhere(tmp_path):
    (tmp_path / "keys").write_text(CLIENT_KEY)
    with serving(tmp_path, "proxy", "--client-key-file", "keys", "--listen", "0.0.0.0:0") as running:
        assert running.stop()[0] == 0


def test_the_gateway_is_chosen_by_name(tmp_path):
    (tmp_path / "canaries.yml").write_text(TWO)
    with serving(tmp_path, "proxy", "--gateway", "two") as running:
        assert "gateway two" in running.said[1] and "mirror/slow" in running.said[2]


REFUSALS = [
    (["--listen", "0.0.0.0:0"], "", ["--listen 0.0.0.0:0", "client_keys", "--client-key-file"]),
    (["--listen", "nonsense"], "", ["--listen nonsense", "HOST:PORT"]),
    (["--client-key-file", "absent"], "", ["--client-key-file absent: No such file"]),
    (["--client-key-file", "empty"], "", ["--client-key-file empty: holds no key"]),
    ([], TWO, ["several gateways of kind `embedded`", "--gateway: one, two"]),
    (["--gateway", "far"], TWO, ["--gateway far", "there are: one, two"]),
    ([], "gateways: {far: {kind: openai-compatible, url: 'http://h', models: [m]}}", ["no gateway of kind `embedded`"]),
    ([], TWO + "proxy: {listen: here}\n", ["canaries.yml:5: `proxy.listen`", "HOST:PORT"]),
    ([], TWO + "proxy: {client_keys: []}\n", ["canaries.yml:5: `proxy.client_keys`", "empty"]),
    ([], TWO + f"proxy: {{client_keys: [' {SECRET}']}}\n", ["canaries.yml:5: ", "the value has"]),
    ([], TWO + "prices:\n  gpt-5: {input: cheap, output: 1}\n", ["canaries.yml:6: ", "dollars per million"]),
    ([], TWO + "prices:\n  gpt-5: {input: 1}\n", ["canaries.yml:6: missing key `output`"]),
    ([], TWO + "prices:\n  gpt-5: {input: -1, output: 1}\n", ["canaries.yml:6: ", "is not a price"]),
]


@pytest.mark.parametrize(("arguments", "config", "words"), REFUSALS)
def test_what_is_refused(arguments, config, words, tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    if config:
        (tmp_path / "canaries.yml").write_text(config)
    done = canaries("proxy", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in words), done.stderr
    assert SECRET not in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = canaries("proxy", "--listen", listen, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"--listen {listen}: address already in use\n"


def test_help_says_what_it_does(tmp_path):
    done = canaries("proxy", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("--listen", "--gateway", "--client-key-file", "/v1/metrics/providers"))


def test_prices_reach_the_forecast(tmp_path):
    config = """\
gateways:
  home: {kind: openai-compatible, url: "http://127.0.0.1:9", models: [no-such-model]}
canaries: [{use: known-good, gateway: home, every: 1h}]
"""
    (tmp_path / "canaries.yml").write_text(config)
    told = "warning: home: no price for model no-such-model: its dollars are not counted; set `prices`"
    assert told in canaries("check", cwd=tmp_path).stdout.splitlines()
    (tmp_path / "canaries.yml").write_text(config + "prices: {no-such-*: {input: 1000, output: 1000}}\n")
    said = canaries("check", cwd=tmp_path).stdout
    assert "no price" not in said and "$0.00" not in said and "$" in said
