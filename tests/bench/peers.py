"""The gateways that are measured side by side, each as its users run it, in front of one upstream.

Settings of the peers: tests/helpers/real_gateways.py. prepare.sh installs them.
"""

import json
import secrets
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from payloads import CHAT_ASK, MESSAGES_ASK, MODEL, WORDS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "helpers"))

import real_gateways as gateways  # noqa: E402
from real_gateways import PEERS, Start, free_port, running  # noqa: E402

LITELLM = PEERS["litellm"].path.parent
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


class Target:
    """A request to make again and again: where to, with what."""

    def __init__(self, port, path, body, **headers):
        self.url, self.body = f"http://127.0.0.1:{port}{path}", body
        self.headers = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }

    def check(self):
        """Raises where the answer is not the upstream's words."""
        request = urllib.request.Request(self.url, self.body, self.headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        if WORDS not in text:
            raise SystemExit(f"{self.url} answers something else: {text[:500]}")


def prepare(*only):
    """Installs what is missing, or `only` the load generator (wrk), and says so."""
    subprocess.run(["bash", str(HERE / "prepare.sh"), *only], check=True)


@contextmanager
def upstream():
    """The provider in a process of its own; the value is its port."""
    command = [sys.executable, str(HERE / "upstream.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


@contextmanager
def ours(folder, provider):
    """`canaries proxy`: chat to chat, and Messages to chat."""
    port = free_port()
    up = {"url": f"http://127.0.0.1:{provider}", "dialects": ["openai_chat"], "api_key": "sk-bench"}
    gateway = {"kind": "embedded", "models": [MODEL], "providers": {"up": up}}
    (folder / "canaries.yml").write_text(json.dumps({"gateways": {"it": gateway}}))  # JSON is YAML
    command = (sys.executable, "-m", "llm_canaries", "proxy", "--listen", f"127.0.0.1:{port}")
    with _up(Start((*command, "--config", folder / "canaries.yml")), folder, port, "/healthz"):
        yield {"chat": Target(port, CHAT, CHAT_ASK), "messages": Target(port, MESSAGES, MESSAGES_ASK)}


@contextmanager
def bare(folder, provider):
    """The least that a gateway on aiohttp does, to see what it costs here and now."""
    port = free_port()
    with _up(Start((sys.executable, HERE / "pass_through.py", port, provider)), folder, port, "/"):
        yield {"chat": Target(port, CHAT, CHAT_ASK)}


@contextmanager
def portkey(folder, provider):
    """Portkey's gateway: chat to chat; it has no Messages in front of OpenAI."""
    port = free_port()
    headers = gateways.portkey_headers("openai", f"http://127.0.0.1:{provider}/v1")
    with _up(gateways.portkey(port), folder, port, PEERS["portkey"].ready):
        yield {"chat": Target(port, CHAT, CHAT_ASK, authorization="Bearer sk-bench", **headers)}


@contextmanager
def router(folder, provider):
    """claude-code-router: Messages to chat; it has nothing else."""
    port = free_port()
    up = {"name": "up", "api_base_url": f"http://127.0.0.1:{provider}{CHAT}", "api_key": "sk-bench", "models": [MODEL]}
    with _up(gateways.claude_code_router(folder, port, [up]), folder, port, PEERS["claude-code-router"].ready):
        yield {"messages": Target(port, MESSAGES, MESSAGES_ASK, x_api_key="sk-bench")}


@contextmanager
def litellm(folder, provider):
    """LiteLLM's proxy: chat to chat."""
    port, key = free_port(), f"sk-{secrets.token_hex(12)}"
    up = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{provider}/v1", "api_key": "sk-bench"}
    start = gateways.litellm(folder, port, key, [{"model_name": MODEL, "litellm_params": up}])
    with _up(start, folder, port, PEERS["litellm"].ready):
        yield {"chat": Target(port, CHAT, CHAT_ASK, authorization=f"Bearer {key}")}


def _up(start, folder, port, ready):
    return running(start, folder, f"http://127.0.0.1:{port}{ready}")


OWN = {"ours": ours, "bare": bare}
GATEWAYS = OWN | {"portkey": portkey, "router": router, "litellm": litellm}
