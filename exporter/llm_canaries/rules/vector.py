"""Labelled values as the rules see them: rows of a table of labels, values one float array."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from llm_canaries.rules.table import NAME, Column, Index, Key, Keys, Table, table_of

__all__ = [
    "EMPTY", "NAME", "Column", "Floats", "Frame", "Grouping", "Index", "Key", "Mask", "Vector",
    "frame_of", "joined", "vector_of",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_MOST_JOINS = 64


class Grouping(Struct, frozen=True):
    """The rows of a frame by some of their labels: `ids` says which group a row is in, `frame` has a row a group."""

    ids: Index
    frame: "Frame"


class Frame:
    """Label sets, one a row: all rows of a table, or some of them, each once."""

    __slots__ = ("rows_taken", "size", "table")

    def __init__(self, table: Table, rows: Index | None = None) -> None:
        self.table = table
        self.rows_taken = rows
        self.size = table.size if rows is None else len(rows)

    @property
    def columns(self) -> Mapping[str, Column]:
        """The labels of the rows, by name."""
        return {name: self.column(name) for name in self.table.columns}

    def keyed(self, names: Key) -> tuple[Index, Keys]:
        """The key of each row by the labels `names`, as a number in the keys of the table."""
        found = self.table.keyed(names)
        return (found.ids if self.rows_taken is None else found.ids[self.rows_taken]), found.keys

    def keys(self, names: Key) -> list[Key]:
        """The values of the labels `names`, a tuple a row."""
        ids, keys = self.keyed(names)
        return [keys.texts[number] for number in ids.tolist()]

    def column(self, name: str) -> Column:
        """One label of every row."""
        column = self.table.column(name)
        return column if self.rows_taken is None else column[self.rows_taken]

    def names(self, without: Iterable[str] = ()) -> Key:
        """The labels there are, in order, but those."""
        return self.table.names(without)

    def keep(self, names: Key) -> "Frame":
        """The same rows with these labels only."""
        return Frame(self.table.keep(names), self.rows_taken)

    def drop_name(self) -> "Frame":
        """The same rows without the metric name."""
        return self.keep(self.names((NAME,))) if NAME in self.table.columns else self

    def take(self, rows: Index | Mask) -> "Frame":
        """Some of the rows: indexes or a mask."""
        index: Index = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, dtype=np.intp)
        return Frame(self.table, index if self.rows_taken is None else self.rows_taken[index])

    def distinct(self) -> bool:
        """Whether no two rows have the same labels."""
        if self.size < 2 or self.table.distinct():
            return True
        ids = self.keyed(self.names())[0]
        return len(np.unique(ids)) == self.size

    def grouping(self, names: Key) -> Grouping:
        """The groups by the labels `names`."""
        ids, keys = self.keyed(names)
        table = self.table.groups(names)
        if self.rows_taken is None:
            return Grouping(ids, Frame(table))
        there = np.zeros(len(keys.texts), dtype=np.bool_)
        there[ids] = True
        if there.all():
            return Grouping(ids, Frame(table))
        return Grouping((np.cumsum(there) - 1)[ids], Frame(table, np.flatnonzero(there)))

    def same(self, other: "Frame") -> bool:
        """Whether it is known, without a look at the labels, that both have the same rows."""
        if self.table is not other.table or self.size != other.size:
            return False
        if self.rows_taken is None or other.rows_taken is None:
            return self.rows_taken is other.rows_taken
        return self.rows_taken is other.rows_taken or bool(np.array_equal(self.rows_taken, other.rows_taken))

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

    def filtered(self, mask: Mask) -> "Vector":
        """The rows where `mask` holds."""
        if mask.all():
            return self
        return Vector(self.frame.take(mask), self.values[mask])


def frame_of(labels: Sequence[Mapping[str, str]]) -> Frame:
    """Label sets as columns."""
    return Frame(table_of(labels))


def vector_of(labels: Sequence[Mapping[str, str]], values: Iterable[float]) -> Vector:
    """A vector of these series."""
    return Vector(frame_of(labels), np.fromiter(values, dtype=np.float64, count=len(labels)))


def joined(vectors: Sequence[Vector]) -> Vector:
    """The rows of all, one vector after the other."""
    filled = [each for each in vectors if each.frame.size]
    if not filled:
        return EMPTY
    if len(filled) == 1:
        return filled[0]
    frame = joined_frames([each.frame for each in filled])
    return Vector(frame, np.concatenate([each.values for each in filled]))


def joined_frames(frames: Sequence[Frame]) -> Frame:
    """The rows of all; the same table as before where the same rows were joined before."""
    known: dict[Hashable, tuple[tuple[Frame, ...], Frame]] = frames[0].table.made("joined", dict)
    tables = tuple(id(each.table) for each in frames)
    before = known.get(tables)
    if before is not None and all(old.same(new) for old, new in zip(before[0], frames, strict=True)):
        return before[1]
    names = dict.fromkeys(name for each in frames for name in each.table.columns)
    columns: dict[str, Column] = {name: np.concatenate([each.column(name) for each in frames]) for name in names}
    frame = Frame(Table(columns, sum(each.size for each in frames)))
    if len(known) >= _MOST_JOINS:
        known.clear()
    known[tables] = (tuple(frames), frame)
    return frame


EMPTY = Vector(Frame(Table({}, 0)), np.empty(0))
