"""`canaries compare` between two real gateways before one mirror: LiteLLM's proxy and `canaries proxy`."""

import json
import os
import secrets
import sys

import pytest
from commands import canaries
from real_gateways import PEERS, Start, free_port, litellm, running

MODELS = ("mirror/healthy", "mirror/stream-cut")
PROXY = """\
gateways:
  own:
    kind: embedded
    models: [mirror/healthy, mirror/stream-cut]
    breaker: {policy: threshold, failures: 1000}
    providers: {mirror: {url: "URL", profile: mirror, models: ["mirror/*"]}}
"""


def ours(*arguments):
    return Start((sys.executable, "-m", "llm_canaries", *arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a canaries.yml that names both gateways, which are up."""
    if missing := PEERS["litellm"].missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the real gateways: {missing}")
        pytest.skip(missing)
    mirror_home, litellm_home, proxy_home, home = (tmp_path_factory.mktemp(each) for each in ("m", "l", "p", "home"))
    ports, key = [free_port() for _ in range(3)], f"sk-{secrets.token_hex(12)}"
    mirror, own, peer = (f"http://127.0.0.1:{port}" for port in ports)
    entry = {"api_base": f"{mirror}/v1", "api_key": "sk-mirror", "allowed_openai_params": ["reasoning_effort"]}
    models = [
        {"model_name": name, "litellm_params": entry | {"model": f"hosted_vllm/{name}"}} for name in MODELS
    ]
    (proxy_home / "proxy.yml").write_text(PROXY.replace("URL", mirror))
    at_proxy = ours("proxy", "--config", proxy_home / "proxy.yml", "--listen", f"127.0.0.1:{ports[1]}")
    common = {"kind": "openai-compatible", "dialects": ["openai_chat", "anthropic_messages"], "models": list(MODELS)}
    gateways = {"own": common | {"url": own}, "litellm": common | {"url": peer, "api_key": key}}
    (home / "canaries.yml").write_text(json.dumps({"gateways": gateways}))
    with (
        running(ours("mirror", "--listen", f"127.0.0.1:{ports[0]}"), mirror_home, f"{mirror}/v1/models"),
        running(at_proxy, proxy_home, f"{own}/healthz"),
        running(litellm(litellm_home, ports[2], key, models), litellm_home, peer + PEERS["litellm"].ready),
    ):
        yield home


def compared(folder, base, head, model):
    """The exit code, and what changed: (change, scenario, reason)."""
    done = canaries("compare", base, head, "--model", model, "--json", "a.json", cwd=folder, timeout=300)
    assert "Traceback" not in done.stderr
    said = json.loads((folder / "a.json").read_text())
    assert said["pairs"] == 25
    return done.returncode, {(each["change"], each["scenario"], each["reason"]) for each in said["differences"]}


@pytest.mark.parametrize(("base", "head"), [("own", "litellm"), ("litellm", "own"), ("litellm", "litellm")])
def test_neither_is_worse_before_a_healthy_provider(folder, base, head):
    assert compared(folder, base, head, "mirror/healthy") == (0, set())


def test_a_cut_stream_that_is_passed_on_as_a_whole_one_is_another_failure(folder):
    code, found = compared(folder, "own", "litellm", "mirror/stream-cut")
    assert code == 1
    assert found == {
        ("changed_reason", "known-good", "answer_cut"),
        ("changed_reason", "tool-result-image", "answer_cut"),
        ("changed_reason", "tool-round-trip", "finish_not_tool"),
        ("changed_reason", "usage-parity", "input_mismatch"),
        ("fixed", "stream-conformance", "stream_error"),  # LiteLLM ends it as if it were whole
    }


def test_what_fails_at_both_is_known(folder):
    code, found = compared(folder, "litellm", "litellm", "mirror/stream-cut")
    assert code == 0
    assert {change for change, _, _ in found} == {"known"}
