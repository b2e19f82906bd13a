"""The last minutes of every series, in memory: one time and one row of values a tick, used as a ring.

Three things are no number, told apart by their bits: a gap (nothing was sampled), a stale marker (the series was
looked for and was not there) and a real NaN.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from llm_canaries.rules.matcher import Matchers, matching_rows
from llm_canaries.rules.vector import EMPTY, NAME, Floats, Frame, Index, Vector, frame_of

STALE = 0x7FF8_0000_0000_00AB
"""The bits of a stale marker; the board writes the same for an absent value."""
GAP = 0x7FF8_0000_0000_00AC
LOOKBACK = 300.0
"""How long a value holds when nothing newer comes, in seconds; as in Prometheus 3, not at the very end."""

_MOST_REMEMBERED = 4096


def slots_needed(interval: float) -> int:
    """The ticks that a lookback can reach when one comes every `interval` seconds."""
    return math.ceil(LOOKBACK / interval) + 1


class _Picked(Struct):
    """What one selector was last answered with: its rows, which of them were there, and these as a frame."""

    rows: Index
    there: bytes
    frame: Frame


class _Instant(Struct, frozen=True):
    """All series at one time."""

    at: float
    values: Floats
    present: npt.NDArray[np.bool_]


class Window:
    """The values of all series over the last `slots` ticks; it belongs to one thread."""

    def __init__(self, slots: int) -> None:
        self._times: Floats = np.full(slots, -np.inf)
        self._matrix = _gaps(slots, 0)
        self._newest = -1
        self._names: tuple[Mapping[str, str], ...] = ()
        self._frame = frame_of(())
        self._by_name: dict[str, Index] = {}
        self._picked: dict[Matchers, _Picked] = {}
        self._instant: _Instant | None = None

    @property
    def series(self) -> int:
        """How many series there are."""
        return len(self._names)

    @property
    def samples(self) -> int:
        """How many real values there are."""
        bits = self._matrix.view(np.uint64)
        return int(np.count_nonzero((bits != GAP) & (bits != STALE)))

    def align(self, names: Sequence[Mapping[str, str]]) -> None:
        """The series from now on, in the order of the values to come; what stays keeps its history."""
        kept = _kept_rows(self._names, names)
        matrix = _gaps(len(self._times), len(names))
        known = kept >= 0
        matrix[:, known] = self._matrix[:, kept[known]]
        self._names, self._matrix = tuple(names), matrix
        self._frame = frame_of(self._names)
        grouping = self._frame.grouping((NAME,))
        named = grouping.frame.column(NAME).tolist()
        order = np.argsort(grouping.ids, kind="stable")
        bounds = np.searchsorted(grouping.ids[order], np.arange(len(named) + 1))
        self._by_name = {name: order[bounds[i] : bounds[i + 1]] for i, name in enumerate(named)}
        self._picked.clear()
        self._instant = None

    def append(self, at: float, values: Floats) -> None:
        """The values of all series at `at` (Unix time); a stale marker says that a series is not there.

        Where the clock has stepped back, the ticks of the future are forgotten. Raises ValueError if the values are
        not as many as the series.
        """
        if values.shape != (len(self._names),):
            raise ValueError(f"{values.shape[0]} values for {len(self._names)} series")
        ahead = self._times >= at
        if ahead.any():
            self._times[ahead] = -np.inf
        self._newest = (self._newest + 1) % len(self._times)
        self._times[self._newest] = at
        self._matrix[self._newest] = values
        self._instant = None

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`, with their newest values at `at` that are not older than 5 minutes."""
        instant = self._at(at)
        if (picked := self._picked.get(matchers)) is None:
            rows = matching_rows(self._frame, matchers, self._by_name)
            picked = _Picked(rows, b"", EMPTY.frame)
            if len(self._picked) < _MOST_REMEMBERED:
                self._picked[matchers] = picked
        present = instant.present[picked.rows]
        rows = picked.rows[present]
        if not len(rows):
            return EMPTY
        there = present.tobytes()
        if there != picked.there:
            picked.there, picked.frame = there, self._frame.take(rows)
        return Vector(picked.frame, instant.values[rows])

    def _at(self, at: float) -> _Instant:
        if self._instant is None or self._instant.at != at:
            slots = np.flatnonzero((self._times <= at) & (self._times > at - LOOKBACK))
            values = np.full(len(self._names), GAP, dtype=np.uint64)
            bits = self._matrix.view(np.uint64)
            for slot in slots[np.argsort(self._times[slots])[::-1]]:
                gaps = values == GAP
                if not gaps.any():
                    break
                values[gaps] = bits[slot][gaps]
            present = (values != GAP) & (values != STALE)
            self._instant = _Instant(at, values.view(np.float64), present)
        return self._instant


def _gaps(slots: int, series: int) -> Floats:
    return np.full((slots, series), GAP, dtype=np.uint64).view(np.float64)


def _kept_rows(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> Index:
    """For each series of `after` its row in `before`, or -1; the same object is the same series without a look."""
    by_object = {id(each): row for row, each in enumerate(before)}
    kept = np.array([by_object.get(id(each), -1) for each in after], dtype=np.intp)
    strange = np.flatnonzero(kept < 0)
    if len(strange):
        by_labels = {frozenset(each.items()): row for row, each in enumerate(before)}
        kept[strange] = [by_labels.get(frozenset(after[row].items()), -1) for row in strange.tolist()]
    return kept
