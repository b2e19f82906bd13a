"""Server-sent events from bytes in any slicing: frames out, nothing lost at the seams.

The rules are those of the WHATWG HTML standard, "Parsing an event stream", with one leniency that
proxies need: data that follows no final blank line is still a frame (protocols.md E).
"""

from msgspec import Struct

from llm_canaries.wire.json import HOLE, encode


class Frame(Struct, frozen=True, gc=False):
    """One event: its name ("" when unnamed) and its data, lines joined by newline; `comment` alone is liveness."""

    event: str = ""
    data: str = ""
    comment: bool = False


class Decoder:
    """Bytes in, frames out; UTF-8 may be split anywhere, line ends may be LF, CRLF or CR."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of a line without its end, joined once: a 20 MB line stays linear
        self._skip_lf = False
        self._started = False
        self._event = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes."""
        if self._skip_lf and chunk[:1] == b"\n":
            chunk, self._skip_lf = chunk[1:], False
        if not chunk:
            return []
        lines = chunk.splitlines()  # of bytes: at LF, CRLF and CR alone
        end = chunk[-1:]
        self._skip_lf = end == b"\r"
        rest = [] if end in (b"\n", b"\r") else [lines.pop()]
        if not lines:
            self._rest += rest
            return []
        if self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
        self._rest = rest
        if not self._started:
            lines[0], self._started = lines[0].removeprefix(b"\xef\xbb\xbf"), True
        return self._read(lines)

    def close(self) -> list[Frame]:
        """The frame, if any, that the end of the body completes."""
        return self.feed(b"\n\n")

    def _read(self, lines: list[bytes]) -> list[Frame]:
        frames: list[Frame] = []
        data = self._data
        for line in lines:
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif line[:7] == b"event: ":
                self._event = line[7:]
            elif line:
                frames += self._other(line)
            else:
                if data:
                    said = b"\n".join(data).decode("utf-8", "replace")
                    frames.append(Frame(self._event.decode("utf-8", "replace"), said))
                    data.clear()
                self._event = b""
        return frames

    def _other(self, line: bytes) -> list[Frame]:
        """A line in a form that few write: a comment, or a field without a space before its value."""
        name, _, value = line.partition(b":")
        if name == b"event":
            self._event = value
        elif name == b"data":
            self._data.append(value)
        elif not name:
            return [Frame(comment=True)]
        return []


def encode_frame(data: str | bytes, event: str = "") -> bytes:
    """One frame as bytes; `data` must hold no line end (JSON does not)."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + (data.encode() if isinstance(data, str) else data) + b"\n\n"


def holed_frame(said: object, event: str = "") -> tuple[bytes, bytes]:
    """The frame of `said`, before and after the one json.HOLE in it."""
    before, after = encode_frame(encode(said), event).split(bytes(HOLE))
    return before, after
