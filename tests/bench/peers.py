"""The gateways that are measured side by side, each as its users run it, in front of one upstream.

Settings of the peers: baselines.md, "Real peers, how they run here". prepare.sh installs them.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from payloads import CHAT_ASK, MESSAGES_ASK, MODEL, WORDS

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-canaries"
LITELLM = CACHE / "litellm-1.106.2" / "bin"
PORTKEY = CACHE / "portkey-1.15.2/node_modules/@portkey-ai/gateway/build/start-server.js"
ROUTER = CACHE / "claude-code-router-2.0.0/node_modules/@musistudio/claude-code-router/dist/cli.js"
START_SECONDS = 90
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


def prepare():
    """Installs what is missing, and says so."""
    subprocess.run(["bash", str(HERE / "prepare.sh")], check=True)


@contextmanager
def upstream():
    """The provider in a process of its own; the value is its port."""
    command = [sys.executable, str(HERE / "upstream.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


@contextmanager
def running(command, folder, ready, **environ):
    """A gateway in a process of its own, its output in `folder`, once `ready` answers."""
    log = folder / "log"
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=file, stderr=subprocess.STDOUT, env=kept | environ
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port):
    """Whether something listens on `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def ours(folder, provider):
    """`canaries proxy`: chat to chat, and Messages to chat."""
    port = free_port()
    up = {"url": f"http://127.0.0.1:{provider}", "dialects": ["openai_chat"], "api_key": "sk-bench"}
    gateway = {"kind": "embedded", "models": [MODEL], "providers": {"up": up}}
    (folder / "canaries.yml").write_text(json.dumps({"gateways": {"it": gateway}}))  # JSON is YAML
    command = [sys.executable, "-m", "llm_canaries", "proxy", "--listen", f"127.0.0.1:{port}"]
    with running([*command, "--config", folder / "canaries.yml"], folder, port):
        yield {"chat": Target(port, CHAT, CHAT_ASK), "messages": Target(port, MESSAGES, MESSAGES_ASK)}


@contextmanager
def portkey(folder, provider):
    """Portkey's gateway: chat to chat; it has no Messages in front of OpenAI."""
    port = free_port()
    host = f"http://127.0.0.1:{provider}/v1"
    with running(["node", PORTKEY, f"--port={port}", "--headless"], folder, port, NODE_ENV="production"):
        headers = {"x_portkey_provider": "openai", "x_portkey_custom_host": host, "authorization": "Bearer sk-bench"}
        yield {"chat": Target(port, CHAT, CHAT_ASK, **headers)}


@contextmanager
def router(folder, provider):
    """claude-code-router: Messages to chat; it has nothing else."""
    port = free_port()
    url = f"http://127.0.0.1:{provider}{CHAT}"
    settings = {
        "HOST": "127.0.0.1",
        "PORT": port,
        "NON_INTERACTIVE_MODE": True,
        "LOG": False,
        "Providers": [{"name": "up", "api_base_url": url, "api_key": "sk-bench", "models": [MODEL]}],
        "Router": {"default": f"up,{MODEL}"},
    }
    (folder / ".claude-code-router").mkdir()
    (folder / ".claude-code-router" / "config.json").write_text(json.dumps(settings))
    with running(["node", ROUTER, "start"], folder, port, HOME=str(folder), NODE_ENV="production"):
        yield {"messages": Target(port, MESSAGES, MESSAGES_ASK, x_api_key="sk-bench")}


@contextmanager
def litellm(folder, provider):
    """LiteLLM's proxy: chat to chat."""
    port, key = free_port(), f"sk-{secrets.token_hex(12)}"
    up = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{provider}/v1", "api_key": "sk-bench"}
    settings = {"model_list": [{"model_name": MODEL, "litellm_params": up}], "litellm_settings": {"num_retries": 0}}
    (folder / "litellm.yaml").write_text(json.dumps(settings))
    command = [LITELLM / "litellm", "--config", folder / "litellm.yaml", "--host", "127.0.0.1", "--port", port]
    environ = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with running(command, folder, port, **environ):
        yield {"chat": Target(port, CHAT, CHAT_ASK, authorization=f"Bearer {key}")}


GATEWAYS = {"ours": ours, "portkey": portkey, "router": router, "litellm": litellm}
