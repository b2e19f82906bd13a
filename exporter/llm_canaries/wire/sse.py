"""Server-sent events from bytes in any slicing: frames out, nothing lost at the seams.

The rules are those of the WHATWG HTML standard, "Parsing an event stream", with one leniency that
proxies need: data that follows no final blank line is still a frame (protocols.md E).
"""

import codecs

from msgspec import Struct


class Frame(Struct, frozen=True):
    """One event: its name ("" when unnamed) and its data, lines joined by newline; `comment` alone is liveness."""

    event: str = ""
    data: str = ""
    comment: bool = False


class Decoder:
    """Bytes in, frames out; UTF-8 may be split anywhere, line ends may be LF, CRLF or CR."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest: list[str] = []
        self._skip_lf = False
        self._started = False
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes."""
        return self._take(self._utf8.decode(chunk))

    def close(self) -> list[Frame]:
        """The frame, if any, that the end of the body completes."""
        frames = self._take(self._utf8.decode(b"", final=True))
        if self._rest:
            frames += self._line("".join(self._rest))
            self._rest = []
        return frames + self._dispatch()

    def _take(self, text: str) -> list[Frame]:
        if not text:
            return []
        if not self._started:
            text, self._started = text.removeprefix("\ufeff"), True
        if self._skip_lf and text.startswith("\n"):
            text = text[1:]
        self._skip_lf = text.endswith("\r")
        if "\n" not in text and "\r" not in text:
            self._rest.append(text)  # joined once per line: a 20 MB line stays linear
            return []
        # str.splitlines would also split at U+2028 and friends, which are data here
        lines = ("".join(self._rest) + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        last = lines.pop()
        self._rest = [last] if last else []
        return [frame for line in lines for frame in self._line(line)]

    def _line(self, line: str) -> list[Frame]:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif not name:
            return [Frame(comment=True)]
        return []

    def _dispatch(self) -> list[Frame]:
        event, data = self._event, self._data
        self._event, self._data = "", []
        return [Frame(event, "\n".join(data))] if data else []


def encode_frame(data: str | bytes, event: str = "") -> bytes:
    """One frame as bytes; `data` must hold no line end (JSON does not)."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + (data.encode() if isinstance(data, str) else data) + b"\n\n"
