"""Canaries through real gateways to the mirror, every process of them, and what is found: `found_through`."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arrows import ARROWS, CANARIES, DIALECTS, DIRECT, FAULTS, ONE, TWO, Arrow, models_of
from findings_table import FindingsTable, changed_rows, table_of
from processes import canaries
from real_gateways import PEERS, Running, claude_code_router, free_port, litellm, portkey, running

MIRROR_KEY = "sk-mirror-of-interop"
_LOOP = "catch-all"
_RUN_SECONDS = 900

Run = dict[str, Any]  # of `canaries run --json`


@dataclass(frozen=True)
class Field:
    """The mirror and the gateways in front of it, all up: the URL of each, and the keys they want."""

    folder: Path
    mirror: str
    urls: Mapping[str, str]
    keys: Mapping[str, str]
    processes: Mapping[str, Running]

    def revived(self) -> list[str]:
        """The gateways whose process had died, all up again."""
        return [name for name, process in self.processes.items() if process.revived()]


@contextmanager
def field_of_gateways(folder: Path) -> Iterator[Field]:
    """Everything started, in processes that end with the block."""
    with ExitStack() as stack:
        mirror = stack.enter_context(canaries(folder, "mirror", env={"MIRROR_KEY": MIRROR_KEY})).url
        ports = {name: free_port() for name in PEERS}
        keys = {name: MIRROR_KEY if name.startswith("portkey") else f"sk-{secrets.token_hex(12)}" for name in PEERS}
        folders = {name: folder / name for name in PEERS}
        for each in folders.values():
            each.mkdir()
        starts = {
            "litellm": litellm(folders["litellm"], ports["litellm"], keys["litellm"], list(litellm_models(mirror))),
            "portkey": portkey(ports["portkey"]),
            "portkey-fresh": portkey(ports["portkey-fresh"], "portkey-fresh"),
            "claude-code-router": claude_code_router(
                folders["claude-code-router"], ports["claude-code-router"], list(router_providers(mirror))
            ),
        }
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        processes = {
            name: stack.enter_context(running(start, folders[name], urls[name] + PEERS[name].ready))
            for name, start in starts.items()
        }
        yield Field(folder, mirror, urls, keys, processes)


def _served(arrow: Arrow) -> tuple[str, ...]:
    """The mirror's models that a gateway is told of."""
    return (*models_of(arrow), _LOOP)


def litellm_models(mirror: str) -> Iterator[Mapping[str, Any]]:
    """The `model_list` of LiteLLM; `hosted_vllm` asks for Chat Completions alone, `openai` for Responses as well."""
    ways = {"": ("hosted_vllm", "/v1"), "openai/": ("openai/responses", "/v1"), "anthropic/": ("anthropic", "")}
    ways["gemini/"] = ("gemini", "/v1beta")
    for arrow in ARROWS.values():
        if arrow.peer != "litellm":
            continue
        provider, path = ways[arrow.prefix]
        for name in _served(arrow):
            yield {
                "model_name": f"{arrow.prefix}mirror/{name}",
                "litellm_params": {
                    "model": f"{provider}/mirror/{name}",
                    "api_base": mirror + path,
                    "api_key": MIRROR_KEY,
                    "allowed_openai_params": ["reasoning_effort"],  # of models that its map does not know
                },
            }


def router_providers(mirror: str) -> Iterator[Mapping[str, Any]]:
    """The `Providers` of claude-code-router."""
    ways: dict[str, tuple[str, list[str]]] = {
        "chat": ("/v1/chat/completions", []),
        "responses": ("/v1/responses", ["openai-responses"]),
        "messages": ("/v1/messages", ["Anthropic"]),
        "gemini": ("/v1beta/models/", ["gemini"]),
    }
    for arrow in ARROWS.values():
        if arrow.peer != "claude-code-router":
            continue
        name = arrow.prefix.rstrip(",")
        path, transformers = ways[name]
        yield {
            "name": name,
            "api_base_url": mirror + path,
            "api_key": MIRROR_KEY,
            "models": [f"mirror/{model}" for model in _served(arrow)],
            **({"transformer": {"use": transformers}} if transformers else {}),
        }


def configuration(field: Field, spoken: Mapping[str, Sequence[str]], names: Iterable[str]) -> dict[str, Any]:
    """A canaries.yml for the arrows `names` in the dialects `spoken`, each with the provider behind it as its twin."""
    names = tuple(names)
    gateways: dict[str, Any] = {}
    for name in names:
        arrow = ARROWS[name]
        asked = [f"{arrow.prefix}mirror/{model}" for model in models_of(arrow)]
        gateways[name] = _gateway(field.urls[arrow.peer], field.keys[arrow.peer], asked, spoken[name]) | {
            "headers": {header: value.format(mirror=field.mirror) for header, value in arrow.headers.items()},
            "twin": f"{name}-direct",
            "loopback": _loopback(arrow.prefix),
        }
        gateways[f"{name}-direct"] = _twin(field, arrow, asked)
    everything = [f"mirror/{model}" for model in ("healthy", *FAULTS)]
    gateways[DIRECT] = _gateway(field.mirror, MIRROR_KEY, everything, spoken[DIRECT]) | {"loopback": _loopback("")}
    chosen = [each for name in (*names, DIRECT) for each in _canaries(name, spoken[name])]
    mirror = {"url": field.mirror, "key": MIRROR_KEY}
    return {"gateways": gateways, "canaries": chosen, "mirror": mirror}


