"""What canaries may spend in a UTC day, and which of them give way when a day's spending runs ahead of the day.

The rule: what is left of the cap should be no less a part of it than what is left of the day is of the day. Each
fiftieth that it falls short is a step. A canary of priority `normal` runs half as often with each step, down to a
sixteenth, and waits for the day to catch up beyond four steps; for `low` each step counts twice. So nine tenths of what
is left, and a last fiftieth of the cap, stay for those of priority `high`, which never give way. The cap stops all.
"""

from collections.abc import Iterable, Sequence
from math import inf

from msgspec import Struct

from llm_canaries.canary.canary import Cost, Priority

DAY = 86400.0
NANO = 1_000_000_000  # dollars are counted in whole billionths: sums of them are exact
STEP = 0.02  # of the cap's rest, that spending may be ahead of the day before anybody gives way, and by a step more
MOST_STEPS = 4
RESERVE = 0.02  # of the cap, for `high` alone: so late in the day a single run of another would take theirs
FULL = 10**6  # steps, where nothing is left
_WEIGHT = {Priority.LOW: 2, Priority.NORMAL: 1, Priority.HIGH: 0}


class Amount(Struct, frozen=True, order=False):
    """What was, or may be, spent: requests, tokens in and out, billionths of a dollar."""

    requests: int = 0
    tokens: int = 0
    nanodollars: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.requests + other.requests, self.tokens + other.tokens, self.nanodollars + other.nanodollars
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(
            self.requests - other.requests, self.tokens - other.tokens, self.nanodollars - other.nanodollars
        )


class Caps(Struct, frozen=True):
    """The most of each that a day may cost; None is without a cap."""

    requests: int | None = None
    tokens: int | None = None
    nanodollars: int | None = None

    def cover(self, spent: Amount) -> bool:
        """Whether `spent` is within every cap."""
        return all(have <= cap for have, cap in self._pairs(spent))

    def share(self, spent: Amount) -> float:
        """The largest share of a cap that `spent` is; 0 without caps."""
        return max((have / cap for have, cap in self._pairs(spent)), default=0.0)

    def _pairs(self, spent: Amount) -> Iterable[tuple[int, int]]:
        each = ((spent.requests, self.requests), (spent.tokens, self.tokens), (spent.nanodollars, self.nanodollars))
        return ((have, cap) for have, cap in each if cap is not None)


class Purse(Struct, frozen=True):
    """What a day has cost so far, runs under way at their most, and its caps: of one gateway, or of all together."""

    spent: Amount
    caps: Caps


class Wait(Struct, frozen=True):
    """A run is not to begin before `until` (Unix time); `spent`: a cap stops it, else it gives way to others."""

    until: float
    spent: bool


class Wish(Struct, frozen=True, kw_only=True):
    """A run that would begin: its `cost`, its canary's priority and interval, when its case ran last (None: never).

    `extra`: a confirmation or a twin, which is the first to be given up.
    """

    cost: Amount
    priority: Priority
    every: float
    last: float | None = None
    extra: bool = False


def decide(now: float, purses: Sequence[Purse], wish: Wish) -> Wait | None:
    """Whether `wish` has to wait at `now` (Unix time), None where it may begin. It has to fit into every purse."""
    if not all(purse.caps.cover(purse.spent + wish.cost) for purse in purses):
        return Wait(day_end(now), spent=True)
    waits = [wait for purse in purses if (wait := _gives_way(now, purse, wish)) is not None]
    return max(waits, key=lambda wait: wait.until, default=None)


def steps(now: float, share: float) -> int:
    """By how many steps spending is ahead of the day, where `share` of a cap is spent."""
    left, day_left = 1 - share / (1 - RESERVE), (day_end(now) - now) / DAY
    return max(0, int((1 - left / day_left) / STEP + 1e-9)) if left > 0 else FULL


def interval(every: float, priority: Priority, ahead: int) -> float:
    """The interval at so many steps ahead; infinite where the canary waits for the day to catch up."""
    ahead *= _WEIGHT[priority]
    return every * 2.0**ahead if ahead <= MOST_STEPS else inf


def _gives_way(now: float, purse: Purse, wish: Wish) -> Wait | None:
    ahead = steps(now, purse.caps.share(purse.spent))
    if wish.extra:
        return Wait(_caught_up(now, purse, 0), spent=False) if ahead else None
    stretched = interval(wish.every, wish.priority, ahead)
    if stretched == inf:
        return Wait(_caught_up(now, purse, MOST_STEPS // _WEIGHT[wish.priority]), spent=False)
    if wish.last is None or stretched == wish.every or now >= wish.last + stretched - wish.every / 2:
        return None
    return Wait(min(wish.last + stretched, day_end(now)), spent=False)


def _caught_up(now: float, purse: Purse, allowed: int) -> float:
    """When the day has gone so far that what is spent by now is at most `allowed` steps ahead of it."""
    left = 1 - purse.caps.share(purse.spent) / (1 - RESERVE)
    return max(now, day_end(now) - DAY * max(0.0, left) / (1 - STEP * (allowed + 1)))


def amount_of(cost: Cost, dollars: float | None) -> Amount:
    """The amount that `cost` is; an unknown price counts no dollars."""
    return Amount(cost.requests, cost.input_tokens + cost.output_tokens, nano(dollars or 0.0))


def nano(dollars: float) -> int:
    """Dollars in whole billionths, rounded up: what is counted is never less than what was spent."""
    return -int(-dollars * NANO // 1)


def day_of(now: float) -> str:
    """The UTC day of `now` as a number in text: what a day's spending is kept under."""
    return str(int(now // DAY))


def day_end(now: float) -> float:
    """When the UTC day of `now` ends (Unix time)."""
    return (int(now // DAY) + 1) * DAY
