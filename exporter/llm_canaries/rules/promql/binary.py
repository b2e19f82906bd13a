"""Operators between two vectors, and between a vector and a scalar, with Prometheus' matching."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llm_canaries.rules.promql.plan import Combine, Compute, Match
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import EMPTY, NAME, Floats, Frame, Index, Key, Vector, joined

Mask = npt.NDArray[np.bool_]

CALCULATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,  # the sign of the left, as in Go
    "^": np.power,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


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
    rows, others = _pairs(many.frame.keys(names), one.frame, names, "left" if many_right else "right")
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
        known = left.frame.key_set(names)
        return joined([left, right.filtered(_mask(key not in known for key in right.frame.keys(names)))])
    known, wanted = right.frame.key_set(names), plan.operator == "and"
    return left.filtered(_mask((key in known) == wanted for key in left.frame.keys(names)))


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
    return tuple(sorted(set(left.columns).union(right.columns).difference(match.ignoring, (NAME,))))


def _pairs(keys: Sequence[Key], one: Frame, names: Key, side: str) -> tuple[Index, Index]:
    """The rows with a match and the rows that they match."""
    found = {key: row for row, key in enumerate(one.keys(names))}
    if len(found) < one.size:
        raise EvaluationError(_several(one, names, side))
    pairs = [(row, found[key]) for row, key in enumerate(keys) if key in found]
    index = np.array(pairs, dtype=np.intp).reshape(len(pairs), 2)
    return index[:, 0], index[:, 1]


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
        columns = dict(frame.columns) | {name: one.column(name)[others] for name in match.include}
        frame = Frame(columns, frame.size)
    if not frame.distinct():
        raise EvaluationError("several rows of a match have the same labels: grouping labels must keep them apart")
    return frame


def _check_unique(frame: Frame, names: Key, rows: Index) -> None:
    if len(frame.key_set(names)) == frame.size:
        return
    keys = frame.keys(names)
    if (twice := _twice([keys[row] for row in rows.tolist()])) is not None:
        hint = "many-to-one matching must be explicit: group_left or group_right"
        raise EvaluationError(f"several series on the left match {_shown(names, twice)}; {hint}")


def _several(one: Frame, names: Key, side: str) -> str:
    twice = _twice(one.keys(names)) or ()
    return f"several series on the {side} match {_shown(names, twice)}; matching labels must be unique on one side"


def _twice(keys: Sequence[Key]) -> Key | None:
    """The first key that comes again."""
    seen: set[Key] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return None


def _shown(names: Key, key: Key) -> str:
    return "{" + ", ".join(f"{name}={value!r}" for name, value in zip(names, key, strict=True)) + "}"


def _mask(each: Any) -> Mask:
    return np.fromiter(each, dtype=np.bool_)
