"""Canaries through real gateways to the mirror: every arrow of dialects that they have, and what is found there.

An arrow is a gateway with one kind of provider behind it. The healthy model goes through all of them; the faults of
FAULTS, which tell what a gateway makes of a provider that misbehaves, go through each gateway's own first arrow.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from findings_table import FindingsTable, table_of
from processes import canaries
from real_gateways import PEERS, claude_code_router, free_port, litellm, portkey, portkey_headers, running

DIALECTS = ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
MIRROR_KEY = "sk-mirror-of-interop"
DIRECT = "mirror"  # the mirror itself, asked like any gateway: what is found there is the provider's doing
_RUN_SECONDS = 900


@dataclass(frozen=True)
class Arrow:
    """A gateway with one kind of provider: whose process, how its model ids begin, and the headers that send there.

    `upstream`: the dialects in which it asks that provider. `whole`: every fault goes through it as well. `only`: the
    canaries to send, where not all.
    """

    peer: str
    upstream: tuple[str, ...]
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    only: tuple[str, ...] = ()


def _portkey(provider: str, path: str, *upstream: str, peer: str = "portkey", **more: Any) -> Arrow:
    return Arrow(peer, upstream, headers=portkey_headers(provider, "{mirror}" + path), **more)


ARROWS: Mapping[str, Arrow] = {
    "litellm-to-chat": Arrow("litellm", ("openai_chat",), whole=True),
    "litellm-to-responses": Arrow("litellm", ("openai_responses",), "openai/"),
    "litellm-to-messages": Arrow("litellm", ("anthropic_messages",), "anthropic/"),
    "litellm-to-gemini": Arrow("litellm", ("gemini",), "gemini/"),
    "portkey-to-openai": _portkey("openai", "/v1", "openai_chat", "openai_responses", whole=True),
    "portkey-to-anthropic": _portkey("anthropic", "/v1", "anthropic_messages"),
    "portkey-to-google": _portkey("google", "", "gemini"),
    "portkey-fresh-to-openai": _portkey(
        "openai", "/v1", "openai_chat", peer="portkey-fresh", only=("known-good", "stream-conformance")
    ),
    "router-to-chat": Arrow("claude-code-router", ("openai_chat",), "chat,", whole=True),
    "router-to-responses": Arrow("claude-code-router", ("openai_responses",), "responses,"),
    "router-to-messages": Arrow("claude-code-router", ("anthropic_messages",), "messages,"),
    "router-to-gemini": Arrow("claude-code-router", ("gemini",), "gemini,"),
}

FAULTS: Mapping[str, tuple[str, ...]] = {  # fault model of the mirror → the canaries that tell something by it
    "stream-cut": ("known-good", "stream-conformance", "tool-round-trip", "tool-result-image", "usage-parity"),
    "stream-error": ("known-good", "stream-conformance", "tool-round-trip"),
    "not-a-stream": ("known-good", "tool-round-trip"),
    "always-stream": ("known-good",),
    "buffered": ("stream-conformance",),
    "double-start": ("stream-conformance",),
    "double-finish": ("stream-conformance",),
    "late-event": ("stream-conformance",),
    "no-end": ("known-good", "stream-conformance"),
    "html-200": ("known-good",),
    "empty-200": ("known-good",),
    "half-json": ("known-good",),
    "error-in-200": ("known-good",),
    "business-error-200": ("known-good",),
    "odd-finish": ("known-good",),
    "filtered-answer": ("known-good",),
    "zero-usage": ("usage-parity",),
    "no-usage": ("usage-parity",),
    "no-terminal-usage": ("usage-parity",),
    "text-usage": ("usage-parity", "known-good"),
    "lost-reasoning": ("usage-parity",),
    "drop-image": ("tool-result-image",),
    "stringify-image": ("tool-result-image",),
    "reject-image": ("tool-result-image",),
    "ignore-thinking": ("thinking",),
    "no-thinking": ("thinking",),
    "stop-with-calls": ("tool-round-trip",),
    "no-call-id": ("tool-round-trip",),
    "broken-arguments": ("tool-round-trip",),
    "ignore-choice": ("tool-round-trip",),
    "aliased": ("routing", "eligibility"),
    "not-callable": ("known-good", "eligibility"),
    "not-listed": ("catalog", "eligibility"),
    "rate-limited": ("known-good",),
    "quota-exhausted": ("known-good",),
    "cooling": ("known-good",),
    "suspended": ("known-good",),
    "unauthorized": ("known-good",),
    "forbidden": ("known-good",),
    "server-error": ("known-good",),
    "overloaded": ("known-good",),
    "upstream-timeout": ("known-good",),
    "too-large": ("known-good",),
}

CANARIES = (  # shipped definitions; those of one dialect are asked in two, for a gateway may have the other alone
    "known-good",
    "tool-result-image",
    "tool-result-images",
    "tool-round-trip",
    "stream-conformance",
    "usage-parity",
    "thinking",
    "routing",
    "catalog",
    "eligibility",
    "negative-control",
)
_ONE, _TWO = ("catalog", "eligibility", "negative-control"), ("openai_chat", "anthropic_messages")

Run = dict[str, Any]  # of `canaries run --json`


@dataclass(frozen=True)
class Field:
    """The mirror and the gateways in front of it, all up: the URL of each, and the keys they want."""

    folder: Path
    mirror: str
    urls: Mapping[str, str]
    keys: Mapping[str, str]


@contextmanager
def field_of_gateways(folder: Path) -> Iterator[Field]:
    """Everything started, in processes that end with the block."""
    with ExitStack() as stack:
        mirror = stack.enter_context(canaries(folder, "mirror")).url
        ports = {name: free_port() for name in PEERS}
        keys = {name: MIRROR_KEY if name.startswith("portkey") else f"sk-{secrets.token_hex(12)}" for name in PEERS}
        folders = {name: folder / name for name in PEERS}
        for each in folders.values():
            each.mkdir()
        starts = {
            "litellm": litellm(folders["litellm"], ports["litellm"], keys["litellm"], list(_litellm_models(mirror))),
            "portkey": portkey(ports["portkey"]),
            "portkey-fresh": portkey(ports["portkey-fresh"], "portkey-fresh"),
            "claude-code-router": claude_code_router(
                folders["claude-code-router"], ports["claude-code-router"], list(_router_providers(mirror))
            ),
        }
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        for name, start in starts.items():
            stack.enter_context(running(start, folders[name], urls[name] + PEERS[name].ready))
        yield Field(folder, mirror, urls, keys)


def models_of(arrow: Arrow) -> tuple[str, ...]:
    """The mirror's models that go through an arrow."""
    return ("healthy", *(FAULTS if arrow.whole else ()))


