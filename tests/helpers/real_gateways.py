"""Real gateways, each in a process of its own as its users run it; .ci/peers prepares them, in the same versions.

Settings: baselines.md, "Real peers, how they run here". Nothing is kept, retried or told to anybody but the provider.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-canaries"
START_SECONDS = 120
_END_SECONDS = 10
_LOOPBACK_ONLY = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1") | dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
)  # whatever would leave this machine through a library that heeds them ends there


@dataclass(frozen=True)
class Peer:
    """A gateway's package: its folder in the cache, the program in there, and the page that answers once it is up."""

    version: str
    folder: str
    program: str
    ready: str

    @property
    def path(self) -> Path:
        """The program."""
        return CACHE / self.folder / self.program

    @property
    def missing(self) -> str:
        """What to do where it is not there, empty where it is."""
        folder = CACHE / self.folder
        return "" if (folder / "ready").is_file() else f"{folder} is not there; .ci/peers prepares it"


_PORTKEY = "node_modules/@portkey-ai/gateway/build/start-server.js"
PEERS: Mapping[str, Peer] = {
    "litellm": Peer("1.106.2", "litellm-1.106.2", "bin/litellm", "/health/liveliness"),
    "portkey": Peer("1.15.2, @hono/node-server 1.14.1", "portkey-1.15.2-node-server-1.14.1", _PORTKEY, "/"),
    "portkey-fresh": Peer("1.15.2, @hono/node-server 1.19.19", "portkey-1.15.2-node-server-1.19.19", _PORTKEY, "/"),
    "claude-code-router": Peer(
        "2.0.0", "claude-code-router-2.0.0", "node_modules/@musistudio/claude-code-router/dist/cli.js", "/health"
    ),
}


@dataclass(frozen=True)
class Start:
    """How a gateway starts on a port: its command and environment, its settings written before."""

    command: Sequence[object]
    environ: Mapping[str, str] = field(default_factory=dict)


def litellm(folder: Path, port: int, key: str, models: Sequence[Mapping[str, Any]]) -> Start:
    """LiteLLM's proxy with an entry of its `model_list` for each of `models`."""
    settings = {
        "model_list": list(models),
        "litellm_settings": {"num_retries": 0},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    (folder / "litellm.yaml").write_text(json.dumps(settings))  # JSON is YAML
    where = ("--config", folder / "litellm.yaml", "--host", "127.0.0.1", "--port", port)
    environ = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return Start((PEERS["litellm"].path, *where), environ)


def portkey(port: int, name: str = "portkey") -> Start:
    """Portkey's gateway, which its clients tell by headers where to go."""
    return Start((_node(), PEERS[name].path, f"--port={port}", "--headless"), {"NODE_ENV": "production"})


def claude_code_router(folder: Path, port: int, providers: Sequence[Mapping[str, Any]]) -> Start:
    """claude-code-router with `providers`; what no model id says goes to the first model of the first."""
    settings = {
        "HOST": "127.0.0.1",
        "PORT": port,
        "NON_INTERACTIVE_MODE": True,
        "LOG": False,
        "Providers": list(providers),
        "Router": {"default": f"{providers[0]['name']},{providers[0]['models'][0]}"},
    }
    (folder / ".claude-code-router").mkdir()
    (folder / ".claude-code-router" / "config.json").write_text(json.dumps(settings))
    return Start((_node(), PEERS["claude-code-router"].path, "start"), {"NODE_ENV": "production"})


def portkey_headers(provider: str, host: str) -> dict[str, str]:
    """The headers that send a client of Portkey to `provider`'s API at `host`."""
    return {"x-portkey-provider": provider, "x-portkey-custom-host": host}


class Running:
    """A gateway in a process of its own, its output in `folder`; it is up once the page `ready` answers."""

    def __init__(self, start: Start, folder: Path, ready: str) -> None:
        self._start, self._folder, self._ready = start, folder, ready
        self._process = self._started()

    def revived(self) -> bool:
        """Whether it had died, as LiteLLM's process does by a segmentation fault now and then; it is up again."""
        if (code := self._process.poll()) is None:
            return False
        print(f"{self._start.command[0]} ended by itself with {code}; it is started again")
        self._process = self._started()
        return True

    def end(self) -> None:
        """Ends the process."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        log = self._folder / "log"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ = {**kept, **_LOOPBACK_ONLY, "HOME": str(self._folder), **self._start.environ}
        command = [str(part) for part in self._start.command]
        with log.open("ab") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environ, cwd=self._folder)
        deadline = time.monotonic() + START_SECONDS
        while not answers(self._ready):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                end = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{command[0]} does not answer at {self._ready}:\n{end}")
            time.sleep(0.1)
        return process


@contextmanager
def running(start: Start, folder: Path, ready: str) -> Iterator[Running]:
    """A gateway that is up, until the end. Raises RuntimeError with the end of its output where it does not come up."""
    process = Running(start, folder, ready)
    try:
        yield process
    finally:
        process.end()


def answers(url: str) -> bool:
    """Whether a page is there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _node() -> str:
    """Node 20 or newer: the machine's own, or the one that .ci/peers prepared because that is older."""
    prepared = CACHE / "node-20.18.0" / "nodejs" / "bin" / "node"
    return str(prepared) if prepared.is_file() else shutil.which("node") or "node"
