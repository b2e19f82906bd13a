"""How a fault model bends a body or frame that is already written: what only one dialect can say wrong."""

from collections.abc import Iterator

from llm_canaries.wire.json import Object, integer

_TOTALS = ("total_tokens", "totalTokenCount")
_INPUTS = {  # the count of input to where the count of cached input stands beside it
    "prompt_tokens": ("prompt_tokens_details", "cached_tokens"),
    "promptTokenCount": ("cachedContentTokenCount", ""),
}
_FINISHES = ("finish_reason", "stop_reason", "finishReason")
_ODD = "network_error"  # CPA#1650


def hidden_total(said: Object, stream: bool) -> Object:
    """A total above its parts, where the dialect reports one."""
    if (usage := _usage(said)) is not None:
        for name in _TOTALS:
            if name in usage:
                usage[name] += 62
    return said


def excess_cache(said: Object, stream: bool) -> Object:
    """More cached tokens than input, where the dialect can say so."""
    usage = _usage(said) or {}
    for name, (cached, inner) in _INPUTS.items():
        if (read := integer(usage.get(name))) is not None:
            usage[cached] = {inner: read + 10} if inner else read + 10
    if usage.get("input_tokens") is not None and "total_tokens" in usage:  # Responses; Messages has no such total
        usage["input_tokens_details"] = {"cached_tokens": usage["input_tokens"] + 10}
    return said


def text_usage(said: Object, stream: bool) -> Object:
    """Counts as words."""
    if (usage := _usage(said)) is not None:
        for key, value in usage.items():
            usage[key] = "many" if isinstance(value, int) else value
    return said


def shrinking(said: Object, stream: bool) -> Object:
    """A message_start that has counted more output than message_delta will."""
    if said.get("type") == "message_start":
        said["message"]["usage"]["output_tokens"] = 5000
    return said


def other_end(said: Object, stream: bool) -> Object:
    """A terminal event whose text is not what the pieces said, where the dialect repeats it."""
    response = said.get("response")
    if said.get("type") == "response.completed" and isinstance(response, dict):
        for item in response.get("output") or ():
            for part in item.get("content") or ():
                part["text"] = "(cached)"
    return said


def odd_finish(said: Object, stream: bool) -> Object:
    """A finish reason of the provider's own invention."""
    for holder in _finishing(said):
        for name in _FINISHES:
            if holder.get(name):
                holder[name] = _ODD
        if holder.get("status") == "completed" and "output" in holder:  # Responses has a status instead
            holder["status"], holder["incomplete_details"] = "incomplete", {"reason": _ODD}
    if said.get("type") == "response.completed":
        said["type"] = "response.incomplete"
    return said


def _finishing(said: Object) -> Iterator[Object]:
    """Every object that may tell why the model stopped."""
    yield said
    for name in ("choices", "candidates"):
        yield from said.get(name) or ()
    for name in ("delta", "response"):
        if isinstance(inner := said.get(name), dict):
            yield inner


def _usage(said: Object) -> Object | None:
    for holder in (said, said.get("response")):
        for name in ("usage", "usageMetadata"):
            if isinstance(holder, dict) and isinstance(usage := holder.get(name), dict):
                return usage
    return None
