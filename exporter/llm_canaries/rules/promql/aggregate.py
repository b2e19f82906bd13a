"""Aggregations: many series to one a group."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from llm_canaries.rules.promql.plan import Reduce
from llm_canaries.rules.vector import EMPTY, NAME, Floats, Index, Vector


def reduce(plan: Reduce, vector: Vector) -> Vector:
    """A row a group, in the order of the groups' first rows."""
    if not vector.frame.size:
        return EMPTY
    names = vector.frame.names((*plan.without, NAME)) if plan.by is None else plan.by
    grouping = vector.frame.grouping(names)
    values = _REDUCERS[plan.reducer](vector.values, grouping.ids, grouping.frame.size)
    return Vector(grouping.frame, values)


def _sum(values: Floats, ids: Index, groups: int) -> Floats:
    return np.array([_total(each) for each in _members(values, ids, groups)])


def _avg(values: Floats, ids: Index, groups: int) -> Floats:
    return np.array([_mean(each) for each in _members(values, ids, groups)])


def _min(values: Floats, ids: Index, groups: int) -> Floats:
    least = np.full(groups, np.nan)
    np.fmin.at(least, ids, values)  # a number beats NaN, as in Prometheus
    return least


def _max(values: Floats, ids: Index, groups: int) -> Floats:
    most = np.full(groups, np.nan)
    np.fmax.at(most, ids, values)
    return most


def _count(values: Floats, ids: Index, groups: int) -> Floats:
    return np.bincount(ids, minlength=groups).astype(np.float64)


def _members(values: Floats, ids: Index, groups: int) -> list[list[float]]:
    members: list[list[float]] = [[] for _ in range(groups)]
    for group, value in zip(ids.tolist(), values.tolist(), strict=True):
        members[group].append(value)
    return members


def _total(values: Sequence[float]) -> float:
    """The exact sum, rounded once; beyond the largest number it is infinite."""
    if not all(map(math.isfinite, values)):
        return sum(value for value in values if not math.isfinite(value))
    try:
        return math.fsum(values)
    except OverflowError:
        return math.fsum(value / 2**64 for value in values) * 2**64


def _mean(values: Sequence[float]) -> float:
    total = _total(values)
    if math.isinf(total) and all(map(math.isfinite, values)):
        return math.fsum(value / len(values) for value in values)
    return total / len(values)


_REDUCERS: Mapping[str, Callable[[Floats, Index, int], Floats]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": _count,
}
