"""Seals of reasoning as Gemini's clients carry them: `thoughtSignature` is base64, so another maker's is wrapped in it.

The official SDK decodes the field and would refuse the `#` that wire.seal puts between maker and seal.
"""

import base64
import re

from llm_canaries.wire.gemini.names import NAME
from llm_canaries.wire.message import Thought
from llm_canaries.wire.seal import carried

_REDACTED = "redacted:"
_WRAPPED = re.compile(rf"({_REDACTED})?([a-z]+(?:_[a-z]+)*#.*)", re.DOTALL)
_URL_SAFE = str.maketrans("-_", "+/")  # the SDK sends back what it decoded in the other alphabet

SKIP = "skip_thought_signature_validator"
"""Google's documented word for "this call was not made by Gemini": in place of a seal, Gemini 3 accepts it (A4)."""


def held_by(part: Thought) -> str | None:
    """The seal of `part`, whichever form it has."""
    return part.signature if part.redacted is None else part.redacted


def wrapped(part: Thought, maker: str) -> str | None:
    """The seal of `part` by `maker` as a Gemini client carries it, None where there is none."""
    held = held_by(part)
    if not held:
        return None
    if part.redacted is None and maker == NAME and "#" not in held:
        return held
    text = carried(held, maker, NAME)
    text = text if "#" in text else f"{NAME}#{text}"
    return base64.b64encode(((_REDACTED if part.redacted is not None else "") + text).encode()).decode()


def unwrapped(seal: str) -> tuple[str, bool]:
    """The seal as the hub holds it, and whether it seals a thought whole."""
    try:
        padded = seal.translate(_URL_SAFE) + "=" * (-len(seal) % 4)
        found = _WRAPPED.fullmatch(base64.b64decode(padded, validate=True).decode())
    except ValueError:  # not base64, or not text inside: Gemini's own
        return seal, False
    return (found[2], found[1] is not None) if found else (seal, False)


def is_foreign(seal: str | None) -> bool:
    """Whether another maker's name stands before `seal`."""
    return seal is not None and "#" in seal
