"""Covers wire/loss.py: unknown fields travel within a dialect and are declared when they cannot leave it."""

from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.loss import AROUND, Losses


def test_within_a_dialect_nothing_is_lost() -> None:
    losses = Losses("a", "a")
    assert losses.extra("ask", {"seed": 1, "note": None}) == {"seed": 1, "note": None}
    assert losses.found == ()


def test_between_dialects_every_field_is_declared() -> None:
    losses = Losses("a", "b")
    extra = {"seed": 1, "note": None, AROUND: {"cache_control": {}, "none": None}}
    assert losses.extra("ask", extra) == {}
    losses.add("tools", "one")
    assert losses.found == (Loss("ask", "field seed"), Loss("ask", "field cache_control"), Loss("tools", "one"))
