"""The few fields of a body that routing and judgement need, read without decoding the rest.

A typed decoder skips what it does not know at about 2 GB/s; nothing else of the body becomes a Python value.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from llm_canaries.wire.clip import clipped
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import is_html, read_envelope
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError

LONGEST_ID = 512  # characters of a model id

_NONE = Raw(b"")
_GEMINI = re.compile(r"/models/(?P<model>.+):(?P<verb>\w+)")


class Asked(Struct, frozen=True):
    """Whom a body asks, and whether for a stream."""

    model: str
    stream: bool


class _Ask(Struct):
    model: str
    stream: bool | None = None


class _Said(Struct):
    """An answer's outermost fields, as far as any dialect uses them."""

    error: Raw = _NONE
    choices: Raw = _NONE
    content: Raw = _NONE
    output: Raw = _NONE
    candidates: Raw = _NONE
    prompt_feedback: Raw = msgspec.field(default=_NONE, name="promptFeedback")


_ASK = msgspec.json.Decoder(_Ask)
_SAID = msgspec.json.Decoder(_Said)


def peek_ask(dialect: str, body: bytes, path: str) -> Asked:
    """Model and stream of an ask; they are in `path` where the dialect keeps them there. Raises WireError."""
    if "{" in DIALECTS[dialect].path:
        match = _GEMINI.search(path)
        if match is None:
            raise WireError("path: expected …/models/MODEL:METHOD")
        return Asked(_named(unquote(match["model"])), match["verb"].startswith("stream"))
    try:
        said = _ASK.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(f"not an ask: {error}") from None
    return Asked(_named(said.model), said.stream is True)


def _named(model: str) -> str:
    """The id of a model; it is kept beside routes and counts, so a stranger does not choose how much that is."""
    if not model:
        raise WireError("model: expected, and not empty")
    if len(model) > LONGEST_ID:
        raise WireError(f"model: longer than {LONGEST_ID} characters")
    return model


def fault_of(
    status: int, headers: Headers, body: bytes, now: float, business: Mapping[str, FaultReason] | None = None
) -> Fault | None:
    """Why a whole body under a status below 300 is no answer, None where it is one as far as its outside tells."""
    if not body or body.isspace():
        return Fault(reason=FaultReason.EMPTY_BODY, status=status, message="an empty body")
    if is_html(body):
        return Fault(reason=FaultReason.HTML, status=status, message="an HTML page instead of an answer")
    try:
        said = _SAID.decode(body)
        body.isascii() or body.decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if read_envelope(body, now) is not None:  # Google wraps an error in a list
            return read_fault(status, headers, body, now, business=business)
        return Fault(reason=FaultReason.MALFORMED_BODY, status=status, message=clipped(f"not JSON: {error}", 200))
    answers = said.choices or said.content or said.output or said.candidates or said.prompt_feedback
    if bytes(answers) and bytes(said.error) in (b"", b"null"):
        return None
    if read_envelope(body, now) is not None:
        return read_fault(status, headers, body, now, business=business)
    if bytes(answers):
        return None
    return Fault(reason=FaultReason.MALFORMED_BODY, status=status, message="not an answer in any known form")
