"""Whether a rule can ever return something, by what there is to select: families of a table, or series of a page."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import inf

from msgspec import Struct

from llm_canaries.rules.group import Rule
from llm_canaries.rules.matcher import Matcher, Matchers
from llm_canaries.rules.promql.plan import (
    Absent,
    Call,
    Combine,
    Compute,
    Lift,
    Negate,
    Number,
    Plan,
    Range,
    Reduce,
    Select,
    Stamp,
    Subquery,
    Time,
)
from llm_canaries.rules.shapes import (
    ANYTHING,
    MAYBE,
    SOME,
    Row,
    Shape,
    apart,
    compared,
    matched,
    nothing,
    only,
    shaped,
    without,
)
from llm_canaries.rules.vector import NAME

_KEEP_BOUNDS = ("min_over_time", "max_over_time", "avg_over_time", "last_over_time", "first_over_time", "sort",
                "sort_desc", "quantile_over_time", "mad_over_time")  # fmt: skip
_AT_LEAST_0 = ("rate", "increase", "irate", "changes", "resets", "abs", "sqrt", "stddev_over_time", "stdvar_over_time",
               "count_over_time", "present_over_time")  # fmt: skip
_KEEP_NAME = ("last_over_time", "first_over_time", "sort", "sort_desc")
_RELABEL = ("label_replace", "label_join")


class World(Struct, frozen=True):
    """What there is: label sets by metric name; `closed` where nothing else can come."""

    series: Mapping[str, Sequence[Row]]
    closed: bool = False


def recorded(world: World, rule: Rule) -> World:
    """The world with what a recording rule adds."""
    shape = shape_of(rule.plan, world)
    own = {name: template.fixed or SOME for name, template in rule.labels}
    rows = None if shape.rows is None else [{**row, **own, NAME: rule.name} for row in shape.rows]
    before = world.series.get(rule.name, ())
    found = UNKNOWN if rows is None or before is UNKNOWN else [*before, *rows]
    return World({**world.series, rule.name: found}, world.closed)


UNKNOWN: Sequence[Row] = ({NAME: MAYBE},)
"""The series of a name about which nothing is known."""


def shape_of(plan: Plan, world: World) -> Shape:
    """What `plan` can return in `world`."""
    match plan:
        case Number(text):
            return Shape(rows=({},), low=float(text), high=float(text), scalar=True)
        case Time():
            return Shape(rows=({},), low=0.0, scalar=True)
        case Select(matchers):
            return _select(matchers, world)
        case Range(select):
            return shape_of(select, world)
        case Subquery(operand):
            return shape_of(operand, world)
        case Negate(operand):
            inner = shape_of(operand, world)
            return inner if inner.never else shaped(without(inner.rows, (NAME,)), -inner.high, -inner.low)
        case Lift(operand):
            inner = shape_of(operand, world)
            return shaped([{}], inner.low, inner.high)
        case Stamp(operand):
            inner = shape_of(operand, world)
            return inner if inner.never else shaped(without(inner.rows, (NAME,)), 0.0)
        case Absent(_, labels):
            return shaped([dict(labels)], 1.0, 1.0)
        case Call(function, arguments):
            return _call(function, arguments, world)
        case Reduce():
            return _reduce(plan, shape_of(plan.operand, world))
        case Combine():
            return _combine(plan, shape_of(plan.left, world), shape_of(plan.right, world))
        case Compute():
            return _compute(plan, shape_of(plan.left, world), shape_of(plan.right, world))
    return ANYTHING


def _select(matchers: Matchers, world: World) -> Shape:
    name = next((each.value for each in matchers if each.name == NAME and each.operator == "="), "")
    if not name:
        return ANYTHING
    rows = world.series.get(name)
    if rows is None:
        if not world.closed:
            return ANYTHING
        near = get_close_matches(name, world.series, 1, 0.7)
        return nothing(f"there is no series `{name}`{f'; did you mean `{near[0]}`?' if near else ''}")
    if rows is UNKNOWN:
        return ANYTHING
    kept: list[Row] = list(rows)
    for matcher in (each for each in matchers if each.name != NAME):
        before, kept = kept, [narrowed for row in kept if (narrowed := _narrow(row, matcher)) is not None]
        if not kept:
            return nothing(_why_none(name, matcher, before))
    return shaped(kept)


def _narrow(row: Row, matcher: Matcher) -> Row | None:
    """The row, narrowed to what `matcher` lets pass; None where it does not."""
    value = row.get(matcher.name, "")
    if value in (SOME, MAYBE):
        if matcher.operator == "=":
            passes = bool(matcher.value) or value == MAYBE
            return {**row, matcher.name: matcher.value} if passes else None
        return row
    return row if matcher.holds(value) else None


def _why_none(name: str, matcher: Matcher, rows: Sequence[Row]) -> str:
    values = sorted({row.get(matcher.name, "") for row in rows})
    if values == [""]:
        return f"`{name}` has no label `{matcher.name}`"
    there = ", ".join(f'"{value}"' for value in values if value)
    return f'no series of `{name}` has {matcher.name}{matcher.operator}"{matcher.value}"; there is {there}'


def _call(function: str, arguments: Sequence[Plan], world: World) -> Shape:
    shapes = [shape_of(each, world) for each in arguments]
    subject = next((each for each in shapes if not each.scalar), None)
    if subject is None or function == "scalar":
        return Shape(rows=({},), scalar=True)
    if function == "absent_over_time":
        return shaped(None, 1.0, 1.0)
    if subject.never:
        return subject
    if function in _RELABEL:
        return Shape(low=subject.low, high=subject.high)
    rows = subject.rows if function in _KEEP_NAME else without(subject.rows, (NAME,))
    if function == "histogram_quantile":
        finite = [float(row["le"]) for row in subject.rows or () if _is_number(row.get("le", ""))]
        known = bool(finite) and len(finite) + _infinite(subject.rows or ()) == len(subject.rows or ())
        return shaped(without(rows, ("le",)), -inf, max(finite) if known else inf)
    if function in _KEEP_BOUNDS:
        return shaped(rows, subject.low, subject.high)
    return shaped(rows, 0.0 if function in _AT_LEAST_0 else -inf)


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < inf
    except ValueError:
        return False


def _infinite(rows: Iterable[Row]) -> int:
    return sum(row.get("le", "").lower().lstrip("+") == "inf" for row in rows)


def _reduce(plan: Reduce, inner: Shape) -> Shape:
    if inner.never:
        return inner
    if plan.reducer in ("topk", "bottomk", "limitk", "limit_ratio"):
        return inner
    if plan.reducer == "count_values":
        return Shape(low=1.0)
    rows = only(inner.rows, plan.by) if plan.by is not None else without(inner.rows, (NAME, *plan.without))
    if plan.reducer in ("min", "max", "avg", "quantile"):
        return shaped(rows, inner.low, inner.high)
    if plan.reducer == "count":
        return shaped(rows, 1.0)
    return shaped(rows, 0.0 if inner.low >= 0 else -inf, inf)


def _combine(plan: Combine, left: Shape, right: Shape) -> Shape:
    if plan.operator == "or":
        if left.never or right.never:
            return right if left.never else left
        rows = None if left.rows is None or right.rows is None else [*left.rows, *right.rows]
        return shaped(rows, min(left.low, right.low), max(left.high, right.high))
    if left.never or plan.operator == "unless":
        return left
    if right.never:
        return right
    if why := apart(left, right, plan.match):
        return nothing(why)
    if left.rows is None or right.rows is None:
        return left
    kept = [row for row in left.rows if any(matched(row, other, plan.match) for other in right.rows)]
    return shaped(kept, left.low, left.high)


def _compute(plan: Compute, left: Shape, right: Shape) -> Shape:
    for side in (left, right):
        if side.never:
            return side
    comparison = plan.operator in ("==", "!=", ">", "<", ">=", "<=")
    if comparison and not plan.as_bool and not (left.scalar and right.scalar) and (
        why := compared(plan.operator, left, right)
    ):
        return nothing(why)
    low, high = (0.0, 1.0) if plan.as_bool else (left.low, left.high) if comparison else _arithmetic(plan, left, right)
    if left.scalar and right.scalar:
        return Shape(rows=({},), low=low, high=high, scalar=True)
    if left.scalar or right.scalar:
        vector = right if left.scalar else left
        if comparison and left.scalar:
            low, high = right.low, right.high
        return shaped(vector.rows if comparison and not plan.as_bool else without(vector.rows, (NAME,)), low, high)
    if why := apart(left, right, plan.match):
        return nothing(why)
    return shaped(_joined_rows(plan, left, right), low, high)


def _joined_rows(plan: Compute, left: Shape, right: Shape) -> list[Row] | None:
    if left.rows is None or right.rows is None or plan.match.include:
        return None
    many, one = (right, left) if plan.match.many == "right" else (left, right)
    rows = [row for row in many.rows or () if any(matched(row, other, plan.match) for other in one.rows or ())]
    if plan.match.many:
        return without(rows, (NAME,))
    if plan.match.on is not None:
        return only(rows, plan.match.on)
    return without(rows, (NAME, *plan.match.ignoring))


def _arithmetic(plan: Compute, left: Shape, right: Shape) -> tuple[float, float]:
    if plan.operator == "+":
        return left.low + right.low, left.high + right.high
    if plan.operator == "-":
        return left.low - right.high, left.high - right.low
    if plan.operator in ("*", "/") and left.low >= 0 and right.low >= 0:
        return 0.0, inf
    return -inf, inf
