"""What a command may spend beside the sidecar: the same caps, over what the sidecar has spent and the command itself.

The sidecar's state is read and never written: what the command spends counts for the command alone.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from llm_canaries.canary.budget import NANO, Amount, Caps, Purse, day_of
from llm_canaries.canary.canary import Case
from llm_canaries.canary.load import loops
from llm_canaries.canary.run import Lane
from llm_canaries.config.schema import Config
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.price import prices_of
from llm_canaries.service.lane import Lanes
from llm_canaries.service.meter import UNKNOWN, Meter, metered
from llm_canaries.service.run_cost import least_of
from llm_canaries.service.spending import caps_of
from llm_canaries.state.database import FILE
from llm_canaries.state.errors import StateError
from llm_canaries.state.reading import reading
from llm_canaries.state.spending import spent_on
from llm_canaries.wire.exchange import Via


class Beside:
    """The budgets of `config` for one command; `folder` is where the sidecar's state is, if there is one.

    Gateways whose upstream is our own mirror cost nothing.
    """

    def __init__(self, config: Config, folder: Path, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._meter = Meter(_ReadOnly(folder), clock.wall)
        paid = {name: each for name, each in config.gateways.items() if each.url is not None or each.providers}
        self._meter.caps = {name: caps_of(each.budget) for name, each in paid.items()}
        self._meter.whole = caps_of(config.budget)
        self._meter.prices = prices_of(config.prices)

    async def over(self, case: Case) -> str:
        """Why a run of `case` would be too much today, empty where it is not."""
        if case.gateway not in self._meter.caps:
            return ""
        now = self._clock.wall()
        if not await self._meter.open(day_of(now)):
            return UNKNOWN
        least = least_of(case, self._meter.prices)
        own, whole = self._meter.purses(case.gateway, now)
        return _over(own, least, "the gateway's budget") or _over(whole, least, "the budget of all gateways")

    def paid(self, case: Case, ways: Lanes) -> Mapping[Via, Lane]:
        """The ways to a case's gateway, every step paid for: one that may cost more than is left is withheld."""
        gateway = self._config.gateways[case.gateway]
        loop = loops(gateway)
        free = loop is not None and case.model in loop.models
        return metered(self._meter, case, ways, _Tab(), direct=gateway.twin, free=free)


class _ReadOnly:
    """A book of which the sidecar writes the beginning, and this process keeps the rest in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def spent_on(self, day: str) -> dict[str, Amount] | None:
        """What the sidecar has spent on `day` so far; nothing where there is no state, None where it is unreadable."""
        return await asyncio.to_thread(_spent, self._folder, day)

    async def spend(self, gateway: str, day: str, spent: Amount) -> bool:
        """The meter's own sum is enough."""
        return True


class _Tab:
    def asks(self, amount: Amount) -> None:
        """Nobody asks what a run had set aside."""

    def refused(self) -> None:
        """The run itself says so."""


def _spent(folder: Path, day: str) -> dict[str, Amount] | None:
    if not (folder / FILE).exists():
        return {}
    try:
        with reading(folder) as connection:
            return {gateway: Amount(*row) for gateway, row in spent_on(connection, day).items()}
    except StateError:
        return None


def _over(purse: Purse, least: Amount, whose: str) -> str:
    caps, spent = purse.caps, purse.spent
    for kind, cap, have, need in (
        ("requests", caps.requests, spent.requests, least.requests),
        ("tokens", caps.tokens, spent.tokens, least.tokens),
    ):
        if cap is not None and have + need > cap:
            return f"{whose} of {cap:,} {kind} a day would be spent: {have:,} are, and a run may need {need:,}"
    if not Caps(nanodollars=caps.nanodollars).cover(spent + least):
        most, gone, more = (amount / NANO for amount in (caps.nanodollars or 0, spent.nanodollars, least.nanodollars))
        return f"{whose} of ${most:.2f} a day would be spent: ${gone:.4f} are, and a run may need ${more:.4f}"
    return ""
