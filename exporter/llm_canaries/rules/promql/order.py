"""Vectors in order of their values, and the first few of each group; NaN comes last whichever way."""

import math

import numpy as np

from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import EMPTY, Floats, Index, Vector


def sort(vector: Vector) -> Vector:
    """The smallest value first."""
    return _taken(vector, np.lexsort((vector.values, np.isnan(vector.values))))


def sort_desc(vector: Vector) -> Vector:
    """The largest value first."""
    return _taken(vector, np.lexsort((-vector.values, np.isnan(vector.values))))


def topk(vector: Vector, ids: Index, groups: int, count: float) -> Vector:
    """The largest of each group, the largest first."""
    return _first(vector, ids, -vector.values, count)


def bottomk(vector: Vector, ids: Index, groups: int, count: float) -> Vector:
    """The smallest of each group, the smallest first."""
    return _first(vector, ids, vector.values, count)


def limitk(vector: Vector, ids: Index, groups: int, count: float) -> Vector:
    """Any few of each group, the same ones as long as the series are the same."""
    return _first(vector, ids, np.zeros(len(ids)), count)


def whole_count(count: float) -> int:
    """How many are asked for. Raises EvaluationError for what is no number of series."""
    if math.isnan(count):
        raise EvaluationError("the parameter of the aggregation is NaN")
    if not -(2.0**63) <= count < 2.0**63:
        raise EvaluationError(f"the parameter of the aggregation is {count:g}, which is no number of series")
    return int(count)


def _first(vector: Vector, ids: Index, keys: Floats, count: float) -> Vector:
    wanted = whole_count(count)
    if wanted < 1 or not len(ids):
        return EMPTY
    order = np.lexsort((keys, np.isnan(vector.values), ids))
    sizes = np.bincount(ids)
    place = np.arange(len(ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return _taken(vector, order[place < wanted])


def _taken(vector: Vector, rows: Index) -> Vector:
    return Vector(vector.frame.take(rows), vector.values[rows])
