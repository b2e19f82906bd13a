"""What went wrong with an answer, as one closed reason, read from status and body.

A status alone is never a verdict: 429 and 503 come from providers and from gateways, and a 200 may
carry an error (protocols.md A6, cliproxyapi.md 11 and 12).
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from llm_canaries.wire.headers import Headers, retry_after
from llm_canaries.wire.json import Object, WireError, decode, encode, integer, string


class Domain(StrEnum):
    """Whose fault it is."""

    PROVIDER = "provider"
    TRANSLATION = "translation"
    ROUTING = "routing"
    POLICY = "policy"
    DEPLOYMENT = "deployment"
    NETWORK = "network"
    CLIENT = "client"
    CANARY = "canary"


class FaultReason(StrEnum):
    """Why no usable answer came; any scenario can end with one of these."""

    CONNECT = "connect"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CONNECTION_LOST = "connection_lost"
    BODY_TOO_LARGE = "body_too_large"
    HTML = "html"
    MALFORMED_BODY = "malformed_body"
    NOT_A_STREAM = "not_a_stream"
    UNEXPECTED_STREAM = "unexpected_stream"
    TRUNCATED_STREAM = "truncated_stream"
    STREAM_ERROR = "stream_error"
    EMPTY_BODY = "empty_body"
    EMPTY_ANSWER = "empty_answer"
    ANSWER_CUT = "answer_cut"
    ERROR_IN_200 = "error_in_200"
    BUSINESS_ERROR = "business_error"
    AUTH = "auth"
    PERMISSION = "permission"
    BILLING = "billing"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    COOLDOWN = "cooldown"
    NO_CREDENTIAL = "no_credential"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_NOT_SUPPORTED = "model_not_supported"
    NO_ROUTE = "no_route"
    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"


R, D = FaultReason, Domain

DOMAINS: Mapping[FaultReason, Domain] = {
    R.CONNECT: D.DEPLOYMENT,
    R.TLS: D.DEPLOYMENT,
    R.CONNECT_TIMEOUT: D.NETWORK,
    R.FIRST_BYTE_TIMEOUT: D.PROVIDER,
    R.IDLE_TIMEOUT: D.PROVIDER,
    R.TOTAL_TIMEOUT: D.PROVIDER,
    R.CONNECTION_LOST: D.NETWORK,
    R.BODY_TOO_LARGE: D.DEPLOYMENT,
    R.HTML: D.DEPLOYMENT,
    R.MALFORMED_BODY: D.TRANSLATION,
    R.NOT_A_STREAM: D.TRANSLATION,
    R.UNEXPECTED_STREAM: D.TRANSLATION,
    R.TRUNCATED_STREAM: D.PROVIDER,
    R.STREAM_ERROR: D.PROVIDER,
    R.EMPTY_BODY: D.TRANSLATION,
    R.EMPTY_ANSWER: D.TRANSLATION,
    R.ANSWER_CUT: D.TRANSLATION,
    R.ERROR_IN_200: D.TRANSLATION,
    R.BUSINESS_ERROR: D.PROVIDER,
    R.AUTH: D.CLIENT,
    R.PERMISSION: D.POLICY,
    R.BILLING: D.POLICY,
    R.RATE_LIMITED: D.PROVIDER,
    R.QUOTA_EXHAUSTED: D.PROVIDER,
    R.COOLDOWN: D.POLICY,
    R.NO_CREDENTIAL: D.DEPLOYMENT,
    R.MODEL_NOT_FOUND: D.ROUTING,
    R.MODEL_NOT_SUPPORTED: D.POLICY,
    R.NO_ROUTE: D.DEPLOYMENT,
    R.BAD_REQUEST: D.TRANSLATION,
    R.TOO_LARGE: D.TRANSLATION,
    R.OVERLOADED: D.PROVIDER,
    R.UPSTREAM_ERROR: D.PROVIDER,
    R.UPSTREAM_TIMEOUT: D.PROVIDER,
}


class Fault(Struct, frozen=True, kw_only=True):
    """One failure: `code` and `message` are the other side's own words, `retry_after` is in seconds."""

    reason: FaultReason
    status: int | None = None
    code: str = ""
    message: str = ""
    retry_after: float | None = None

    @property
    def domain(self) -> Domain:
        """Whose fault this reason is, as far as one exchange can tell."""
        return DOMAINS[self.reason]