def _litellm_models(mirror: str) -> Iterator[Mapping[str, Any]]:
    """`hosted_vllm` is LiteLLM's provider for Chat Completions alone: `openai` sends some asks to Responses."""
    ways = {"": ("hosted_vllm", "/v1"), "openai/": ("openai/responses", "/v1"), "anthropic/": ("anthropic", "")}
    ways["gemini/"] = ("gemini", "/v1beta")
    for arrow in ARROWS.values():
        if arrow.peer != "litellm":
            continue
        provider, path = ways[arrow.prefix]
        for name in models_of(arrow):
            yield {
                "model_name": f"{arrow.prefix}mirror/{name}",
                "litellm_params": {
                    "model": f"{provider}/mirror/{name}",
                    "api_base": mirror + path,
                    "api_key": MIRROR_KEY,
                    "allowed_openai_params": ["reasoning_effort"],  # of models that its map does not know
                },
            }


def _router_providers(mirror: str) -> Iterator[Mapping[str, Any]]:
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
            "models": [f"mirror/{model}" for model in models_of(arrow)],
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
        }
        gateways[f"{name}-direct"] = _twin(field, arrow, asked)
    everything = [f"mirror/{model}" for model in ("healthy", *FAULTS)]
    gateways[DIRECT] = _gateway(field.mirror, MIRROR_KEY, everything, spoken[DIRECT])
    chosen = [each for name in (*names, DIRECT) for each in _canaries(name, spoken[name])]
    return {"gateways": gateways, "canaries": chosen}


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
        dialects = [each for each in (_TWO if canary in _ONE else DIALECTS) if each in spoken]
        models = [f"*mirror/{model}" for model in ("healthy", *faults)]
        if dialects:
            yield {"use": canary, "gateway": name, "models": models, "dialects": dialects}


def runs(field: Field, config: Mapping[str, Any], *options: str) -> list[Run]:
    """What `canaries run` finds with `config`. Raises AssertionError where it says that it could not."""
    path, report = field.folder / "canaries.yml", field.folder / "runs.json"
    path.write_text(json.dumps(config))
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "llm_canaries", "run", "--config", str(path), "--json", str(report), *options]
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


def found_through(folder: Path) -> FindingsTable:
    """The findings of all arrows and of the mirror alone; what a busy machine can spoil is asked again, alone."""
    with field_of_gateways(folder) as field:
        spoken, unspoken = spoken_dialects(field)
        config = configuration(field, spoken, ARROWS)
        found = {_cell(run): run for run in (*unspoken, *runs(field, config))}
        for run in [run for run in found.values() if run["reason"] in _TIMED]:
            options = ("--gateway", run["gateway"], "--select", run["canary"], "--model", run["model"])
            found |= {_cell(each): each for each in runs(field, config, *options)}
    return table_of(found.values(), {name: peer.version for name, peer in PEERS.items()})


_TIMED = frozenset(
    {"buffered", "connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout", "connection_lost"}
)


def _cell(run: Run) -> tuple[object, ...]:
    return tuple(run[name] for name in ("gateway", "model", "canary", "dialect", "stream"))
