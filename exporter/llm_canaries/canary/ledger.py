"""What the scheduled runs of one case add up to: exact counts over windows, and what they prove.

Confirmation runs decide the state (success, failures in a row) and never a ratio (DESIGN 5.3, 5.5). A burst of them
is one failure more once all of it has failed: of a hundred canaries with 0.5 % of transients, ten a month fail a
single confirmation as well, and none fails three.
"""

from collections import deque
from functools import lru_cache
from math import comb, exp, log, log1p

from msgspec import Struct

WINDOWS = {"10m": 600.0, "1h": 3600.0, "recent": 86400.0, "long": 86400.0}
MOST = {"recent": 20, "long": 45}  # the last decided runs, none older than a day
LONG_RUNS = max(MOST.values())
MOST_RUNS = 10_000  # of the last hour, where one ledger counts a whole gateway
CONFIDENCE = 0.95
CONFIRMATIONS = 3  # failing confirmations that are one failure more


class Tally(Struct, frozen=True):
    """`failures` of `runs` decided scheduled runs."""

    failures: int
    runs: int

    @property
    def ratio(self) -> float | None:
        """The share of failures, None without runs."""
        return self.failures / self.runs if self.runs else None

    @property
    def lower(self) -> float | None:
        """The one-sided 95 % Clopper-Pearson lower bound of the failure probability, None without runs."""
        return lower_bound(self.failures, self.runs) if self.runs else None


@lru_cache(maxsize=4096)
def lower_bound(failures: int, runs: int) -> float:
    """The p at which `failures` or more of `runs` have probability .05: below it the data would be a surprise.

    By bisection to 1e-12 over the upper tail (Clopper and Pearson, 1934). Its first term is taken from the exact count
    of ways, whose size no float can hold from a thousand runs on, and the others follow from it.
    """
    if failures == 0:
        return 0.0
    if failures == runs:
        return float((1 - CONFIDENCE) ** (1 / runs))
    ways = log(comb(runs, failures))
    low, high = 0.0, failures / runs
    while high - low > 1e-12:
        p = (low + high) / 2
        if _tail(failures, runs, p, ways) < 1 - CONFIDENCE:
            low = p
        else:
            high = p
    return low


def _tail(failures: int, runs: int, p: float, ways: float) -> float:
    """The probability of `failures` or more of `runs`, where that many are no less than `p` lets expect."""
    term = exp(ways + failures * log(p) + (runs - failures) * log1p(-p))
    total, odds = term, p / (1 - p)
    for k in range(failures, runs):
        term *= (runs - k) / (k + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return total


class Ledger:
    """Decided scheduled runs of the last hour, or the last forty-five, and their state: of a case, or of a gateway."""

    def __init__(self) -> None:
        self._runs: deque[tuple[float, bool]] = deque(maxlen=MOST_RUNS)
        self.success: bool | None = None
        self.failures_in_a_row = 0
        self.last_success: float | None = None
        self.last_decided: float | None = None
        self._burst = 0

    @property
    def unconfirmed(self) -> bool:
        """Whether one failure stands alone, and a confirmation would tell more."""
        return self.failures_in_a_row == 1 and self._burst < CONFIRMATIONS

    def add(self, at: float, *, failed: bool, confirmation: bool = False) -> None:
        """Counts one decided run that started at `at` (Unix time)."""
        self.success = not failed
        self._burst = self._burst + 1 if failed and confirmation else 0
        if not confirmation or self._burst == CONFIRMATIONS or not failed:
            self.failures_in_a_row = self.failures_in_a_row + 1 if failed else 0
        self.last_decided = at if self.last_decided is None else max(at, self.last_decided)
        if not failed:
            self.last_success = at
        if not confirmation:
            self._runs.append((at, failed))
            self._forget(at)

    def tally(self, window: str, now: float) -> Tally:
        """The runs of `window` (a key of WINDOWS) that ends at `now`; runs from the future count as now's."""
        since = now - WINDOWS[window]
        runs = [failed for at, failed in self._runs if at > since]
        runs = runs[-MOST.get(window, MOST_RUNS) :]
        return Tally(sum(runs), len(runs))

    def _forget(self, now: float) -> None:
        while len(self._runs) > LONG_RUNS and self._runs[0][0] <= now - WINDOWS["1h"]:
            self._runs.popleft()


class Availability:
    """Pass shares of one gateway over an hour, a day and a month, kept in hourly counts."""

    WINDOWS = {"1h": 3600.0, "24h": 86400.0, "30d": 2592000.0}  # noqa: RUF012  # a constant table

    def __init__(self) -> None:
        self._hours: dict[int, list[int]] = {}

    def add(self, at: float, *, failed: bool) -> None:
        """Counts one decided scheduled run."""
        hour = self._hours.setdefault(int(at // 3600), [0, 0])
        hour[0] += not failed
        hour[1] += 1
        oldest = int(at // 3600) - 720
        for old in [each for each in self._hours if each < oldest]:
            del self._hours[old]

    def ratio(self, window: str, now: float) -> float | None:
        """The pass share over the hours that `window` touches, None without runs."""
        first = int((now - self.WINDOWS[window]) // 3600)
        counts = [count for hour, count in self._hours.items() if hour >= first]
        decided = sum(count[1] for count in counts)
        return sum(count[0] for count in counts) / decided if decided else None
