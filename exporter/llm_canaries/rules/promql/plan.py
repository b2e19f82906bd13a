"""An expression compiled: what it does step by step, as values that are equal when they compute the same.

Times and durations are whole milliseconds.
"""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_canaries.rules.matcher import Matcher, Matchers
from llm_canaries.rules.vector import NAME, Key

LOOKBACK = 300_000
STEP = 60_000
"""How far apart a subquery's steps are when it does not say: Prometheus' own default evaluation interval."""

SetOperator = Literal["and", "or", "unless"]
Kind = Literal["scalar", "vector", "range", "text"]


class Number(Struct, frozen=True):
    """A literal; its text keeps NaN equal to itself."""

    text: str


class Text(Struct, frozen=True):
    """A literal text: an argument, no value of its own."""

    text: str


class Time(Struct, frozen=True):
    """The time of evaluation, Unix seconds."""


class Edge(Struct, frozen=True):
    """Of the query: its `start` or `end` in Unix seconds, the `range` between them, its `step`; in a rule 0 and 0."""

    which: Literal["start", "end", "range", "step"]


class When(Struct, frozen=True):
    """`offset`, and `@` where it stands: a time, or the start or end of the query."""

    offset: int = 0
    at: int | Literal["start", "end"] | None = None


class Select(Struct, frozen=True):
    """The series that meet all matchers."""

    matchers: Matchers
    when: When = When()


class Range(Struct, frozen=True):
    """The samples of the last `duration` of each selected series."""

    select: Select
    duration: int


class Subquery(Struct, frozen=True):
    """The operand at every multiple of `step` in the last `duration`."""

    operand: "Plan"
    duration: int
    step: int
    when: When


class Negate(Struct, frozen=True):
    """The operand with its sign turned."""

    operand: "Plan"


class Lift(Struct, frozen=True):
    """A scalar as a vector of one series without labels."""

    operand: "Plan"


class Absent(Struct, frozen=True):
    """1 where the operand has no series, with the labels that its matchers state."""

    operand: "Plan"
    labels: tuple[tuple[str, str], ...]


class Stamp(Struct, frozen=True):
    """The time of each series: of its sample where the operand selects, else of evaluation."""

    operand: "Plan"


class Call(Struct, frozen=True):
    """A function of the table, by its name."""

    function: str
    arguments: tuple["Plan", ...]


class Match(Struct, frozen=True):
    """Which rows of two vectors belong together: by the labels `on`, or by all but `ignoring`.

    `many` is the side that may have several rows a match; `include` are labels taken over from the other.
    """

    on: Key | None = None
    ignoring: Key = ()
    many: Literal["", "left", "right"] = ""
    include: Key = ()


class Compute(Struct, frozen=True):
    """Arithmetic, or a comparison that filters, or with `as_bool` gives 0 and 1; `match` for two vectors."""

    operator: str
    left: "Plan"
    right: "Plan"
    as_bool: bool
    match: Match


class Combine(Struct, frozen=True):
    """A set operation on two vectors."""

    operator: SetOperator
    left: "Plan"
    right: "Plan"
    match: Match


class Reduce(Struct, frozen=True):
    """An aggregation over groups: `by` these labels, or by all but `without`."""

    reducer: str
    operand: "Plan"
    by: Key | None
    without: Key
    parameter: "Plan | None" = None


Plan: TypeAlias = (
    Number
    | Text
    | Time
    | Edge
    | Select
    | Range
    | Subquery
    | Negate
    | Lift
    | Absent
    | Stamp
    | Call
    | Compute
    | Combine
    | Reduce
)


def parts(plan: Plan) -> tuple[Plan, ...]:
    """The plans of which `plan` is made."""
    match plan:
        case Range(select):
            return (select,)
        case Subquery(operand) | Negate(operand) | Lift(operand) | Absent(operand) | Stamp(operand):
            return (operand,)
        case Reduce(_, operand, _, _, parameter):
            return (operand,) if parameter is None else (operand, parameter)
        case Call(_, arguments):
            return arguments
        case Compute(_, left, right) | Combine(_, left, right):
            return (left, right)
    return ()


def walk(plan: Plan) -> Iterator[Plan]:
    """`plan` and all that it is made of."""
    yield plan
    for part in parts(plan):
        yield from walk(part)


def moments(plan: Plan) -> int:
    """At how many times a part of `plan` is evaluated, at most: those of a subquery within another multiply."""
    own = plan.duration // plan.step + 1 if isinstance(plan, Subquery) else 1
    return own * max((moments(part) for part in parts(plan)), default=1)


def selectors(plan: Plan) -> list[tuple[Matcher, ...]]:
    """The matchers of every selector in `plan`."""
    return [each.matchers for each in walk(plan) if isinstance(each, Select)]


def selected_names(plan: Plan) -> frozenset[str] | None:
    """The metric names that `plan` selects; None where a selector leaves the name open."""
    names = set()
    for matchers in selectors(plan):
        stated = [each.value for each in matchers if each.name == NAME and each.operator == "="]
        if not stated:
            return None
        names.update(stated)
    return frozenset(names)


def reach(plan: Plan) -> float:
    """The seconds that `plan` looks back from the time of evaluation, lookback included; infinite for `@` a time."""
    return _reach(plan) / 1000


def _reach(plan: Plan) -> float:
    match plan:
        case Range(Select(_, when), duration):
            return _moved(when, duration)
        case Select(_, when):
            return _moved(when, LOOKBACK)
        case Subquery(operand, duration, _, when):
            return _moved(when, duration + _reach(operand))
    return max((_reach(part) for part in parts(plan)), default=0)


def _moved(when: When, duration: float) -> float:
    return float("inf") if isinstance(when.at, int) else max(0.0, duration + when.offset)
