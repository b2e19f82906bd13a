"""HTTP headers as received: a tuple of pairs, looked up without regard to case."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]


def header(headers: Headers, name: str) -> str | None:
    """The first value of `name`, None when it was not sent."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def retry_after(headers: Headers, now: float) -> float | None:
    """Seconds to wait: `retry-after-ms` first, then `retry-after` as seconds or an HTTP date; None when unsaid.

    The order is that of the official SDKs (protocols.md A6). A date in the past is zero.
    """
    if (milliseconds := _number(header(headers, "retry-after-ms"))) is not None:
        return max(0.0, milliseconds / 1000)
    value = header(headers, "retry-after")
    if value is None:
        return None
    if (seconds := _number(value)) is not None:
        return max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 1e9 else None
