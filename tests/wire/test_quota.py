"""Covers wire/quota.py: what is known, what is used up, and that shares stay shares."""

import pytest

from llm_canaries.wire.quota import Quota, share, used


@pytest.mark.parametrize(
    ("remaining", "limit", "ratio"),
    [(25, 100, 0.75), (0, 100, 1.0), (100, 100, 0.0), (9, 3, 0.0), (-4, 3, 1.0), (9, 0, None), (None, 3, None)],
)
def test_used(remaining: float | None, limit: float | None, ratio: float | None) -> None:
    assert used(remaining, limit) == ratio


def test_share() -> None:
    assert [share(part, 100) for part in (None, -3, 0, 42, 100, 250)] == [None, 0.0, 0.0, 0.42, 1.0, 1.0]


@pytest.mark.parametrize(
    ("quota", "known", "exhausted"),
    [
        (Quota(scope="a", unit="tokens"), 0, None),
        (Quota(scope="a", unit="tokens", limit=5), 1, None),
        (Quota(scope="a", unit="tokens", remaining=0), 1, True),
        (Quota(scope="a", unit="tokens", remaining=3, limit=5, used_ratio=0.4, reset_at=9.0), 4, False),
        (Quota(scope="a", unit="ratio", used_ratio=1.0), 1, True),
        (Quota(scope="a", unit="ratio", used_ratio=0.99), 1, False),
    ],
)
def test_what_is_known(quota: Quota, known: int, exhausted: bool | None) -> None:
    assert (quota.known, quota.exhausted) == (known, exhausted)
