"""What a day of scheduled runs will come to, and who will give way when, before anything is sent.

The day is played in minutes by the rule of budget.py, every canary spending evenly what its runs cost: once as answers
are without reasoning that nobody asked for, once with every answer as long as its limit allows.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import suffix_budget
from llm_canaries.canary.budget import DAY, NANO, Caps, interval, steps
from llm_canaries.canary.canary import Case, Cost, Priority, Scenario

MINUTES = 1440
KINDS = ("requests", "tokens", "dollars")


class Load(Struct, frozen=True):
    """What a day of some cases costs when nobody gives way."""

    requests: float = 0.0
    tokens: float = 0.0
    dollars: float = 0.0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.requests + other.requests, self.tokens + other.tokens, self.dollars + other.dollars)

    def part(self, share: float) -> "Load":
        """The same for `share` of the day."""
        return Load(self.requests * share, self.tokens * share, self.dollars * share)


class Stretch(Struct, frozen=True):
    """From when (seconds of the UTC day) canaries of one priority give way, and up to how many times their interval.

    `times` is infinite where they also have to wait for the day to catch up.
    """

    start: float
    times: float


class Outlook(Struct, frozen=True):
    """A day at one gateway, or at all together.

    `load` is what it comes to when nobody gives way, `spent_at` the second of the day at which each cap would then be
    reached, `stretched` who gives way, `stopped_at` the second from which even those of priority `high` stand still.
    """

    load: Load
    caps: Caps
    spent_at: Mapping[str, float]
    stretched: Mapping[Priority, Stretch]
    stopped_at: float | None


def load_of(case: Case, cost: Cost, dollars: float | None) -> Load:
    """A day of `case`, a run of which takes `cost` and `dollars`; None, an unknown price, counts none."""
    runs = DAY / case.every
    return Load(runs * cost.requests, runs * (cost.input_tokens + cost.output_tokens), runs * (dollars or 0.0))


def cost_of(case: Case, scenario: Scenario) -> Cost:
    """What one run of `case` costs when it passes; a model that reasons by itself may take up to the limit of it."""
    cost = scenario.cost(case, case.params)
    room = suffix_budget(case) * cost.requests
    if case.facts.thinking is False:
        return replace(cost, limit=0)
    return replace(cost, output_tokens=cost.output_tokens + room, limit=cost.limit + room) if room else cost


def outlooks(
    loads: Mapping[str, Mapping[Priority, Load]], caps: Mapping[str, Caps], whole: Caps
) -> tuple[Mapping[str, Outlook], Outlook]:
    """The day of each gateway of `loads` (a day's by priority), and that of all together."""
    gateways = {name: _Scope(caps.get(name, Caps())) for name in loads}
    together = _Scope(whole)
    for minute in range(MINUTES):
        now = minute * 60.0
        for name, by_priority in loads.items():
            scopes = (gateways[name], together)
            for priority, load in by_priority.items():
                _minute(now, scopes, priority, load)
    every = [load for by_priority in loads.values() for load in by_priority.values()]
    return (
        {name: gateways[name].outlook(list(loads[name].values())) for name in loads},
        together.outlook(every),
    )


def _minute(now: float, scopes: "Sequence[_Scope]", priority: Priority, load: Load) -> None:
    """Spends a minute of `load` in every scope, as far as those allow."""
    times = 1.0
    part = load.part(1 / MINUTES)
    if part == Load():
        return
    for scope in scopes:
        full = scope.share(scope.spent + part) > 1
        own = float("inf") if full else interval(1.0, priority, steps(now, scope.share(scope.spent)))
        if own > 1 and priority is not Priority.HIGH:
            scope.gave_way(priority, now, own)
        if full and priority is Priority.HIGH:
            for stopped in {scope, scopes[0]}:  # a cap of all stops each
                stopped.stopped_at = now if stopped.stopped_at is None else stopped.stopped_at
        times = max(times, own)
    for scope in scopes:
        scope.spent += part.part(1 / times)


class _Scope:
    """The caps of one gateway, or of all, and what has become of them by now."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.spent = Load()
        self.stopped_at: float | None = None
        self._stretched: dict[Priority, Stretch] = {}

    def share(self, load: Load) -> float:
        """The largest share of a cap that `load` is."""
        return max((have / cap for _, have, cap in self._pairs(load)), default=0.0)

    def gave_way(self, priority: Priority, now: float, times: float) -> None:
        """Canaries of `priority` run `times` less often now."""
        before = self._stretched.get(priority, Stretch(now, 1.0))
        self._stretched[priority] = Stretch(before.start, max(before.times, times))

    def outlook(self, loads: Sequence[Load]) -> Outlook:
        """What is to be told of it."""
        load = sum(loads, Load())
        spent_at = {kind: DAY * cap / have for kind, have, cap in self._pairs(load) if have > cap}
        return Outlook(load, self.caps, spent_at, self._stretched, self.stopped_at)

    def _pairs(self, load: Load) -> list[tuple[str, float, float]]:
        dollars = None if self.caps.nanodollars is None else self.caps.nanodollars / NANO
        caps = (self.caps.requests, self.caps.tokens, dollars)
        had = (load.requests, load.tokens, load.dollars)
        return [(kind, have, cap) for kind, have, cap in zip(KINDS, had, caps, strict=True) if cap is not None]
