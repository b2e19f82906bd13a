"""canary/sequential.py, against exact sums over (failures, runs), exact fractions, and simulation."""

import random
from fractions import Fraction
from math import comb, log

import pytest

from llm_canaries.canary.sequential import (
    ABOVE,
    BELOW,
    Decision,
    clean_runs_needed,
    decide,
    lower_bound,
    upper_bound,
)

PASS, FAIL, UNDECIDED = Decision.PASS, Decision.FAIL, Decision.UNDECIDED
HORIZON = 400


def boundaries(limit, confidence, horizon=HORIZON, turn=1):
    """For each n: the most failures that pass, the fewest that fail; looked for by nothing but `decide`."""
    passes, fails = [-1] * (horizon + 1), [horizon + 2] * (horizon + 1)
    most, least = -1, 1
    for n in range(1, horizon + 1):
        rest = -n % turn
        while rest == 0 and decide(most + 1, n, limit, confidence) is PASS:
            most += 1
        least = min(least, n) if rest == 0 else least
        fewest = next((k for k in range(n + 1) if decide(k, n, limit, confidence, rest) is FAIL), horizon + 2)
        passes[n] = most if rest == 0 else -1
        fails[n] = fewest
    return passes, fails


def outcomes(bounds, ps):
    """Exact chances (pass, fail, undecided) and expected runs when run n fails with `ps[n % len(ps)]`."""
    passes, fails = bounds
    alive, passed, failed, expected = {0: 1.0}, 0.0, 0.0, 0.0
    for n in range(1, len(passes)):
        expected += sum(alive.values())
        p, following = ps[(n - 1) % len(ps)], {}
        for k, chance in alive.items():
            for more, its in ((0, 1 - p), (1, p)):
                if its:
                    following[k + more] = following.get(k + more, 0.0) + chance * its
        passed += sum(chance for k, chance in following.items() if k <= passes[n])
        failed += sum(chance for k, chance in following.items() if k >= fails[n])
        alive = {k: chance for k, chance in following.items() if passes[n] < k < fails[n]}
    return passed, failed, sum(alive.values()), expected


@pytest.fixture(scope="module")
def usual():
    return boundaries(0.05, 0.95)


@pytest.mark.parametrize(("limit", "confidence"), [(0.05, 0.95), (0.01, 0.9), (0.2, 0.99), (0.5, 0.95)])
def test_wrong_decisions_are_at_most_what_the_confidence_leaves(limit, confidence):
    found = boundaries(limit, confidence, 250)
    passed, failed, _, _ = outcomes(found, [limit])
    assert passed + failed > 0  # it does decide
    assert passed <= 1 - confidence
    assert failed <= 1 - confidence
    assert outcomes(found, [min(1.0, limit * 1.5)])[0] <= passed
    assert outcomes(found, [limit / 2])[1] <= failed


def test_the_figures_of_the_docstring(usual):
    of_300 = tuple(each[:301] for each in usual)
    found = {p: outcomes(of_300, [p]) for p in (0.0, 0.01, 0.1, 0.5)}
    assert [round(each[3], 1) for each in found.values()] == [71.0, 129.4, 161.3, 5.3]
    assert round(found[0.1][1], 2) == 0.81
    assert found[0.01][1] < 0.0004
    passed, failed, _, _ = outcomes(boundaries(0.05, 0.95, 1000), [0.05])
    assert (round(passed, 3), round(failed, 3)) == (0.047, 0.032)


@pytest.mark.parametrize("cases", [2, 8, 12, 47])
@pytest.mark.parametrize("where", ["first", "last"])
def test_cases_that_differ_are_pooled_without_more_wrong_decisions(cases, where):
    found = boundaries(0.05, 0.95, turn=cases)
    for hot in range(1, cases + 1):
        p = cases * 0.05 / hot
        if p <= 1:
            ps = [p] * hot + [0.0] * (cases - hot)
            passed, failed, _, _ = outcomes(found, ps if where == "first" else ps[::-1])
            assert passed <= 0.05, (hot, p)
            assert failed <= 0.05, (hot, p)


def test_a_look_within_a_turn_would_prove_falsehoods(usual):
    _, failed, _, _ = outcomes(usual, [47 * 0.05 / 3] * 3 + [0.0] * 44)
    assert failed > 0.5, "why `rest` is there"


