"""The usage of an answer whose bytes nobody else reads: kept aside as they pass, looked at when the answer is over.

A short answer is kept whole, of a long one its first and last bytes: Messages counts its input at the beginning of a
stream, everything else is said at the end.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec
from msgspec import Struct

from llm_canaries.wire.gemini.usage import read_usage as read_gemini_usage
from llm_canaries.wire.json import Object, WireError, decode_object
from llm_canaries.wire.message import Usage
from llm_canaries.wire.openai_responses.usage import read_responses_usage
from llm_canaries.wire.usage import read_chat_usage, read_messages_usage

WHOLE = 256 * 1024  # bytes up to which an answer is kept whole
HEAD = 16 * 1024  # bytes kept of the beginning of a longer one
TAIL = 64 * 1024  # ... and of its end
_LONGEST = 16 * 1024  # bytes of one usage object

READERS: Mapping[str, Callable[[Object, Usage | None], Usage]] = {
    "openai_chat": lambda said, earlier: read_chat_usage(said),
    "openai_responses": lambda said, earlier: read_responses_usage(said),
    "anthropic_messages": read_messages_usage,
    "gemini": lambda said, earlier: read_gemini_usage(said),
}

# a quote inside JSON text is escaped, so this is never part of what a model says
_NAMED = re.compile(rb'"usage(?:Metadata)?"\s*:\s*(?=\{)')


_NONE = msgspec.Raw(b"")
_Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # as the full reader has it


class _Inner(Struct):
    usage: msgspec.Raw = _NONE


class _Outer(Struct, rename={"metadata": "usageMetadata", "groq": "x_groq"}):
    """Every place where a dialect keeps its usage: the answer itself, or what an event of its stream wraps."""

    usage: msgspec.Raw = _NONE
    metadata: msgspec.Raw = _NONE
    response: _Inner | None = None
    message: _Inner | None = None
    groq: _Inner | None = None

    @property
    def said(self) -> bytes:
        """The usage object, wherever it stands; empty where there is none."""
        inner = [each.usage for each in (self.response, self.message, self.groq) if each is not None]
        found = (bytes(raw) for raw in (self.usage, self.metadata, *inner))
        return next((raw for raw in found if raw[:1] == b"{"), b"")


class _Read(Struct, forbid_unknown_fields=True):
    cached_tokens: _Natural | None = None
    audio_tokens: _Natural | None = None


class _Written(Struct, forbid_unknown_fields=True):
    reasoning_tokens: _Natural | None = None
    audio_tokens: _Natural | None = None
    accepted_prediction_tokens: _Natural | None = None
    rejected_prediction_tokens: _Natural | None = None


class _Plain(Struct, forbid_unknown_fields=True):
    """The usage of a chat answer as OpenAI itself says it; any other word makes it a matter for the full reader."""

    prompt_tokens: _Natural
    completion_tokens: _Natural
    total_tokens: _Natural
    prompt_tokens_details: _Read | None = None
    completion_tokens_details: _Written | None = None

    def usage(self) -> Usage:
        """The same in the normal form, as read_chat_usage says it."""
        read, written = self.prompt_tokens_details, self.completion_tokens_details
        return Usage(
            input=self.prompt_tokens,
            output=self.completion_tokens,
            reasoning=None if written is None else written.reasoning_tokens,
            cache_read=None if read is None else read.cached_tokens,
            total_reported=self.total_tokens,
        )


_DECODER = msgspec.json.Decoder(_Outer)
_PLAIN = msgspec.json.Decoder(_Plain)


class UsageTail:
    """Bytes of one answer in `dialect` go in, its usage comes out; memory is bounded by 256 KiB."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._chunks: list[bytes] = []
        self._size = 0
        self._head = b""

    def feed(self, chunk: bytes) -> None:
        """Keeps `chunk` in mind; it costs an append."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > WHOLE:
            kept = b"".join(self._chunks)
            self._head = self._head or kept[:HEAD]
            self._chunks = [kept[-TAIL:]]
            self._size = TAIL

    def close(self) -> Usage | None:
        """The usage that the answer said, None where it said none."""
        kept = b"".join(self._chunks)
        self._chunks = []
        read = READERS.get(self._dialect)
        if read is None:
            return None
        if not self._head and kept.lstrip()[:1] == b"{":
            return self._whole(kept, read)
        first, last = _first(self._head or kept), _last(kept)
        earlier = None if first is None else read(first, None)
        return earlier if last is None else read(last, earlier)

    def _whole(self, body: bytes, read: Callable[[Object, Usage | None], Usage]) -> Usage | None:
        raw = _raw(body)
        if raw and self._dialect == "openai_chat":
            try:
                return _PLAIN.decode(raw).usage()
            except msgspec.DecodeError:
                pass  # compatible providers have words of their own
        said = _object_of(raw)
        return None if said is None else read(said, None)


def _raw(body: bytes) -> bytes:
    """The usage in one JSON value, an answer or an event of its stream; empty where there is none."""
    try:
        return _DECODER.decode(body).said
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return b""


def _object_of(raw: bytes) -> Object | None:
    try:
        return decode_object(raw) if raw else None
    except WireError:
        return None


def _first(kept: bytes) -> Object | None:
    match = _NAMED.search(kept)
    return None if match is None else _around(kept, match)


def _last(kept: bytes) -> Object | None:
    at = max(kept.rfind(b'"usage"'), kept.rfind(b'"usageMetadata"'))
    while at >= 0:
        if (match := _NAMED.match(kept, at)) is not None:
            return _around(kept, match)
        at = max(kept.rfind(b'"usage"', 0, at), kept.rfind(b'"usageMetadata"', 0, at))
    return None


def _around(kept: bytes, match: re.Match[bytes]) -> Object | None:
    """The usage of the event whose line holds `match`, or where that line is cut, the object at `match`."""
    start = kept.rfind(b"\n", 0, match.start()) + 1
    end = kept.find(b"\n", match.end())
    line = kept[start : end if end >= 0 else len(kept)].removeprefix(b"data:")
    return _object_of(_raw(line)) or _object(kept[match.end() : match.end() + _LONGEST])


def _object(data: bytes) -> Object | None:
    """The JSON object that `data` begins with; what comes after it does not matter."""
    try:
        value, _ = json.JSONDecoder().raw_decode(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
