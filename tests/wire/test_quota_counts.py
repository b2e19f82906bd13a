"""Covers wire/quota_counts.py: counts in headers, and that absent, junk and past are not zero (protocols.md A7)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.quota import Quota
from llm_canaries.wire.quota_reading import read_quota

NOW = 1_700_000_000.0


def reset(value: str) -> float | None:
    (quota,) = read_quota((("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", value)), NOW)
    return None if quota.reset_at is None else round(quota.reset_at - NOW, 6)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20ms", 0.02),
        ("1s", 1),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("24h0m0s", 86400),
        ("0s", 0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("2023-11-14T22:14:20Z", 60),
        ("2023-11-14T23:14:20+01:00", 60),
        ("2023-11-14T22:14:20.500Z", 60.5),
        ("2023-11-14T22:14:20", 60),
        ("1700000060", 60),
        ("1700000060000", 60),
        ("1600000000", None),
        ("1e300", None),
        ("2023-11-14T22:13:00Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("soon", None),
        ("", None),
        ("-5s", None),
        ("5", None),
        ("5 s", None),
        ("9" * 400 + "s", None),
    ],
)
def test_reset(value: str, seconds: float | None) -> None:
    assert reset(value) == seconds


def test_openai_scopes() -> None:
    headers = (
        ("X-RateLimit-Limit-Requests", "100"),
        ("x-ratelimit-remaining-requests", "25"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "40000"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-remaining-project-tokens", "7"),
        ("content-type", "application/json"),
    )
    assert read_quota(headers, NOW) == (
        Quota(scope="project-tokens", unit="tokens", remaining=7),
        Quota(scope="requests", unit="requests", remaining=25, limit=100, used_ratio=0.75, reset_at=NOW + 1),
        Quota(scope="tokens", unit="tokens", remaining=0, limit=40000, used_ratio=1.0),
    )


def test_anthropic_scopes_also_behind_litellm() -> None:
    headers = (
        ("anthropic-ratelimit-input-tokens-limit", "1000"),
        ("anthropic-ratelimit-input-tokens-remaining", "1000"),
        ("anthropic-ratelimit-input-tokens-reset", "2023-11-14T22:14:20Z"),
        ("llm_provider-anthropic-ratelimit-requests-remaining", "3"),
    )
    assert read_quota(headers, NOW) == (
        Quota(scope="input-tokens", unit="tokens", remaining=1000, limit=1000, used_ratio=0, reset_at=NOW + 60),
        Quota(scope="requests", unit="requests", remaining=3),
    )


@pytest.mark.parametrize("junk", ["many", "", "-1", "nan", "inf", "1e300"])
def test_junk_is_absent_and_absent_is_none(junk: str) -> None:
    assert read_quota((("x-ratelimit-remaining-tokens", junk), ("x-ratelimit-reset-tokens", "1s")), NOW) == ()
    assert read_quota((), NOW) == ()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            (("RateLimit", '"api";r=250;t=295'), ("RateLimit-Policy", '"api";q=1000;w=300')),
            (Quota(scope="api", unit="requests", remaining=250, limit=1000, used_ratio=0.75, reset_at=NOW + 295),),
        ),
        ((("ratelimit", '"api";r=0'),), (Quota(scope="api", unit="requests", remaining=0),)),
        (
            (("ratelimit", '"a";r=1;t=2, "b";r=3'), ("ratelimit-policy", '"b";q=6')),
            (
                Quota(scope="a", unit="requests", remaining=1, reset_at=NOW + 2),
                Quota(scope="b", unit="requests", remaining=3, limit=6, used_ratio=0.5),
            ),
        ),
        ((("ratelimit", '"api";t=295'),), ()),
        ((("ratelimit", '"api";r=-1'),), ()),
        ((("ratelimit", '"a name | too free";r=1'),), ()),
        ((("ratelimit", "limit=100, remaining=50"),), ()),
        ((("ratelimit-policy", '"api";q=1000'),), ()),
    ],
)
def test_the_draft(headers: tuple[tuple[str, str], ...], expected: tuple[Quota, ...]) -> None:
    assert read_quota(headers, NOW) == expected


def test_what_litellm_says_twice_is_said_once() -> None:
    """Its own copy holds the count alone; the upstream's, behind a prefix, all three."""
    headers = (
        ("x-ratelimit-remaining-tokens", "5"),
        ("llm_provider-anthropic-ratelimit-tokens-remaining", "6"),
        ("llm_provider-anthropic-ratelimit-tokens-limit", "8"),
    )
    assert read_quota(headers, NOW) == (
        Quota(scope="tokens", unit="tokens", remaining=6, limit=8, used_ratio=0.25),
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=30), st.from_regex(r"[0-9hmsun.µ:TZ+-]{0,25}", fullmatch=True)))
def test_no_value_raises(value: str) -> None:
    names = ("x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens", "x-ratelimit-reset-tokens")
    for quota in read_quota(tuple((name, value) for name in names), NOW):
        assert quota.used_ratio is None or 0 <= quota.used_ratio <= 1
    reset(value)
