"""Aggregations: many series to one a group, or to the first few of each."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from llm_canaries.rules.promql.order import bottomk, limitk, topk, whole_count
from llm_canaries.rules.promql.plan import Reduce
from llm_canaries.rules.promql.quantiles import group_quantiles
from llm_canaries.rules.promql.sums import group_means, group_sums
from llm_canaries.rules.table import Column, Table
from llm_canaries.rules.vector import EMPTY, NAME, Floats, Frame, Index, Key, Vector


def reduce(plan: Reduce, vector: Vector, parameter: float | str | None) -> Vector:
    """A row a group, or the rows of each group that are chosen."""
    if plan.reducer in CHOICES and isinstance(parameter, float):
        whole_count(parameter)  # an error even where there is nothing to choose from
    if not vector.frame.size:
        return EMPTY
    if plan.reducer == "count_values" and isinstance(parameter, str):
        return _count_values(plan, vector, parameter)
    grouping = vector.frame.grouping(_names(plan, vector.frame))
    if plan.reducer in CHOICES:
        return CHOICES[plan.reducer](vector, grouping.ids, grouping.frame.size, parameter)
    extra = () if parameter is None else (parameter,)
    return Vector(grouping.frame, REDUCERS[plan.reducer](vector.values, grouping.ids, grouping.frame.size, *extra))


def _names(plan: Reduce, frame: Frame) -> Key:
    return frame.names((*plan.without, NAME)) if plan.by is None else plan.by


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


def _group(values: Floats, ids: Index, groups: int) -> Floats:
    return np.ones(groups)


def _variance(values: Floats, ids: Index, groups: int) -> Floats:
    first = np.full(groups, len(ids), dtype=np.intp)
    np.minimum.at(first, ids, np.arange(len(ids)))
    with np.errstate(all="ignore"):
        # from the first value on: equal values have a variance of exactly 0
        away = values - values[first][ids]
        squares = (away - group_means(away, ids, groups)[ids]) ** 2
        return group_sums(squares, ids, groups) / np.bincount(ids, minlength=groups)


def _deviation(values: Floats, ids: Index, groups: int) -> Floats:
    return np.sqrt(_variance(values, ids, groups))


def _quantile(values: Floats, ids: Index, groups: int, rank: float) -> Floats:
    return group_quantiles(rank, values, ids, groups)


def _count_values(plan: Reduce, vector: Vector, label: str) -> Vector:
    """How many series of a group have each value, the value in `label`."""
    column: Column = np.empty(vector.frame.size, dtype=np.object_)
    column[:] = [shown(value) for value in vector.values.tolist()]
    frame = Frame(Table({**vector.frame.columns, label: column}, vector.frame.size))
    names = frame.names((*plan.without, NAME)) if plan.by is None else tuple(sorted({*plan.by, label}))
    grouping = frame.grouping(names)
    return Vector(grouping.frame, _count(vector.values, grouping.ids, grouping.frame.size))


def shown(value: float) -> str:
    """A value as `count_values` writes it: never with an exponent."""
    if math.isfinite(value):
        return np.format_float_positional(value, trim="-")
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


REDUCERS: Mapping[str, Callable[..., Floats]] = {
    "sum": group_sums,
    "avg": group_means,
    "min": _min,
    "max": _max,
    "count": _count,
    "group": _group,
    "stddev": _deviation,
    "stdvar": _variance,
    "quantile": _quantile,
}
CHOICES: Mapping[str, Callable[..., Vector]] = {"topk": topk, "bottomk": bottomk, "limitk": limitk}
AGGREGATIONS = (*REDUCERS, *CHOICES, "count_values")
