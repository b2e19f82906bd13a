"""Labelled values as the rules see them: labels are columns of text, values one float array."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

NAME = "__name__"
Floats = npt.NDArray[np.float64]
Column = npt.NDArray[np.object_]
Index = npt.NDArray[np.intp]
Key = tuple[str, ...]


class Grouping(Struct, frozen=True):
    """The rows of a frame by some of their labels: `ids` says which group a row is in, `frame` has a row a group."""

    ids: Index
    frame: "Frame"


class Frame:
    """Label sets, one a row, as columns; "" is no label. What is asked of it once is remembered."""

    __slots__ = ("_groupings", "_kept", "_keys", "_sets", "columns", "size")

    def __init__(self, columns: Mapping[str, Column], size: int) -> None:
        self.columns = columns
        self.size = size
        self._keys: dict[Key, list[Key]] = {}
        self._sets: dict[Key, frozenset[Key]] = {}
        self._kept: dict[Key, Frame] = {}
        self._groupings: dict[Key, Grouping] = {}

    def keys(self, names: Key) -> list[Key]:
        """The values of the labels `names`, a tuple a row."""
        if names not in self._keys:
            nothing = [""] * self.size
            columns = [self.columns[name].tolist() if name in self.columns else nothing for name in names]
            self._keys[names] = list(zip(*columns, strict=True)) if names else [()] * self.size
        return self._keys[names]

    def key_set(self, names: Key) -> frozenset[Key]:
        """The distinct `keys`."""
        if names not in self._sets:
            self._sets[names] = frozenset(self.keys(names))
        return self._sets[names]

    def column(self, name: str) -> Column:
        """One label of every row."""
        return self.columns[name] if name in self.columns else np.full(self.size, "", dtype=np.object_)

    def names(self, without: Iterable[str] = ()) -> Key:
        """The labels there are, in order, but those."""
        return tuple(sorted(set(self.columns).difference(without)))

    def keep(self, names: Key) -> "Frame":
        """The same rows with these labels only."""
        if names not in self._kept:
            self._kept[names] = Frame({name: self.columns[name] for name in names if name in self.columns}, self.size)
        return self._kept[names]

    def drop_name(self) -> "Frame":
        """The same rows without the metric name."""
        return self.keep(self.names((NAME,))) if NAME in self.columns else self

    def take(self, rows: Index | npt.NDArray[np.bool_]) -> "Frame":
        """Some of the rows: indexes or a mask."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        size = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        return Frame(columns, size)

    def distinct(self) -> bool:
        """Whether no two rows have the same labels."""
        return len(self.key_set(self.names())) == self.size

    def grouping(self, names: Key) -> Grouping:
        """The groups by the labels `names`, in the order of their first rows."""
        if names not in self._groupings:
            known: dict[Key, int] = {}
            ids = [known.setdefault(key, len(known)) for key in self.keys(names)]
            index = np.array(ids, dtype=np.intp)
            first = np.unique(index, return_index=True)[1]
            self._groupings[names] = Grouping(index, self.keep(names).take(first))
        return self._groupings[names]

    def rows(self) -> list[dict[str, str]]:
        """Each row as labels, without empty ones."""
        names = self.names()
        return [{name: value for name, value in zip(names, key, strict=True) if value} for key in self.keys(names)]


class Vector(Struct, frozen=True):
    """An instant vector: row i of `frame` has the value `values[i]`."""

    frame: Frame
    values: Floats

    @property
    def labels(self) -> Sequence[Mapping[str, str]]:
        """The labels of each value, with `__name__` where there is one."""
        return self.frame.rows()

    def filtered(self, mask: npt.NDArray[np.bool_]) -> "Vector":
        """The rows where `mask` holds."""
        if mask.all():
            return self
        return Vector(self.frame.take(mask), self.values[mask])


def frame_of(labels: Sequence[Mapping[str, str]]) -> Frame:
    """Label sets as columns."""
    names = dict.fromkeys(name for each in labels for name in each)
    columns = {name: np.array([each.get(name, "") for each in labels], dtype=np.object_) for name in names}
    return Frame(columns, len(labels))


def vector_of(labels: Sequence[Mapping[str, str]], values: Iterable[float]) -> Vector:
    """A vector of these series."""
    return Vector(frame_of(labels), np.fromiter(values, dtype=np.float64, count=len(labels)))


def joined(vectors: Sequence[Vector]) -> Vector:
    """The rows of all, one vector after the other."""
    filled = [each for each in vectors if each.frame.size]
    if len(filled) == 1:
        return filled[0]
    names = dict.fromkeys(name for each in filled for name in each.frame.columns)
    columns: dict[str, Column] = {
        name: np.concatenate([each.frame.column(name) for each in filled]) for name in names
    }
    size = sum(each.frame.size for each in filled)
    values = np.concatenate([each.values for each in filled]) if filled else np.empty(0)
    return Vector(Frame(columns, size), values)


EMPTY = Vector(Frame({}, 0), np.empty(0))
