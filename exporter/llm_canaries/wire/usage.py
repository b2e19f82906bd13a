"""Token counts between the dialects' fields and the normal form (protocols.md B)."""

from collections.abc import Callable

from llm_canaries.wire.json import Object, integer, items, mapping
from llm_canaries.wire.message import Usage


class Counts:
    """Reads whole numbers out of a usage object and remembers the fields that hold something else."""

    __slots__ = ("_said", "broken")

    def __init__(self, said: Object) -> None:
        self._said = said
        self.broken: list[str] = []

    def get(self, key: str, inside: str | None = None) -> int | None:
        """The number at `key`, or at `inside` of what is there; None where there is no whole number of tokens."""
        value = self._said.get(key)
        if inside is not None:
            value = value.get(inside) if isinstance(value, dict) else None
        if value is None or (type(value) is int and 0 <= value < 2**63):
            return value
        number = integer(value)
        if number is None or number < 0:
            self.broken.append(key if inside is None else f"{key}.{inside}")
            return None
        return number

    def first(self, *paths: tuple[str, ...]) -> int | None:
        """The first of `paths` that holds a number."""
        said = self._said
        for path in paths:
            if path[0] in said and (number := self.get(*path)) is not None:
                return number
        return None


def read_chat_usage(said: Object) -> Usage:
    """The `usage` of Chat Completions, with the compatible providers' spellings of B1; prices are no counts."""
    counts = Counts(said)
    if "prompt_tokens" not in said and "inputTokens" in said:
        return _read_bedrock(counts)
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


def _read_bedrock(counts: Counts) -> Usage:
    """Bedrock's own spelling, where input excludes what the cache read and wrote, as in Messages."""
    fresh, read = counts.get("inputTokens"), counts.get("cacheReadInputTokens")
    write = counts.get("cacheWriteInputTokens")
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (write or 0),
        output=counts.get("outputTokens"),
        cache_read=read,
        cache_write=write,
        total_reported=counts.get("totalTokens"),
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
    counts = Counts(said)
    before = earlier or Usage()
    rounds = [Counts(each) for each in items(said.get("iterations")) if _is_own(each)]
    fresh, output = _added(counts, rounds, _fresh), _added(counts, rounds, _output)
    read, write = _added(counts, rounds, _read), _added(counts, rounds, _write)
    reasoning = counts.get("output_tokens_details", "thinking_tokens")
    old_read, old_write = before.cache_read, before.cache_write
    read, write = old_read if read is None else read, old_write if write is None else write
    if fresh is None and before.input is not None:
        fresh = before.input - (old_read or 0) - (old_write or 0)
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (write or 0),
        output=before.output if output is None else output,
        reasoning=before.reasoning if reasoning is None else reasoning,
        cache_read=read,
        cache_write=write,
        broken=(*before.broken, *counts.broken, *(f"iterations.{name}" for each in rounds for name in each.broken)),
    )


def _is_own(iteration: object) -> bool:
    """Whether an iteration is of the model that answers; an adviser's names another, at another price."""
    return isinstance(iteration, dict) and "model" not in iteration


def _added(counts: Counts, rounds: list[Counts], read: Callable[[Counts], int | None]) -> int | None:
    """A count of all iterations, for the fields beside them leave out a compaction; else the field itself."""
    found = [count for each in rounds if (count := read(each)) is not None]
    whole = read(counts)
    return sum(found) if found else whole


def _fresh(counts: Counts) -> int | None:
    return counts.get("input_tokens")


def _output(counts: Counts) -> int | None:
    return counts.get("output_tokens")


def _read(counts: Counts) -> int | None:
    return counts.get("cache_read_input_tokens")


def _write(counts: Counts) -> int | None:
    """Tokens written to the cache: their sum, or where only that is said, those of either lifetime."""
    if (whole := counts.get("cache_creation_input_tokens")) is not None:
        return whole
    split = [counts.get("cache_creation", f"ephemeral_{life}_input_tokens") for life in ("5m", "1h")]
    return None if split == [None, None] else sum(count or 0 for count in split)


def write_messages_usage(usage: Usage) -> Object:
    """`usage` in the fields of Messages, where input excludes cache reads and writes."""
    fresh = (usage.input or 0) - (usage.cache_read or 0) - (usage.cache_write or 0)
    said: Object = {"input_tokens": max(0, fresh), "output_tokens": usage.output or 0}
    if usage.cache_read is not None:
        said["cache_read_input_tokens"] = usage.cache_read
    if usage.cache_write is not None:
        said["cache_creation_input_tokens"] = usage.cache_write
    if usage.reasoning is not None:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return said


def chat_usage_of(chunk: Object) -> Object | None:
    """Where a chat answer or chunk keeps its usage: `usage`, or Groq's `x_groq.usage`."""
    said = chunk.get("usage") or mapping(chunk.get("x_groq")).get("usage")
    return said if isinstance(said, dict) else None


def _known(**fields: object) -> Object:
    return {name: value for name, value in fields.items() if value is not None}
