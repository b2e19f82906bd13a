"""The board: every series once, labels interned, all values in one float array. It belongs to one thread."""

import math
import sys
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import compress

import numpy as np
import numpy.typing as npt

from llm_canaries.service.metrics import FAMILIES, Family

ABSENT = 0x7FF8_0000_0000_00AB
"""The bits of an absent value: a quiet NaN that no arithmetic makes, so a real NaN is a value like any other.

The window of the rules takes the same bits for a stale marker, so `values` go there as they are.
"""

MOST_SERIES = 50_000
_FOLDED = "llm_sidecar_series_folded_total"
_NOWHERE = -1
_Floats = npt.NDArray[np.float64]


class Board:
    """All series; a slot names one for good: writes to the slot of a dropped or folded series go nowhere."""

    def __init__(self, most_series: int = MOST_SERIES) -> None:
        self.version = 0
        self._most = most_series
        self._store: _Floats = np.zeros(1024)
        self._names: list[Mapping[str, str]] = []
        self._prefixes: list[str] = []
        self._rows: dict[str, list[int]] = {name: [] for name in FAMILIES}
        self._slots: dict[tuple[str, ...], int] = {}  # (family, label values…) to slot
        self._first: dict[int, int] = {}  # slot to its first row
        self._last_slot = _NOWHERE
        self._refused: set[int] = set()

    @property
    def values(self) -> _Floats:
        """The values aligned with `names()`, read-only; good until `version` changes."""
        view = self._store[: len(self._names)]
        view.flags.writeable = False
        return view

    def names(self) -> Sequence[Mapping[str, str]]:
        """The labels of each series with `__name__`, in the order of `values`; changes only with `version`.

        A series keeps its mapping for life, so whoever follows the board can tell who stayed by identity.
        """
        return tuple(self._names)

    def present(self) -> npt.NDArray[np.bool_]:
        """Which of `values` are not absent."""
        return np.not_equal(self.values.view(np.uint64), ABSENT)

    def prefixes(self) -> Sequence[str]:
        """What stands before each value in the text format, in the order of `values`."""
        return self._prefixes

    def rows(self, family: str) -> Sequence[int]:
        """Where in `values` the series of `family` are, in the order they came."""
        return self._rows[family]

    def slot(self, family: str, /, **labels: str) -> int:
        """The slot of a series of a counter or gauge, made absent if it is new.

        Raises ValueError for an unknown family, wrong label names, or a histogram.
        """
        if (spec := _spec(family)).kind == "histogram":
            raise ValueError(f"{family} is a histogram: use histogram()")
        return self._slot(spec, labels)

    def histogram(self, family: str, /, **labels: str) -> "Histogram":
        """The histogram with these labels, absent until the first observation if it is new; raises as `slot`."""
        if (spec := _spec(family)).kind != "histogram":
            raise ValueError(f"{family} is a {spec.kind}: use slot()")
        return Histogram(self, self._slot(spec, labels), spec.buckets)

    def absent(self, slot: int) -> bool:
        """Whether the series has no value; a folded or dropped one never has."""
        row = self._first.get(slot)
        return row is None or self._empty(row)

    def get(self, slot: int) -> float | None:
        """The value, None where absent, folded or dropped."""
        return None if self.absent(slot) else float(self._store[self._first[slot]])

    def set(self, slot: int, value: float) -> None:
        """Makes the series present with `value`; NaN is a value."""
        if (row := self._first.get(slot)) is not None:
            self._store[row] = value if value == value else math.nan  # a NaN's payload never comes from outside

    def add(self, slot: int, amount: float = 1.0) -> None:
        """Adds to the series, an absent one counting as 0. Raises ValueError where a counter would fall."""
        if (row := self._first.get(slot)) is None:
            return
        if amount < 0 and self._names[row]["__name__"].endswith("_total"):
            raise ValueError(f"{self._names[row]['__name__']} is a counter: it cannot fall by {-amount}")
        self.set(slot, amount if self._empty(row) else float(self._store[row]) + amount)

    def clear(self, slot: int) -> None:
        """Makes the series absent."""
        if (row := self._first.get(slot)) is not None:
            self._store.view(np.uint64)[row] = ABSENT

    def set_named(self, family: str, value: float, /, **labels: str) -> None:
        """Sets the series with these labels; raises as `slot`."""
        self.set(self.slot(family, **labels), value)

    def drop(self, **labels: str) -> int:
        """Removes all series that have these labels, and says how many lines of a page they were."""
        if not labels:
            raise ValueError("drop() needs a label: everything has none")
        wanted = {name: _plain(value) for name, value in labels.items()}
        gone = [key for key in self._slots if _has(key, wanted)]
        if not gone:
            return 0
        keep = np.ones(len(self._names), dtype=np.bool_)
        for key in gone:
            row = self._first.pop(self._slots.pop(key))
            keep[row : row + _width(FAMILIES[key[0]])] = False
        self._compact(keep)
        return int(len(keep) - keep.sum())

    def _compact(self, keep: npt.NDArray[np.bool_]) -> None:
        store = self._store[: len(keep)][keep]
        self._names = list(compress(self._names, keep))
        self._prefixes = list(compress(self._prefixes, keep))
        moved = (np.cumsum(keep) - 1).tolist()
        self._first = {slot: moved[row] for slot, row in self._first.items()}
        self._rows = {name: [moved[row] for row in rows if keep[row]] for name, rows in self._rows.items()}
        self._store = np.zeros(max(1024, 2 * len(store)))
        self._store[: len(store)] = store
        self._refused.clear()  # there is room again
        self.version += 1

    def _empty(self, row: int) -> bool:
        return bool(self._store.view(np.uint64)[row] == ABSENT)

    def _slot(self, family: Family, labels: Mapping[str, str]) -> int:
        if len(labels) != len(family.labels) or any(name not in labels for name in family.labels):
            raise ValueError(f"{family.name} has the labels {list(family.labels)}, not {list(labels)}")
        key = (family.name, *(labels[name] for name in family.labels))
        if (slot := self._slots.get(key)) is not None:
            return slot
        key = tuple(map(_plain, key))
        if (slot := self._slots.get(key)) is not None:
            return slot
        taken = len(self._names) - len(self._rows[_FOLDED])  # what counts the folded always finds room
        if taken + _width(family) > self._most and family.name != _FOLDED:
            self._fold(key)
            return _NOWHERE
        return self._append(family, key)

    def _fold(self, key: tuple[str, ...]) -> None:
        if hash(key) in self._refused:
            return
        if len(self._refused) < self._most:
            self._refused.add(hash(key))
        self.add(self.slot(_FOLDED, family=key[0]))

    def _append(self, family: Family, key: tuple[str, ...]) -> int:
        row, width = len(self._names), _width(family)
        if row + width > len(self._store):
            self._store = np.concatenate((self._store, np.zeros(max(width, len(self._store)))))
        self._store.view(np.uint64)[row : row + width] = ABSENT
        labels = dict(zip(family.labels, key[1:], strict=True))
        for name, more in _lines(family):
            self._names.append({"__name__": name, **labels, **more})
            self._prefixes.append(prefix(name, {**labels, **more}))
        self._rows[family.name].extend(range(row, row + width))
        self._last_slot += 1
        self._slots[key] = self._last_slot
        self._first[self._last_slot] = row
        self.version += 1
        return self._last_slot


