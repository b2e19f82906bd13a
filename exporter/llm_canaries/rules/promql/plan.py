"""An expression compiled: what it does step by step, as values that are equal when they compute the same."""

from typing import Literal, TypeAlias

from msgspec import Struct

from llm_canaries.rules.matcher import Matcher, Matchers
from llm_canaries.rules.vector import NAME, Key

Arithmetic = Literal["+", "-", "*", "/", "%", "^"]
Comparison = Literal["==", "!=", ">", "<", ">=", "<="]
SetOperator = Literal["and", "or", "unless"]
Reducer = Literal["sum", "avg", "min", "max", "count"]


class Number(Struct, frozen=True):
    """A literal; its text keeps NaN equal to itself."""

    text: str


class Time(Struct, frozen=True):
    """The time of evaluation, Unix seconds."""


class Select(Struct, frozen=True):
    """The series that meet all matchers."""

    matchers: Matchers


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

    operator: Arithmetic | Comparison
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

    reducer: Reducer
    operand: "Plan"
    by: Key | None
    without: Key


Plan: TypeAlias = Number | Time | Select | Negate | Lift | Absent | Compute | Combine | Reduce


def selectors(plan: Plan) -> list[tuple[Matcher, ...]]:
    """The matchers of every selector in `plan`."""
    match plan:
        case Select(matchers):
            return [matchers]
        case Negate(operand) | Lift(operand) | Absent(operand) | Reduce(_, operand):
            return selectors(operand)
        case Compute(_, left, right) | Combine(_, left, right):
            return [*selectors(left), *selectors(right)]
    return []


def selected_names(plan: Plan) -> frozenset[str] | None:
    """The metric names that `plan` selects; None where a selector leaves the name open."""
    names = set()
    for matchers in selectors(plan):
        stated = [each.value for each in matchers if each.name == NAME and each.operator == "="]
        if not stated:
            return None
        names.update(stated)
    return frozenset(names)
