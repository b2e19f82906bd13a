"""Google's error envelope (protocols.md A6)."""

from collections.abc import Mapping

from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import Object

R = FaultReason
_ERRORS: Mapping[FaultReason, tuple[int, str, str]] = {  # status, its name, and more where that is too little
    R.AUTH: (401, "UNAUTHENTICATED", ""),
    R.BILLING: (403, "PERMISSION_DENIED", "BILLING_DISABLED"),
    R.PERMISSION: (403, "PERMISSION_DENIED", ""),
    R.RATE_LIMITED: (429, "RESOURCE_EXHAUSTED", ""),
    R.QUOTA_EXHAUSTED: (429, "RESOURCE_EXHAUSTED", "QUOTA_EXHAUSTED"),
    R.COOLDOWN: (429, "RESOURCE_EXHAUSTED", "MODEL_COOLDOWN"),
    R.MODEL_NOT_FOUND: (404, "NOT_FOUND", "MODEL_NOT_FOUND"),
    R.NO_ROUTE: (404, "NOT_FOUND", ""),
    R.MODEL_NOT_SUPPORTED: (400, "INVALID_ARGUMENT", "MODEL_NOT_SUPPORTED"),
    R.BAD_REQUEST: (400, "INVALID_ARGUMENT", ""),
    R.TOO_LARGE: (413, "INVALID_ARGUMENT", ""),
    R.OVERLOADED: (503, "UNAVAILABLE", ""),
    R.NO_CREDENTIAL: (503, "UNAVAILABLE", "AUTH_UNAVAILABLE"),
    R.UPSTREAM_TIMEOUT: (504, "DEADLINE_EXCEEDED", ""),
}
_OTHER = (502, "INTERNAL", "")
_TYPES = "type.googleapis.com/google.rpc."


def status_of(fault: Fault) -> int:
    """The HTTP status that says `fault`."""
    return _ERRORS.get(fault.reason, _OTHER)[0]


def error_of(fault: Fault) -> Object:
    """What stands under `error`; the provider's own code, where it has one, and the time to wait are details."""
    code, status, reason = _ERRORS.get(fault.reason, _OTHER)
    if fault.status is not None and 400 <= fault.status < 600:
        code = fault.status  # Google's `code` is the answer's own status
    details: list[Object] = []
    if fault.code and not fault.code.isdecimal() and fault.code != status:
        reason = fault.code
    if reason:
        details.append({"@type": f"{_TYPES}ErrorInfo", "reason": reason, "domain": "googleapis.com"})
    if fault.retry_after is not None:
        wait = f"{max(0.0, fault.retry_after):.3f}".rstrip("0").rstrip(".")
        details.append({"@type": f"{_TYPES}RetryInfo", "retryDelay": f"{wait}s"})
    said: Object = {"code": code, "message": fault.message, "status": status}
    return said | ({"details": details} if details else {})
