"""Budgets at work: which case may run now, which gives way and until when, and what is left, on the board."""

import asyncio
from collections.abc import Mapping

from msgspec.structs import replace

from llm_canaries.canary.budget import NANO, Amount, Caps, Purse, Wish, day_end, day_of, decide, nano
from llm_canaries.canary.canary import Case
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.load import loops
from llm_canaries.canary.run import Lane
from llm_canaries.config.schema import Budget, Config, WholeBudget
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.price import prices_of
from llm_canaries.service.board import Board
from llm_canaries.service.lane import Lanes
from llm_canaries.service.meter import Meter, metered
from llm_canaries.service.run_cost import larger, least_of
from llm_canaries.service.store import Store
from llm_canaries.wire.exchange import Via

WHOLE = "*"  # all gateways together, as a label: no gateway can have that name


class Spending:
    """What the scheduled canaries spend; gateways whose upstream is our own mirror cost nothing, and are left out."""

    def __init__(self, store: Store, board: Board, clock: Clock) -> None:
        self._board, self._clock = board, clock
        self._meter = Meter(store, clock.wall)
        self._held: dict[str, tuple[HoldReason, float]] = {}
        self._began: dict[str, float] = {}
        self._most: dict[str, Amount] = {}
        self._least: dict[str, Amount] = {}

    async def adopt(self, config: Config, mirrored: frozenset[str], cases: Mapping[str, Case]) -> None:
        """Puts the budgets and prices of `config` in force for `cases` by their keys; what was spent stays spent."""
        gone = self._meter.caps.keys()
        budgets = {name: gateway.budget for name, gateway in config.gateways.items() if name not in mirrored}
        self._meter.caps = {name: caps_of(budget) for name, budget in budgets.items()}
        self._meter.whole = caps_of(config.budget)
        self._meter.prices = prices_of(config.prices)
        self._held.clear()  # another budget may hold less
        self._least.clear()
        self._began = {key: at for key, at in self._began.items() if key in cases}
        self._most = {key: most for key, most in self._most.items() if key in cases}
        for name in [*(gone - budgets.keys()), WHOLE]:
            self._show(name, Caps(), Amount())
        now = self._clock.wall()
        if await self._meter.open(day_of(now)):
            await self._hold_spent(config, cases, now)
        self.refresh(now)

    async def _hold_spent(self, config: Config, cases: Mapping[str, Case], now: float) -> None:
        """Holds what today's budget is too small for already: an alert about it is not over with a restart."""
        for key, case in cases.items():
            loop = loops(config.gateways[case.gateway])
            if case.gateway not in self._meter.caps or (loop is not None and case.model in loop.models):
                continue
            await asyncio.sleep(0)  # an ask with a picture takes milliseconds to make, and probes are under way
            cost = self._cost(case)
            if not all(purse.caps.cover(purse.spent + cost) for purse in self._meter.purses(case.gateway, now)):
                self._held[key] = HoldReason.BUDGET, day_end(now)

    async def holds(
        self, case: Case, last: float | None, *, extra: bool, free: bool = False
    ) -> Mapping[HoldReason, float]:
        """What keeps a run of `case` from beginning now, with its end: nothing, a cap, or those that go first.

        `last` is when the case last ran, as far as the state knows; `extra` runs are confirmations and twins; of a
        `free` one, which our own mirror answers, only the requests count.
        """
        if case.gateway not in self._meter.caps:
            return {}
        now = self._clock.wall()
        if not await self._meter.open(day_of(now)):
            self._held[case.key] = HoldReason.BUDGET, now + case.every
            return self.held(case, now)
        wish = Wish(
            cost=self._cost(case),
            priority=case.priority,
            every=case.every,
            last=self._began.get(case.key, last),
            extra=extra,
        )
        purses: tuple[Purse, ...] = self._meter.purses(case.gateway, now)
        if free:
            purses = tuple(Purse(purse.spent, Caps(requests=purse.caps.requests)) for purse in purses)
            wish = replace(wish, cost=Amount(requests=wish.cost.requests))
        wait = decide(now, purses, wish)
        self.refresh(now)
        if wait is None:
            self._held.pop(case.key, None)
            self._began |= {} if extra else {case.key: now}
            return {}
        reason = HoldReason.BUDGET if wait.spent else HoldReason.STRETCHED
        if not extra:
            self._held[case.key] = reason, wait.until
        return {reason: wait.until}

    def held(self, case: Case, now: float) -> Mapping[HoldReason, float]:
        """What the case was last found to be held by, while that lasts."""
        reason, until = self._held.get(case.key, (HoldReason.BUDGET, 0.0))
        return {reason: until} if until > now else {}

    def lanes(self, case: Case, ways: Lanes, *, direct: str | None, free: bool = False) -> Mapping[Via, Lane]:
        """The ways to a case's gateway, every step paid for; those sent directly go to the gateway `direct`."""
        return metered(self._meter, case, ways, _Tab(self, case), direct=direct, free=free)

    def asked(self, case: Case, total: Amount) -> None:
        """A run of `case` has had `total` set aside: the next one may need as much."""
        self._most[case.key] = larger(total, self._most.get(case.key, Amount()))

    def refused(self, case: Case) -> None:
        """A run of `case` ended early, for there was not enough left."""
        self._held[case.key] = HoldReason.BUDGET, day_end(self._clock.wall())

    def refresh(self, now: float) -> None:
        """What is left, on the board."""
        for name in self._meter.caps:
            own, whole = self._meter.purses(name, now)
            self._show(name, own.caps, own.spent)
            self._show(WHOLE, whole.caps, whole.spent)

    def _cost(self, case: Case) -> Amount:
        """What a run of `case` is taken to need: what it has to have to begin, and what one has had set aside."""
        if case.key not in self._least:
            self._least[case.key] = least_of(case, self._meter.prices)
        return larger(self._least[case.key], self._most.get(case.key, Amount()))

    def _show(self, gateway: str, caps: Caps, spent: Amount) -> None:
        for kind, cap, have, unit in (
            ("requests", caps.requests, spent.requests, 1),
            ("tokens", caps.tokens, spent.tokens, 1),
            ("dollars", caps.nanodollars, spent.nanodollars, NANO),
        ):
            slot = self._board.slot(f"llm_canary_budget_{kind}_remaining", gateway=gateway, period="day")
            if cap is not None:
                self._board.set(slot, max(0, cap - have) / unit)
            elif self._board.get(slot) is not None:
                self._board.clear(slot)


class _Tab:
    """The asks of one run."""

    def __init__(self, spending: Spending, case: Case) -> None:
        self._spending, self._case = spending, case
        self._total = Amount()

    def asks(self, amount: Amount) -> None:
        """The next step may cost `amount`."""
        self._total += amount
        self._spending.asked(self._case, self._total)

    def refused(self) -> None:
        """There was not so much left."""
        self._spending.refused(self._case)


def caps_of(budget: Budget | WholeBudget) -> Caps:
    """The caps that a budget in the configuration is."""
    return Caps(budget.requests, budget.tokens, None if budget.dollars is None else nano(budget.dollars))
