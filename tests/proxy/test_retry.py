"""Covers proxy/retry.py: every fault has its row, and waits lie where they should."""

import random

from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.conduct import COUNTED, LIMITED
from llm_canaries.proxy.retry import RETRIED, Next, Retries, follows
from llm_canaries.proxy.sidelined import SIDELINES
from llm_canaries.wire.fault import Fault, FaultReason

R = FaultReason
NOBODY = {R.BAD_REQUEST, R.TOO_LARGE, R.BODY_TOO_LARGE, R.IDLE_TIMEOUT, R.TOTAL_TIMEOUT}
NEVER_SEEN_HERE = {R.NOT_A_STREAM, R.UNEXPECTED_STREAM, R.EMPTY_ANSWER, R.ANSWER_CUT}


def test_every_fault_has_a_row() -> None:
    """A reason that is added somewhere must be decided here: it is retried, told, or never the core's."""
    assert set(R) == set(RETRIED) | NOBODY | NEVER_SEEN_HERE
    assert all(follows(Fault(reason=each)) is Next.NOBODY for each in NOBODY)
    assert not COUNTED & LIMITED
    assert not COUNTED & {R.AUTH, R.BILLING, R.PERMISSION, R.MODEL_NOT_FOUND, R.NO_ROUTE, R.BAD_REQUEST, R.TOO_LARGE}


def test_what_is_said_of_a_credential_never_goes_to_the_same_one_but_limits() -> None:
    for reason in set(SIDELINES) - {R.RATE_LIMITED, R.COOLDOWN}:
        assert RETRIED[reason] is Next.OTHER


def test_the_providers_own_word() -> None:
    assert follows(Fault(reason=R.BAD_REQUEST, should_retry=True)) is Next.SAME
    assert follows(Fault(reason=R.OVERLOADED, should_retry=False)) is Next.OTHER
    assert follows(Fault(reason=R.BAD_REQUEST, should_retry=False)) is Next.NOBODY


@given(st.integers(1, 200), st.integers(0, 2**32), st.floats(0, 100))
def test_full_jitter(rounds: int, seed: int, hint: float) -> None:
    retries = Retries(base=0.5, cap=8.0)
    bound = min(8.0, 0.5 * 2 ** min(rounds - 1, 20))
    wait = retries.wait(rounds, hint, random.Random(seed).randrange)
    assert 0 <= wait < max(bound, hint + 0.1)
    assert wait >= hint


def test_jitter_covers_its_whole_range() -> None:
    retries, draw = Retries(base=1.0, cap=8.0), random.Random(7).randrange
    waits = [retries.wait(3, 0.0, draw) for _ in range(2000)]
    assert min(waits) < 0.02 and max(waits) > 3.98 and 1.9 < sum(waits) / len(waits) < 2.1
