"""A provider's stream on its way to a client: watched, kept whole frame by frame, or translated."""

import codecs
import re
from collections.abc import Sequence

from msgspec.structs import replace

from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.translate import Ids, Pair, last_word, too_large, usage_losses
from llm_canaries.proxy.usage_tail import UsageTail
from llm_canaries.proxy.witness import Witness, read_end
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Broken, End, Event, Finished, Head, Liveness, PartStart, UsageSeen
from llm_canaries.wire.exchange import Loss, Reader, Writer
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError, encode
from llm_canaries.wire.message import Usage
from llm_canaries.wire.sse import Decoder, Frame, encode_frame

_NUMBER = b'"sequence_number":'
_DIGITS = re.compile(rb"\s*(\d{1,9})")
_BLANKS = (b"\n\n", b"\r\n\r\n", b"\r\r")  # the blank line that ends a frame


class Utf8:
    """Whether a stream's bytes are UTF-8, sliced anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._plain = True

    def check(self, chunk: bytes) -> None:
        """Raises Unanswered where they are not."""
        if self._plain and chunk.isascii():
            return
        try:
            self._decoder.decode(chunk)
        except UnicodeDecodeError:
            raise Unanswered(Fault(reason=FaultReason.MALFORMED_BODY, message="not UTF-8")) from None
        self._plain = self._decoder.getstate()[0] == b""


class Guarded:
    """A stream for a client of the provider's own dialect: whole frames only, and never without an end.

    No byte of a frame changes. A frame in which the stream breaks off is left out and an error follows instead.
    """

    losses: tuple[Loss, ...] = ()

    def __init__(self, dialect: str, status: int, headers: Headers, limit: int, *, counted: bool = False) -> None:
        self._dialect = dialect
        self._tail = UsageTail(dialect) if counted else None
        self._witness = Witness(dialect, status, headers, limit)
        self._limit = limit
        self._held: list[bytes] = []
        self._edge = b""
        self._utf8 = Utf8()
        self._number = -1  # the last sequence_number, where the dialect counts its events
        self.fault: Fault | None = None

    @property
    def usage(self) -> Usage | None:
        """What it said of usage, where that is counted; told once."""
        return self._tail.close() if self._tail is not None else None

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may be passed on now. Raises Unanswered for what no client can read."""
        witness = self._witness
        if witness.size + len(chunk) > self._limit:
            raise too_large(self._limit)
        self._utf8.check(chunk)
        witness.feed(chunk)  # what is not passed on is not what the client was told: the end may be in it
        if self._tail is not None:
            self._tail.feed(chunk)
        out = self._whole_frames(chunk)
        if self._dialect == "openai_responses" and (at := out.rfind(_NUMBER)) >= 0:
            match = _DIGITS.match(out, at + len(_NUMBER))
            self._number = int(match[1]) if match is not None else self._number
        return out

    def _whole_frames(self, chunk: bytes) -> bytes:
        """What is whole of all that was held and `chunk`; the rest is held."""
        if not self._held and chunk.endswith(b"\n\n"):
            return chunk
        at = _boundary(self._edge + chunk) - len(self._edge)
        if at <= 0:
            self._held.append(chunk)
            self._edge = (self._edge + chunk)[-3:]
            return b""
        out = b"".join((*self._held, chunk[:at]))
        self._held = [chunk[at:]] if at < len(chunk) else []
        self._edge = chunk[at:][-3:]
        return out

    def close(self, now: float) -> bytes:
        """The last bytes of a stream that the provider ended."""
        fault = self._witness.fault(now, {})
        rest = b"".join(self._held)
        events = read_end(self._dialect, rest, whole=True) if rest else []
        last = rest + b"\n\n" if any(not isinstance(event, Liveness) for event in events) else b""
        self.fault = fault
        if fault is not None and not self._witness.told:
            return last + self._break(fault)
        if fault is None and not self._witness.ended:
            return last + last_word(self._dialect, End())
        return last

    def abort(self, fault: Fault) -> bytes:
        """The last bytes of a stream that broke off; one that had said its end did not."""
        if not self._held and self._witness.ended:
            return b""
        self.fault = fault
        return self._break(fault)

    def _break(self, fault: Fault) -> bytes:
        """An error after what was passed on; Responses has an event for it that repeats nothing of the answer."""
        if self._dialect != "openai_responses":
            return last_word(self._dialect, Broken(fault))
        said = {"type": "error", "code": fault.code or str(fault.reason), "message": fault.message, "param": None}
        return encode_frame(encode(said | {"sequence_number": self._number + 1}), "error")


