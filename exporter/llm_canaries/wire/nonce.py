"""Unguessable marks and numbers; randomness is a passed `Draw`."""

from collections.abc import Callable
from typing import TypeAlias

Draw: TypeAlias = Callable[[int], int]
"""A uniform whole number from 0 up to, not including, the argument (`secrets.randbelow`)."""

Drawn: TypeAlias = tuple[int, int]
"""A bound and the number that was drawn below it."""

MARK_PREFIX = "cnry-"
MARK_LENGTH = 10
LETTERS = 26  # only marks are drawn from so many


def mark(draw: Draw) -> str:
    """A mark for one ask, letters only, so that no answer's digits can come from it."""
    return MARK_PREFIX + "".join(chr(ord("a") + draw(LETTERS)) for _ in range(MARK_LENGTH))


def digits(draw: Draw, count: int) -> str:
    """`count` random digits, the first not zero and none equal to its neighbour (easier to read off)."""
    number = str(1 + draw(9))
    while len(number) < count:
        digit = str(draw(10))
        if digit != number[-1]:
            number += digit
    return number


def noted(draw: Draw, drawn: list[Drawn]) -> Draw:
    """`draw`, with every number that it draws added to `drawn`."""

    def noting(below: int) -> int:
        number = draw(below)
        drawn.append((below, number))
        return number

    return noting
