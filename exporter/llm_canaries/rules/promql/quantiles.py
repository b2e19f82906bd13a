"""Quantiles of values, weighted between the two nearest; NaN is the smallest of values, as in Prometheus."""

import math

import numpy as np

from llm_canaries.rules.vector import Floats, Index


def column_quantiles(rank: float, values: Floats, counts: Index) -> Floats:
    """The quantile of each column of so many values, whatever stands below them."""
    if not 0 <= rank <= 1:
        return np.full(values.shape[1], math.nan if math.isnan(rank) else math.copysign(math.inf, rank - 0.5))
    inside = np.arange(len(values))[:, None] < counts
    nans = (np.isnan(values) & inside).sum(axis=0)
    ordered = np.sort(np.where(inside, values, np.nan), axis=0)  # numbers first, then NaN
    return _between(ordered, np.zeros(len(counts), dtype=np.intp), nans, counts, rank)


def group_quantiles(rank: float, values: Floats, ids: Index, groups: int) -> Floats:
    """The quantile of the values of each group."""
    if not 0 <= rank <= 1:
        return np.full(groups, math.nan if math.isnan(rank) else math.copysign(math.inf, rank - 0.5))
    counts = np.bincount(ids, minlength=groups)
    nans = np.bincount(ids, weights=np.isnan(values), minlength=groups).astype(np.intp)
    ordered = values[np.lexsort((values, ids))]
    return _between(ordered[:, None], np.cumsum(counts) - counts, nans, counts, rank)


def _between(ordered: Floats, starts: Index, nans: Index, counts: Index, rank: float) -> Floats:
    """The value at `rank` where the numbers of a column begin in row `starts`, its NaN counted as before them."""
    place = rank * (counts - 1)
    low = np.maximum(0, np.floor(place)).astype(np.intp)
    high = np.minimum(counts - 1, low + 1)
    weight = place - np.floor(place)
    columns = np.arange(len(counts)) if ordered.shape[1] == len(counts) and ordered.shape[1] > 1 else 0
    with np.errstate(all="ignore"):
        below, above = (
            np.where(at < nans, np.nan, ordered[starts + np.maximum(0, at - nans), columns]) for at in (low, high)
        )
        value: Floats = below * (1 - weight) + above * weight
    return value
