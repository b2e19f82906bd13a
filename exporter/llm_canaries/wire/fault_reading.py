"""Reads the fault of an answer from its status, headers and body.

A status alone is never a verdict: 429 and 503 come from providers and from gateways, and a 200 may
carry an error (protocols.md A6, cliproxyapi.md 11 and 12).
"""

import re
from collections.abc import Mapping

from llm_canaries.wire.envelope import Envelope, excerpt, is_html, read_envelope
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers, header, retry_after
from llm_canaries.wire.quota_windows import rejection
from llm_canaries.wire.thinking import LEVELS

R = FaultReason


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
    envelope = read_envelope(body, now) or Envelope(message=excerpt(body), said=False)
    wait = retry_after(headers, now)
    reason = _classify(status, envelope, body, business or {})
    rejected, passed = rejection(headers, now) if status == 429 else (False, None)
    if passed is not None:
        wait = max(wait or 0.0, passed)
    if rejected and reason is R.RATE_LIMITED:  # not too fast: a window of the plan is used up
        reason = R.QUOTA_EXHAUSTED
    return Fault(
        reason=reason,
        status=status,
        code=envelope.name,
        message=envelope.message,
        retry_after=envelope.retry_after if wait is None else wait,
        should_retry=_RETRY.get((header(headers, "x-should-retry") or "").strip().lower()),
        levels=_levels(envelope),
        budget=_budget(envelope),
    )


_RETRY = {"true": True, "false": False}


# Checked in order: the first phrase that the body says decides (A6; cliproxyapi.md 4.5, conductor_cooldown.go).
_PHRASES: tuple[tuple[frozenset[int], str, FaultReason], ...] = (
    (frozenset({429, 503}), "model_cooldown", R.COOLDOWN),
    (frozenset({429, 503}), "are cooling down", R.COOLDOWN),  # all that CLIProxyAPI tells Messages clients of it
    (frozenset({429, 503}), "selected model are in cooldown", R.COOLDOWN),  # LiteLLM 1.106
    (frozenset({429, 503, 529}), "is open; the first one opens in", R.COOLDOWN),  # `canaries proxy`
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
    (frozenset({400}), "api_key_invalid", R.AUTH),  # Gemini refuses a key with 400
    (frozenset({400}), "api key not valid", R.AUTH),
    (frozenset({400, 403}), "api key expired", R.AUTH),
    (frozenset({400}), "credit balance is too low", R.BILLING),
    (frozenset({403}), "billing_disabled", R.BILLING),
    (frozenset({429}), "insufficient_quota", R.QUOTA_EXHAUSTED),
    (frozenset({429}), "usage_limit_reached", R.QUOTA_EXHAUSTED),
    (frozenset({402, 429}), "quota_exceeded", R.QUOTA_EXHAUSTED),
    (frozenset({402}), "quota exceeded", R.QUOTA_EXHAUSTED),
    (frozenset({429}), "quota_exhausted", R.QUOTA_EXHAUSTED),
    (frozenset({429}), "perday", R.QUOTA_EXHAUSTED),  # Gemini says the same words of every quota; its id tells
    (frozenset({429}), "perminute", R.RATE_LIMITED),
    (frozenset({429}), "exceeded your current quota", R.QUOTA_EXHAUSTED),
    (frozenset({429, 503}), "model_capacity_exhausted", R.OVERLOADED),
)

# What an error calls itself, where a gateway has made one status of many (A6: Anthropic's types, Google's statuses).
_KINDS: Mapping[str, FaultReason] = {
    "authentication_error": R.AUTH,
    "unauthenticated": R.AUTH,
    "permission_error": R.PERMISSION,
    "permission_denied": R.PERMISSION,
    "billing_error": R.BILLING,
    "rate_limit_error": R.RATE_LIMITED,
    "resource_exhausted": R.RATE_LIMITED,
    "throttlingexception": R.RATE_LIMITED,
    "request_too_large": R.TOO_LARGE,
    "overloaded_error": R.OVERLOADED,
    "unavailable": R.OVERLOADED,
    "timeout_error": R.UPSTREAM_TIMEOUT,
    "deadline_exceeded": R.UPSTREAM_TIMEOUT,
}
_BLURRED = frozenset({400, 500, 502})

