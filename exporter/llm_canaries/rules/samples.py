"""The samples of a range, series by series, as functions over time see them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from llm_canaries.rules.vector import Floats, Frame, Index, Mask

Millis = npt.NDArray[np.int64]


class Span(Struct, frozen=True):
    """The range asked for, milliseconds of Unix time, without its start; `at` is when the question was asked.

    With `partial`, what is no longer held of it is not missed.
    """

    start: int
    end: int
    at: int
    partial: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start) / 1000


class Samples:
    """Column i has the samples of series i from row 0 on, oldest first: `counts[i]` of them, and NaN below.

    `times` has one column where all series were sampled together.
    """

    def __init__(self, times: Millis, values: Floats, counts: Index | None) -> None:
        self.times = times
        self.values = values
        self._counts = counts

    @property
    def full(self) -> bool:
        """Whether every series has a sample in every row."""
        return self._counts is None

    @property
    def size(self) -> int:
        """How many series there are."""
        return int(self.values.shape[1])

    @cached_property
    def counts(self) -> Index:
        """How many samples each series has, at least one."""
        return np.full(self.size, len(self.values)) if self._counts is None else self._counts

    @cached_property
    def inside(self) -> Mask:
        """Where there is a sample."""
        return np.arange(len(self.values))[:, None] < self.counts

    @cached_property
    def first(self) -> Floats:
        """The oldest value of each series."""
        oldest: Floats = self.values[0]
        return oldest

    @cached_property
    def last(self) -> Floats:
        """The newest value of each series."""
        return self.back(0)

    def back(self, steps: int) -> Floats:
        """The value so many samples before the newest; where there is none, the oldest."""
        if self._counts is None:
            found: Floats = self.values[max(0, len(self.values) - 1 - steps)]
        else:
            found = self.values[np.maximum(self._counts - 1 - steps, 0), np.arange(self.size)]
        return found

    @property
    def steps(self) -> Index | int:
        """How many samples follow the first one of each series, or of all."""
        return len(self.values) - 1 if self._counts is None else self._counts - 1

    def time_back(self, steps: int) -> Millis:
        """The time of `back(steps)`, of each series, or of all."""
        if self._counts is None:
            together: Millis = self.times[max(0, len(self.values) - 1 - steps)]
            return together
        rows = np.maximum(self.counts - 1 - steps, 0)
        found: Millis = self.times[rows, 0 if self.times.shape[1] == 1 else np.arange(self.size)]
        return found

    @property
    def first_time(self) -> Millis:
        """The time of the oldest value of each series, or of all."""
        oldest: Millis = self.times[0]
        return oldest


class Part(Struct, frozen=True):
    """Series of one source in a range: row i of `frame` has column i of `samples`."""

    frame: Frame
    samples: Samples


class Ranges(Struct, frozen=True):
    """A range vector; every source has its own times."""

    parts: tuple[Part, ...]
    span: Span

    @property
    def size(self) -> int:
        """How many series there are."""
        return sum(part.frame.size for part in self.parts)


def packed(frame: Frame, times: Millis, values: Floats, missing: Mask) -> Part | None:
    """A part of samples sampled together, without what is missing; None where nothing is there."""
    if not missing.any():
        return Part(frame, Samples(times[:, None], values, None)) if values.size else None
    there = ~missing
    counts = there.sum(axis=0)
    if not counts.all():
        columns = np.flatnonzero(counts)
        if not len(columns):
            return None
        frame, values, there, counts = frame.take(columns), values[:, columns], there[:, columns], counts[columns]
    rows, columns = np.nonzero(there)
    to = (np.cumsum(there, axis=0) - 1)[rows, columns]
    shape = (int(counts.max()), len(counts))
    moved, at = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    moved[to, columns] = values[rows, columns]
    at[to, columns] = times[rows]
    return Part(frame, Samples(at, moved, None if counts.min() == shape[0] else counts))


def all_parts(ranges: Sequence[Ranges], span: Span) -> Ranges:
    """The series of several range vectors."""
    return Ranges(tuple(part for each in ranges for part in each.parts), span)
