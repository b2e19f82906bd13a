"""Covers wire/quota_reading.py: refusals that name their limits, and that no header and no body raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import body_of, detail, google, info, openai, violated

from llm_canaries.wire.quota import Quota
from llm_canaries.wire.quota_reading import read_quota

NOW = 1_700_000_000.0
RETRY = detail("RetryInfo", retryDelay="38s")


def limited(scope: str, reset_in: float | None = None, limit: float | None = 10) -> Quota:
    unit = scope.partition("-")[0]
    reset = None if reset_in is None else NOW + reset_in
    return Quota(scope=scope, unit=unit, limit=limit, used_ratio=1.0, reset_at=reset)


def plan(reset_in: float | None = None) -> Quota:
    reset = None if reset_in is None else NOW + reset_in
    return Quota(scope="plan", unit="ratio", used_ratio=1.0, reset_at=reset)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"type": "usage_limit_reached", "resets_in_seconds": 90}}, (plan(90),)),
        ({"error": {"type": "usage_limit_reached", "resets_at": NOW + 5}}, (plan(5),)),
        ({"error": {"type": "usage_limit_reached", "resets_at": NOW - 5}}, (plan(),)),
        ({"error": {"type": "usage_limit_reached"}}, (plan(),)),
        (
            google(429, "RESOURCE_EXHAUSTED", "m", violated("GenerateRequestsPerDayPerProject-FreeTier"), RETRY),
            (limited("requests-per-day", 38),),
        ),
        (
            [google(429, "m", "m", violated("GenerateContentInputTokensPerModelPerMinute-FreeTier", "Requests"))],
            (limited("requests"), limited("tokens-per-minute")),
        ),
        (
            google(429, "m", "m", detail("QuotaFailure", violations=[{"quotaMetric": "x/token_count"}, {}, 5])),
            (limited("tokens", limit=None),),
        ),
        (google(429, "m", "m", info("QUOTA_EXHAUSTED", quotaResetDelay="1h0m0s")), (plan(3600),)),
        (google(429, "m", "reset after 2m0s.", info("QUOTA_EXHAUSTED")), (plan(120),)),
        (google(429, "RESOURCE_EXHAUSTED", "m", RETRY), ()),
        (openai("slow down", "rate_limit_exceeded"), ()),
        ({"error": "no"}, ()),
        ([1, 2], ()),
        ("<html>", ()),
    ],
)
def test_limits_that_a_refusal_names(body: object, expected: tuple[Quota, ...]) -> None:
    assert read_quota((), NOW, body_of(body)) == expected


def test_headers_and_body_are_told_together() -> None:
    headers = (("x-codex-primary-used-percent", "100"), ("x-codex-primary-window-minutes", "300"))
    body = body_of({"error": {"type": "usage_limit_reached", "resets_in_seconds": 90}})
    assert [quota.scope for quota in read_quota(headers, NOW, body)] == ["5h", "plan"]


NAMES = st.sampled_from(
    [
        *(f"x-ratelimit-{what}-tokens" for what in ("remaining", "limit", "reset")),
        *(f"anthropic-ratelimit-requests-{what}" for what in ("remaining", "reset")),
        *(f"anthropic-ratelimit-unified-{what}" for what in ("status", "5h-utilization", "5h-reset", "7d-status")),
        *(f"x-codex-primary-{what}" for what in ("used-percent", "window-minutes", "reset-at")),
        *("x-codex-secondary-reset-after-seconds", "x-codex-bengalfox-primary-used-percent"),
        *("x-quota-snapshot-chat", "x-usage-ratelimit-weekly", "ratelimit", "ratelimit-policy"),
        "llm_provider-x-ratelimit-remaining-requests",
    ]
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.floats().map(str),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[0-9hmsun.\u00b5:TZ+-]{0,25}", fullmatch=True),
    st.from_regex(r'"?[a-z]{0,4}"?(;[rtq]=[0-9e-]{0,9}){0,3}', fullmatch=True),
    st.from_regex(r"(ent|rem|rst|totRem|ov)=[0-9.%A-Z-]{0,9}([&;](ent|rem|rst)=[0-9.%-]{0,9}){0,3}", fullmatch=True),
    st.sampled_from(["rejected", "allowed", "1700000060", "1700000060000", "2023-11-14T22:14:20Z", "nan", "inf"]),
)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.binary(max_size=20))
def test_nothing_raises_and_what_is_said_makes_sense(headers: list[tuple[str, str]], body: bytes) -> None:
    quotas = read_quota(tuple(headers), NOW, body)
    assert len({quota.scope for quota in quotas}) == len(quotas)
    for quota in quotas:
        assert quota.known > 0
        assert quota.used_ratio is None or 0 <= quota.used_ratio <= 1
        assert quota.remaining is None or quota.remaining >= 0
        assert quota.limit is None or quota.limit >= 0
        assert quota.reset_at is None or quota.reset_at >= NOW
