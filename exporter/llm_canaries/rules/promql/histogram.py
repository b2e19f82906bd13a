"""Quantiles and fractions of classic histograms: series that differ by `le` only are one histogram."""

import re

import numpy as np
from msgspec import Struct

from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import EMPTY, Floats, Frame, Index, Mask, Vector

BUCKET = "le"
NEGLIGIBLE = 1e-12
"""Counts that differ by less than this part are equal."""
_SMALLEST = 2.2250738585072014e-308
_NUMBER = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|infinity|nan)", re.IGNORECASE)


class Buckets(Struct, frozen=True):
    """Histograms, one a column: upper bounds in rising order, counts up to each, NaN bounds below the last."""

    frame: Frame
    bounds: Floats
    counts: Floats
    sizes: Index


def histogram_quantile(vector: Vector, rank: float) -> Vector:
    """The quantile of each histogram, straight lines drawn within a bucket."""
    buckets = read_buckets(vector)
    return EMPTY if buckets is None else Vector(buckets.frame, _quantiles(buckets, rank))


def histogram_fraction(vector: Vector, lower: float, upper: float) -> Vector:
    """The part of each histogram's observations between `lower` and `upper`."""
    buckets = read_buckets(vector)
    return EMPTY if buckets is None else Vector(buckets.frame, _fractions(buckets, lower, upper))


def read_buckets(vector: Vector) -> Buckets | None:
    """The histograms in `vector`; a series whose `le` is no number is none of them."""
    table = vector.frame.table
    all_bounds: Floats = table.made("bounds", lambda: np.array([_bound(each) for each in table.column(BUCKET)]))
    taken = vector.frame.rows_taken
    bounds = all_bounds if taken is None else all_bounds[taken]
    rows = np.flatnonzero(~np.isnan(bounds))
    if not len(rows):
        return None
    grouping = vector.frame.take(rows).grouping(vector.frame.names((BUCKET,)))
    order = np.lexsort((bounds[rows], grouping.ids))
    return _laid_out(grouping.frame.drop_name(), grouping.ids[order], bounds[rows][order], vector.values[rows][order])


def _laid_out(frame: Frame, ids: Index, bounds: Floats, counts: Floats) -> Buckets:
    """A column a histogram; counts of one bound are added up."""
    new = np.ones(len(ids), dtype=np.bool_)
    new[1:] = (ids[1:] != ids[:-1]) | (bounds[1:] != bounds[:-1])
    starts = np.flatnonzero(new)
    counts, bounds, ids = np.add.reduceat(counts, starts), bounds[starts], ids[starts]
    sizes = np.bincount(ids, minlength=frame.size)
    place = np.arange(len(ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shape = (int(sizes.max()), frame.size)
    by_column, counted = np.full(shape, np.nan), np.zeros(shape)
    by_column[place, ids], counted[place, ids] = bounds, counts
    return Buckets(frame, by_column, counted, sizes)


def _quantiles(buckets: Buckets, rank: float) -> Floats:
    size = buckets.frame.size
    if not 0 <= rank <= 1:
        return np.full(size, np.nan if np.isnan(rank) else np.copysign(np.inf, rank - 0.5))
    columns, last = np.arange(size), buckets.sizes - 1
    counts, bounds = _rising(buckets), buckets.bounds
    with np.errstate(all="ignore"):
        observed = counts[last, columns]
        wanted = rank * observed
        at = _search(counts, wanted, last)
        below = np.maximum(at - 1, 0)
        start = np.where(at > 0, bounds[below, columns], 0.0)
        before = np.where(at > 0, counts[below, columns], 0.0)
        within = (wanted - before) / (counts[at, columns] - before)
        found = start + (bounds[at, columns] - start) * within
        found = np.where((at == 0) & (bounds[0] <= 0), bounds[0], found)
        found = np.where(at == last, bounds[np.maximum(last - 1, 0), columns], found)
    known = (bounds[last, columns] == np.inf) & (last > 0) & (observed != 0)
    return np.where(known, found, np.nan)


def _rising(buckets: Buckets) -> Floats:
    """The counts without falls, and without differences that only rounding makes."""
    counts = buckets.counts.copy()
    highest = counts[0].copy()
    with np.errstate(all="ignore"):
        for row in range(1, len(counts)):
            now = counts[row]
            counts[row] = np.where(_nearly(highest, now) | (now < highest), highest, now)
            highest = np.where(row < buckets.sizes, counts[row], highest)
    return counts


def _nearly(one: Floats, other: Floats) -> Mask:
    size, apart = np.abs(one) + np.abs(other), np.abs(one - other)
    tiny = (one == 0) | (other == 0) | (size < _SMALLEST)
    part = apart / np.minimum(size, np.finfo(np.float64).max)
    near = np.where(tiny, apart < NEGLIGIBLE * _SMALLEST, part < NEGLIGIBLE)
    found: Mask = (one == other) | near | (np.isnan(one) & np.isnan(other))
    return found


def _search(counts: Floats, wanted: Floats, last: Index) -> Index:
    """The first bucket before the last that has enough, by halves: NaN counts must lead where they lead Prometheus."""
    columns = np.arange(len(last))
    low, high = np.zeros_like(last), last.copy()
    while (low < high).any():
        middle = (low + high) // 2
        enough = counts[middle, columns] >= wanted
        open_ = low < high
        high = np.where(open_ & enough, middle, high)
        low = np.where(open_ & ~enough, middle + 1, low)
    return low


def _fractions(buckets: Buckets, lower: float, upper: float) -> Floats:
    size, last = buckets.frame.size, buckets.sizes - 1
    columns = np.arange(size)
    observed = buckets.counts[last, columns]
    with np.errstate(all="ignore"):
        low, high = (np.minimum(_rank(buckets, edge), observed) for edge in (lower, upper))
        found = (high - low) / observed
    found = np.where(lower >= upper, 0.0, found)
    unknown = (buckets.bounds[last, columns] != np.inf) | (observed == 0) | np.isnan(lower) | np.isnan(upper)
    return np.where(unknown, np.nan, found)


def _rank(buckets: Buckets, edge: float) -> Floats:
    """How many observations are below `edge`; all of them where it is beyond every bucket's start."""
    found = np.full(buckets.frame.size, np.nan)
    known = np.zeros(buckets.frame.size, dtype=np.bool_)
    rank = np.zeros(buckets.frame.size)
    start = np.where(buckets.bounds[0] > 0, 0.0, -np.inf)
    for row in range(len(buckets.bounds)):
        there = row < buckets.sizes
        end, count = buckets.bounds[row], buckets.counts[row]
        at_start = there & ~known & (start >= edge)
        inside = there & ~known & (start < edge) & (end > edge)
        # nothing is known of where in an endless first bucket observations are: all are taken to be at its start
        drawn = np.where(start == -np.inf, count, rank + (count - rank) * (edge - start) / (end - start))
        found = np.where(at_start, rank, np.where(inside, drawn, found))
        known |= at_start | inside
        rank, start = np.where(there, count, rank), np.where(there, end, start)
    return np.where(known, found, np.inf)


def _bound(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        return np.nan
    bound = float(text)
    if np.isnan(bound):
        raise EvaluationError(f"a bucket's upper bound is {text!r}")
    return bound
