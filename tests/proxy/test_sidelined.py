"""Covers proxy/sidelined.py: the table row by row, hints, and what ends a wait."""

import pytest

from llm_canaries.proxy.sidelined import LONGEST, MOST, SIDELINES, Sidelined
from llm_canaries.wire.fault import Fault, FaultReason

R = FaultReason
TABLE = [
    (R.AUTH, 1800.0, "every model"),
    (R.BILLING, 1800.0, "every model"),
    (R.PERMISSION, 1800.0, "every model"),
    (R.MODEL_NOT_FOUND, 600.0, "this model"),
    (R.MODEL_NOT_SUPPORTED, 600.0, "this model"),
    (R.RATE_LIMITED, 1.0, "every model"),
    (R.QUOTA_EXHAUSTED, 60.0, "every model"),
    (R.COOLDOWN, 1.0, "this model"),
]


def test_the_table_is_whole() -> None:
    assert {row[0] for row in TABLE} == set(SIDELINES)


@pytest.mark.parametrize(("reason", "seconds", "what"), TABLE)
def test_waits(reason: R, seconds: float, what: str) -> None:
    sidelined = Sidelined()
    assert sidelined.failed("p", "c", "m", Fault(reason=reason), 100.0) == seconds
    entry = sidelined.of("p", "c", "m", 100.0)
    assert entry is not None and entry.until == 100.0 + seconds
    assert sidelined.of("p", "c", "m", 100.0 + seconds) is None
    assert (sidelined.of("p", "c", "other", 100.0) is not None) is (what == "every model")
    assert sidelined.of("p", "d", "m", 100.0) is None and sidelined.of("q", "c", "m", 100.0) is None


@pytest.mark.parametrize("reason", sorted(set(R) - set(SIDELINES)))
def test_everything_else_is_no_word_about_a_credential(reason: R) -> None:
    sidelined = Sidelined()
    assert sidelined.failed("p", "c", "m", Fault(reason=reason, retry_after=9.0), 0.0) == 0
    assert sidelined.of("p", "c", "m", 0.0) is None


def test_a_hint_counts_first() -> None:
    sidelined = Sidelined()
    assert sidelined.failed("p", "c", "m", Fault(reason=R.RATE_LIMITED, retry_after=42.5), 0.0) == 42.5
    assert sidelined.failed("p", "c", "m", Fault(reason=R.RATE_LIMITED, retry_after=9e9), 0.0) == LONGEST


def test_limits_without_a_hint_double_up_to_half_an_hour() -> None:
    sidelined = Sidelined()
    waits = [sidelined.failed("p", "c", "m", Fault(reason=R.RATE_LIMITED), 0.0) for _ in range(14)]
    assert waits[:4] == [1, 2, 4, 8] and waits[-1] == 1800
    sidelined.served("p", "c", "m")
    assert sidelined.of("p", "c", "m", 0.0) is None, "one good answer ends it"
    assert sidelined.failed("p", "c", "m", Fault(reason=R.RATE_LIMITED), 0.0) == 1


def test_a_new_token_is_another_credential() -> None:
    sidelined = Sidelined()
    for model in ("m", "n"):
        sidelined.failed("p", "c", model, Fault(reason=R.MODEL_NOT_FOUND), 0.0)
    sidelined.failed("p", "d", "m", Fault(reason=R.AUTH), 0.0)
    sidelined.renewed("p", "c")
    assert sidelined.of("p", "c", "m", 0.0) is None and sidelined.of("p", "d", "m", 0.0) is not None


def test_bounded() -> None:
    sidelined = Sidelined()
    for number in range(MOST + 10):
        sidelined.failed("p", "c", f"m{number}", Fault(reason=R.MODEL_NOT_FOUND), float(number))
    assert sidelined.of("p", "c", "m0", 0.0) is None, "the one due first gave way"
    assert sidelined.of("p", "c", f"m{MOST + 9}", float(MOST)) is not None