def _loopback(prefix: str) -> dict[str, Any]:
    """Another healthy model than the one that the canaries ask for: a loop is to be something else than the case."""
    return {"model": f"{prefix}mirror/{_LOOP}", "upstream": f"mirror/{_LOOP}", "vision": True, "thinking": True}


def _gateway(url: str, key: str, models: Sequence[str], dialects: Sequence[str]) -> dict[str, Any]:
    known = [{"id": model, "vision": True, "thinking": True} for model in models]
    return {"kind": "openai-compatible", "url": url, "api_key": key, "models": known, "dialects": list(dialects)}


def _twin(field: Field, arrow: Arrow, asked: Sequence[str]) -> dict[str, Any]:
    provider = {
        "url": field.mirror,
        "api_key": MIRROR_KEY,
        "profile": "mirror",
        "dialects": list(arrow.upstream),
        "models": ["mirror/*"],
        "aliases": {model: {"model": model.removeprefix(arrow.prefix)} for model in asked if arrow.prefix},
    }
    return {"kind": "embedded", "models": list(asked), "providers": {"mirror": provider}}


def _canaries(name: str, spoken: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What is asked of one gateway: all canaries of the healthy model, of a fault those that tell something."""
    arrow = ARROWS.get(name)
    for canary in (arrow.only if arrow else ()) or CANARIES:
        faults = [fault for fault, told in FAULTS.items() if canary in told and (arrow is None or arrow.whole)]
        dialects = [each for each in (TWO if canary in ONE else DIALECTS) if each in spoken]
        models = [f"*mirror/{model}" for model in ("healthy", *faults)]
        asked = {} if canary == "loopback" else {"models": models}  # it asks for the loopback model alone
        if dialects:
            yield {"use": canary, "gateway": name, "dialects": dialects, **asked}


def runs(field: Field, config: Mapping[str, Any], *options: str) -> list[Run]:
    """What `canaries run` finds with `config`. Raises AssertionError where it says that it could not."""
    path, report = field.folder / "canaries.yml", field.folder / "runs.json"
    path.write_text(json.dumps(config))
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "llm_canaries", "run", "--config", str(path), "--json", str(report)]
    command += ["--ignore-pauses", *options]  # the mirror's faults ask for them, and nobody is behind it
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False)
    assert done.returncode in (0, 1, 3), done.stdout[-2000:] + done.stderr[-2000:]
    found: list[Run] = json.loads(report.read_text())["runs"]
    return found


def spoken_dialects(field: Field) -> tuple[dict[str, list[str]], list[Run]]:
    """The dialects that each arrow has an endpoint for, found by asking; and the runs that found none."""
    everywhere = dict.fromkeys((*ARROWS, DIRECT), DIALECTS)
    asked = configuration(field, everywhere, ARROWS)
    asked["canaries"] = [
        {"use": "known-good", "gateway": name, "models": ["*mirror/healthy"], "stream": [False]} for name in everywhere
    ]
    tried = runs(field, asked, "--no-attribution")
    absent = [each for each in tried if each["reason"] == "no_route"]
    spoken = {
        name: [each for each in DIALECTS if not any((a["gateway"], a["dialect"]) == (name, each) for a in absent)]
        for name in everywhere
    }
    unspoken = [each | {"outcome": "skip", "reason": "no_endpoint", "fault_domain": None} for each in absent]
    return spoken, unspoken


def found_through(folder: Path, before: FindingsTable) -> FindingsTable:
    """The findings of all arrows and of the mirror alone; what differs from `before` is asked again, alone.

    A busy machine makes a stream come in one piece, and a gateway run out of breath. One whose process has died is
    started again and asked all over.
    """
    versions = {name: peer.version for name, peer in PEERS.items()}
    with field_of_gateways(folder) as field:
        spoken, unspoken = spoken_dialects(field)
        config = configuration(field, spoken, ARROWS)
        found = {_cell(run): run for run in (*unspoken, *runs(field, config))}
        for peer in field.revived():
            arrows = ",".join(name for name, arrow in ARROWS.items() if arrow.peer == peer)
            found |= {_cell(run): run for run in runs(field, config, "--gateway", arrows)}
        doubtful = {
            (run["gateway"], run["canary"], run["model"])
            for run in found.values()
            if run["reason"] in _TIMED or changed_rows(before, table_of([run], versions))
        }
        for gateway, canary, model in sorted(doubtful)[:_MOST_DOUBTFUL]:
            chosen = ("--gateway", gateway, "--select", canary, "--model", model)
            again = runs(field, config, *chosen)
            if field.revived():
                again = runs(field, config, *chosen)
            found |= {_cell(each): each for each in again}
    return table_of(found.values(), versions)


_MOST_DOUBTFUL = 30  # more than that is no accident
_TIMED = frozenset(
    {"buffered", "connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout", "connection_lost"}
)


def _cell(run: Run) -> tuple[object, ...]:
    return tuple(run[name] for name in ("gateway", "model", "canary", "dialect", "stream"))
