"""Covers canary/budget.py: the rule by itself, and whole days of it on a fake clock."""

from math import inf

import pytest
from budget_days import Simulated, crowd, demand
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.canary.budget import (
    DAY,
    MOST_STEPS,
    RESERVE,
    Amount,
    Caps,
    Purse,
    Wait,
    Wish,
    amount_of,
    day_end,
    day_of,
    decide,
    interval,
    nano,
    steps,
)
from llm_canaries.canary.canary import Cost, Priority

HIGH, NORMAL, LOW = Priority.HIGH, Priority.NORMAL, Priority.LOW
NOON = DAY / 2


def purse(tokens, cap=1000 / (1 - RESERVE)):
    return Purse(Amount(tokens=tokens), Caps(tokens=cap))


def wish(priority=NORMAL, tokens=1, **more):
    return Wish(cost=Amount(tokens=tokens), priority=priority, every=600.0, **more)


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize("extra", [False, True])
def test_the_cap_stops_everybody_until_the_day_ends(priority, extra):
    full = purse(999, 1000)
    assert decide(DAY - 1, [full], wish(priority, 2, extra=extra)) == Wait(DAY, spent=True)
    for caps in (Caps(requests=1), Caps(nanodollars=5)):
        over = Wish(cost=Amount(2, 0, 6), priority=priority, every=600.0, extra=extra)
        assert decide(0.0, [Purse(Amount(), Caps()), Purse(Amount(), caps)], over) == Wait(DAY, spent=True)


def test_on_pace_nobody_waits():
    for priority in Priority:
        assert decide(NOON, [purse(500)], wish(priority, last=NOON - 600)) is None
        assert decide(NOON, [purse(500)], wish(priority, extra=True)) is None
        assert decide(NOON, [Purse(Amount(9, 9, 9), Caps())], wish(priority)) is None, "no cap at all"


# at noon half of the day is left: of 1000 tokens 500 are on pace, and each step is a fiftieth of the rest
@pytest.mark.parametrize(
    ("spent", "ahead", "normal", "low"),
    [
        (500, 0, 1, 1),
        (509, 0, 1, 1),
        (510, 1, 2, 4),
        (520, 2, 4, 16),
        (530, 3, 8, inf),
        (540, 4, 16, inf),
        (550, 5, inf, inf),
    ],
)
def test_each_step_ahead_doubles_the_interval(spent, ahead, normal, low):
    assert steps(NOON, spent / 1000 * (1 - RESERVE)) == ahead
    assert [interval(1.0, each, ahead) for each in (HIGH, NORMAL, LOW)] == [1.0, normal, low]


def test_a_stretched_case_runs_when_its_longer_interval_is_over_and_says_when():
    ahead = [purse(525)]
    assert decide(NOON, ahead, wish(last=NOON - 600)) == Wait(NOON + 1800, spent=False)
    assert decide(NOON, ahead, wish(last=NOON - 2400)) is None
    assert decide(NOON, ahead, wish(last=NOON - 2395)) is None, "due times are met a little late or early"
    assert decide(NOON, ahead, wish()) is None, "it has never run"
    assert decide(NOON, ahead, wish(HIGH, last=NOON - 600)) is None


