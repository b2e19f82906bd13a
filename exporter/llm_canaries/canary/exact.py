"""Exact tests of two samples: no assumption about distributions, no approximation at small numbers."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb

from msgspec import Struct


class Table(Struct, frozen=True):
    """Failures and decided runs at base and at head, of one case."""

    base_failures: int
    base_runs: int
    head_failures: int
    head_runs: int


def fisher(tables: Sequence[Table]) -> float:
    """The chance of so many failures at head, or more, if each case fails alike at both: one-sided.

    Of one table, Fisher's exact test (1935); of several, its stratified form: given how often each case failed in all,
    its failures at head are hypergeometric, and their sum is the convolution.
    """
    chances = [1.0]
    least = 0  # of failures at head
    for table in tables:
        failures = table.base_failures + table.head_failures
        runs = table.base_runs + table.head_runs
        low, high = max(0, failures - table.base_runs), min(failures, table.head_runs)
        ways = [comb(table.head_runs, k) * comb(table.base_runs, failures - k) for k in range(low, high + 1)]
        chances = _both(chances, [each / comb(runs, failures) for each in ways])
        least += low
    seen = sum(table.head_failures for table in tables)
    return min(1.0, sum(chances[seen - least :]))


def _both(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """The chances of the sum of two counts."""
    chances = [0.0] * (len(one) + len(other) - 1)
    for place, chance in enumerate(one):
        for step, more in enumerate(other):
            chances[place + step] += chance * more
    return chances


def sign_test(more: int, less: int) -> float:
    """The chance of `more` increases, or more, among `more` + `less` changes if either way were as likely."""
    changes = more + less
    return float(Fraction(sum(comb(changes, k) for k in range(more, changes + 1)), 2**changes))


def enough_runs(level: float) -> int:
    """The fewest runs at each side that prove a difference at `level` though one of them goes the other way."""
    runs = 2
    while fisher([Table(0, runs, runs - 1, runs)]) > level:
        runs += 1
    return runs
