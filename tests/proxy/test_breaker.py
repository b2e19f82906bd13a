"""Covers proxy/breaker.py: the transitions one by one, what holds over any history, and a model beside it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from llm_canaries.proxy.breaker import Breaker, State, Threshold, Tiered

POLICY = Threshold(failures=3, timeout=10.0, probes=1)


def failed(times: int, now: float = 0.0, policy: Threshold = POLICY) -> Breaker:
    breaker = Breaker(policy)
    for _ in range(times):
        breaker = breaker.after(success=False, now=now)
    return breaker


TABLE = [
    ("new", Breaker(POLICY), 0.0, State.CLOSED),
    ("one failure less", failed(2), 0.0, State.CLOSED),
    ("opens", failed(3), 0.0, State.OPEN),
    ("open until the timeout", failed(3), 9.999, State.OPEN),
    ("half-open by being read", failed(3), 10.0, State.HALF_OPEN),
    ("a probe is under way", failed(3).started(10.0), 10.0, State.HALF_OPEN),
    ("a probe succeeded", failed(3).started(10.0).after(success=True, now=11.0), 11.0, State.CLOSED),
    ("a probe failed", failed(3).started(10.0).after(success=False, now=11.0), 20.999, State.OPEN),
    ("a probe failed, long ago", failed(3).started(10.0).after(success=False, now=11.0), 21.0, State.HALF_OPEN),
    ("a late failure while open holds it open", failed(3).after(success=False, now=5.0), 14.0, State.OPEN),
    ("a success while open closes it", failed(3).after(success=True, now=5.0), 5.0, State.CLOSED),
    ("failures are in a row", failed(2).after(success=True, now=0.0).after(success=False, now=0.0), 0.0, State.CLOSED),
]


@pytest.mark.parametrize(("breaker", "now", "state"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_transitions(breaker: Breaker, now: float, state: State) -> None:
    assert breaker.state(now) is state
    assert breaker.admits(now) is (state is State.CLOSED or (state is State.HALF_OPEN and breaker.probing == 0))


def test_lost_probe_does_not_lock_it_shut() -> None:
    """A probe that set out and never came back holds its place for one timeout."""
    lost = failed(3).started(10.0)
    assert not lost.admits(19.999)
    assert lost.admits(20.0)
    again = lost.started(20.0)
    assert not again.admits(20.0)
    assert again.after(success=True, now=21.0).state(21.0) is State.CLOSED


def test_started_leaves_a_closed_one_alone() -> None:
    assert Breaker(POLICY).started(0.0) == Breaker(POLICY)
    assert failed(3).started(5.0) == failed(3)


Step = tuple[str, float]
STEPS = st.lists(st.tuples(st.sampled_from(["ask", "good", "bad", "wait"]), st.floats(0, 30)), max_size=60)
POLICIES = st.builds(
    Threshold, failures=st.integers(1, 6), timeout=st.floats(0.5, 60), probes=st.integers(1, 3)
)


@given(POLICIES, STEPS)
def test_invariants(policy: Threshold, steps: list[Step]) -> None:
    breaker, now, row, out = Breaker(policy), 0.0, 0, 0
    for kind, seconds in steps:
        if kind == "wait":
            now += seconds
            continue
        state = breaker.state(now)
        assert breaker.admits(now) == breaker.admits(now), "it is read, not moved"
        assert state is not State.OPEN or not breaker.admits(now)
        if kind == "ask" and breaker.admits(now):
            breaker = breaker.started(now)
            if state is State.HALF_OPEN:
                assert breaker.probing <= policy.probes
        elif kind != "ask":
            row = 0 if kind == "good" else row + 1
            out = row
            breaker = breaker.after(success=kind == "good", now=now)
            if kind == "good":
                assert breaker == Breaker(policy)
            else:
                opens = row >= policy.failures or state is State.HALF_OPEN
                assert (breaker.state(now) is State.OPEN) is opens or state is State.OPEN
    assert breaker.failures == out


@given(POLICIES, st.floats(0, 1e6))
def test_opens_after_exactly_n(policy: Threshold, now: float) -> None:
    assert failed(policy.failures - 1, now, policy).state(now) is State.CLOSED
    assert failed(policy.failures, now, policy).state(now) is State.OPEN


@given(POLICIES, st.floats(0, 1e6))
def test_half_open_admits_its_probes(policy: Threshold, now: float) -> None:
    breaker = failed(policy.failures, now, policy)
    later = now + policy.timeout
    admitted = 0
    while breaker.admits(later):
        breaker = breaker.started(later)
        admitted += 1
    assert admitted == policy.probes


TIERS = Tiered()
CAPPED = Tiered(cap=45.0)
SPELLED = [  # (failures in a row, seconds open), as the issue spells the tiers
    (1, 0), (2, 0), (3, 30), (4, 30), (5, 60), (6, 60), (9, 60), (10, 300), (11, 300), (50, 300),
]


@pytest.mark.parametrize(("count", "seconds"), SPELLED)
def test_tiers(count: int, seconds: float) -> None:
    breaker = failed(count, 100.0, TIERS)
    assert breaker.failures == count
    assert breaker.open_until == (None if seconds == 0 else 100.0 + seconds)
    capped = failed(count, 100.0, CAPPED)
    assert capped.open_until == (None if seconds == 0 else 100.0 + min(seconds, 45.0))


def test_a_cap_of_nothing_never_opens() -> None:
    assert failed(50, 0.0, Tiered(cap=0.0)).state(0.0) is State.CLOSED


def test_a_tier_that_is_over_lets_everybody_try() -> None:
    breaker = failed(3, 0.0, TIERS)
    assert not breaker.admits(29.9) and breaker.admits(30.0)
    assert breaker.state(30.0) is State.HALF_OPEN
    for _ in range(5):
        breaker = breaker.started(30.0)
        assert breaker.admits(30.0)
    assert breaker.after(success=False, now=31.0).open_until == 61.0, "the fourth failure is still of the first tier"
    assert breaker.after(success=True, now=31.0) == Breaker(TIERS)


def test_what_proves_nothing_gives_its_place_back() -> None:
    probing = failed(3).started(10.0)
    assert not probing.admits(11.0)
    back = probing.released(11.0)
    assert back.admits(11.0) and back.failures == 3 and back.state(11.0) is State.HALF_OPEN
    assert failed(2).released(0.0) == failed(2)


class Countdown(RuleBasedStateMachine):
    """A breaker beside a tiny model that has no clock: seconds left are counted down one by one."""

    @initialize(
        tiered=st.booleans(), failures=st.integers(1, 4), timeout=st.integers(1, 40), probes=st.integers(1, 3),
        cap=st.sampled_from([0, 20, 45, 100, 300]),
    )
    def begin(self, tiered: bool, failures: int, timeout: int, probes: int, cap: int) -> None:
        self.tiered, self.need, self.pause, self.probes, self.cap = tiered, failures, timeout, probes, cap
        policy = Tiered(cap=float(cap)) if tiered else Threshold(failures, float(timeout), probes)
        self.breaker, self.now = Breaker(policy), 500.0
        self.row = 0  # failures in a row
        self.left: int | None = None  # seconds still open, 0 for half-open, None for closed
        self.out: list[int] = []  # seconds that each probe under way still holds its place

    @rule(seconds=st.integers(1, 120))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        if self.left is not None:
            self.left = max(0, self.left - seconds)
        longest = max(self.out, default=0) - seconds
        self.out = [longest] * len(self.out) if longest > 0 else []

    @rule()
    def ask(self) -> None:
        if self.left == 0 and not self.tiered and len(self.out) < self.probes:
            self.out = [self.pause] * (len(self.out) + 1)
        if self.breaker.admits(self.now):
            self.breaker = self.breaker.started(self.now)

    @rule()
    def succeed(self) -> None:
        self.breaker = self.breaker.after(success=True, now=self.now)
        self.row, self.left, self.out = 0, None, []

    @rule()
    def fail(self) -> None:
        self.breaker = self.breaker.after(success=False, now=self.now)
        self.row += 1
        if self.tiered:
            step = 300 if self.row >= 10 else 60 if self.row >= 5 else 30 if self.row >= 3 else 0
            opens = min(step, self.cap)
        else:
            opens = self.pause if self.row >= self.need or self.left == 0 else 0
        self.left = opens or self.left
        self.out = []

    @rule()
    def learn_nothing(self) -> None:
        self.breaker = self.breaker.released(self.now)
        self.out = self.out[1:]

    @invariant()
    def they_agree(self) -> None:
        expected = State.CLOSED if self.left is None else State.HALF_OPEN if self.left == 0 else State.OPEN
        assert self.breaker.state(self.now) is expected
        assert self.breaker.failures == self.row
        crowded = not self.tiered and len(self.out) >= self.probes
        assert self.breaker.admits(self.now) is (self.left is None or (self.left == 0 and not crowded))
        if self.left:
            assert self.breaker.open_until == self.now + self.left


TestCountdown = Countdown.TestCase
TestCountdown.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
