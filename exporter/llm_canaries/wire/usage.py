"""Token counts between the dialects' fields and the normal form, and the laws that they obey (protocols.md B)."""

from collections.abc import Iterable
from enum import StrEnum

from llm_canaries.wire.json import Object, integer, mapping
from llm_canaries.wire.message import Usage


class _Counts:
    """Reads whole numbers out of a usage object and remembers the fields that hold something else."""

    def __init__(self, said: Object) -> None:
        self._said = said
        self.broken: list[str] = []

    def get(self, *path: str) -> int | None:
        value: object = self._said
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return None
        number = integer(value)
        if number is None or number < 0:
            self.broken.append(".".join(path))
            return None
        return number

    def first(self, *paths: tuple[str, ...]) -> int | None:
        """The first of `paths` that holds a number."""
        return next((number for path in paths if (number := self.get(*path)) is not None), None)


def read_chat_usage(said: Object) -> Usage:
    """The `usage` of Chat Completions, with the compatible providers' spellings of B1."""
    counts = _Counts(said)
    return Usage(
        input=counts.get("prompt_tokens"),
        output=counts.get("completion_tokens"),
        reasoning=counts.first(("completion_tokens_details", "reasoning_tokens"), ("reasoning_tokens",)),
        cache_read=counts.first(
            ("prompt_tokens_details", "cached_tokens"),
            ("cached_tokens",),
            ("num_cached_tokens",),
            ("prompt_cache_hit_tokens",),
        ),
        cache_write=counts.get("prompt_tokens_details", "cache_write_tokens"),
        total_reported=counts.get("total_tokens"),
        broken=tuple(counts.broken),
    )


def write_chat_usage(usage: Usage) -> Object:
    """`usage` in the fields of Chat Completions; what is not known is left out of the details."""
    inside = _known(cached_tokens=usage.cache_read, cache_write_tokens=usage.cache_write)
    outside = _known(reasoning_tokens=usage.reasoning)
    total = usage.total_reported
    if total is None:
        total = (usage.input or 0) + (usage.output or 0)
    said: Object = {
        "prompt_tokens": usage.input or 0,
        "completion_tokens": usage.output or 0,
        "total_tokens": total,
    }
    return said | _known(prompt_tokens_details=inside or None, completion_tokens_details=outside or None)


def read_messages_usage(said: Object, earlier: Usage | None = None) -> Usage:
    """The `usage` of Messages; `earlier` is message_start's, which message_delta overwrites field by field (B3)."""
    counts = _Counts(said)
    before = earlier or Usage()
    read, write = counts.get("cache_read_input_tokens"), counts.get("cache_creation_input_tokens")
    fresh, output = counts.get("input_tokens"), counts.get("output_tokens")
    old_read, old_write = before.cache_read, before.cache_write
    read, write = old_read if read is None else read, old_write if write is None else write
    if fresh is None and before.input is not None:
        fresh = before.input - (old_read or 0) - (old_write or 0)
    reasoning = counts.get("output_tokens_details", "thinking_tokens")
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (write or 0),
        output=before.output if output is None else output,
        reasoning=before.reasoning if reasoning is None else reasoning,
        cache_read=read,
        cache_write=write,
        broken=(*before.broken, *counts.broken),
    )


def write_messages_usage(usage: Usage) -> Object:
    """`usage` in the fields of Messages, where input excludes cache reads and writes."""
    fresh = (usage.input or 0) - (usage.cache_read or 0) - (usage.cache_write or 0)
    details = _known(thinking_tokens=usage.reasoning)
    said: Object = {"input_tokens": max(0, fresh), "output_tokens": usage.output or 0}
    return said | _known(
        cache_read_input_tokens=usage.cache_read,
        cache_creation_input_tokens=usage.cache_write,
        output_tokens_details=details or None,
    )


def chat_usage_of(chunk: Object) -> Object | None:
    """Where a chat answer or chunk keeps its usage: `usage`, or Groq's `x_groq.usage`."""
    said = chunk.get("usage") or mapping(chunk.get("x_groq")).get("usage")
    return said if isinstance(said, dict) else None


class Law(StrEnum):
    """The invariants I1 to I7 of B2, named for what is wrong when one is broken."""

    TOTAL_MISMATCH_SHORT = "total_mismatch_short"
    TOTAL_MISMATCH_HIDDEN_REASONING = "total_mismatch_hidden_reasoning"
    REASONING_OVER_OUTPUT = "reasoning_over_output"
    CACHE_OVER_INPUT = "cache_over_input"
    OUTPUT_ZERO = "output_zero"
    INPUT_ZERO = "input_zero"
    INVALID_COUNT = "invalid_count"
    OUTPUT_OVER_CAP = "output_over_cap"


def broken_laws(usage: Usage, *, said_something: bool, cap: int | None, slack: int = 16) -> tuple[Law, ...]:
    """Which invariants one usage breaks; `said_something`: text, tool or reasoning came; `cap` is the limit sent."""
    output, total = usage.output, usage.total_reported
    known = usage.input is not None and output is not None
    whole = (usage.input or 0) + (output or 0)
    checks: Iterable[tuple[Law, bool]] = (
        (Law.INVALID_COUNT, bool(usage.broken)),
        (Law.TOTAL_MISMATCH_SHORT, known and total is not None and total < whole),
        (Law.TOTAL_MISMATCH_HIDDEN_REASONING, known and total is not None and total > whole),
        (Law.REASONING_OVER_OUTPUT, output is not None and (usage.reasoning or 0) > output),
        (
            Law.CACHE_OVER_INPUT,
            usage.input is not None and (usage.cache_read or 0) + (usage.cache_write or 0) > usage.input,
        ),
        (Law.OUTPUT_ZERO, output == 0 and said_something),
        (Law.INPUT_ZERO, usage.input == 0),
        (Law.OUTPUT_OVER_CAP, cap is not None and output is not None and output > cap + slack),
    )
    return tuple(law for law, is_broken in checks if is_broken)


def _known(**fields: object) -> Object:
    return {name: value for name, value in fields.items() if value is not None}


