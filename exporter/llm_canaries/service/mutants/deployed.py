"""Faults of a deployed gateway and of the provider behind it: each must be laid at the right door.

The gateway is our core behind HTTP, bent on the way to it; its twin asks the mirror directly. A verdict is a reason
with the fault domain that it is attributed to.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.config.load import load
from llm_canaries.mirror.distortions import drop_images
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.gateway import Gateway
from llm_canaries.service.door import Plan, opened
from llm_canaries.service.mutants.bent import Bent, Whole
from llm_canaries.service.mutants.core import CORE_MUTANTS
from llm_canaries.service.mutants.expected import GOOD, IMAGE, STALE
from llm_canaries.service.mutants.expected_loopback import Catches
from llm_canaries.service.settings import Settings, known
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.json import encode
from llm_canaries.wire.nonce import Draw

_LIMITS = "limits: {connect: 5s, first_byte: 1500ms, idle: 1s, total: 5s}"
_CANARIES = (GOOD, "tool-result-image", STALE)


class DeployedMutant(Struct, frozen=True, kw_only=True):
    """One fault: `model` of the mirror behind a gateway that `bend` bends; `only` one canary of the matrix asks."""

    help: str
    expected: Catches
    bend: Callable[[Gateway], Gateway] = lambda gateway: gateway
    model: str = "healthy"
    only: str = ""
    control: bool = False


@asynccontextmanager
async def deployed(settings: Settings, mutant: DeployedMutant, clock: Clock, draw: Draw) -> AsyncIterator[Settings]:
    """The settings of a gateway on the wire, in front of a mirror of its own, with a twin that asks another one."""
    name = next(iter(settings.config.gateways))
    plan = Plan(config=settings.config, gateway=name, host="127.0.0.1", port=0, keys=(), redact=settings.redactor)
    async with opened(plan, clock, draw) as url:
        model, used = f"mirror/{mutant.model}", [mutant.only] if mutant.only else _CANARIES
        text = f"""
gateways:
  home: {{kind: openai-compatible, url: "{url}", dialects: [openai_chat], models: [{model}], twin: own, {_LIMITS}}}
  own: {{kind: embedded, models: [{model}], {_LIMITS}}}
canaries: [{", ".join(f"{{use: {each}, gateway: home}}" for each in used)}]
"""
        config = load(text, known(settings.binding.definitions), file="mutants", environ={}, read_file=str)
        yield replace(settings, config=config)


def _asking(by: Callable[[Any], Any]) -> Callable[[Gateway], Gateway]:
    def ask(send: Send) -> Send:
        return send if isinstance(send.ask, bytes) else replace(send, ask=by(send.ask))

    return lambda gateway: Bent(gateway, ask, lambda send, whole: whole, lambda look, whole: whole)


def _refusing(status: int, **error: Any) -> Callable[[Gateway], Gateway]:
    """Answers every ask by itself, and never asks anybody."""
    body = encode({"error": error})

    def answer(send: Send | Look, whole: Whole) -> Whole:
        return Whole(status=status, headers=(("content-type", "application/json"),), pieces=(body,))

    return lambda gateway: Bent(gateway, lambda send: send, answer, lambda look, whole: whole)


_COOLING = _refusing(
    429, code="model_cooldown", message="All credentials for model m are cooling down", reset_seconds=90_000
)

DEPLOYED: Mapping[str, DeployedMutant] = {
    "gateway-loses-images": DeployedMutant(
        help="a gateway that loses the images of tools, and a provider that sees them",
        bend=_asking(drop_images),
        expected={IMAGE: {"dropped_silent: translation": 2}},
    ),
    "gateway-cuts-streams": DeployedMutant(
        help="a gateway that cuts the streams of a provider that ends them",
        bend=CORE_MUTANTS["cut-and-closed"].bend,
        expected={GOOD: {"truncated_stream: translation": 1}, IMAGE: {"truncated_stream: translation": 1}},
    ),
    "gateway-fails": DeployedMutant(
        help="a gateway that answers 502 in front of a provider that answers",
        bend=_refusing(502, message="bad gateway", type="server_error"),
        expected={
            GOOD: {"upstream_error: deployment": 2},
            IMAGE: {"upstream_error: deployment": 2},
            STALE: {"[no_cooldown]": 1},
        },
    ),
    "gateway-refuses": DeployedMutant(
        help="a gateway that keeps a provider cooling which answers",
        bend=_COOLING,
        expected={
            GOOD: {"cooldown: policy": 2},
            IMAGE: {"cooldown: policy": 2},
            STALE: {"stale_cooldown: policy": 1},
        },
    ),
    "stale-cooldown": DeployedMutant(
        help="the same, where nobody but the canary for it asks",
        bend=_COOLING,
        only=STALE,
        expected={STALE: {"stale_cooldown: policy": 1}},
    ),
    "provider-is-blind": DeployedMutant(
        help="a provider that drops the images of tools, behind a sound gateway",
        model="drop-image",
        expected={IMAGE: {"dropped_silent: provider": 2}},
    ),
    "provider-is-wrong": DeployedMutant(
        help="a provider that answers wrongly, behind a sound gateway",
        model="footer",
        expected={GOOD: {"wrong_answer: provider": 2}},
    ),
    "sound-gateway": DeployedMutant(
        help="a sound gateway in front of a sound provider", expected={}, control=True
    ),
}