@pytest.mark.parametrize(("priority", "most"), [(NORMAL, MOST_STEPS), (LOW, MOST_STEPS // 2)])
def test_far_ahead_it_waits_for_the_day_to_catch_up_and_then_may_run(priority, most):
    wait = decide(NOON, [purse(700)], wish(priority))
    assert not wait.spent
    assert NOON < wait.until < DAY
    assert steps(wait.until - 60, 0.7 * (1 - RESERVE)) == most + 1
    assert steps(wait.until + 1, 0.7 * (1 - RESERVE)) == most
    assert decide(wait.until + 1, [purse(700)], wish(priority)) is None


def test_confirmations_and_twins_are_given_up_first():
    assert decide(NOON, [purse(510)], wish(HIGH, extra=True)) is not None
    assert decide(NOON, [purse(510)], wish(LOW, last=0.0)) is None


def test_the_tighter_of_two_purses_counts():
    own, whole = purse(510), purse(545)
    alone, both = (decide(NOON, each, wish(last=NOON)) for each in ([own], [own, whole]))
    assert both.until > alone.until
    assert decide(NOON, [own, purse(1000, 1000)], wish(HIGH)).spent


def test_days_are_utc():
    assert day_of(86399.0) == "0"
    assert day_of(86400.0) == "1"
    assert day_end(86400.0) == 172800.0


def test_dollars_are_counted_in_billionths_and_never_too_few():
    assert [nano(each) for each in (0.0, 1e-10, 1e-9, 0.5, 2.5)] == [0, 1, 1, 500_000_000, 2_500_000_000]
    assert amount_of(Cost(2, 30, 4), None) == Amount(2, 34, 0)
    assert Amount(1, 2, 3) + Amount(4, 5, 6) - Amount(1, 2, 3) == Amount(4, 5, 6)


kinds = st.tuples(st.sampled_from(Priority), st.sampled_from([60.0, 300.0, 600.0, 1800.0]), st.integers(1, 4000))


@settings(deadline=None)
@given(st.lists(kinds, min_size=1, max_size=8), st.floats(0.05, 3.0), st.integers(0, 9), st.floats(0.0, 0.9))
def test_no_day_costs_more_than_its_cap(cases, plenty, seed, cheaper):
    cap = max(1, int(demand(cases) * plenty))
    day = Simulated(cases, cap, seed, cheaper)
    assert day.peak <= cap
    assert day.spent <= cap


high_kinds = st.tuples(st.just(HIGH), st.sampled_from([60.0, 300.0, 600.0]), st.integers(50, 200))
other_kinds = st.tuples(st.sampled_from([NORMAL, LOW]), st.sampled_from([60.0, 300.0]), st.integers(50, 200))


@settings(deadline=None)
@given(st.lists(high_kinds, min_size=1, max_size=4), st.lists(other_kinds, max_size=6), st.integers(0, 9))
def test_high_ones_keep_their_interval_whatever_the_others_want_within_nine_tenths(high, rest, seed):
    cases = [*high, *rest]
    cap = max(int(demand(high) / 0.88), 50 * sum(tokens for _, _, tokens in cases))
    day = Simulated(cases, cap, seed)
    for index in range(len(high)):
        assert not day.held[index]


@pytest.mark.parametrize("plenty", [0.3, 0.5, 0.8])
def test_the_others_run_less_often_all_day_rather_than_stop_at_noon(plenty):
    cases = crowd()
    day = Simulated(cases, int(demand(cases) * plenty))
    assert not any(day.held[index] for index in range(5))
    normal = [at for index in range(5, 25) for at in day.runs[index]]
    quarters = [sum(start <= at < start + DAY / 8 for at in normal) for start in (k * DAY / 8 for k in range(8))]
    assert min(quarters) > 0.5 * max(quarters), quarters
    counts = [len(day.runs[index]) for index in range(5, 25)]
    assert min(counts) > 0.5 * max(counts), "none of them pays for all the others"
    assert sum(len(day.runs[index]) for index in range(25, 35)) / 10 < sum(counts) / 20, "low ones give way more"
    assert day.spent > 0.9 * demand(cases) * plenty, "what is allowed is used"


def test_with_enough_for_all_nobody_gives_way():
    cases = crowd()
    day = Simulated(cases, int(demand(cases) * 1.05))
    assert not any(day.held.values())


def test_without_high_ones_the_rest_is_theirs():
    cases = crowd(high=0, low=0)
    day = Simulated(cases, int(demand(cases) * 0.5))
    assert day.spent > 0.9 * demand(cases) * 0.5


def test_high_ones_alone_stop_at_the_cap_only():
    cases = crowd(normal=0, low=0)
    day = Simulated(cases, int(demand(cases) * 0.5))
    assert day.spent == int(demand(cases) * 0.5) // 100 * 100
    first = min(at for held in day.held.values() for at in held)
    assert all(at >= first - 600 for held in day.held.values() for at in held)
    assert 0.45 * DAY < first < 0.55 * DAY