class Histogram:
    """One histogram on a board: cumulative buckets, sum and count in neighbouring rows."""

    def __init__(self, board: Board, slot: int, bounds: tuple[float, ...]) -> None:
        self._board, self._slot, self._bounds = board, slot, bounds

    def start(self) -> None:
        """Makes an absent histogram present with no observations."""
        board, row = self._board, self._board._first.get(self._slot)
        if row is not None and board._empty(row):
            board._store[row : row + len(self._bounds) + 3] = 0.0

    def observe(self, value: float) -> None:
        """Counts one value. Raises ValueError for NaN, which is in no bucket."""
        if math.isnan(value):
            raise ValueError("a histogram cannot observe NaN")
        self.start()
        if (row := self._board._first.get(self._slot)) is not None:
            store, infinite = self._board._store, row + len(self._bounds)
            store[row + bisect_left(self._bounds, value) : infinite + 1] += 1
            store[infinite + 1] = float(store[infinite + 1]) + value
            store[infinite + 2] += 1


def prefix(name: str, labels: Mapping[str, str]) -> str:
    """What stands before the value on a line of the text format."""
    if not labels:
        return f"{name} "
    said = ",".join([f'{label}="{_escape(value)}"' for label, value in labels.items()])
    return f"{name}{{{said}}} "


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _spec(family: str) -> Family:
    if (spec := FAMILIES.get(family)) is None:
        raise ValueError(f"no metric family is named {family}")
    return spec


def _plain(value: str) -> str:
    """The one shared string of this value; what UTF-8 cannot write (a lone surrogate) is a question mark."""
    return sys.intern(str(value).encode("utf-8", "replace").decode())


def _has(key: tuple[str, ...], wanted: Mapping[str, str]) -> bool:
    labels = FAMILIES[key[0]].labels
    return all(name in labels and key[1 + labels.index(name)] == value for name, value in wanted.items())


def _width(family: Family) -> int:
    return len(family.buckets) + 3 if family.kind == "histogram" else 1


def _lines(family: Family) -> list[tuple[str, dict[str, str]]]:
    """The name and further labels of every line of one series; `le` is written as OpenMetrics wants it, `1.0`."""
    if family.kind != "histogram":
        return [(family.name, {})]
    bounds = [*map(repr, family.buckets), "+Inf"]
    buckets = [(f"{family.name}_bucket", {"le": bound}) for bound in bounds]
    return [*buckets, (f"{family.name}_sum", {}), (f"{family.name}_count", {})]
