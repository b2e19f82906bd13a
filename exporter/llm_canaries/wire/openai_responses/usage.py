"""Token counts of Responses, both ways (protocols.md B1, B2)."""

from llm_canaries.wire.json import Object
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Usage
from llm_canaries.wire.usage import Counts


def read_responses_usage(said: Object) -> Usage:
    """The `usage` of Responses: input includes cache reads and writes, output includes reasoning."""
    counts = Counts(said)
    return Usage(
        input=counts.get("input_tokens"),
        output=counts.get("output_tokens"),
        reasoning=counts.get("output_tokens_details", "reasoning_tokens"),
        cache_read=counts.get("input_tokens_details", "cached_tokens"),
        cache_write=counts.get("input_tokens_details", "cache_write_tokens"),
        total_reported=counts.get("total_tokens"),
        broken=tuple(counts.broken),
    )


def write_responses_usage(usage: Usage, losses: Losses | None = None) -> Object:
    """`usage` in the fields of Responses.

    Official clients read cached and reasoning tokens without asking whether they are there: what nobody said is
    written as 0, and is a loss. Cache writes are left out where unknown, as OpenAI itself leaves them out.
    """
    known = {"cached_tokens": usage.cache_read, "reasoning_tokens": usage.reasoning}
    for field, count in known.items():
        if count is None and losses is not None:
            losses.add("usage", f"{field} not known, said as 0")
    written = {} if usage.cache_write is None else {"cache_write_tokens": usage.cache_write}
    total = usage.total_reported
    return {
        "input_tokens": usage.input or 0,
        "input_tokens_details": {"cached_tokens": usage.cache_read or 0} | written,
        "output_tokens": usage.output or 0,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": (usage.input or 0) + (usage.output or 0) if total is None else total,
    }
