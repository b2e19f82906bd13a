"""HTTP headers as received: a tuple of pairs, looked up without regard to case."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]


def header(headers: Headers, name: str) -> str | None:
    """The first value of `name`, None when it was not sent."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def retry_after(headers: Headers, now: float) -> float | None:
    """Seconds to wait: `retry-after-ms` first, then `retry-after` as seconds or an HTTP date; None when unsaid.

    The order is that of the official SDKs (protocols.md A6). A date in the past is zero. LiteLLM says its provider's
    wait under a name of its own alone.
    """
    if (milliseconds := _wait(header(headers, "retry-after-ms"))) is not None:
        return max(0.0, milliseconds / 1000)
    value = header(headers, "retry-after") or header(headers, "llm_provider-retry-after")
    if value is None:
        return None
    if (seconds := _wait(value)) is not None:
        return max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def number(value: str | None) -> float | None:
    """The number that a header holds, None for anything else and for what is too large to reckon with."""
    try:
        found = float(value) if value is not None else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < 1e15 else None


def go_duration(value: str) -> float | None:
    """Seconds of a Go duration such as `1h2m3.5s` or `20ms`, None for anything else."""
    if not _GO_DURATION.fullmatch(value):
        return None
    parts = _GO_PART.findall(value)
    seconds = sum(float(count) * _GO_UNITS[unit] for count, unit in parts)
    return seconds if seconds < _LONGEST else None


def instant(value: str, now: float) -> float | None:
    """The Unix time that RFC 3339, epoch seconds or epoch milliseconds mean; one in the past means unknown."""
    at = number(value)
    if at is None:
        try:
            moment = datetime.fromisoformat(value)
            at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    elif at > _MILLISECONDS:
        at /= 1000
    return at if now < at < now + _LONGEST else None


_GO_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|h|m|s))+")
_GO_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|h|m|s)")
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 1e9  # seconds; a reset thirty years away is junk
_MILLISECONDS = 1e11  # a time above is no count of seconds: that would be the year 5138


def _wait(value: str | None) -> float | None:
    seconds = number(value)
    return seconds if seconds is not None and abs(seconds) < _LONGEST else None