class Crossing:
    """A stream translated for a client of another dialect.

    `raw`: nothing is mended, and what cannot be read ends it. Otherwise ids are made unique and it never goes without
    an end.
    """

    def __init__(self, pair: Pair, limit: int, *, raw: bool) -> None:
        self._pair, self._limit, self._raw = pair, limit, raw
        self._decoder, self._reader = Decoder(), DIALECTS[pair.provider].reader()
        self._writer: Writer | None = None
        self._ids = Ids()
        self._utf8 = Utf8()
        self._size = 0
        self._finished = self._ended = False
        self.usage: Usage | None = None
        self.fault: Fault | None = None

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the client's dialect could not say so far."""
        own = (*usage_losses(self.usage), *self._ids.losses)
        return (*self._writer.losses, *own) if self._writer is not None else own

    def feed(self, chunk: bytes) -> bytes:
        """What the client is told of `chunk`. Raises Unanswered."""
        self._size += len(chunk)
        if self._size > self._limit:
            raise too_large(self._limit)
        self._utf8.check(chunk)
        return self._write(_read(self._reader, self._decoder.feed(chunk)))

    def close(self, now: float) -> bytes:
        """The last bytes of a stream that the provider ended; `now` tells nothing here."""
        out = self._write([*_read_last(self._reader, self._decoder.close()), *self._reader.close()])
        if self.fault is None and not self._ended and not self._finished:
            reason = FaultReason.EMPTY_BODY if self._writer is None else FaultReason.TRUNCATED_STREAM
            self.fault = Fault(reason=reason, message="the stream ended before the answer did")
            if not self._raw:
                return out + self._end(Broken(self.fault))
        if self.fault is None and self._finished and not self._ended and not self._raw:
            return out + self._end(End())
        return out + (self._writer.close() if self._writer is not None else b"")

    def abort(self, fault: Fault) -> bytes:
        """The last bytes of a stream that broke off; one that had said its end did not."""
        if self._ended:
            return b""
        self.fault = fault
        return self._end(Broken(fault))

    def _end(self, event: Event) -> bytes:
        writer = self._writer or DIALECTS[self._pair.client].writer(Head(id="", model=""))  # which then opens it, too
        return writer.feed(event) + writer.close()

    def _write(self, events: list[Event]) -> bytes:
        self._writer = self._writer or _writer(self._pair, events)
        writer = self._writer
        if writer is None:
            return b""
        out: list[bytes] = []
        for event in events:
            over = self.fault is not None and not self._raw  # nothing comes after an error
            seen = self._seen(event)
            if not over:
                out.append(writer.feed(seen))
        return b"".join(out)

    def _seen(self, event: Event) -> Event:
        match event:
            case PartStart(kind="tool") if not self._raw:
                return replace(event, id=self._ids.unique(event.id))
            case UsageSeen(usage):
                self.usage = usage
            case Broken(fault):
                self.fault = fault
            case Finished():
                self._finished = True
            case End():
                self._ended = True
            case _:
                pass
        return event


def _boundary(data: bytes) -> int:
    """Where the last whole frame of `data` ends, 0 where none does."""
    ends = [data.rfind(blank) + len(blank) for blank in _BLANKS if blank in data]
    return max(ends, default=0)


def _read(reader: Reader, frames: Sequence[Frame]) -> list[Event]:
    try:
        return [event for frame in frames for event in reader.feed(frame)]
    except WireError as error:
        raise Unanswered(Fault(reason=FaultReason.MALFORMED_BODY, message=str(error))) from None


def _read_last(reader: Reader, frames: Sequence[Frame]) -> list[Event]:
    """A last frame without its end may be cut anywhere; the answer then stays cut, which says it all."""
    try:
        return _read(reader, frames)
    except Unanswered:
        return []


def _writer(pair: Pair, events: Sequence[Event]) -> Writer | None:
    """A writer as soon as it is known who answers; a keep-alive before that tells nothing."""
    head = next((event for event in events if isinstance(event, Head)), None)
    if head is None and any(not isinstance(event, Liveness) for event in events):
        head = Head(id="", model="")
    return DIALECTS[pair.client].writer(head) if head is not None else None