def test_simulated_sequences_are_rarely_judged_wrongly(usual):
    passes, fails = usual
    draw, wrong, seeds = random.Random(11), {PASS: 0, FAIL: 0}, 4000
    for _ in range(seeds):
        k = 0
        for n in range(1, 301):
            k += draw.random() < 0.05
            if k <= passes[n] or k >= fails[n]:
                wrong[PASS if k <= passes[n] else FAIL] += 1
                break
    chance = outcomes((passes[:301], fails[:301]), [0.05])
    for decision, exact in zip((PASS, FAIL), chance, strict=False):
        spread = 4 * (exact * (1 - exact) / seeds) ** 0.5
        assert abs(wrong[decision] / seeds - exact) < spread
        assert wrong[decision] / seeds < 0.05


def test_the_martingale_has_mean_one_at_the_limit_in_exact_fractions():
    p = Fraction(1, 20)
    for ratio in (*BELOW, *ABOVE):
        r, n = Fraction(ratio), 9
        mean = sum(comb(n, k) * p**k * (1 - p) ** (n - k) * r**k / (1 - p + r * p) ** n for k in range(n + 1))
        assert mean == 1


@pytest.mark.parametrize(("k", "n"), [(0, 71), (0, 70), (1, 133), (1, 132), (2, 2), (1, 1), (7, 60), (30, 200)])
def test_decisions_agree_with_exact_fractions(k, n):
    p = Fraction(1, 20)

    def mean(ratios):
        exact = sum(Fraction(r).limit_denominator(10) ** k / (1 - p + Fraction(r).limit_denominator(10) * p) ** n
                    for r in ratios)
        return exact / 3

    wanted = PASS if mean(BELOW) >= 20 else FAIL if mean(ABOVE) >= 20 else UNDECIDED
    assert decide(k, n, 0.05, 0.95) is wanted


def test_bounds_and_decisions_are_one_thing():
    for n in (1, 5, 40, 71, 133, 300):
        for k in range(min(n, 40) + 1):
            decision = decide(k, n, 0.05, 0.95)
            assert (upper_bound(k, n, 0.95) <= 0.05) == (decision is PASS)
            assert (lower_bound(k, n, 0.95) >= 0.05) == (decision is FAIL)
            assert lower_bound(k, n, 0.95) <= k / n <= upper_bound(k, n, 0.95)


def test_bounds_at_the_edges():
    assert (lower_bound(0, 0, 0.95), upper_bound(0, 0, 0.95)) == (pytest.approx(0, abs=1e-8), 1.0)
    assert upper_bound(5, 5, 0.95) == 1.0
    assert lower_bound(0, 500, 0.95) == pytest.approx(0, abs=1e-8)
    assert upper_bound(0, 10**6, 0.95) < 1e-5


def test_no_number_overflows():
    assert decide(0, 10**7, 0.5, 0.95) is PASS
    assert decide(10**7, 10**7, 0.5, 0.95) is FAIL
    assert decide(1, 10**7, 0.999, 0.95) is PASS


@pytest.mark.parametrize("limit", [0.5, 0.05, 0.01, 1e-6])
@pytest.mark.parametrize("failures", [0, 1, 5])
def test_clean_runs_needed_is_the_first_number_that_is_enough(limit, failures):
    more = clean_runs_needed(failures, failures, limit, 0.95)
    assert decide(failures, failures + more, limit, 0.95) is PASS
    assert decide(failures, failures + more - 1, limit, 0.95) is not PASS
    if failures == 0:
        assert more >= log(0.05) / log(1 - limit), "no test can do with fewer"


def test_enough_is_enough():
    assert clean_runs_needed(0, 71, 0.05, 0.95) == 0


def test_within_a_turn_only_what_its_rest_cannot_change():
    assert decide(0, 71, 0.05, 0.95, rest=1) is UNDECIDED
    assert decide(2, 2, 0.05, 0.95) is FAIL
    assert decide(2, 2, 0.05, 0.95, rest=6) is UNDECIDED
    assert decide(3, 3, 0.05, 0.95, rest=5) is FAIL
