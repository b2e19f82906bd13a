"""What an expression can return, without values: which label sets, and between which bounds.

Everything is taken to be possible that is not excluded: a shape without rows can never return anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite

from msgspec import Struct

from llm_canaries.rules.promql.plan import Match

SOME = "\0some"
"""A label that is there, with any value."""
MAYBE = "\0maybe"
"""A label that may be there."""
MOST_ROWS = 500

Row = Mapping[str, str]


class Shape(Struct, frozen=True, kw_only=True):
    """`rows` None is any labels; `why` says why there are none; `scalar` is a number and no vector."""

    rows: tuple[Row, ...] | None = None
    low: float = -inf
    high: float = inf
    scalar: bool = False
    why: str = ""

    @property
    def never(self) -> bool:
        """Whether nothing can be returned."""
        return self.rows == ()


ANYTHING = Shape()


def nothing(why: str) -> Shape:
    """The shape of what returns nothing."""
    return Shape(rows=(), why=why)


def shaped(rows: Iterable[Row] | None, low: float = -inf, high: float = inf) -> Shape:
    """A vector of these label sets, each once; any labels where they are too many."""
    if rows is None:
        return Shape(low=low, high=high)
    found = {tuple(sorted((name, text) for name, text in row.items() if text)): row for row in rows}
    if len(found) > MOST_ROWS:
        return Shape(low=low, high=high)
    return Shape(rows=tuple({name: text for name, text in key} for key in found), low=low, high=high)  # noqa: C416


def without(rows: Sequence[Row] | None, names: Iterable[str]) -> list[Row] | None:
    """The rows without some labels."""
    gone = set(names)
    return None if rows is None else [{n: text for n, text in row.items() if n not in gone} for row in rows]


def only(rows: Sequence[Row] | None, names: Iterable[str]) -> list[Row] | None:
    """The rows with these labels only."""
    kept = set(names)
    return None if rows is None else [{n: text for n, text in row.items() if n in kept} for row in rows]


def meets(left: str, right: str) -> bool:
    """Whether two labels could be the same; "" is no label."""
    if MAYBE in (left, right):
        return True
    if SOME in (left, right):
        return bool(left) and bool(right)
    return left == right


def matched(left: Row, right: Row, match: Match) -> bool:
    """Whether two label sets could belong together."""
    if match.on is not None:
        names: Iterable[str] = match.on
    else:
        names = (set(left) | set(right)) - {"__name__", *match.ignoring}
    return all(meets(left.get(name, ""), right.get(name, "")) for name in names)


def apart(left: Shape, right: Shape, match: Match) -> str:
    """Why no label sets of the two sides belong together, empty where some do."""
    if left.rows is None or right.rows is None:
        return ""
    for one in left.rows:
        if any(matched(one, other, match) for other in right.rows):
            return ""
    names = match.on if match.on is not None else _differing(left.rows[0], right.rows[0], match)
    for name in names:
        here, there = {row.get(name, "") for row in left.rows}, {row.get(name, "") for row in right.rows}
        if not any(meets(one, other) for one in here for other in there):
            return f"the sides are joined by `{name}`: {_told(here)} on the left, {_told(there)} on the right"
    return f"no label set of the left side has its match on the right, by {', '.join(f'`{name}`' for name in names)}"


def _differing(left: Row, right: Row, match: Match) -> list[str]:
    names = sorted((set(left) | set(right)) - {"__name__", *match.ignoring})
    return [name for name in names if not meets(left.get(name, ""), right.get(name, ""))] or names


def _told(values: Iterable[str]) -> str:
    words = {"": "not there", SOME: "there", MAYBE: "perhaps there"}
    return " or ".join(sorted(words.get(value, f"`{value}`") for value in values))


def compared(operator: str, left: Shape, right: Shape) -> str:
    """Why a comparison of values can never hold, empty where it can."""
    impossible = {
        ">": left.high <= right.low,
        ">=": left.high < right.low,
        "<": left.low >= right.high,
        "<=": left.low > right.high,
        "==": left.high < right.low or left.low > right.high,
    }
    if not impossible.get(operator, False):
        return ""
    return f"{_bounds(left)} is never {operator} {_bounds(right)}"


def _bounds(shape: Shape) -> str:
    if shape.low == shape.high:
        return f"{shape.low:g}"
    if isfinite(shape.high):
        return f"what is at most {shape.high:g}"
    return f"what is at least {shape.low:g}"
