"""Token counts: `usageMetadata` against the normal form (protocols.md B1, B2)."""

from collections.abc import Mapping

from llm_canaries.wire.gemini.names import camel
from llm_canaries.wire.json import Object, integer
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Usage
from llm_canaries.wire.usage import Counts

_KNOWN = frozenset(
    {
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "totalTokenCount",
    }
)
_TOOLS = "toolUsePromptTokenCount"


def read_usage(said: Object) -> Usage:
    """The usage in the normal form: what tools brought is input, what was thought is output."""
    counts = Counts(camel(said))
    prompt, tools = counts.get("promptTokenCount"), counts.get(_TOOLS)
    words, thoughts = counts.get("candidatesTokenCount"), counts.get("thoughtsTokenCount")
    return Usage(
        input=_sum(prompt, tools),
        output=_sum(words, thoughts),
        reasoning=thoughts,
        cache_read=counts.get("cachedContentTokenCount"),
        total_reported=counts.get("totalTokenCount"),
        broken=tuple(counts.broken),
    )


def details_of(said: Object) -> Object:
    """What `usageMetadata` says besides: counts by modality, what tools brought, the kind of traffic."""
    return {key: value for key, value in camel(said).items() if key not in _KNOWN}


def write_usage(usage: Usage, details: Mapping[str, object], losses: Losses) -> Object:
    """`usage` in Gemini's fields; zeros that it leaves out itself are left out."""
    if usage.cache_write is not None:
        losses.add("usage", f"cache_write {usage.cache_write}")
    tools, thoughts = integer(details.get(_TOOLS)) or 0, usage.reasoning
    total = usage.total_reported
    if total is None and usage.input is not None and usage.output is not None:
        total = usage.input + usage.output
    words = None if usage.output is None else max(0, usage.output - (thoughts or 0))
    said: Object = {
        "promptTokenCount": None if usage.input is None else max(0, usage.input - max(0, tools)),
        "candidatesTokenCount": None if words == 0 and thoughts else words,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": usage.cache_read,
        "totalTokenCount": total,
    }
    return camel(said) | dict(details)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
