"""What was wrong with an answer, told from its outside and its last bytes after it passed by."""

import re
from collections import deque
from collections.abc import Mapping

from llm_canaries.proxy.peek import fault_of
from llm_canaries.proxy.translate import is_event_stream, is_stream, too_large
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import is_html
from llm_canaries.wire.event import Broken, Delta, Event, Finished, OpaquePart, PartStart
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError
from llm_canaries.wire.sse import Decoder

KEPT = 64 * 1024  # bytes of an answer's end that are looked at again

_MARK = 64  # bytes that hold any terminal event's name

# The terminal event at the start of a line, where no text of a model can stand: JSON escapes line ends.
_ENDS: Mapping[str, re.Pattern[bytes]] = {
    "openai_chat": re.compile(rb"[\r\n]data: ?\[DONE\]"),
    "anthropic_messages": re.compile(rb"[\r\n](?:event: ?message_stop|data: ?\{\"type\": ?\"message_stop\")"),
    "openai_responses": re.compile(
        rb"[\r\n](?:event: ?|data: ?\{\"type\": ?\")response\.(?:completed|incomplete|failed|cancelled)"
    ),
    "gemini": re.compile(rb"\"finishReason\"\s*:\s*\""),
}
_ERROR = re.compile(rb"\"error\"\s*:\s*[{\"\[]|[\r\n]event: ?error")


class Witness:
    """An answer passing by in its provider's words; what was wrong with it is told at its end."""

    def __init__(self, dialect: str, status: int, headers: Headers, limit: int) -> None:
        self._dialect, self._status, self._headers, self._limit = dialect, status, headers, limit
        self._last: deque[bytes] = deque()
        self._end = _ENDS.get(dialect)
        self._kept = 0
        self._before = b"\n"  # the byte before the last ones; a stream begins as after a line end
        self._passed = False  # the terminal event is so long that its beginning is no longer kept
        self._first = b""
        self.told = False  # the provider has said its fault itself, in its own stream
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """More of it."""
        if not self._first:
            self._first = chunk.lstrip()[:512]
        self.size += len(chunk)
        self._kept += len(chunk)
        last = self._last
        last.append(chunk)
        while self._kept - len(last[0]) >= KEPT:
            gone = last.popleft()
            self._kept -= len(gone)
            if self._end is not None and self._end.search(self._before + gone + last[0][:_MARK]):
                self._passed = True
            self._before = gone[-1:] or self._before

    @property
    def too_large(self) -> bool:
        """Whether it is over the limit."""
        return self.size > self._limit

    @property
    def ended(self) -> bool:
        """Whether a stream's terminal event has come."""
        return self._passed or self._ends(b"".join(self._last))

    def fault(self, now: float, business: Mapping[str, FaultReason]) -> Fault | None:
        """What was wrong with all that came; `now` is Unix time."""
        if self.too_large:
            return too_large(self._limit).fault
        body = b"".join(self._last)
        if self._status >= 400:
            return read_fault(self._status, self._headers, body, now, business=business)
        if self._status >= 300:
            return Fault(reason=FaultReason.NO_ROUTE, status=self._status, message="redirects elsewhere")
        whole = self.size == self._kept
        if self._first and (is_event_stream(self._headers) or is_stream(self._first)) and not is_html(self._first):
            return self._stream_fault(body, whole=whole)
        if whole:
            return fault_of(self._status, self._headers, body, now, business)
        if is_html(self._first):
            return Fault(reason=FaultReason.HTML, status=self._status, message="an HTML page instead of an answer")
        return None

    def _stream_fault(self, body: bytes, *, whole: bool) -> Fault | None:
        ended = self._passed or self._ends(body)
        if ended and _ERROR.search(self._before + body) is None:
            return None
        events = read_end(self._dialect, body, whole=whole)
        for event in events:
            if isinstance(event, Broken):
                self.told = True
                return event.fault
        if ended or any(isinstance(event, Finished) for event in events):
            return None
        message = "the stream ended before the answer did"
        return Fault(reason=FaultReason.TRUNCATED_STREAM, status=self._status, message=message)

    def _ends(self, body: bytes) -> bool:
        return self._end is not None and self._end.search(self._before + body) is not None


def read_end(dialect: str, body: bytes, *, whole: bool) -> list[Event]:
    """The events of a stream's last bytes, as far as they can be read; a first frame that is cut is left out."""
    if not whole:
        start = re.search(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)", body)
        body = body[start.end() :] if start else b""
    decoder, reader = Decoder(), DIALECTS[dialect].reader()
    events: list[Event] = []
    try:
        for frame in (*decoder.feed(body), *decoder.close()):
            events += reader.feed(frame)
        events += reader.close()
    except WireError:
        pass  # what was read before tells enough
    return events


def early_fault(dialect: str, chunk: bytes) -> Fault | None:
    """The error that a stream begins with, None where an answer comes first."""
    if is_html(chunk):
        return Fault(reason=FaultReason.HTML, status=200, message="an HTML page instead of an answer")
    if _ERROR.search(b"\n" + chunk) is None:
        return None
    for event in read_end(dialect, chunk, whole=True):
        if isinstance(event, Broken):
            return event.fault
        if isinstance(event, Delta | PartStart | OpaquePart):
            return None
    return None
