"""Growth of a count against its own past: medians of logarithms, with a bound that few samples cannot cross.

Reasoning tokens of one prompt spread over an order of magnitude (protocols.md C5), so neither a mean nor a single high
count tells anything. Simulated with a spread of .75 in the logarithm and a run each 15 minutes, the bound crosses 25 %
in fewer than 1 of 300 months without growth; a doubling at a spread of .45 crosses it within 30 runs.
"""

import math
import statistics
from collections.abc import Sequence

from msgspec import Struct

BASELINE, RECENT, LEAST = 60, 60, 30  # samples kept of the past and of late; fewer of late tell nothing
_Z = 3.09  # one-sided 99.9 %: it is looked at after every run
_MEDIAN = 1.2533  # standard error of a median over that of a mean


class Counts(Struct, frozen=True):
    """Logarithms of counts: the first ones are the baseline for good, the last ones are of late."""

    baseline: tuple[float, ...] = ()
    recent: tuple[float, ...] = ()

    def add(self, count: int) -> "Counts":
        """With one count more."""
        log = round(math.log(max(count, 1)), 4)
        if len(self.baseline) < BASELINE:
            return Counts((*self.baseline, log), ())
        return Counts(self.baseline, (*self.recent, log)[-RECENT:])


class Growth(Struct, frozen=True):
    """How many times the baseline is counted of late, and what it is at least."""

    ratio: float
    lower: float


def growth(counts: Counts) -> Growth | None:
    """The growth, None while there are too few samples."""
    if len(counts.baseline) < BASELINE or len(counts.recent) < LEAST:
        return None
    more = statistics.median(counts.recent) - statistics.median(counts.baseline)
    error = _MEDIAN * math.sqrt(_square(counts.baseline) + _square(counts.recent))
    return Growth(math.exp(more), math.exp(more - _Z * error))


def _square(logs: Sequence[float]) -> float:
    return statistics.variance(logs) / len(logs)
