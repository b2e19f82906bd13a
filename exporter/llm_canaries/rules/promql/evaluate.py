"""A plan's value at one time, over the vectors of a source."""

from typing import assert_never

import numpy as np

from llm_canaries.rules.matcher import Source
from llm_canaries.rules.promql.aggregate import reduce
from llm_canaries.rules.promql.binary import CALCULATIONS, COMPARISONS, combine, compute, one_sided
from llm_canaries.rules.promql.plan import (
    Absent,
    Combine,
    Compute,
    Lift,
    Negate,
    Number,
    Plan,
    Reduce,
    Select,
    Time,
)
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import EMPTY, Vector, vector_of

Value = float | Vector


class Tick:
    """One moment: what was computed for one rule serves the next."""

    def __init__(self, source: Source, at: float) -> None:
        self.at = at
        self._source = source
        self._known: dict[int, tuple[Plan, Value]] = {}  # by object: the compiler makes equal parts one

    def value(self, plan: Plan) -> Value:
        """The value of `plan`. Raises EvaluationError."""
        if (known := self._known.get(id(plan))) is not None:
            return known[1]
        value = self._value(plan)
        self._known[id(plan)] = (plan, value)
        return value

    def vector(self, plan: Plan) -> Vector:
        """The value as a vector: a scalar is one series without labels."""
        value = self.value(plan)
        return value if isinstance(value, Vector) else vector_of([{}], [value])

    def _value(self, plan: Plan) -> Value:
        match plan:
            case Number(text):
                return float(text)
            case Time():
                return self.at
            case Select(matchers):
                return self._source.select(matchers, self.at)
            case Negate(operand):
                value = self.value(operand)
                return _unnamed(Vector(value.frame, -value.values)) if isinstance(value, Vector) else -value
            case Lift(operand):
                return self.vector(operand)
            case Absent(operand, labels):
                there = self.vector(operand).frame.size
                return EMPTY if there else vector_of([dict(labels)], [1.0])
            case Reduce():
                return reduce(plan, self.vector(plan.operand))
            case Combine():
                return combine(plan, self.vector(plan.left), self.vector(plan.right))
            case Compute():
                return self._compute(plan)
        assert_never(plan)

    def _compute(self, plan: Compute) -> Value:
        left, right = self.value(plan.left), self.value(plan.right)
        if isinstance(left, Vector) and isinstance(right, Vector):
            return compute(plan, left, right)
        if isinstance(left, Vector):
            return _checked(one_sided(plan, left, right, vector_left=True))  # type: ignore[arg-type]
        if isinstance(right, Vector):
            return _checked(one_sided(plan, right, left, vector_left=False))
        with np.errstate(all="ignore"):
            if plan.operator in COMPARISONS:
                return float(COMPARISONS[plan.operator](left, right))
            return float(CALCULATIONS[plan.operator](np.float64(left), np.float64(right)))


def _unnamed(vector: Vector) -> Vector:
    return _checked(Vector(vector.frame.drop_name(), vector.values))


def _checked(vector: Vector) -> Vector:
    if not vector.frame.distinct():
        raise EvaluationError("two series of the result have the same labels once the metric name is gone")
    return vector
