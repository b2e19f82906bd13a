"""Bodies as evidence: secrets out first, then cut at a bound, so that no piece of a secret is left at the cut."""

from base64 import b64encode
from collections.abc import Callable, Sequence

from llm_canaries.canary.evidence.value import Body

MOST_BODY = 256 * 1024  # bytes kept of one body
MOST_RUN = 1024 * 1024  # bytes kept of all bodies of one run
SLACK = 16 * 1024  # longer than any form of a secret; what is cut off first is looked at so far beyond the bound

Redact = Callable[[str], str]
Arrivals = Sequence[tuple[float, int]]


class Room:
    """The room for the bodies of one run: whoever comes first is kept whole."""

    def __init__(self, redact: Redact, most_body: int = MOST_BODY, most_run: int = MOST_RUN) -> None:
        self._redact, self._most, self._left = redact, most_body, most_run
        self._whole: dict[bytes, tuple[Body, int]] = {}

    def keep(self, body: bytes) -> Body:
        """`body` without secrets, as much of it as there is room for."""
        found, size = self._whole.get(body, (None, 0))  # what was asked often went on as it was
        if found is None or size > self._left:
            found, size = self._kept(body, min(self._most, self._left))
        if found.whole:
            self._whole[body] = found, size
        self._left -= size
        return found

    def _kept(self, body: bytes, most: int) -> tuple[Body, int]:
        """At most `most` bytes of `body`, and how many they are."""
        if len(body) <= most:
            data, cut = masked(body, self._redact), 0
            changed = data is not body
        else:
            head = body[: most + SLACK]
            data = masked(head, self._redact)
            changed = data is not head
            if len(body) > len(head):  # a secret may have begun there
                data = data[: max(0, len(data) - SLACK)]
            data = _at_letter(data[:most])
            cut = max(1, len(body) - len(data))
        try:
            return Body(size=len(body), text=data.decode(), cut=cut, masked=changed), len(data)
        except UnicodeDecodeError:
            return Body(size=len(body), base64=b64encode(data).decode(), cut=cut, masked=changed), len(data)


def masked(body: bytes, redact: Redact) -> bytes:
    """`body` without secrets, itself where it holds none; what is not UTF-8 keeps its bytes."""
    text = body.decode("utf-8", "surrogateescape")
    clean = redact(text)
    return body if clean == text else clean.encode("utf-8", "surrogateescape")


def moved(arrivals: Arrivals, body: bytes, kept: Body, redact: Redact) -> tuple[tuple[float, int], ...]:
    """The arrivals of `body` as those of what is kept of it: exact but within a line that held a secret."""
    data = kept.data
    if not kept.masked:
        ends = [end for _, end in arrivals]
    else:
        lines, clean = body.splitlines(keepends=True), list[int]()
        ends, before, after, line = [], 0, 0, 0
        clean = [len(masked(each, redact)) for each in lines]
        for _, end in arrivals:
            while line < len(lines) and before + len(lines[line]) <= end:
                before, after, line = before + len(lines[line]), after + clean[line], line + 1
            ends.append(after + min(end - before, clean[line] if line < len(lines) else 0))
    within = [(moment, min(end, len(data))) for (moment, _), end in zip(arrivals, ends, strict=True)]
    if within and kept.whole:
        within[-1] = (within[-1][0], len(data))
    return tuple(within)


def _at_letter(data: bytes) -> bytes:
    """`data` without the first bytes of a letter that was cut in two; what is no UTF-8 anyway stays as it is."""
    for less in range(min(4, len(data))):
        try:
            data[: len(data) - less].decode()
        except UnicodeDecodeError:
            continue
        return data[: len(data) - less]
    return data
