"""What rules have said, as series that other rules select: recorded ones, `ALERTS` and `ALERTS_FOR_STATE`.

They stand in a window of their own and are never exported: Prometheus makes its own.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from llm_canaries.rules.matcher import Matchers, Source
from llm_canaries.rules.samples import Ranges, Span, all_parts
from llm_canaries.rules.vector import NAME, Vector, joined
from llm_canaries.rules.window import LOOKBACK, STALE, Window, slots_needed

ALERTS = "ALERTS"
FOR_STATE = "ALERTS_FOR_STATE"
Labels = Mapping[str, str]

STALE_VALUE = float(np.uint64(STALE).view(np.float64))
_TIDY_EVERY = 500  # flushes, after which series that ended long ago are forgotten


class Outputs:
    """The series of all rules; what is written is seen once it is flushed."""

    def __init__(self, interval: float = 15.0, span: float = LOOKBACK) -> None:
        self.names: set[str] = {ALERTS, FOR_STATE}
        self.window = Window(slots_needed(interval, max(span, LOOKBACK)), span)
        self._waiting: list[tuple[Sequence[Labels], Sequence[float]]] = []
        self._flushes = 0

    def write(self, labels: Sequence[Labels], values: Sequence[float], ended: Iterable[Labels] = ()) -> None:
        """Keeps what one rule said, and that the series `ended` are no more."""
        if labels:
            self._waiting.append((labels, values))
            self.names |= {each[NAME] for each in labels[:1]}
        if gone := list(ended):
            self._waiting.append((gone, [STALE_VALUE] * len(gone)))

    def flush(self, at: float) -> None:
        """Makes what was written visible, as said at `at` (Unix time)."""
        if not self._waiting:
            return
        # the last word on a series counts: what one rule ends another may go on with
        last: dict[int, tuple[Labels, float]] = {}
        for labels, values in self._waiting:
            for each, value in zip(labels, values, strict=True):
                last[id(each)] = (each, value)
        self._waiting = []
        bits = np.fromiter((value for _, value in last.values()), dtype=np.float64, count=len(last))
        self.window.put(at, [each for each, _ in last.values()], bits)
        self._flushes += 1
        if self._flushes % _TIDY_EVERY == 0:
            self.window.align(())

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`, with the values they have at `at` (Unix time)."""
        return self.window.select(matchers, at)

    def ranges(self, matchers: Matchers, span: Span) -> Ranges:
        """The samples of the series that meet all `matchers`."""
        return self.window.ranges(matchers, span)


class Together:
    """A source and what rules have said."""

    def __init__(self, source: Source, outputs: Outputs) -> None:
        self._source, self._outputs = source, outputs

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`, of either."""
        vector = self._source.select(matchers, at)
        if not may_meet(matchers, self._outputs.names):
            return vector
        return joined([vector, self._outputs.select(matchers, at)])

    def ranges(self, matchers: Matchers, span: Span) -> Ranges:
        """The samples of the series that meet all `matchers`, of either."""
        found = self._source.ranges(matchers, span)
        if not may_meet(matchers, self._outputs.names):
            return found
        return all_parts([found, self._outputs.ranges(matchers, span)], span)


def may_meet(matchers: Matchers, names: Iterable[str]) -> bool:
    """Whether a series of one of these names could be selected."""
    wanted = [matcher for matcher in matchers if matcher.name == NAME]
    return any(all(matcher.holds(name) for matcher in wanted) for name in names)
