"""Times and values of the last ticks: one time and one row of values a tick, used as a ring.

Three things are no number, told apart by their bits: a gap (nothing was sampled), a stale marker (the series was
looked for and was not there) and a real NaN.
"""

import numpy as np
import numpy.typing as npt

from llm_canaries.rules.samples import Millis
from llm_canaries.rules.vector import Floats, Index, Mask

STALE = 0x7FF8_0000_0000_00AB
"""The bits of a stale marker; the board writes the same for an absent value."""
GAP = 0x7FF8_0000_0000_00AC
NEVER = np.iinfo(np.int64).min
MOST_SLOTS = 200_000


class Ring:
    """Rows of values by time; a column is a series. It grows while its oldest row is within `span` milliseconds."""

    def __init__(self, slots: int, span: int) -> None:
        self.times: Millis = np.full(slots, NEVER, dtype=np.int64)
        self.matrix = gaps(slots, 0)
        self.columns = 0
        self.forgotten = NEVER
        self._filled = np.zeros(slots, dtype=np.int64)  # how many real values each slot has
        self._span = span
        self._newest = -1
        self._order: Index | None = None
        self._ordered = self.times[:0]

    @property
    def values(self) -> Floats:
        """A row a slot, a column a series; the slots are in no order."""
        return self.matrix[:, : self.columns]

    def widen(self, span: int) -> None:
        """From now on at least `span` milliseconds are held."""
        self._span = max(self._span, span)

    def order(self) -> Index:
        """The slots that hold a tick, oldest first."""
        if self._order is None:
            by_time = np.argsort(self.times, kind="stable")
            self._order = by_time[self.times[by_time] > NEVER]
            self._ordered = self.times[self._order]
        return self._order

    def between(self, start: int, end: int) -> Index:
        """The slots of the ticks after `start` and up to `end`, oldest first."""
        order = self.order()
        low, high = self._ordered.searchsorted((start, end), side="right").tolist()
        return order[low:high]

    def newest_is(self, at: int) -> bool:
        """Whether the newest tick is the one at `at`."""
        return self._newest >= 0 and int(self.times[self._newest]) == at

    def add(self, at: int) -> Floats:
        """The row of a new tick at `at`, all gaps; the ticks at and after `at` are forgotten."""
        ahead = self.times >= at
        if ahead.any():
            self.times[ahead] = NEVER
            if not (self.times > NEVER).any():
                self.forgotten = NEVER  # the clock stepped back beyond all there was: a new beginning
        slot = (self._newest + 1) % len(self.times)
        oldest = int(self.times[slot])
        if oldest > at - self._span and len(self.times) < MOST_SLOTS:
            self._lengthen()
            slot = self._newest + 1
        elif oldest > NEVER:
            self.forgotten = max(self.forgotten, oldest)
        self._newest, self._order = slot, None
        self.times[slot] = at
        row: Floats = self.matrix[slot, : self.columns]
        row.view(np.uint64)[:] = GAP
        return row

    def newest(self) -> Floats:
        """The row of the newest tick."""
        row: Floats = self.matrix[self._newest, : self.columns]
        return row

    def count_newest(self) -> None:
        """Takes note of how many real values the newest tick has now."""
        self._filled[self._newest] = self.columns - np.count_nonzero(missing(self.newest()))

    @property
    def samples(self) -> int:
        """How many real values there are."""
        return int(self._filled[self.times > NEVER].sum())

    def add_columns(self, count: int) -> None:
        """So many series more, all gaps so far."""
        wanted = self.columns + count
        if wanted > self.matrix.shape[1]:
            # a table of series as it is first aligned gets what it needs; one that grows gets room
            room = wanted if not self.columns else max(wanted, self.columns + self.columns // 4 + 8)
            matrix = gaps(len(self.times), room)
            matrix[:, : self.columns] = self.values
            self.matrix = matrix
        self.matrix[:, self.columns : wanted].view(np.uint64)[:] = GAP
        self.columns = wanted

    def keep_columns(self, columns: Index) -> None:
        """These series only, in this order."""
        self.matrix = np.ascontiguousarray(self.values[:, columns])
        self.columns = len(columns)

    def quiet(self, columns: Index) -> Mask:
        """Which of these series have no real value in any tick."""
        slots = self.order()
        return np.asarray(missing(self.values[np.ix_(slots, columns)]).all(axis=0))

    def block(self, slots: Index, columns: Index | slice) -> Floats:
        """The values of some series at some ticks."""
        if len(slots) and int(slots[-1]) - int(slots[0]) == len(slots) - 1:
            rows = self.matrix[int(slots[0]) : int(slots[-1]) + 1]
            return rows[:, columns] if isinstance(columns, slice) else np.take(rows, columns, axis=1)
        rows = np.take(self.matrix[:, columns], slots, axis=0) if isinstance(columns, slice) else self.matrix[slots]
        return rows if isinstance(columns, slice) else np.take(rows, columns, axis=1)

    def _lengthen(self) -> None:
        """Twice the slots, the ticks in order from the first on."""
        order = self.order()
        slots = min(2 * len(self.times), MOST_SLOTS)
        times: Millis = np.full(slots, NEVER, dtype=np.int64)
        matrix = gaps(slots, self.matrix.shape[1])
        filled = np.zeros(slots, dtype=np.int64)
        times[: len(order)], matrix[: len(order)] = self.times[order], self.matrix[order]
        filled[: len(order)] = self._filled[order]
        self.times, self.matrix, self._filled, self._newest = times, matrix, filled, len(order) - 1


def gaps(slots: int, series: int) -> Floats:
    """A matrix in which nothing was sampled."""
    return np.full((slots, series), GAP, dtype=np.uint64).view(np.float64)


def missing(values: Floats) -> npt.NDArray[np.bool_]:
    """Where a value is a gap or a stale marker."""
    no_number: Mask = np.isnan(values)
    if not no_number.any():
        return no_number
    bits = values.view(np.uint64)
    nothing: Mask = np.logical_or(bits == GAP, bits == STALE)
    return nothing
