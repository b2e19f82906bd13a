"""What the mirror was sent, found by mark; bounded in number and bytes, the oldest forgotten first."""

import re
from collections import OrderedDict

from llm_canaries.wire.exchange import Seen
from llm_canaries.wire.nonce import MARK_LENGTH, MARK_PREFIX

_MARK = re.compile(rf"{MARK_PREFIX}[a-z]{{{MARK_LENGTH}}}".encode())
MOST_MARKS = 1024
MOST_OF_ONE = 16
MOST_BYTES = 64 * 1024 * 1024  # of bodies, each counted under every mark it holds


def marks_in(body: bytes) -> tuple[str, ...]:
    """Every mark that a body holds, once, in order."""
    return tuple(dict.fromkeys(found.decode() for found in _MARK.findall(body)))


class Records:
    """The last requests, each under every mark that its body holds; nothing of their headers is kept."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, list[Seen]] = OrderedDict()
        self._bytes = 0

    def add(self, seen: Seen) -> None:
        """Remembers `seen`; a request without a mark is forgotten."""
        for mark in marks_in(seen.body):
            under = self._seen.setdefault(mark, [])
            if len(under) < MOST_OF_ONE:
                under.append(seen)
                self._bytes += len(seen.body)
            self._seen.move_to_end(mark)
        while self._seen and (len(self._seen) > MOST_MARKS or self._bytes > MOST_BYTES):
            _, gone = self._seen.popitem(last=False)
            self._bytes -= sum(len(each.body) for each in gone)

    def of(self, mark: str) -> tuple[Seen, ...]:
        """The requests that held `mark`, in order of arrival."""
        return tuple(self._seen.get(mark, ()))
