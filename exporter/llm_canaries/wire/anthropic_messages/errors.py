"""The words that Anthropic's errors have, in answers and in streams."""

from collections.abc import Mapping

from llm_canaries.wire.fault import Fault, FaultReason

R = FaultReason

ERRORS: Mapping[FaultReason, tuple[int, str]] = {
    R.AUTH: (401, "authentication_error"),
    R.BILLING: (402, "billing_error"),
    R.PERMISSION: (403, "permission_error"),
    R.RATE_LIMITED: (429, "rate_limit_error"),
    R.QUOTA_EXHAUSTED: (429, "rate_limit_error"),
    R.MODEL_NOT_FOUND: (404, "not_found_error"),
    R.MODEL_NOT_SUPPORTED: (400, "invalid_request_error"),
    R.BAD_REQUEST: (400, "invalid_request_error"),
    R.TOO_LARGE: (413, "request_too_large"),
    R.OVERLOADED: (529, "overloaded_error"),
    R.UPSTREAM_TIMEOUT: (504, "timeout_error"),
}
OTHER = (502, "api_error")
_WORDS = frozenset(word for _, word in (*ERRORS.values(), OTHER))


def word_of(fault: Fault) -> str:
    """The type of an error in a stream: what the other side called it where that is Anthropic's word, or its kind."""
    return fault.code if fault.code in _WORDS else ERRORS.get(fault.reason, OTHER)[1]
