"""The last minutes of every series of one source, in memory: what selectors and ranges are answered from."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from llm_canaries.rules.matcher import Matchers, matching_rows
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.ring import GAP, STALE, Ring, missing
from llm_canaries.rules.samples import Ranges, Span, packed
from llm_canaries.rules.table import NAME, Index, Labels, Table, table_of
from llm_canaries.rules.vector import EMPTY, Floats, Frame, Mask, Vector

__all__ = ["GAP", "LOOKBACK", "STALE", "Window", "slots_needed"]

LOOKBACK = 300.0
"""How long a value holds when nothing newer comes, in seconds; as in Prometheus 3, not at the very end."""

_MOST_REMEMBERED = 16_384


def slots_needed(interval: float, span: float = LOOKBACK) -> int:
    """The ticks that `span` seconds can reach when one comes every `interval` seconds."""
    return math.ceil(span / interval) + 1


class _Picked(Struct):
    """The series that a selector means: their columns, and these as a frame of its own."""

    rows: Index
    columns: Index | slice
    frame: Frame


class _Instant(Struct, frozen=True):
    """All series at one time."""

    at: int
    values: Floats
    present: Mask
    whole: bool


class Window:
    """The values of all series over the last `slots` ticks, or more where `span` seconds need more.

    `most` bounds the series; those beyond are not held, and counted in `dropped`. It belongs to one thread.
    """

    def __init__(self, slots: int, span: float = 0.0, most: int = 1_000_000) -> None:
        self._ring = Ring(slots, _millis(span))
        self._most = most
        self._names: list[Labels] = []
        self._known: dict[frozenset[tuple[str, str]], int] | None = {}
        self._given: Index = np.empty(0, dtype=np.intp)  # the column of each value to come
        self._wanted: Index | None = None  # which of the values to come are held, where not all are
        self._leaving: Index = self._given
        self._table = Table({}, 0)
        self._by_name: dict[str, Index] = {}
        self._picked: dict[Matchers, _Picked] = {}
        self._instant: _Instant | None = None
        self.dropped = 0

    @property
    def series(self) -> int:
        """How many series are sampled."""
        return len(self._given)

    @property
    def samples(self) -> int:
        """How many real values there are."""
        return self._ring.samples

    @property
    def nbytes(self) -> int:
        """How much memory times and values take."""
        return self._ring.matrix.nbytes + self._ring.times.nbytes

    def widen(self, span: float) -> None:
        """From now on at least `span` seconds are held."""
        self._ring.widen(_millis(span))

    def align(self, names: Sequence[Labels]) -> None:
        """The series from now on, in the order of the values to come; what stays keeps its history.

        A series that is no longer named gets a stale marker at the next tick, and is forgotten once its last sample is.
        """
        before = self._given
        self._drop_quiet(before)
        columns = self._columns(names)
        held = columns >= 0
        self._wanted = None if held.all() else np.flatnonzero(held)
        self.dropped = int(len(columns) - np.count_nonzero(held))
        self._given = columns[held]
        gone = np.ones(len(self._names), dtype=np.bool_)
        gone[self._given] = False
        self._leaving = np.flatnonzero(gone)
        self._instant = None

    def append(self, at: float, values: Floats) -> None:
        """The values of all series at `at` (Unix time); a stale marker says that a series is not there.

        Where the clock has stepped back, the ticks of the future are forgotten. Raises ValueError if the values are
        not as many as the series.
        """
        if values.shape != (len(self._given) + self.dropped,):
            raise ValueError(f"{values.shape[0]} values for {len(self._given) + self.dropped} series")
        row = self._ring.add(_millis(at))
        row[self._given] = values if self._wanted is None else values[self._wanted]
        if len(self._leaving):
            row.view(np.uint64)[self._leaving] = STALE
            self._leaving = self._leaving[:0]
        self._ring.count_newest()
        self._instant = None

    def put(self, at: float, names: Sequence[Labels], values: Floats) -> None:
        """The values of some series at `at`, beside what the tick at `at` has already; a series may be new."""
        columns = self._columns(names)
        row = self._ring.newest() if self._ring.newest_is(_millis(at)) else self._ring.add(_millis(at))
        held = columns >= 0
        self.dropped = int(len(columns) - np.count_nonzero(held))
        row[columns[held]] = values[held]
        self._ring.count_newest()
        self._instant = None

    def history(self) -> tuple[list[float], list[Labels], Floats]:
        """All that is held: the times of the ticks, oldest first, the series, and a row of their values a tick."""
        order = self._ring.order()
        return (self._ring.times[order] / 1000).tolist(), list(self._names), self._ring.values[order]

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`, with their newest values at `at` that are not older than 5 minutes.

        Raises EvaluationError for a time that is no longer held.
        """
        if self._ring.forgotten >= _millis(at):
            raise EvaluationError(f"the window does not reach back to {at:g}")
        instant = self._at(_millis(at))
        picked = self._pick(matchers)
        if instant.whole:
            return Vector(picked.frame, instant.values[picked.columns])
        present = instant.present[picked.columns]
        if present.all():
            return Vector(picked.frame, instant.values[picked.columns])
        there = np.flatnonzero(present)
        return Vector(picked.frame.take(there), instant.values[picked.columns][there]) if len(there) else EMPTY

    def ranges(self, matchers: Matchers, span: Span) -> Ranges:
        """The samples of the series that meet all `matchers`. Raises EvaluationError for what is no longer held."""
        if self._ring.forgotten > span.start and not span.partial:
            held = (span.end - self._ring.forgotten) / 1000
            raise EvaluationError(f"the window reaches back {held:g} s only, and {span.seconds:g} s are asked for")
        picked = self._pick(matchers)
        slots = self._ring.between(span.start, span.end)
        if not len(slots) or not len(picked.rows):
            return Ranges((), span)
        values = self._ring.block(slots, picked.columns)
        part = packed(picked.frame, self._ring.times[slots], values, missing(values))
        return Ranges(() if part is None else (part,), span)

    def _pick(self, matchers: Matchers) -> _Picked:
        picked = self._picked.get(matchers)
        if picked is None:
            if len(self._picked) >= _MOST_REMEMBERED:
                self._picked.clear()
            rows = matching_rows(Frame(self._table), matchers, self._by_name)
            run = len(rows) and int(rows[-1]) - int(rows[0]) == len(rows) - 1
            columns = slice(int(rows[0]), int(rows[-1]) + 1) if run else rows
            picked = self._picked[matchers] = _Picked(rows, columns, Frame(self._table.take(rows)))
        return picked

    def _at(self, at: int) -> _Instant:
        if self._instant is None or self._instant.at != at:
            slots = self._ring.between(at - _millis(LOOKBACK), at)
            values = np.full(self._ring.columns, GAP, dtype=np.uint64)
            bits = self._ring.values.view(np.uint64)
            for slot in slots[::-1].tolist():
                gaps = values == GAP
                if not gaps.any():
                    break
                np.copyto(values, bits[slot], where=gaps)
            present = (values != GAP) & (values != STALE)
            self._instant = _Instant(at, values.view(np.float64), present, bool(present.all()))
        return self._instant

    def _columns(self, names: Sequence[Labels]) -> Index:
        """The column of each series; new ones get one while there is room, else -1."""
        by_object = {id(each): column for column, each in enumerate(self._names)}
        found = np.array([by_object.get(id(each), -1) for each in names], dtype=np.intp)
        new: list[Labels] = []
        for position in np.flatnonzero(found < 0).tolist():
            column = self._by_labels(names[position])
            if column < 0 and len(self._names) + len(new) < self._most:
                column = len(self._names) + len(new)
                self._numbers()[_identity(names[position])] = column
                new.append(names[position])
            found[position] = column
        if new:
            self._ring.add_columns(len(new))
            self._names += new
            self._index()
        return found

    def _by_labels(self, labels: Labels) -> int:
        return self._numbers().get(_identity(labels), -1)

    def _numbers(self) -> dict[frozenset[tuple[str, str]], int]:
        if self._known is None:
            self._known = {_identity(each): column for column, each in enumerate(self._names)}
        return self._known

    def _drop_quiet(self, given: Index) -> None:
        """Forgets the series that are not sampled any more and have no sample left."""
        if len(given) == len(self._names):
            return
        gone = np.ones(len(self._names), dtype=np.bool_)
        gone[given] = False
        columns = np.flatnonzero(gone)
        quiet = columns[self._ring.quiet(columns)]
        if not len(quiet):
            return
        kept = np.delete(np.arange(len(self._names)), quiet)
        self._ring.keep_columns(kept)
        self._names = [self._names[column] for column in kept.tolist()]
        self._known = None
        self._given = np.empty(0, dtype=np.intp)
        self._index()

    def _index(self) -> None:
        table = table_of(self._names)
        self._table = Table(table.columns, table.size, known_distinct=True)
        keyed = self._table.keyed((NAME,))
        order = np.argsort(keyed.ids, kind="stable")
        bounds = np.searchsorted(keyed.ids[order], np.arange(len(keyed.keys.texts) + 1))
        names = [key[0] for key in keyed.keys.texts]
        self._by_name = {name: order[bounds[i] : bounds[i + 1]] for i, name in enumerate(names)}
        self._picked.clear()
        self._instant = None


def _identity(labels: Labels) -> frozenset[tuple[str, str]]:
    return frozenset((name, text) for name, text in labels.items() if text)


def _millis(seconds: float) -> int:
    return round(seconds * 1000)