class Envelope(Struct, frozen=True, kw_only=True):
    """What an error body says, whatever its shape; `said` is false for an excerpt of something else."""

    message: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    retry_after: float | None = None
    business: bool = False
    said: bool = True

    @property
    def words(self) -> str:
        """Everything said, in lower case, for matching."""
        return f"{self.code} {self.kind} {self.message}".lower()


def read_fault(
    status: int,
    headers: Headers,
    body: bytes,
    now: float,
    *,
    business: Mapping[str, FaultReason] | None = None,
) -> Fault:
    """The fault of an answer with `status` and `body`; `now` is Unix time; `business` maps a provider's own codes.

    Call it for statuses of 400 and above, or for a body that `read_envelope` took for an error.
    """
    envelope = read_envelope(body, now) or Envelope(message=_excerpt(body), said=False)
    wait = retry_after(headers, now)
    return Fault(
        reason=_classify(status, envelope, body, business or {}),
        status=status,
        code=envelope.code or envelope.kind,
        message=envelope.message,
        retry_after=envelope.retry_after if wait is None else wait,
    )


def read_envelope(body: bytes, now: float) -> Envelope | None:
    """The error that `body` is, None when it is none; every shape of protocols.md A6 is known."""
    try:
        value = decode(body)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return envelope_of(value, now) if isinstance(value, dict) else None
    except WireError:
        return None


def envelope_of(value: Object, now: float) -> Envelope | None:
    """The error that a decoded object is, None when it is none."""
    error = value.get("error")
    if isinstance(error, str) and error:
        return Envelope(message=string(value.get("message")) or error, code=error if "message" in value else "")
    if isinstance(error, dict):
        return _error_object(error, now)
    if "choices" in value or "content" in value:
        return None
    if isinstance(detail := value.get("detail"), str | list):
        return Envelope(message=detail if isinstance(detail, str) else _excerpt(encode(detail)))
    if value.get("status") not in (None, "", 0, "0", 200, "200", "ok") and ("msg" in value or "message" in value):
        message = string(value.get("msg")) or string(value.get("message"))
        return Envelope(message=message, code=_code(value["status"]), business=True)
    if value.get("success") is False:
        message = string(value.get("msg")) or string(value.get("message"))
        return Envelope(message=message, code=_code(value.get("code")), business=True)
    if isinstance(value.get("message"), str) and value.get("type") in (None, "error"):
        return Envelope(message=string(value["message"]), code=_code(value.get("code")))
    return None


def _error_object(error: Object, now: float) -> Envelope:
    details = error.get("details")
    nested = string(details.get("error_code")) if isinstance(details, dict) else ""
    code = error.get("code")
    return Envelope(
        message=string(error.get("message")),
        code=nested or _code(code),
        kind=string(error.get("type")) or string(error.get("status")),
        param=string(error.get("param")),
        retry_after=_body_wait(error, now),
    )


def _code(value: object) -> str:
    """A code as text, whether the other side wrote a string or a number."""
    number = integer(value)
    return string(value) if number is None else str(number)


def _body_wait(error: Object, now: float) -> float | None:
    """Seconds to wait as said in the body: CLIProxyAPI `reset_seconds`, Codex `resets_in_seconds` and `resets_at`."""
    for key in ("reset_seconds", "resets_in_seconds"):
        if (seconds := integer(error.get(key))) is not None:
            return max(0.0, float(seconds))
    if (at := integer(error.get("resets_at"))) is not None:
        return max(0.0, at - now)
    return None


