"""Label sets as columns of text, and what is worked out from them once: keys as numbers, groups, fewer columns."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from msgspec import Struct

NAME = "__name__"
Column = npt.NDArray[np.object_]
Index = npt.NDArray[np.intp]
Key = tuple[str, ...]
Labels = Mapping[str, str]
T = TypeVar("T")


class Keys:
    """The distinct values of some labels, numbered in the order in which they were first seen."""

    __slots__ = ("__weakref__", "_elsewhere", "numbers", "texts")

    def __init__(self, keys: Iterable[Key]) -> None:
        self.texts: list[Key] = list(dict.fromkeys(keys))
        self.numbers: dict[Key, int] = {key: number for number, key in enumerate(self.texts)}
        self._elsewhere: WeakKeyDictionary[Keys, Index] = WeakKeyDictionary()

    def in_terms_of(self, other: "Keys") -> Index:
        """For each of these keys its number in `other`, or -1."""
        found = self._elsewhere.get(other)
        if found is None:
            found = np.array([other.numbers.get(key, -1) for key in self.texts], dtype=np.intp)
            self._elsewhere[other] = found
        return found


class Keyed(Struct, frozen=True):
    """The key of each row, as a number in `keys`; `first` is the row in which each key first stands."""

    ids: Index
    keys: Keys
    first: Index

    @property
    def distinct(self) -> bool:
        """Whether each row has its own key."""
        return len(self.first) == len(self.ids)


class Table:
    """Label sets, one a row; "" is no label. It never changes, so what is asked of it once is remembered.

    `known_distinct` says that no two rows are the same, where its maker knows that without a look.
    """

    __slots__ = ("__weakref__", "_kept", "_keyed", "_made", "columns", "known_distinct", "size")

    def __init__(self, columns: Mapping[str, Column], size: int, *, known_distinct: bool = False) -> None:
        self.columns = columns
        self.size = size
        self.known_distinct = known_distinct
        self._keyed: dict[Key, Keyed] = {}
        self._kept: dict[Key, Table] = {}
        self._made: dict[Hashable, object] = {}

    def column(self, name: str) -> Column:
        """One label of every row."""
        return self.columns[name] if name in self.columns else np.full(self.size, "", dtype=np.object_)

    def names(self, without: Iterable[str] = ()) -> Key:
        """The labels there are, in order, but those."""
        return tuple(sorted(set(self.columns).difference(without)))

    def keyed(self, names: Key) -> Keyed:
        """The rows by the labels `names`."""
        if names not in self._keyed:
            self._keyed[names] = self._keys_of(names)
        return self._keyed[names]

    def keep(self, names: Key) -> "Table":
        """The same rows with these labels only."""
        if names not in self._kept:
            columns = {name: self.columns[name] for name in names if name in self.columns}
            distinct = self.known_distinct and all(
                bool((column == column[:1]).all()) for name, column in self.columns.items() if name not in columns
            )
            self._kept[names] = Table(columns, self.size, known_distinct=distinct)
        return self._kept[names]

    def distinct(self) -> bool:
        """Whether no two rows have the same labels."""
        return self.size < 2 or self.known_distinct or self.keyed(self.names()).distinct

    def take(self, rows: Index) -> "Table":
        """Some of the rows, each once."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Table(columns, len(rows), known_distinct=self.known_distinct)

    def replaced(self, columns: Mapping[str, Column]) -> "Table":
        """The same rows with some labels set."""
        return Table({**self.columns, **columns}, self.size)

    def made(self, what: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of this table, made once for each `what`."""
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]  # type: ignore[return-value]

    def groups(self, names: Key) -> "Table":
        """A row for each key of `names`, in the order of their numbers."""
        return self.made(("groups", names), lambda: self._groups_of(names))

    def _groups_of(self, names: Key) -> "Table":
        first = self.keyed(names).first
        columns = {name: self.columns[name][first] for name in names if name in self.columns}
        return Table(columns, len(first), known_distinct=True)

    def _keys_of(self, names: Key) -> Keyed:
        if not names:
            none = np.zeros(self.size, dtype=np.intp)
            return Keyed(none, Keys([()] * min(1, self.size)), none[:1])
        columns = [self.column(name).tolist() for name in names]
        rows = list(zip(*columns, strict=True))
        keys = Keys(rows)
        numbers = keys.numbers
        ids = np.fromiter((numbers[row] for row in rows), dtype=np.intp, count=self.size)
        first = np.full(len(keys.texts), self.size, dtype=np.intp)
        np.minimum.at(first, ids, np.arange(self.size))
        return Keyed(ids, keys, first)


def table_of(labels: Sequence[Labels]) -> Table:
    """Label sets as columns."""
    names = dict.fromkeys(name for each in labels for name in each)
    columns: dict[str, Column] = {}
    for name in names:
        column = np.empty(len(labels), dtype=np.object_)
        column[:] = [each.get(name, "") for each in labels]
        columns[name] = column
    return Table(columns, len(labels))

