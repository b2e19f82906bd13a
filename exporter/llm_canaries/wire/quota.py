"""What an answer's headers say about remaining quota, one value per scope; absent is not zero (protocols.md A7)."""

import re
from datetime import UTC, datetime

from msgspec import Struct

from llm_canaries.wire.headers import Headers


class Quota(Struct, frozen=True, kw_only=True):
    """One scope of one limit: counts in `unit`, `used_ratio` 0 to 1, `reset_at` in Unix seconds."""

    scope: str
    unit: str
    remaining: float | None = None
    limit: float | None = None
    used_ratio: float | None = None
    reset_at: float | None = None


def read_quota(headers: Headers, now: float) -> tuple[Quota, ...]:
    """Every scope that `headers` speak of, in a stable order; `now` is Unix time."""
    found: dict[str, dict[str, str]] = {}
    for name, value in headers:
        for pattern in (_OPENAI, _ANTHROPIC):
            if match := pattern.fullmatch(name.lower()):
                found.setdefault(match["scope"], {})[match["what"]] = value
    return tuple(
        quota for scope, said in sorted(found.items()) if (quota := _quota(scope, said, now)) is not None
    )


_OPENAI = re.compile(
    r"(?:llm_provider-)?x-ratelimit-(?P<what>remaining|limit|reset)-(?P<scope>requests|tokens|project-tokens)"
)
_ANTHROPIC = re.compile(
    r"(?:llm_provider-)?anthropic-ratelimit-(?P<scope>requests|tokens|input-tokens|output-tokens)-"
    r"(?P<what>remaining|limit|reset)"
)
_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|h|m|s))+")
_LONGEST = 1e9  # seconds; a reset thirty years away is junk
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _quota(scope: str, said: dict[str, str], now: float) -> Quota | None:
    remaining, limit = _number(said.get("remaining")), _number(said.get("limit"))
    if remaining is None and limit is None:
        return None
    used = 1 - min(max(remaining, 0.0), limit) / limit if remaining is not None and limit else None
    return Quota(
        scope=scope,
        unit="requests" if scope == "requests" else "tokens",
        remaining=remaining,
        limit=limit,
        used_ratio=used,
        reset_at=_reset_at(said.get("reset"), now),
    )


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e15 else None


def _reset_at(value: str | None, now: float) -> float | None:
    """The instant meant by a Go duration (`6m0s`) or an RFC 3339 time; one in the past means unknown."""
    if value is None:
        return None
    if _GO_DURATION.fullmatch(value):
        parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|h|m|s)", value)
        seconds = sum(float(number) * _GO_UNITS[unit] for number, unit in parts)
        return now + seconds if seconds < _LONGEST else None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return at if at > now else None
