"""Why the model stopped: finishReason and blockReason against the hub's words (protocols.md A5)."""

from collections.abc import Mapping

from llm_canaries.wire.message import Finish

UNSAID = "FINISH_REASON_UNSPECIFIED"
"""Ends an answer without a reason: what another dialect's stream says when it ends so."""

_FILTERS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR")
_IMAGES = ("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER")
_CALLS = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE")
_ERRORS = ("MALFORMED_RESPONSE", "OTHER", "LANGUAGE", "NO_IMAGE", "ESCALATION", "PUP_LIMITED_DISABLED")

_FINISHES: Mapping[str, Finish] = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "CONTINUATION": Finish.LENGTH,
    **dict.fromkeys((*_FILTERS, *_IMAGES), Finish.FILTER),
    **dict.fromkeys((*_CALLS, *_ERRORS), Finish.ERROR),
}

_NATIVE: Mapping[Finish, str] = {
    Finish.LENGTH: "MAX_TOKENS",
    Finish.FILTER: "SAFETY",
    Finish.ERROR: "OTHER",
    Finish.UNKNOWN: "OTHER",
}


def finish_of(native: object, calls: bool) -> Finish | None:
    """The hub's word for a finishReason; one that ends a turn with `calls` is STOP as well. None for none."""
    if not isinstance(native, str) or native in ("", UNSAID):
        return None
    if native == "STOP" and calls:
        return Finish.TOOL
    return _FINISHES.get(native, Finish.UNKNOWN)


def native_finish(finish: Finish, own: str | None, calls: bool) -> str:
    """The finishReason for `finish`; `own` wins where it is Gemini's word for the same."""
    if own and finish_of(own, calls) == finish:
        return own
    return _NATIVE.get(finish, "STOP")