# Checked in order: the first phrase that the body says decides (A6; cliproxyapi.md 4.5, conductor_cooldown.go).
_PHRASES: tuple[tuple[frozenset[int], str, FaultReason], ...] = (
    (frozenset({429, 503}), "model_cooldown", R.COOLDOWN),
    (frozenset({500, 502, 503}), "auth_unavailable", R.NO_CREDENTIAL),
    (frozenset({500, 503}), "no auth available", R.NO_CREDENTIAL),
    (frozenset({400, 404, 502}), "unknown provider for model", R.MODEL_NOT_FOUND),
    (frozenset({400, 404, 422}), "model_not_found", R.MODEL_NOT_FOUND),
    (frozenset({400, 422}), "model_not_supported", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "model is not supported", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "model is unsupported", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "model is unavailable", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "model not supported", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "unsupported model", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "model unavailable", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "not available for your", R.MODEL_NOT_SUPPORTED),
    (frozenset({400, 422}), "model identifier is invalid", R.MODEL_NOT_FOUND),
    (frozenset({400, 404}), "invalid model name", R.MODEL_NOT_FOUND),
    (frozenset({400, 413, 422}), "context_length", R.TOO_LARGE),
    (frozenset({400, 413, 422}), "maximum context length", R.TOO_LARGE),
    (frozenset({400, 413, 422}), "prompt is too long", R.TOO_LARGE),
    (frozenset({429}), "insufficient_quota", R.QUOTA_EXHAUSTED),
    (frozenset({429}), "usage_limit_reached", R.QUOTA_EXHAUSTED),
    (frozenset({402, 429}), "quota_exceeded", R.QUOTA_EXHAUSTED),
    (frozenset({402}), "quota exceeded", R.QUOTA_EXHAUSTED),
    (frozenset({429}), "exceeded your current quota", R.QUOTA_EXHAUSTED),
)

_MODEL = re.compile(r"(?<![/\w])models?\b")  # the word, not the path /v1/models

_STATUSES: Mapping[int, FaultReason] = {
    401: R.AUTH,
    402: R.BILLING,
    403: R.PERMISSION,
    405: R.NO_ROUTE,
    408: R.UPSTREAM_TIMEOUT,
    413: R.TOO_LARGE,
    429: R.RATE_LIMITED,
    501: R.NO_ROUTE,
    503: R.OVERLOADED,
    504: R.UPSTREAM_TIMEOUT,
    529: R.OVERLOADED,
}


def _classify(status: int, envelope: Envelope, body: bytes, business: Mapping[str, FaultReason]) -> FaultReason:
    if envelope.business:
        return business.get(envelope.code, R.BUSINESS_ERROR)
    if status < 400:
        return R.ERROR_IN_200
    for statuses, phrase, reason in _PHRASES:
        if status in statuses and phrase in envelope.words:
            return reason
    if status == 404:
        return _not_found(envelope)
    if status >= 500 and is_html(body):
        return R.HTML
    return _STATUSES.get(status, R.UPSTREAM_ERROR if status >= 500 else R.BAD_REQUEST)


def _not_found(envelope: Envelope) -> FaultReason:
    """A 404 speaks of the model when its envelope does, and of the endpoint otherwise (FastAPI, plain text, HTML)."""
    return R.MODEL_NOT_FOUND if envelope.said and _MODEL.search(envelope.words) else R.NO_ROUTE


def is_html(body: bytes) -> bool:
    """Whether the first non-blank bytes open an HTML document."""
    head = body[:512].lstrip().lower()
    return head.startswith((b"<!doctype", b"<html", b"<head", b"<body"))


def _excerpt(body: bytes, limit: int = 200) -> str:
    return " ".join(body[: limit * 4].decode("utf-8", "replace").split())[:limit]
