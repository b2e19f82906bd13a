"""What the mirror was sent, found by mark; bounded, the oldest forgotten first."""

import re
from collections import OrderedDict

from llm_canaries.wire.exchange import Seen
from llm_canaries.wire.nonce import MARK_LENGTH, MARK_PREFIX

_MARK = re.compile(rf"{MARK_PREFIX}[a-z]{{{MARK_LENGTH}}}".encode())
MOST_MARKS = 1024
MOST_OF_ONE = 16


class Records:
    """The last requests, each under every mark that its body holds."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, list[Seen]] = OrderedDict()

    def add(self, seen: Seen) -> None:
        """Remembers `seen`; a request without a mark is forgotten."""
        for mark in {found.decode() for found in _MARK.findall(seen.body)}:
            under = self._seen.setdefault(mark, [])
            if len(under) < MOST_OF_ONE:
                under.append(seen)
            self._seen.move_to_end(mark)
        while len(self._seen) > MOST_MARKS:
            self._seen.popitem(last=False)

    def of(self, mark: str) -> tuple[Seen, ...]:
        """The requests that held `mark`, in order of arrival."""
        return tuple(self._seen.get(mark, ()))
