"""What the asks of canaries cost, counted before they are sent: the sum is never above a cap, come what may.

Before an ask sets out the most that it may cost is added to the day and written down; once it is answered the sum is
put right. So a cap holds with any number of runs under way, and after kill -9: what was under way stays counted at its
most. While the state refuses to be written the sum in memory counts on; but a process that never got to write has no
word on what those before it spent, and sends nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.bound import bound, cost_of_answer
from llm_canaries.canary.budget import NANO, Amount, Caps, Purse, amount_of, day_of
from llm_canaries.canary.canary import Case, Cost
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.run import Lane, Withheld
from llm_canaries.proxy.peek import peek_ask
from llm_canaries.proxy.price import Prices
from llm_canaries.service.lane import GatewayLane, Lanes
from llm_canaries.wire.exchange import Exchange, Look, Page, Send, Via
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Usage

UNKNOWN = "what was spent today cannot be read or written down; see the state's folder"


class Quote(Struct, frozen=True):
    """The most that one ask may cost: reckoned from the ask, with what answers have taught, and what that is worth."""

    gateway: str
    model: str
    estimate: Cost
    cost: Cost
    amount: Amount


class Book(Protocol):
    """Where spending is written down."""

    async def spent_on(self, day: str) -> dict[str, Amount] | None:
        """What was spent on `day`, by gateway; None where it cannot be read."""

    async def spend(self, gateway: str, day: str, spent: Amount) -> bool:
        """Writes down what `gateway` has cost on `day` in all; whether it is written."""


class Meter:
    """The spending of every gateway by day, and the caps in force."""

    def __init__(self, book: Book, now: Callable[[], float]) -> None:
        self._book, self._now = book, now
        self.caps: Mapping[str, Caps] = {}
        self.whole = Caps()
        self.prices = Prices()
        self._days: dict[str, dict[str, Amount]] = {}
        self._written = False
        self._surplus: dict[tuple[str, str], tuple[int, int]] = {}

    async def open(self, day: str) -> bool:
        """Reads what was spent on `day` before this process; whether that is known."""
        if day not in self._days:
            before = await self._book.spent_on(day)
            if before is None and not self._days:
                return False
            self._days.setdefault(day, before or {})  # nobody else spends while this process holds the state
            self._days = {each: spent for each, spent in self._days.items() if int(each) >= int(day) - 1}
        return True

    def purses(self, gateway: str, now: float) -> tuple[Purse, Purse]:
        """The purse of `gateway`, and that of all together."""
        spent = self._days.get(day_of(now), {})
        whole = sum(spent.values(), Amount())
        return Purse(spent.get(gateway, Amount()), self.caps.get(gateway, Caps())), Purse(whole, self.whole)

    def quote(self, gateway: str, model: str, estimate: Cost) -> Quote:
        """The most that an ask may cost which by itself comes to `estimate` at most."""
        given, made = self._surplus.get((gateway, model), (0, 0)) if estimate.output_tokens else (0, 0)
        most = Cost(estimate.requests, estimate.input_tokens + given, estimate.output_tokens + made)
        return Quote(gateway, model, estimate, most, amount_of(most, self._dearest(model, most)))

    async def take(self, quote: Quote) -> str:
        """Sets aside what an ask may cost; the day it counts for. Raises Withheld where that is more than is left."""
        now = self._now()
        day, amount = day_of(now), quote.amount
        if not await self.open(day):
            raise Withheld(HoldReason.BUDGET, UNKNOWN)
        for purse in self.purses(quote.gateway, now):
            if not purse.caps.cover(purse.spent + amount):
                raise Withheld(HoldReason.BUDGET, f"the next ask may cost {_words(amount)}, more than is left today")
        self._add(quote.gateway, day, amount)
        written = await self._write(quote.gateway, day)
        if not written and not self._written:
            self._add(quote.gateway, day, Amount() - amount)
            raise Withheld(HoldReason.BUDGET, UNKNOWN)
        return day

    async def settle(self, day: str, quote: Quote, cost: Cost, dollars: float | None) -> None:
        """Puts what an ask did cost in place of what was set aside for it, and learns from a surprise."""
        if quote.estimate.output_tokens:
            key = (quote.gateway, quote.model)
            given, made = self._surplus.get(key, (0, 0))
            over = cost.input_tokens - quote.estimate.input_tokens, cost.output_tokens - quote.estimate.output_tokens
            self._surplus[key] = max(given, over[0]), max(made, over[1])
        self._add(quote.gateway, day, amount_of(cost, dollars) - quote.amount)
        await self._write(quote.gateway, day)

    def dollars(self, model: str, cost: Cost, usage: Usage | None) -> float | None:
        """What an answer is worth: by its own usage where that is what is counted, else at the dearest."""
        if usage is not None and (usage.input, usage.output) == (cost.input_tokens, cost.output_tokens):
            return self.prices.dollars(model, usage)
        return self._dearest(model, cost)

    def _dearest(self, model: str, cost: Cost) -> float | None:
        """Dollars for `cost` at most: a gateway may have all of the input written to a cache, which costs more."""
        usage = Usage(input=cost.input_tokens, output=cost.output_tokens)
        known = [self.prices.dollars(model, each) for each in (usage, replace(usage, cache_write=cost.input_tokens))]
        return max((each for each in known if each is not None), default=None)

    def _add(self, gateway: str, day: str, amount: Amount) -> None:
        spent = self._days.setdefault(day, {})
        spent[gateway] = spent.get(gateway, Amount()) + amount

    async def _write(self, gateway: str, day: str) -> bool:
        written = await self._book.spend(gateway, day, self._days[day][gateway])
        self._written = self._written or written
        return written


class Tab(Protocol):
    """What one run asks for, as it goes."""

    def asks(self, amount: Amount) -> None:
        """The next step may cost `amount`."""

    def refused(self) -> None:
        """There was not so much left."""


class MeteredLane:
    """A way to a gateway on which every step is paid for; `free`: only the request counts, our mirror answers."""

    def __init__(self, lane: GatewayLane, meter: Meter, gateway: str, model: str, tab: Tab, *, free: bool) -> None:
        self._lane, self._meter, self._gateway, self._model = lane, meter, gateway, model
        self._tab, self._free = tab, free

    async def send(self, step: Send) -> Exchange:
        """The exchange of one ask. Raises WireError where it cannot be written, Withheld."""
        estimate = Cost(1, 0, 0) if self._free else bound(step)
        quote = self._meter.quote(self._gateway, _model(step, self._model), estimate)

        async def paid(work: Callable[[], Awaitable[Exchange]]) -> Exchange:
            day = await self._take(quote)
            try:
                got = await work()
            except WireError:  # not sent; one that is cancelled may have been
                await self._meter.settle(day, quote, Cost(0, 0, 0), None)
                raise
            cost = Cost(1, 0, 0) if self._free else cost_of_answer(got, quote.cost)
            usage = got.reply.usage if got.reply is not None else None
            await self._meter.settle(day, quote, cost, self._meter.dollars(quote.model, cost, usage))
            return got

        return await self._lane.send(step, paid)

    async def look(self, step: Look) -> Page:
        """One page, which costs no tokens. Raises Withheld."""

        async def paid(work: Callable[[], Awaitable[Page]]) -> Page:
            await self._take(self._meter.quote(self._gateway, self._model, Cost(1, 0, 0)))
            return await work()

        return await self._lane.look(step, paid)

    async def _take(self, quote: Quote) -> str:
        self._tab.asks(quote.amount)
        try:
            return await self._meter.take(quote)
        except Withheld:
            self._tab.refused()
            raise


def metered(
    meter: Meter, case: Case, ways: Lanes, tab: Tab, *, direct: str | None = None, free: bool = False
) -> Mapping[Via, Lane]:
    """The ways to a case's gateway, every step paid for; those sent directly go to the gateway `direct`."""
    names = {via: case.gateway if via != "direct" or direct is None else direct for via in ways}
    return {
        via: MeteredLane(lane, meter, names[via], case.model, tab, free=free) if names[via] in meter.caps else lane
        for via, lane in ways.items()
    }


def _model(step: Send, otherwise: str) -> str:
    """The model that a step asks; people's own bodies may name another than the case's, or none."""
    if not isinstance(step.ask, bytes):
        return step.ask.model
    try:
        return peek_ask(step.dialect, step.ask, step.path).model or otherwise
    except WireError:
        return otherwise


def _words(amount: Amount) -> str:
    dollars = f" and ${amount.nanodollars / NANO:.4f}" if amount.nanodollars else ""
    return f"{amount.tokens:,} tokens{dollars}" if amount.tokens else "one request"
