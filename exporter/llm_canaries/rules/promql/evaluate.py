"""A plan's value at one time, over the vectors of a source."""

from typing import assert_never

import numpy as np

from llm_canaries.rules.matcher import Source
from llm_canaries.rules.promql.aggregate import reduce
from llm_canaries.rules.promql.binary import CALCULATIONS, COMPARISONS, combine, compute, one_sided
from llm_canaries.rules.promql.functions import FUNCTIONS, Function
from llm_canaries.rules.promql.plan import (
    LOOKBACK,
    Absent,
    Call,
    Combine,
    Compute,
    Edge,
    Lift,
    Negate,
    Number,
    Plan,
    Range,
    Reduce,
    Select,
    Stamp,
    Subquery,
    Text,
    Time,
    When,
)
from llm_canaries.rules.promql.problem import EvaluationError, SameLabels
from llm_canaries.rules.promql.subquery import stacked
from llm_canaries.rules.samples import Ranges, Span
from llm_canaries.rules.vector import EMPTY, Frame, Vector, joined, vector_of

Value = float | Vector | str | Ranges


class Tick:
    """One moment: what was computed for one rule serves the next.

    `query` is the start, end and step of the query that this moment belongs to; by default it is a query of one.
    """

    def __init__(self, source: Source, at: float, query: tuple[float, float, float] | None = None) -> None:
        self.at = _millis(at)
        self._source = source
        start, end, step = (self.at, self.at, 0) if query is None else map(_millis, query)
        self._query = {"start": start, "end": end, "range": end - start, "step": step}
        self._known: dict[int, tuple[Plan, Value]] = {}  # by object: the compiler makes equal parts one
        self._others: dict[int, Tick] = {self.at: self}

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
        if isinstance(value, Vector):
            return value
        return vector_of([{}], [_number(value)])

    def ranges(self, plan: Plan) -> Ranges:
        """The value of a selector or subquery with a range."""
        value = self.value(plan)
        if not isinstance(value, Ranges):
            raise EvaluationError("a range is wanted")
        return value

    def _value(self, plan: Plan) -> Value:
        match plan:
            case Number() | Text() | Time() | Edge():
                return self._constant(plan)
            case Select(matchers, when):
                return self._source.select(matchers, self._moved(when) / 1000)
            case Range(select, duration):
                return self._samples(select, duration)
            case Subquery():
                return self._steps(plan)
            case Negate(operand):
                value = self.value(operand)
                return _unnamed(Vector(value.frame, -value.values)) if isinstance(value, Vector) else -_number(value)
            case Lift(operand):
                return self.vector(operand)
            case Stamp(operand):
                return self._stamps(operand)
            case Absent(operand, labels):
                return EMPTY if self._size(operand) else vector_of([dict(labels)], [1.0])
            case Call(function):
                return self._call(plan, FUNCTIONS[function])
            case Reduce(_, operand, _, _, parameter):
                return reduce(plan, self.vector(operand), self._argument(parameter))
            case Combine():
                return combine(plan, self.vector(plan.left), self.vector(plan.right))
            case Compute():
                return self._compute(plan)
        assert_never(plan)

    def _constant(self, plan: Number | Text | Time | Edge) -> float | str:
        match plan:
            case Number(text):
                return float(text)
            case Text(text):
                return text
            case Time():
                return self.at / 1000
            case Edge(which):
                return self._query[which] / 1000
        assert_never(plan)

    def _compute(self, plan: Compute) -> Value:
        left, right = self.value(plan.left), self.value(plan.right)
        if isinstance(left, Vector) and isinstance(right, Vector):
            return compute(plan, left, right)
        if isinstance(left, Vector):
            return _checked(one_sided(plan, left, _number(right), vector_left=True))
        if isinstance(right, Vector):
            return _checked(one_sided(plan, right, _number(left), vector_left=False))
        with np.errstate(all="ignore"):
            if plan.operator in COMPARISONS:
                return float(COMPARISONS[plan.operator](_number(left), _number(right)))
            return float(CALCULATIONS[plan.operator](np.float64(_number(left)), np.float64(_number(right))))

    def _call(self, plan: Call, function: Function) -> Value:
        if function.how == "number":
            return float(function.apply(*map(self._argument, plan.arguments)))
        place = function.subject
        subject = plan.arguments[place]
        extra = [self._argument(each) for each in (*plan.arguments[:place], *plan.arguments[place + 1 :])]
        if function.how == "over":
            return self._over(function, self.ranges(subject), extra)
        vector = self.vector(subject)
        with np.errstate(all="ignore"):
            if function.how == "each":
                return _unnamed(Vector(vector.frame, function.apply(vector.values, *extra)))
            value: Value = function.apply(vector, *extra)
        return _checked(value) if isinstance(value, Vector) else value

    def _over(self, function: Function, ranges: Ranges, extra: list[float | str | None]) -> Vector:
        found = []
        for part in ranges.parts:
            frame = part.frame if function.keeps_name else part.frame.drop_name()
            values, there = function.apply(part.samples, ranges.span, *extra)
            vector = Vector(frame, values)
            found.append(vector if there is None else vector.filtered(there))
        return _checked(joined(found)) if found else EMPTY

    def _size(self, plan: Plan) -> int:
        """How many series there are."""
        value = self.value(plan)
        return value.size if isinstance(value, Ranges) else self.vector(plan).frame.size

    def _argument(self, plan: Plan | None) -> float | str | None:
        if plan is None:
            return None
        value = self.value(plan)
        return value if isinstance(value, str) else _number(value)

    def _stamps(self, operand: Plan) -> Vector:
        """The times of the series of `operand`."""
        if not isinstance(operand, Select):
            vector = self.vector(operand)
            return _unnamed(Vector(vector.frame, np.full(vector.frame.size, self.at / 1000)))
        vector = self.vector(operand)
        if not vector.frame.size:
            return EMPTY
        parts = self._samples(operand, LOOKBACK, partial=True).parts
        times = [np.broadcast_to(part.samples.time_back(0) / 1000, part.frame.size) for part in parts]
        known = joined([Vector(part.frame, at) for part, at in zip(parts, times, strict=True)])
        return _unnamed(_like(known, vector.frame))

    def _moved(self, when: When) -> int:
        at = self.at if when.at is None else when.at if isinstance(when.at, int) else self._query[when.at]
        return at - when.offset

    def _samples(self, select: Select, duration: int, *, partial: bool = False) -> Ranges:
        end = self._moved(select.when)
        return self._source.ranges(select.matchers, Span(end - duration, end, self.at, partial))

    def _steps(self, plan: Subquery) -> Ranges:
        end = self._moved(plan.when)
        start = end - plan.duration
        first = (start // plan.step + 1) * plan.step
        times = range(first, end + 1, plan.step)
        return stacked([self._at(at).vector(plan.operand) for at in times], times, Span(start, end, self.at))

    def _at(self, at: int) -> "Tick":
        if at not in self._others:
            other = Tick(self._source, at / 1000)
            other._query, other._others = self._query, self._others
            self._others[at] = other
        return self._others[at]


def _number(value: Value) -> float:
    if not isinstance(value, float | int):
        raise EvaluationError("a number is wanted")
    return float(value)


def _like(vector: Vector, frame: Frame) -> Vector:
    """The values of `vector` for the rows of `frame`, all of which it has."""
    if vector.frame.same(frame):
        return vector
    names = tuple(sorted({*vector.frame.names(), *frame.names()}))
    row_of = {key: row for row, key in enumerate(vector.frame.keys(names))}
    return Vector(frame, vector.values[[row_of[key] for key in frame.keys(names)]])


def _unnamed(vector: Vector) -> Vector:
    return _checked(Vector(vector.frame.drop_name(), vector.values))


def _checked(vector: Vector) -> Vector:
    if not vector.frame.distinct():
        raise SameLabels("two series of the result have the same labels once the metric name is gone")
    return vector


def _millis(seconds: float) -> int:
    return round(seconds * 1000)
