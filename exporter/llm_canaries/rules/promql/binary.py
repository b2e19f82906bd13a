"""Operators between two vectors, and between a vector and a scalar, with Prometheus' matching."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from llm_canaries.rules.promql.plan import Combine, Compute, Match
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.table import Keys, Table
from llm_canaries.rules.vector import EMPTY, NAME, Floats, Frame, Index, Key, Mask, Vector, joined

CALCULATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,  # the sign of the left, as in Go
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
_MOST_REMEMBERED = 64


def one_sided(plan: Compute, vector: Vector, scalar: float, *, vector_left: bool) -> Vector:
    """A vector and a scalar; a comparison that filters keeps the vector's values and names."""
    left, right = (vector.values, scalar) if vector_left else (scalar, vector.values)
    values, keep = _computed(plan, left, right)
    if keep is not None:
        return vector.filtered(keep)
    return Vector(vector.frame.drop_name(), values)


def compute(plan: Compute, left: Vector, right: Vector) -> Vector:
    """Two vectors, row by matching row. Raises EvaluationError where a match is not unique."""
    if not left.frame.size or not right.frame.size:
        return EMPTY
    names = _signature(plan.match, left.frame, right.frame)
    many_right = plan.match.many == "right"  # not by identity: both sides may be the same object
    many, one = (right, left) if many_right else (left, right)
    rows, others = _pairs(many.frame, one.frame, names, "left" if many_right else "right")
    if not len(rows):
        return EMPTY
    if not plan.match.many:
        _check_unique(left.frame, names, rows)  # before any filter, as Prometheus 3 does: not by today's values
    pairs = (others, rows) if many_right else (rows, others)
    values, keep = _computed(plan, left.values[pairs[0]], right.values[pairs[1]])
    if keep is not None:
        rows, others, values = rows[keep], others[keep], left.values[pairs[0]][keep]
    frame = many.frame if len(rows) == many.frame.size else many.frame.take(rows)
    return Vector(_result_frame(plan, frame, one.frame, others), values)


def combine(plan: Combine, left: Vector, right: Vector) -> Vector:
    """`and`, `unless`, `or`: rows stay as they are."""
    if not left.frame.size:
        return right if plan.operator == "or" else EMPTY
    if not right.frame.size:
        return EMPTY if plan.operator == "and" else left
    names = _signature(plan.match, left.frame, right.frame)
    if plan.operator == "or":
        return joined([left, right.filtered(~_there(right.frame, left.frame, names))])
    there = _there(left.frame, right.frame, names)
    return left.filtered(there if plan.operator == "and" else ~there)


def _computed(plan: Compute, left: Floats | float, right: Floats | float) -> tuple[Floats, Mask | None]:
    """The values, or for a comparison that filters which rows stay."""
    with np.errstate(all="ignore"):
        if plan.operator in CALCULATIONS:
            return CALCULATIONS[plan.operator](left, right), None
        holds = COMPARISONS[plan.operator](left, right)
    return holds.astype(np.float64), None if plan.as_bool else holds


def _signature(match: Match, left: Frame, right: Frame) -> Key:
    """The labels by which rows belong together."""
    if match.on is not None:
        return match.on
    return tuple(sorted(set(left.table.columns).union(right.table.columns).difference(match.ignoring, (NAME,))))


def _there(frame: Frame, other: Frame, names: Key) -> Mask:
    """Which rows of `frame` have a key that a row of `other` has."""
    ids, keys = frame.keyed(names)
    other_ids, other_keys = other.keyed(names)
    found = np.zeros(len(other_keys.texts) + 1, dtype=np.bool_)  # the last is for keys that `other` does not know
    found[other_ids] = True
    there: Mask = found[_translated(ids, keys, other_keys)]
    return there


def _pairs(many: Frame, one: Frame, names: Key, side: str) -> tuple[Index, Index]:
    """The rows with a match and the rows that they match."""
    ids, keys = many.keyed(names)
    one_ids, one_keys = one.keyed(names)
    row_of = np.full(len(one_keys.texts) + 1, -1, dtype=np.intp)
    row_of[one_ids] = np.arange(one.size)
    if int(np.count_nonzero(row_of >= 0)) < one.size:
        raise EvaluationError(_several(one, names, side))
    found = row_of[_translated(ids, keys, one_keys)]
    rows = np.flatnonzero(found >= 0)
    return rows, found[rows]


def _translated(ids: Index, keys: Keys, other: Keys) -> Index:
    """Numbers of `keys` as numbers of `other`, -1 for what it does not know."""
    return ids if keys is other else keys.in_terms_of(other)[ids]


def _result_frame(plan: Compute, frame: Frame, one: Frame, others: Index) -> Frame:
    """The labels of the result: `frame` is the matched rows of the many side, `others` their matches in `one`."""
    match = plan.match
    if plan.operator in CALCULATIONS or plan.as_bool:
        frame = frame.drop_name()
    if not match.many:
        if match.on is not None:
            return frame.keep(match.on)
        return frame.keep(frame.names(match.ignoring)) if match.ignoring else frame
    if match.include:
        frame = _included(frame, one.take(others), match.include)
    if not frame.distinct():
        raise EvaluationError("several rows of a match have the same labels: grouping labels must keep them apart")
    return frame


def _included(frame: Frame, one: Frame, names: Key) -> Frame:
    """`frame` with labels of the other side; the same table as before where the same rows met before."""
    known: dict[Hashable, tuple[Frame, Frame, Frame]] = frame.table.made(("included", names), dict)
    before = known.get(id(one.table))
    if before is not None and before[0].same(frame) and before[1].same(one):
        return before[2]
    result = Frame(Table({**frame.columns, **{name: one.column(name) for name in names}}, frame.size))
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[id(one.table)] = (frame, one, result)
    return result


def _check_unique(frame: Frame, names: Key, rows: Index) -> None:
    ids, keys = frame.keyed(names)
    if len(keys.texts) == frame.table.size:
        return
    if (np.bincount(ids[rows]) > 1).any() and (twice := _twice(frame.take(rows), names)) is not None:
        hint = "many-to-one matching must be explicit: group_left or group_right"
        raise EvaluationError(f"several series on the left match {_shown(names, twice)}; {hint}")


def _several(one: Frame, names: Key, side: str) -> str:
    twice = _twice(one, names) or ()
    return f"several series on the {side} match {_shown(names, twice)}; matching labels must be unique on one side"


def _twice(frame: Frame, names: Key) -> Key | None:
    """The first key that several rows have."""
    ids, keys = frame.keyed(names)
    counts = np.bincount(ids)
    return keys.texts[int(np.argmax(counts > 1))] if (counts > 1).any() else None


def _shown(names: Key, key: Key) -> str:
    return "{" + ", ".join(f"{name}={value!r}" for name, value in zip(names, key, strict=True)) + "}"
