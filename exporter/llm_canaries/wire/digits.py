"""Numbers in JSON that no double holds: they keep the digits that they came with."""

from decimal import Decimal, InvalidOperation
from math import isfinite

_SHORT = 16  # characters: a point or an exponent and at most 15 digits, which every double in range holds
_SMALL, _GREAT = 1e-300, 1e300


class Digits(float):
    """A double near `literal`, infinite where that is too great for one; `literal` is what was said."""

    __slots__ = ("literal",)

    literal: str

    def __new__(cls, literal: str) -> "Digits":
        """The double nearest to `literal`."""
        made = super().__new__(cls, literal)
        made.literal = literal
        return made


def number(literal: str) -> float:
    """The double that `literal`, a JSON number with a point or an exponent, is; Digits where none is the same."""
    value = float(literal)
    if len(literal) <= _SHORT and _SMALL < abs(value) < _GREAT:
        return value
    return value if _is_exact(literal, value) else Digits(literal)


def _is_exact(literal: str, value: float) -> bool:
    try:
        return isfinite(value) and Decimal(literal) == Decimal(repr(value))
    except InvalidOperation:  # an exponent that is no number of digits of anything
        return False
