"""routing: the answer came from the provider that was meant, by whatever evidence the answer gives.

A model's name in the answer is the weakest evidence, for gateways rewrite it (cliproxyapi.md 4.1); headers and the
embedded core's own account are better, and what the mirror was sent is proof.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.scenarios.eligibility import names
from llm_canaries.canary.verdict import failed, faulted, passed, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.headers import header
from llm_canaries.wire.nonce import Draw

EVIDENCE = (  # headers by which gateways tell who answered
    "x-litellm-model-id",
    "x-litellm-model-api-base",
    "x-litellm-model-group",
    "x-portkey-provider",
    "x-portkey-last-used-option-index",
    "x-cpa-trace-id",
)


class Reason(StrEnum):
    """Why the answer came from elsewhere, and when it cannot tell."""

    OTHER_MODEL = "other_model"
    OTHER_HEADER = "other_header"
    OTHER_PROVIDER = "other_provider"
    OTHER_UPSTREAM_MODEL = "other_upstream_model"
    NO_EVIDENCE = "no_evidence"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """What to expect, each as patterns with `*`; without any, the answer's model is the one that was asked for.

    `expect_model`: the answer's model id. `expect_header`: headers of the answer. `expect_provider`: the provider of
    an embedded gateway. `expect_upstream_model`: what the mirror was asked for, where it is the upstream.
    """

    expect_model: tuple[str, ...] = ()
    expect_header: Mapping[str, str] = {}
    expect_provider: str = ""
    expect_upstream_model: tuple[str, ...] = ()
    cap: int = 512


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """One short ask."""
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    exchange = yield from send(sending(case, text_ask(case, echo_prompt(mark, number), cap=params.cap), mark))
    return judge(case, params, exchange)


def judge(case: Case, params: Params, exchange: Exchange) -> Finding:
    """The finding of one answer: evidence against the route fails it, and evidence that is wanted and lacks tells."""
    if exchange.fault is not None:
        return faulted(exchange.fault)
    assert exchange.reply is not None, "an exchange without fault has a reply"
    lacking: list[str] = []
    for found in (_upstream(params, exchange), _provider(params, exchange), *_headers(params, exchange),
                  _model(case, params, exchange.reply.model)):  # fmt: skip
        if isinstance(found, Finding):
            return found
        lacking += [found] if found else []
    if lacking:
        return undecided(Reason.NO_EVIDENCE, f"{'; '.join(lacking)} ({told(exchange)})")
    return passed(told(exchange))


def told(exchange: Exchange) -> str:
    """All that an answer says of its origin."""
    said = [f"{name} {value}" for name in EVIDENCE if (value := header(exchange.headers, name))]
    said += [f"provider {each.provider}" for each in exchange.attempts[-1:]]
    said += [f"upstream model {model}" for model in dict.fromkeys(seen.model for seen in exchange.upstream)]
    model = exchange.reply.model if exchange.reply else ""
    return ", ".join([f"model {model or 'not named'}", *said])


def _upstream(params: Params, exchange: Exchange) -> Finding | str:
    if not params.expect_upstream_model:
        return ""
    if not exchange.upstream:
        return "the mirror saw nothing of this ask"
    strange = [seen.model for seen in exchange.upstream if not _fits(seen.model, params.expect_upstream_model)]
    if not strange:
        return ""
    detail = f"the mirror was asked for {strange[0]}, expected {_or(params.expect_upstream_model)}"
    return failed(Reason.OTHER_UPSTREAM_MODEL, Domain.ROUTING, detail)


def _provider(params: Params, exchange: Exchange) -> Finding | str:
    if not params.expect_provider:
        return ""
    if not exchange.attempts:
        return "the gateway does not say which provider answered"
    name = exchange.attempts[-1].provider
    if fnmatchcase(name, params.expect_provider):
        return ""
    return failed(Reason.OTHER_PROVIDER, Domain.ROUTING, f"{name} answered, expected {params.expect_provider}")


def _headers(params: Params, exchange: Exchange) -> Sequence[Finding | str]:
    return [_header(name, pattern, header(exchange.headers, name)) for name, pattern in params.expect_header.items()]


def _header(name: str, pattern: str, value: str | None) -> Finding | str:
    if value is None:
        return f"no header {name}"
    if fnmatchcase(value, pattern):
        return ""
    return failed(Reason.OTHER_HEADER, Domain.ROUTING, f"{name} is {value}, expected {pattern}")


def _model(case: Case, params: Params, model: str) -> Finding | str:
    wanted = params.expect_model
    others = params.expect_header or params.expect_provider or params.expect_upstream_model
    if not wanted and others:
        return ""
    if not model:
        return "the answer names no model"
    if _fits(model, wanted) if wanted else names(case, model):
        return ""
    return failed(Reason.OTHER_MODEL, Domain.ROUTING, f"{model} answered, expected {_or(wanted) or case.model}")


def _fits(model: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)


def _or(patterns: Sequence[str]) -> str:
    return " or ".join(patterns)


def objection(case: Case) -> str:
    """Our own core alone tells which provider answered, and our mirror what it was asked for."""
    if case.params.expect_provider and case.deployed:
        return "a deployed gateway does not tell which provider answered; expect a header of it or a model"
    if case.params.expect_upstream_model and not case.mirror:
        return f"{case.model} does not lead to our mirror, so nobody sees what the provider is asked for"
    return ""


def cost(case: Case, params: Params) -> Cost:
    """One short ask."""
    return Cost(requests=1, input_tokens=40, output_tokens=20, limit=params.cap)


# what is expected is of this gateway alone
SCENARIO = Scenario(
    name="routing",
    reasons=Reason,
    params=Params,
    play=play,
    cost=cost,
    objection=objection,
    compared=frozenset(),
)
