"""LiteLLM's real proxy between us and the mirror: what it breaks is found, and nothing else is.

The proxy runs in a venv of its own (`LITELLM_COMMAND`; .ci/run prepares it). Models go through its `hosted_vllm`
provider: its `openai` provider sends reasoning asked for in Messages to /v1/responses, which would be another arrow.
Settings: baselines.md, "Real peers".
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

MODELS = ("healthy", "drop-image", "zero-usage", "no-terminal-usage", "ignore-thinking", "not-callable", "stream-cut")
CELLS = {
    "tool-result-image": 6,
    "tool-round-trip": 4,
    "known-good": 4,
    "stream-conformance": 2,
    "thinking": 2,
    "usage-parity": 2,
    "routing": 2,
    "eligibility": 1,
    "catalog": 1,
    "negative-control": 1,
}
START_SECONDS = 120

pytestmark = pytest.mark.litellm


@pytest.fixture(scope="module")
def command():
    path = os.environ.get("LITELLM_COMMAND", "")
    if not Path(path).is_file():
        if os.environ.get("CI"):
            pytest.fail(f"LITELLM_COMMAND={path!r} is not there, and CI must run LiteLLM")
        pytest.skip("LITELLM_COMMAND does not name LiteLLM's proxy; .ci/run prepares one")
    return path


@contextmanager
def process(arguments, log, **environ):
    with log.open("wb") as file:
        started = subprocess.Popen(arguments, stdout=file, stderr=subprocess.STDOUT, env=os.environ | environ)
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, started, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert started.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer within {START_SECONDS} s: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def mirror_port(tmp_path_factory):
    port, log = free_port(), tmp_path_factory.mktemp("mirror") / "log"
    arguments = [sys.executable, "-m", "llm_canaries", "mirror", "--listen", f"127.0.0.1:{port}"]
    with process(arguments, log) as started:
        wait_for(f"http://127.0.0.1:{port}/v1/models", started, log)
        yield port


@pytest.fixture(scope="module")
def configuration(command, mirror_port, tmp_path_factory):
    """The path of a canaries.yml for the running proxy."""
    folder, port, key = tmp_path_factory.mktemp("litellm"), free_port(), f"sk-{secrets.token_hex(12)}"
    models = [
        {
            "model_name": f"mirror/{name}",
            "litellm_params": {
                "model": f"hosted_vllm/mirror/{name}",
                "api_base": f"http://127.0.0.1:{mirror_port}/v1",
                "api_key": "sk-mirror",
                "allowed_openai_params": ["reasoning_effort"],
            },
        }
        for name in MODELS
    ]
    settings = {
        "model_list": models,
        "litellm_settings": {"num_retries": 0},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    (folder / "litellm.yaml").write_text(json.dumps(settings))  # JSON is YAML
    arguments = [command, "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    environ = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with process(arguments, folder / "log", **environ) as started:
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", started, folder / "log")
        gateway = {
            "kind": "openai-compatible",
            "url": f"http://127.0.0.1:{port}",
            "api_key": key,
            "dialects": ["openai_chat", "anthropic_messages"],
            "models": [f"mirror/{name}" for name in MODELS],
        }
        path = folder / "canaries.yml"
        path.write_text(json.dumps({"gateways": {"litellm": gateway}}))
        yield path


def run(configuration, model):
    """Exit code of `canaries run` on one model, and reason counts by scenario of what did not pass."""
    report = configuration.with_suffix(f".{model}.json")
    arguments = ["run", "--config", str(configuration), "--model", f"mirror/{model}", "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "llm_canaries", *arguments], capture_output=True, text=True, timeout=120
    )
    runs = json.loads(report.read_text())["runs"]
    assert Counter(each["scenario"] for each in runs) == CELLS
    assert "Traceback" not in done.stderr
    found = {}
    for each in runs:
        if each["outcome"] != "pass":
            word = each["reason"] if each["outcome"] == "fail" else f"[{each['reason']}]"
            found.setdefault(each["scenario"], Counter())[word] += 1
    return done.returncode, {name: dict(counts) for name, counts in found.items()}


@pytest.mark.parametrize(
    ("model", "code", "found"),
    [
        ("healthy", 0, {}),
        (
            "drop-image",
            1,
            {"tool-result-image": {"dropped_silent": 6}, "negative-control": {"[no_companion]": 1}},
        ),
        ("zero-usage", 1, {"usage-parity": {"zero_usage": 2}, "thinking": {"[counts_absent]": 2}}),
        # the proxy fills in a count by a tokenizer of its own, which is not the provider's
        ("no-terminal-usage", 1, {"usage-parity": {"input_mismatch": 2}}),
        ("ignore-thinking", 1, {"thinking": {"none_ignored": 2}}),
        (
            "not-callable",
            1,
            {name: {"model_not_supported": count} for name, count in CELLS.items()}
            | {"eligibility": {"ineligible_listed": 1}, "catalog": {}},  # listed it is
        ),
        # the proxy passes a cut stream on as a finished one, usage filled in by itself, calls under the finish of words
        (
            "stream-cut",
            1,
            {
                "tool-result-image": {"answer_cut": 2},
                "known-good": {"answer_cut": 2},
                "tool-round-trip": {"finish_not_tool": 2},
                "usage-parity": {"input_mismatch": 2},
            },
        ),
    ],
)
def test_through_litellm(configuration, model, code, found):
    assert run(configuration, model) == (code, {name: reasons for name, reasons in found.items() if reasons})
