"""Dollars of proxy/price.py, against genai-prices' own arithmetic."""

import subprocess
import sys
from decimal import Decimal

import pytest
from genai_prices import Usage as Counted
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.config.schema import PriceConfig
from llm_canaries.proxy.price import MOST_MODELS, Prices, Rate, prices_of
from llm_canaries.wire.message import Usage

MODELS = ("gpt-5", "gpt-4o-mini", "claude-sonnet-4-5", "claude-opus-4-1", "gemini-2.5-pro", "gemini-2.5-flash")
PRICES = Prices()
counts = st.integers(0, 600_000)


@given(model=st.sampled_from(MODELS), fresh=counts, read=counts, write=counts, output=counts)
def test_dollars_are_those_of_genai_prices(model: str, fresh: int, read: int, write: int, output: int):
    whole = fresh + read + write
    counted = Counted(input_tokens=whole, output_tokens=output, cache_read_tokens=read, cache_write_tokens=write)
    said: Decimal = calc_price(counted, model).total_price
    ours = PRICES.dollars(model, Usage(input=whole, output=output, cache_read=read, cache_write=write))
    assert ours == pytest.approx(float(said), rel=1e-9, abs=1e-12)


def test_a_long_ask_costs_more_a_token():
    short = PRICES.dollars("claude-sonnet-4-5", Usage(input=200_000, output=0))
    long = PRICES.dollars("claude-sonnet-4-5", Usage(input=200_001, output=0))
    assert short is not None and long is not None
    assert long > 1.9 * short


@pytest.mark.parametrize("model", ["no-such-model-at-all", "mirror/healthy", ""])
def test_an_unknown_price_is_none(model: str):
    assert PRICES.dollars(model, Usage(input=1, output=1)) is None


def test_nothing_counted_costs_nothing_known():
    assert PRICES.dollars("gpt-5", Usage()) is None


def test_a_prefix_changes_no_price():
    usage = Usage(input=1_000_000, output=0)
    assert PRICES.dollars("openai/gpt-5", usage) == PRICES.dollars("gpt-5", usage) == 1.25


def test_the_operators_prices_come_first():
    own = {
        "gpt-5*": PriceConfig(input=1.0, output=2.0, cache_read=0.5, cache_write=4.0),
        "*": PriceConfig(input=0.0, output=0.0),
    }
    prices = prices_of(own)
    usage = Usage(input=3_000_000, output=1_000_000, cache_read=1_000_000, cache_write=1_000_000)
    assert prices.dollars("gpt-5-mini", usage) == pytest.approx(1 + 2 + 0.5 + 4)
    assert prices.dollars("team/gpt-5", usage) == pytest.approx(7.5)
    assert prices.dollars("mirror/healthy", usage) == 0.0, "a price of zero is known"


def test_caches_without_a_price_cost_what_input_costs():
    usage = Usage(input=300, output=0, cache_read=100, cache_write=100)
    assert Rate(2.0, 9.0).dollars(usage) == pytest.approx(300 * 2.0 / 1e6)


def test_caches_beyond_the_input_do_not_make_money():
    assert Rate(2.0, 9.0, cache_read=0.0).dollars(Usage(input=10, output=0, cache_read=100)) == 0.0


def test_ids_that_clients_make_up_are_forgotten():
    prices = Prices({"*": Rate(1.0, 1.0)})
    for number in range(3 * MOST_MODELS):
        assert prices.dollars(f"m{number}", Usage(input=1)) == 1e-6
    assert len(prices._known) <= MOST_MODELS


def test_the_list_is_loaded_only_for_those_who_look_at_money():
    script = "import llm_canaries.proxy.price, sys; sys.exit('genai_prices' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_no_list_is_loaded_for_the_models_of_our_own_mirror():
    script = """
import sys
from llm_canaries.proxy.price import Prices, Rate
from llm_canaries.wire.message import Usage
used = Usage(input=1_000_000, output=0)
assert Prices().dollars("mirror/healthy", used) is None
assert Prices({"mirror/*": Rate(2.0, 3.0)}).dollars("mirror/healthy", used) == 2.0
sys.exit("genai_prices" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_was_looked_up_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch):
    prices = Prices()
    prices.look_up(["gpt-5", "no-such-model-at-all"])
    monkeypatch.setattr("llm_canaries.proxy.price._listed", None)
    assert prices.dollars("gpt-5", Usage(input=1_000_000, output=0)) == 1.25
    assert prices.dollars("no-such-model-at-all", Usage(input=1)) is None
