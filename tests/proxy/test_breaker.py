"""Covers proxy/breaker.py: the transitions one by one, and what holds over any history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.breaker import Breaker, State, Threshold

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
