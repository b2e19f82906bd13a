"""What the core knows of its providers, in the shapes that operators' commands expect.

The keys are those of CLIProxyAPI++ (`/v1/metrics/providers`, cliproxyapi.md 1.3) and of Model Gateway (`/v1/health`,
`/v1/providers/{provider}/status`, watched-systems.md 2.1); unlike theirs, every value was measured.
"""

from collections.abc import Mapping
from typing import Any

from llm_canaries.proxy.breaker import Breaker, State
from llm_canaries.proxy.traffic import Passed

Page = dict[str, Any]


def metrics(traffic: Mapping[str, Passed]) -> Page:
    """Traffic by provider; what is not known (a latency, a price) is left out."""
    return {provider: _metrics(passed) for provider, passed in traffic.items()}


def _metrics(passed: Passed) -> Page:
    tokens = passed.tokens
    known: Page = {
        "latency_p50_ms": _milliseconds(passed.p50),
        "latency_p95_ms": _milliseconds(passed.p95),
        "latency_p99_ms": _milliseconds(passed.p99),
        "cost_dollars": None if passed.dollars is None else round(passed.dollars, 6),
        "last_error_reason": passed.last_reason or None,
    }
    said: Page = {
        "request_count": passed.requests,
        "success_count": passed.successes,
        "failure_count": passed.failures,
        "success_rate": passed.success_ratio,
        "rate_limited_count": passed.rate_limited,
        "refused_count": passed.refused,
        "status_counts": {str(status) if status else "none": count for status, count in passed.statuses.items()},
        "usage_count": tokens.answers,
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write,
        "total_tokens": tokens.total,
        "models": {
            model: {"usage_count": each.answers, "input_tokens": each.input, "output_tokens": each.output}
            for model, each in passed.models.items()
        },
    }
    return said | {key: value for key, value in known.items() if value is not None}


def circuit_breakers(breakers: Mapping[str, Breaker], monotonic: float, wall: float) -> Page:
    """Every breaker by name; `next_retry_time` is Unix time, null while the breaker is closed."""
    return {
        name: {
            "state": breaker.state(monotonic).value,
            "failure_count": breaker.failures,
            "next_retry_time": None if breaker.open_until is None else wall + breaker.open_until - monotonic,
        }
        for name, breaker in breakers.items()
    }


def health(traffic: Mapping[str, Passed], breakers: Page, wall: float) -> Page:
    """The health of all: `degraded` where some provider is not healthy, `unhealthy` where none is."""
    providers = [_health(provider, passed, of(provider, breakers), wall) for provider, passed in traffic.items()]
    ill = [each for each in providers if each["status"] != "healthy"]
    whole = "healthy" if not ill else "degraded" if len(ill) < len(providers) else "unhealthy"
    return {"status": whole, "providers": providers, "circuit_breakers": breakers}


def provider_status(provider: str, passed: Passed, breakers: Page, wall: float) -> Page:
    """One provider: its breakers, whether any lets asks pass, and its traffic."""
    own = of(provider, breakers)
    said = _health(provider, passed, own, wall)
    return said | {"available": _available(own), "circuit_breakers": own, "metrics": _metrics(passed)}


def of(provider: str, breakers: Page) -> Page:
    """The breakers of one provider: its own, or those of its credentials or models."""
    return {name: each for name, each in breakers.items() if name.partition("/")[0] == provider}


def _health(provider: str, passed: Passed, breakers: Page, wall: float) -> Page:
    states = {each["state"] for each in breakers.values()}
    status = "healthy" if states <= {State.CLOSED} else "degraded" if _available(breakers) else "unhealthy"
    error_rate = 1.0 - passed.success_ratio
    said: Page = {"provider": provider, "status": status, "error_rate": error_rate, "last_check": str(int(wall))}
    return said if passed.mean is None else said | {"avg_latency_ms": _milliseconds(passed.mean)}


def _available(breakers: Page) -> bool:
    """Whether some breaker lets an ask pass; a provider without any has not failed yet."""
    return not breakers or any(each["state"] != State.OPEN for each in breakers.values())


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
