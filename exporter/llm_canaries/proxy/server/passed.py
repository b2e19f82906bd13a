"""Which headers pass the door, either way; everything else stays on its side."""

from collections.abc import Iterable, Mapping

from llm_canaries.proxy.routes import WORKLOAD
from llm_canaries.wire.headers import Headers

TO_CLIENT = frozenset(
    {
        "content-type",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "request-id",
        "x-request-id",
        "x-trace-id",
        "cf-ray",
        "openai-processing-ms",
        "openai-version",
    }
)
LIMITS = ("x-ratelimit-", "anthropic-ratelimit-", "x-codex-")  # beginnings: their names count requests, tokens, windows

TO_PROVIDER: Mapping[str, tuple[str, ...]] = {  # by client dialect
    "openai_chat": ("openai-beta", WORKLOAD),
    "openai_responses": ("openai-beta", WORKLOAD),
    "anthropic_messages": ("anthropic-beta", "anthropic-version", WORKLOAD),
    "gemini": (WORKLOAD,),
}


def to_client(headers: Headers) -> dict[str, str]:
    """The headers of an answer that its client gets, in lower case."""
    found = {}
    for name, value in headers:
        lower = name.lower()
        if lower in TO_CLIENT or lower.startswith(LIMITS):
            found[lower] = value
    return found


def to_provider(dialect: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an ask that go on to the core; `headers` is looked up without regard to case."""
    names: Iterable[str] = TO_PROVIDER.get(dialect, ())
    return {name: headers[name] for name in names if name in headers}
