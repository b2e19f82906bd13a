"""Sums that lose nothing worth mentioning: pairwise, with the error of every addition carried along.

Prometheus adds one after the other with Kahan's compensation; both are the exact sum to the last bit or nearly so.
"""

import math

import numpy as np

from llm_canaries.rules.vector import Floats, Index


def column_sums(values: Floats) -> Floats:
    """The sum of each column; one of finite values that overflows on the way is added one after the other."""
    total = _pairwise(values)
    strange = ~np.isfinite(total) | _may_overflow(values)
    if strange.any():
        finite = strange & np.isfinite(values).all(axis=0)
        with np.errstate(all="ignore"):
            total = np.where(strange & ~finite, values.sum(axis=0), total)
        for column in np.flatnonzero(finite).tolist():
            total[column] = _one_by_one(values[:, column].tolist())
    return total


def column_means(values: Floats, counts: Index) -> Floats:
    """The mean of each column of so many values, zeros below them; it is finite where all values are."""
    with np.errstate(all="ignore"):
        total = _pairwise(values)
        means = total / counts
        strange = ~np.isfinite(total)
        if strange.any():
            finite = np.isfinite(values[:, strange]).all(axis=0)
            small = _pairwise(values[:, strange] / counts[strange])
            plain = values[:, strange].sum(axis=0) / counts[strange]
            means[strange] = np.where(finite, small, plain)
    return means


def group_sums(values: Floats, ids: Index, groups: int) -> Floats:
    """The sum of the values of each group; `ids` says which group a value is in."""
    if groups == 1:
        return column_sums(values[:, None])
    sums, order, sizes = _segmented(values, ids, groups)
    strange = ~np.isfinite(sums) | _may_overflow(values)
    if strange.any():
        infinite = np.bincount(ids, weights=~np.isfinite(values), minlength=groups) > 0
        with np.errstate(all="ignore"):
            sums = np.where(strange & infinite, np.bincount(ids, weights=values, minlength=groups), sums)
        bounds = np.concatenate(([0], np.cumsum(sizes)))
        for group in np.flatnonzero(strange & ~infinite).tolist():
            sums[group] = _one_by_one(values[order[bounds[group] : bounds[group + 1]]].tolist())
    return sums


def group_means(values: Floats, ids: Index, groups: int) -> Floats:
    """The mean of the values of each group; it is finite where all values are."""
    counts = np.bincount(ids, minlength=groups)
    with np.errstate(all="ignore"):
        sums = _segmented(values, ids, groups)[0]
        means = sums / counts
        strange = ~np.isfinite(sums)
        if strange.any():
            infinite = np.bincount(ids, weights=~np.isfinite(values), minlength=groups) > 0
            small = _segmented(values / counts[ids], ids, groups)[0]
            plain = np.bincount(ids, weights=values, minlength=groups) / counts
            means = np.where(strange, np.where(infinite, plain, small), means)
    return means


def _may_overflow(values: Floats) -> bool:
    """Whether a sum could be infinite on the way to a finite end, in another order than by pairs."""
    largest = np.fmax.reduce(np.abs(values), axis=None) if values.size else 0.0
    return bool(1e300 < largest < np.inf)


def added(value: Floats, total: Floats, lost: Floats) -> tuple[Floats, Floats]:
    """One step of Kahan's sum as Prometheus makes it: the new total, and what rounding has lost so far."""
    following = total + value
    larger = np.abs(total) >= np.abs(value)
    rest = np.where(larger, (total - following) + value, (value - following) + total)
    return following, np.where(np.isinf(following), 0.0, lost + rest)


def _pairwise(values: Floats) -> Floats:
    """The sum of each column by halves, every rounding error added at the end."""
    sums = values
    errors = np.zeros(values.shape[1])
    with np.errstate(all="ignore"):
        while len(sums) > 1:
            half = len(sums) // 2
            left, right = sums[:half], sums[half : 2 * half]
            total = left + right
            back = total - left
            lost = (left - (total - back)) + (right - back)
            errors += lost.sum(axis=0)
            sums = np.concatenate((total, sums[2 * half :])) if len(sums) % 2 else total
        return sums[0] + errors if len(sums) else errors


def _segmented(values: Floats, ids: Index, groups: int) -> tuple[Floats, Index, Index]:
    """The sum of each group by pairs of neighbours, the values in the order of their groups, the groups' sizes."""
    order = np.argsort(ids, kind="stable")
    sizes = np.bincount(ids, minlength=groups)
    sums, owners, left_over = values[order], ids[order], sizes
    errors = np.zeros(groups)
    with np.errstate(all="ignore"):
        while len(sums) > groups:
            starts = np.cumsum(left_over) - left_over
            place = np.arange(len(sums)) - np.repeat(starts, left_over)
            even = place % 2 == 0
            paired = np.flatnonzero(even & (place + 1 < np.repeat(left_over, left_over)))
            left, right = sums[paired], sums[paired + 1]
            total = left + right
            back = total - left
            lost = (left - (total - back)) + (right - back)
            errors += np.bincount(owners[paired], weights=lost, minlength=groups)
            sums[paired] = total
            sums, owners, left_over = sums[even], owners[even], (left_over + 1) // 2
        final = sums + errors
    return final, order, sizes


def _one_by_one(values: list[float]) -> float:
    """The compensated sum in order, as Prometheus makes it: once infinite it stays so."""
    total = lost = 0.0
    for value in values:
        following = total + value
        if math.isinf(following):
            lost = 0.0
        elif abs(total) >= abs(value):
            lost += (total - following) + value
        else:
            lost += (value - following) + total
        total = following
    return total if math.isinf(total) else total + lost
