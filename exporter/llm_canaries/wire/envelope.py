"""The error that a body is, whatever its shape: every envelope of protocols.md A6 in one."""

import re
from typing import Any

from msgspec import Struct

from llm_canaries.wire.clip import CUT, clipped
from llm_canaries.wire.headers import go_duration
from llm_canaries.wire.json import Object, WireError, decode, encode, integer, items, mapping, string

_DEEPEST = 3  # envelopes in envelopes: FastAPI's detail, OpenRouter's raw


class Envelope(Struct, frozen=True, kw_only=True):
    """What an error body says; `said` is false for an excerpt of something else.

    `hints` are words that stand beside the message: Google's reasons and quota ids, an upstream's own code.
    """

    message: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    retry_after: float | None = None
    business: bool = False
    said: bool = True
    hints: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Everything said, in lower case, for matching."""
        return " ".join((self.code, self.kind, self.message, *self.hints)).lower()

    @property
    def name(self) -> str:
        """The code, but for one that only repeats a status where the kind of error has a name."""
        return self.kind or self.code if self.code.isdecimal() else self.code or self.kind


def read_envelope(body: bytes, now: float) -> Envelope | None:
    """The error that `body` is, None when it is none; `now` is Unix time."""
    value = error_value(body)
    return None if value is None else envelope_of(value, now)


def error_value(body: bytes) -> Object | None:
    """The object that `body` is or holds as its only item, as Google's errors come; None for anything else."""
    try:
        value = decode(body)
    except WireError:
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None


def envelope_of(value: Object, now: float, depth: int = 0) -> Envelope | None:
    """The error that a decoded object is, None when it is none."""
    error = value.get("error")
    if isinstance(error, str) and error:
        return Envelope(message=string(value.get("message")) or error, code=error if "message" in value else "")
    if isinstance(error, dict):
        return _error_object(error, now, depth)
    if "choices" in value or "content" in value:
        return None
    if (detail := value.get("detail")) is not None and (found := _detail(detail, now, depth)) is not None:
        return found
    if value.get("status") not in (None, "", 0, "0", 200, "200", "ok") and ("msg" in value or "message" in value):
        message = string(value.get("msg")) or string(value.get("message"))
        return Envelope(message=message, code=_code(value["status"]), business=True)
    if value.get("success") is False:
        message = string(value.get("msg")) or string(value.get("message"))
        return Envelope(message=message, code=_code(value.get("code")), business=True)
    if isinstance(value.get("message"), str) and value.get("type") in (None, "error"):
        kind = string(value.get("__type")).rpartition("#")[2]  # Amazon's
        return Envelope(message=string(value["message"]), code=_code(value.get("code")), kind=kind)
    return None


def excerpt(body: bytes, limit: int = 200) -> str:
    """The first words of a body that is no envelope, on one line."""
    head = body[: limit * 4].decode("utf-8", "replace")
    if len(body) > limit * 4:
        head = head.rstrip("\ufffd") + CUT
    return clipped(" ".join(head.split()), limit)


def is_html(body: bytes) -> bool:
    """Whether the first non-blank bytes open an HTML document."""
    head = body[:512].lstrip().lower()
    return head.startswith((b"<!doctype", b"<html", b"<head", b"<body"))


def google_details(error: Object) -> dict[str, Object]:
    """The `details` of a Google error by the last word of their type, such as RetryInfo."""
    said = [detail for detail in items(error.get("details")) if isinstance(detail, dict)]
    return {string(detail.get("@type")).rpartition(".")[2]: detail for detail in reversed(said)}


def body_wait(error: Object, now: float) -> float | None:
    """Seconds to wait as an error object says, None where it does not.

    CLIProxyAPI says `reset_seconds`; Codex `resets_in_seconds` or `resets_at`; Gemini RetryInfo, or quotaResetDelay,
    or the message, in this order (A7). LiteLLM says it to Messages clients in words alone.
    """
    for key in ("reset_seconds", "resets_in_seconds"):
        if (seconds := integer(error.get(key))) is not None:
            return max(0.0, float(seconds))
    if (at := integer(error.get("resets_at"))) is not None:
        return max(0.0, at - now)
    details = google_details(error)
    reset = mapping(details.get("ErrorInfo", {}).get("metadata")).get("quotaResetDelay")
    for said in (details.get("RetryInfo", {}).get("retryDelay"), reset):
        if (wait := go_duration(string(said))) is not None:
            return wait
    message = string(error.get("message"))
    if (after := _AFTER.search(message)) is not None:
        return go_duration(after[1])
    return float(again[1]) if (again := _AGAIN.search(message)) is not None else None


_AFTER = re.compile(r"\bafter ((?:\d+(?:\.\d+)?(?:ms|[hms]))+)(?!\w)")
_AGAIN = re.compile(r"\bTry again in (\d{1,6}(?:\.\d{1,3})?) seconds?\b")


def _detail(detail: Any, now: float, depth: int) -> Envelope | None:
    match detail:
        case str():
            return Envelope(message=detail)
        case list():
            return Envelope(message=excerpt(encode(detail)))
        case dict() if depth < _DEEPEST:
            return envelope_of(detail, now, depth + 1) or Envelope(message=excerpt(encode(detail)))
        case _:
            return None


def _error_object(error: Object, now: float, depth: int) -> Envelope:
    details, google = error.get("details"), google_details(error)
    nested = string(mapping(details).get("error_code")) or string(google.get("ErrorInfo", {}).get("reason"))
    message, hints = string(error.get("message")), tuple(_quota_ids(google))
    upstream = _upstream(error, now, depth)
    if upstream is not None:
        message = f"{message}: {upstream.message}" if message else upstream.message
        hints = (*hints, upstream.code, upstream.kind, *upstream.hints)
    wait = body_wait(error, now)
    return Envelope(
        message=message,
        code=nested or _code(error.get("code")),
        kind=string(error.get("type")) or string(error.get("status")),
        param=string(error.get("param")),
        retry_after=upstream.retry_after if wait is None and upstream is not None else wait,
        hints=hints,
    )


def _upstream(error: Object, now: float, depth: int) -> Envelope | None:
    """What the provider said, where OpenRouter passes it on as `metadata.raw`, as text or as an object."""
    raw = mapping(error.get("metadata")).get("raw")
    if not raw or depth >= _DEEPEST:
        return None
    said = error_value(raw.encode()) if isinstance(raw, str) else raw if isinstance(raw, dict) else None
    found = envelope_of(said, now, depth + 1) if said is not None else None
    return found or (Envelope(message=excerpt(raw.encode())) if isinstance(raw, str) else None)


def _quota_ids(google: dict[str, Object]) -> list[str]:
    violations = items(google.get("QuotaFailure", {}).get("violations"))
    return [name for each in violations if (name := string(mapping(each).get("quotaId")))]


def _code(value: object) -> str:
    """A code as text, whether the other side wrote a string or a number."""
    number = integer(value)
    return string(value) if number is None else str(number)
