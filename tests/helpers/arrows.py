"""The arrows through real gateways, the faults that go through them, and the canaries that are sent.

An arrow is a gateway with one kind of provider behind it. The healthy model goes through all of them; the faults of
FAULTS, which tell what a gateway makes of a provider that misbehaves, go through each gateway's own first arrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from real_gateways import portkey_headers

DIALECTS = ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
DIRECT = "mirror"  # the mirror itself, asked like any gateway: what is found there is the provider's doing


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
    "loopback",
)
ONE, TWO = ("catalog", "eligibility", "negative-control"), ("openai_chat", "anthropic_messages")


def models_of(arrow: Arrow) -> tuple[str, ...]:
    """The mirror's models that go through an arrow."""
    return ("healthy", *(FAULTS if arrow.whole else ()))
