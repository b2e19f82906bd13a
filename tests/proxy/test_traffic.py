"""Counts and quantiles of proxy/traffic.py."""

import tracemalloc

import pytest

from llm_canaries.proxy.traffic import MOST_MODELS, OTHER, RING, Passed, Tokens, Traffic, quantile
from llm_canaries.wire.exchange import Attempt
from llm_canaries.wire.message import Usage


def attempt(status: int | None = 200, duration: float = 0.1, reason: str = "") -> Attempt:
    return Attempt(provider="p", credential="default", status=status, duration=duration, reason=reason)


def test_attempts_are_counted_by_what_became_of_them():
    traffic = Traffic()
    for each in (attempt(), attempt(429), attempt(429), attempt(500), attempt(None, reason="connect"), attempt(201)):
        traffic.attempted("p", each)
    passed = traffic.snapshot()["p"]
    assert (passed.requests, passed.successes, passed.failures, passed.rate_limited) == (6, 2, 4, 2)
    assert passed.statuses == {0: 1, 200: 1, 201: 1, 429: 2, 500: 1}
    assert passed.success_ratio == pytest.approx(1 / 3)
    assert passed.last_reason == "connect"


def test_a_200_with_a_reason_is_a_failure():
    traffic = Traffic()
    traffic.attempted("p", attempt(200, reason="html"))
    passed = traffic.snapshot()["p"]
    assert (passed.failures, passed.last_reason, passed.p50) == (1, "html", None)


def test_asks_that_reach_nobody_are_told_apart():
    traffic = Traffic()
    traffic.refused("p", "overloaded")
    passed = traffic.snapshot()["p"]
    assert (passed.refused, passed.requests, passed.last_reason) == (1, 0, "overloaded")


def test_a_provider_that_was_never_asked_has_zeros_and_no_latency():
    assert Traffic(["idle"]).snapshot() == {"idle": Passed()}
    assert Passed().success_ratio == 1.0


def test_quantiles_are_of_the_last_good_answers_only():
    traffic = Traffic()
    for _ in range(RING):
        traffic.attempted("p", attempt(duration=60.0))
    for number in range(1, RING + 1):
        traffic.attempted("p", attempt(500, duration=1000.0))
        traffic.attempted("p", attempt(duration=float(number)))
    passed = traffic.snapshot()["p"]
    assert (passed.p50, passed.p95, passed.p99) == (512.0, 973.0, 1014.0)
    assert passed.mean == pytest.approx((RING + 1) / 2)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (0.01, 1.0)])
def test_nearest_rank(share: float, expected: float):
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == expected


def test_usage_adds_up_and_what_was_not_said_adds_nothing():
    traffic = Traffic()
    traffic.used("p", Usage(input=100, output=20, cache_read=60, cache_write=10), "m")
    traffic.used("p", Usage(input=7), "n")
    traffic.used("p", Usage(output=1))
    passed = traffic.snapshot()["p"]
    assert passed.tokens == Tokens(answers=3, input=107, output=21, cache_read=60, cache_write=10)
    assert passed.tokens.total == 128
    assert passed.models == {"m": Tokens(1, 100, 20, 60, 10), "n": Tokens(1, 7)}


def test_dollars_are_absent_until_a_price_is_known():
    prices = {"known": 0.25}
    traffic = Traffic(price=lambda model, usage: prices.get(model))
    traffic.used("p", Usage(input=1), "unknown")
    assert traffic.snapshot()["p"].dollars is None
    traffic.used("p", Usage(input=1), "known")
    traffic.used("p", Usage(input=1), "known")
    assert traffic.snapshot()["p"].dollars == 0.5


def test_models_that_clients_make_up_share_one_row():
    traffic = Traffic()
    for number in range(MOST_MODELS + 50):
        traffic.used("p", Usage(input=1), f"m{number}")
    models = traffic.snapshot()["p"].models
    assert len(models) == MOST_MODELS + 1
    assert models[OTHER].answers == 50


def test_memory_does_not_grow_with_traffic():
    traffic = Traffic()

    def pass_by(count: int) -> None:
        for number in range(count):
            traffic.attempted("p", attempt(200 if number % 3 else 429, duration=number / 1000))
            traffic.used("p", Usage(input=number, output=1), "m")

    pass_by(3 * RING)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    pass_by(20 * RING)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4096
