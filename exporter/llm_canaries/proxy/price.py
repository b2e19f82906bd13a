"""Dollars for tokens: what the operator says first, then what genai-prices ships.

A price that nobody knows is None, never zero. Reasoning is part of the output and costs as much.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from llm_canaries.config.schema import PriceConfig
from llm_canaries.wire.message import Usage

MOST_MODELS = 1024  # ids looked up and remembered: clients choose them
_OURS = "mirror/"  # models that are in nobody's list


class Rate(Struct, frozen=True):
    """Dollars per million tokens; a cache without a price of its own costs what input costs."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def dollars(self, usage: Usage) -> float:
        """What `usage` costs; its input includes cache reads and writes."""
        read, write = usage.cache_read or 0, usage.cache_write or 0
        fresh = max(0, (usage.input or 0) - read - write)
        for_read = self.input if self.cache_read is None else self.cache_read
        for_write = self.input if self.cache_write is None else self.cache_write
        cost = fresh * self.input + read * for_read + write * for_write + (usage.output or 0) * self.output
        return cost / 1_000_000


Tiers = tuple[tuple[int, Rate], ...]  # above so many input tokens everything costs that; the first is above -1


class Prices:
    """Prices by model id; `own` maps patterns of ids to rates, the first that fits wins over any list."""

    def __init__(self, own: Mapping[str, Rate] | None = None) -> None:
        self._own = own or {}
        self._known: dict[str, Tiers | None] = {}

    def dollars(self, model: str, usage: Usage) -> float | None:
        """What one answer of `model` costs, None where the price is not known or nothing was counted.

        `openai/gpt-5` costs what `gpt-5` does, unless it has a price of its own.
        """
        if usage.input is None and usage.output is None:
            return None
        tiers = self._tiers(model)
        if tiers is None:
            return None
        rate = next(rate for start, rate in reversed(tiers) if (usage.input or 0) > start)
        return rate.dollars(usage)

    def look_up(self, models: Iterable[str]) -> None:
        """Finds the prices of `models` now: the list takes 0.2 s to load, in which nobody is answered."""
        for model in models:
            self._tiers(model)

    def _tiers(self, model: str) -> Tiers | None:
        if model in self._known:
            return self._known[model]
        names = tuple(dict.fromkeys((model, model.rpartition("/")[2])))
        fitting = (
            rate for pattern, rate in self._own.items() if any(fnmatchcase(name, pattern) for name in names)
        )
        own = next(fitting, None)
        listed = () if model.startswith(_OURS) else names
        found = ((-1, own),) if own is not None else next(filter(None, map(_listed, listed)), None)
        if len(self._known) >= MOST_MODELS:
            self._known.clear()
        self._known[model] = found
        return found


def prices_of(own: Mapping[str, PriceConfig]) -> Prices:
    """The prices under the configuration's `prices`, and the shipped ones below them."""
    return Prices(
        {pattern: Rate(each.input, each.output, each.cache_read, each.cache_write) for pattern, each in own.items()}
    )


def _listed(model: str) -> Tiers | None:
    """The rates that genai-prices ships for `model`."""
    from genai_prices import Usage as Counted  # 0.2 s to import, and only for people who look at money
    from genai_prices import calc_price

    try:
        price = calc_price(Counted(input_tokens=0, output_tokens=0), model).model_price
    except LookupError:
        return None
    kinds = (price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok)
    if kinds[:2] == (None, None):
        return None
    starts = sorted({tier.start for kind in kinds for tier in getattr(kind, "tiers", ())})
    return tuple((start, _rate(kinds, start)) for start in (-1, *starts))


def _rate(kinds: tuple[Any, ...], start: int) -> Rate:
    """The rate above `start` input tokens: crossing a tier changes the price of every token."""
    first, second, read, write = (_at(kind, start) for kind in kinds)
    return Rate(first or 0.0, second or 0.0, read, write)


def _at(price: Any, start: int) -> float | None:
    """A plain price, or the last tier of one that has begun at `start`."""
    if price is None or not hasattr(price, "tiers"):
        return None if price is None else float(price)
    return float(next((tier.price for tier in reversed(price.tiers) if tier.start <= start), price.base))