_STATUSES: Mapping[int, FaultReason] = {
    401: R.AUTH,
    402: R.BILLING,
    403: R.PERMISSION,
    405: R.NO_ROUTE,
    408: R.UPSTREAM_TIMEOUT,
    409: R.UPSTREAM_ERROR,  # conflict_error, ABORTED: worth another try, and nothing is wrong with the request
    413: R.TOO_LARGE,
    429: R.RATE_LIMITED,
    499: R.CONNECTION_LOST,  # whoever asked the provider went away: it was not the client of this answer
    501: R.NO_ROUTE,
    503: R.OVERLOADED,
    504: R.UPSTREAM_TIMEOUT,
    529: R.OVERLOADED,
}


def _classify(status: int, envelope: Envelope, body: bytes, business: Mapping[str, FaultReason]) -> FaultReason:
    if envelope.business and (status < 400 or envelope.code in business):
        return business.get(envelope.code, R.BUSINESS_ERROR)
    if status < 400:
        return R.ERROR_IN_200
    words = envelope.words
    if (status == 404 and _NO_PAGE.search(envelope.message)) or (status == 500 and _NOT_THERE.match(envelope.message)):
        return R.NO_ROUTE
    for statuses, phrase, reason in _PHRASES:
        if status in statuses and phrase in words:
            return reason
    if status == 404:
        return _not_found(envelope)
    if status == 400 and "failed_precondition" in words:  # Gemini's word for a region or an account without billing
        return R.BILLING if "billing" in words else R.PERMISSION
    if status in _BLURRED and (named := _KINDS.get(envelope.kind.lower())) is not None:
        return named
    if status >= 500 and is_html(body):
        return R.HTML
    return _STATUSES.get(status, R.UPSTREAM_ERROR if status >= 500 else R.BAD_REQUEST)


_MODEL = re.compile(r"(?<![/\w])models?\b")  # the word, not the path /v1/models

# A web server's own 404, to which CLIProxyAPI adds the code model_not_found (A6).
_NO_PAGE = re.compile(r"^\W*(?:404 )?(?:page )?not found\W*$|^cannot (?:get|post) |<html|<!doctype", re.IGNORECASE)
_NOT_THERE = re.compile(r"\w+ is not supported by [\w-]+$")  # Portkey's, of an endpoint that it lacks for a provider


def _not_found(envelope: Envelope) -> FaultReason:
    """A 404 speaks of the model when its envelope does, and of the endpoint otherwise (FastAPI, plain text, HTML)."""
    return R.MODEL_NOT_FOUND if envelope.said and _MODEL.search(envelope.words) else R.NO_ROUTE


_EFFORT = re.compile(r"effort|\blevel|reasoning|thinking")
_OFFERED = re.compile(r"(?:supported|valid) (?:levels|values)(?: are)?\s*:\s*([^.\n]*)")
_RANGE = re.compile(r"budget -?\d{1,9} out of range \[(\d{1,9}),\s*(\d{1,9})\]")


def _levels(envelope: Envelope) -> tuple[str, ...]:
    """The levels that a refusal of another one offers (Anthropic's and CLIProxyAPI's texts, A6), lowest first."""
    said = f"{envelope.param} {envelope.message}".lower()
    offered = _OFFERED.search(said) if _EFFORT.search(said) else None
    words = set(re.findall(r"[a-z]+", offered[1])) if offered else set()
    return tuple(level for level in LEVELS if level in words)


def _budget(envelope: Envelope) -> tuple[int, int] | None:
    """The range that a refusal of a budget names (CLIProxyAPI's text)."""
    found = _RANGE.search(envelope.message.lower())
    return (int(found[1]), int(found[2])) if found else None
