from fractions import Fraction
from math import comb, lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.canary.ledger import Availability, Ledger, Tally, lower_bound


@pytest.mark.parametrize(
    ("failures", "runs", "lower"),
    [(1, 20, 0.0026), (3, 20, 0.042), (4, 20, 0.071), (3, 40, 0.021), (2, 10, 0.037), (3, 10, 0.087)],
)
def test_the_published_figures(failures, runs, lower):
    """protocols.md C6."""
    assert lower_bound(failures, runs) == pytest.approx(lower, abs=0.0005)


@given(st.integers(1, 120).flatmap(lambda runs: st.tuples(st.integers(1, runs), st.just(runs))))
def test_the_bound_is_where_the_data_has_probability_five_percent(counts):
    """In exact fractions, by the definition."""
    failures, runs = counts
    p = Fraction(lower_bound(failures, runs))
    at_least = sum(comb(runs, k) * p**k * (1 - p) ** (runs - k) for k in range(failures, runs + 1))
    assert float(at_least) == pytest.approx(0.05, abs=1e-6)


BUSY = [(400, 1200), (5000, 10_000), (200, 10_000), (9999, 10_000), (1, 10_000)]


@pytest.mark.parametrize(("failures", "runs"), BUSY)
def test_the_bound_of_a_busy_gateway(failures, runs):
    """A ledger of a gateway holds up to ten thousand runs; numpy's sums of logarithms are another way to the tail."""
    p = lower_bound(failures, runs)
    k = np.arange(failures, runs + 1)
    ways = np.array([lgamma(runs + 1) - lgamma(each + 1) - lgamma(runs - each + 1) for each in k])
    at_least = np.exp(ways + k * np.log(p) + (runs - k) * np.log1p(-p)).sum()
    assert at_least == pytest.approx(0.05, abs=1e-6)


def test_bounds_at_the_ends():
    assert lower_bound(0, 50) == 0.0
    assert lower_bound(1, 1) == pytest.approx(0.05)
    assert Tally(0, 0).ratio is None
    assert Tally(0, 0).lower is None
    assert Tally(1, 4).ratio == 0.25


def filled(times, failing=()):
    ledger = Ledger()
    for at in times:
        ledger.add(at, failed=at in failing)
    return ledger


def test_windows():
    ledger = filled(range(0, 7200, 60), failing={7140, 6600, 3600})
    assert ledger.tally("10m", 7140) == Tally(2, 10)
    assert ledger.tally("1h", 7140) == Tally(3, 60)
    assert ledger.tally("recent", 7140) == Tally(2, 20)
    assert ledger.tally("10m", 9000) == Tally(0, 0)


def test_recent_reaches_back_a_day_for_slow_canaries():
    half_hourly = filled(range(0, 200_000, 1800), failing={0, 199_800})
    assert half_hourly.tally("recent", 199_800) == Tally(1, 20)
    assert half_hourly.tally("1h", 199_800) == Tally(1, 2)
    assert filled([0, 90_000]).tally("recent", 90_000) == Tally(0, 1)


def test_confirmations_decide_the_state_and_never_a_ratio():
    ledger = filled([0], failing={0})
    for at in (15, 30):
        assert ledger.unconfirmed
        ledger.add(at, failed=True, confirmation=True)
        assert (ledger.failures_in_a_row, ledger.success, ledger.last_decided) == (1, False, at)
    ledger.add(45, failed=True, confirmation=True)
    assert (ledger.failures_in_a_row, ledger.success) == (2, False), "a burst that failed is one failure more"
    assert not ledger.unconfirmed
    assert ledger.tally("1h", 60) == Tally(1, 1)
    ledger.add(60, failed=False, confirmation=True)
    assert (ledger.failures_in_a_row, ledger.success, ledger.last_success) == (0, True, 60)
    assert ledger.tally("1h", 60) == Tally(1, 1)


def test_a_confirmation_that_passes_ends_the_burst():
    ledger = filled([0], failing={0})
    ledger.add(15, failed=True, confirmation=True)
    ledger.add(30, failed=False, confirmation=True)
    assert (ledger.failures_in_a_row, ledger.unconfirmed) == (0, False)
    ledger.add(600, failed=True)
    assert (ledger.failures_in_a_row, ledger.unconfirmed) == (1, True), "and the next failure has a burst of its own"
    ledger.add(1200, failed=True)
    assert (ledger.failures_in_a_row, ledger.unconfirmed) == (2, False), "unconfirmed runs count as they did"


def test_memory_is_bounded():
    ledger = filled(range(0, 1_000_000, 10))
    assert len(ledger._runs) <= 361


def test_availability():
    shares = Availability()
    for hour in range(48):
        shares.add(hour * 3600.0, failed=hour < 23)
    now = 47 * 3600.0
    assert shares.ratio("1h", now) == 1.0
    assert shares.ratio("24h", now) == 1.0
    assert shares.ratio("30d", now) == 25 / 48
    assert shares.ratio("1h", now + 3601) == 1.0, "a new hour does not empty the window"
    assert Availability().ratio("1h", now) is None
