"""Covers wire/quota_windows.py: plans that tell a share of a window and no count (protocols.md A7)."""

import pytest

from llm_canaries.wire.headers import Headers
from llm_canaries.wire.quota import Quota
from llm_canaries.wire.quota_reading import read_quota

NOW = 1_700_000_000.0
IN_A_MINUTE = "2023-11-14T22:14:20Z"
UNIFIED = "anthropic-ratelimit-unified"


def ratio(scope: str, used: float, reset_in: float | None = None) -> Quota:
    reset = None if reset_in is None else NOW + reset_in
    return Quota(scope=scope, unit="ratio", used_ratio=used, reset_at=reset)


@pytest.mark.parametrize("reset", [IN_A_MINUTE, "1700000060", "1700000060.0"])
def test_windows_of_a_claude_subscription(reset: str) -> None:
    headers = (
        (f"{UNIFIED}-status", "allowed_warning"),
        (f"{UNIFIED}-representative-claim", "five_hour"),
        (f"{UNIFIED}-reset", reset),
        (f"{UNIFIED}-5h-utilization", "0.92"),
        (f"{UNIFIED}-5h-status", "allowed_warning"),
        (f"{UNIFIED}-5h-reset", reset),
        ("Anthropic-RateLimit-Unified-7d-Utilization", "0.5"),
        (f"{UNIFIED}-7d_oi-utilization", "0"),
        (f"{UNIFIED}-overage-status", "rejected"),
        (f"{UNIFIED}-overage-disabled-reason", "org_level_disabled"),
    )
    assert read_quota(headers, NOW) == (ratio("5h", 0.92, 60), ratio("7d", 0.5), ratio("7d_oi", 0.0))


def test_a_window_that_refuses_is_used_up() -> None:
    headers = ((f"{UNIFIED}-5h-status", "rejected"), (f"{UNIFIED}-7d-status", "allowed"))
    assert read_quota(headers, NOW) == (ratio("5h", 1.0),)
    assert read_quota(((f"{UNIFIED}-7d-utilization", "1.25"),), NOW) == (ratio("7d", 1.0),)
    assert read_quota(((f"{UNIFIED}-overage-utilization", "0.25"),), NOW) == (ratio("overage", 0.25),)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            (
                ("x-codex-primary-used-percent", "42"),
                ("x-codex-primary-window-minutes", "300"),
                ("x-codex-primary-reset-at", "1700000060"),
                ("x-codex-secondary-used-percent", "7.5"),
                ("x-codex-secondary-window-minutes", "10080"),
                ("x-codex-secondary-reset-after-seconds", "90"),
                ("x-codex-primary-over-secondary-limit-percent", "0"),
                ("x-codex-active-limit", "premium"),
                ("x-codex-rate-limit-reached-type", "primary"),
            ),
            (ratio("5h", 0.42, 60), ratio("7d", 0.075, 90)),
        ),
        (
            (("x-codex-bengalfox-primary-used-percent", "100"), ("x-codex-bengalfox-primary-window-minutes", "300")),
            (ratio("bengalfox-5h", 1.0),),
        ),
        ((("x-codex-bengalfox-secondary-used-percent", "3"),), (ratio("bengalfox-secondary", 0.03),)),
        (
            (("x-codex-primary-used-percent", "1"), ("x-codex-primary-reset-at", "1700000060000")),
            (ratio("primary", 0.01, 60),),
        ),
        (
            (("x-codex-primary-used-percent", "1"), ("x-codex-primary-reset-at", "1600000000")),
            (ratio("primary", 0.01),),
        ),
        (
            (
                ("x-codex-primary-used-percent", "1"),
                ("x-codex-primary-reset-at", "junk"),
                ("x-codex-primary-reset-after-seconds", "9"),
                ("x-codex-primary-window-minutes", "90"),
            ),
            (ratio("90m", 0.01, 9),),
        ),
        ((("x-codex-primary-used-percent", "250"), ("x-codex-primary-window-minutes", "-1")), (ratio("primary", 1.0),)),
        ((("x-codex-primary-used-percent", "many"), ("x-codex-primary-reset-after-seconds", "9")), ()),
        ((("x-codex-primary-reset-after-seconds", "9"),), ()),
    ],
)
def test_windows_of_codex(headers: Headers, expected: tuple[Quota, ...]) -> None:
    assert read_quota(headers, NOW) == expected


def snapshot(value: str, name: str = "x-quota-snapshot-premium_interactions") -> tuple[Quota, ...]:
    return read_quota(((name, value),), NOW)


def premium(**said: float | None) -> Quota:
    return Quota(scope="premium_interactions", unit="requests", **said)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "ent=300&ov=0.0&ovPerm=false&rem=30&rst=2023-11-14T22%3A14%3A20Z",
            premium(limit=300, used_ratio=0.7, reset_at=NOW + 60),
        ),
        ("ent=300&rem=25.0&totRem=75", premium(limit=300, remaining=75, used_ratio=0.75)),
        ("ent=300&rem=-3.2&totRem=-9", premium(limit=300, remaining=0, used_ratio=1.0)),
        ("ent=0&rem=0", premium(limit=0, used_ratio=1.0)),
        ("remaining=6;resetAt=2023-11-14T22:14:20Z", premium(remaining=6, reset_at=NOW + 60)),
        ("ent=300&totRem=75&rst=2023-11-14T22%3A13%3A00Z", premium(limit=300, remaining=75, used_ratio=0.75)),
        ("ent=-1&rem=100", None),
        ("ent=300", None),
        ("rem=lots", None),
        ("", None),
        ("&&=;", None),
    ],
)
def test_snapshots_of_copilot(value: str, expected: Quota | None) -> None:
    assert snapshot(value) == (() if expected is None else (expected,))


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("X-Quota-Snapshot-Chat", "chat"),
        ("x-quota-snapshot-premium_models", "premium_models"),
        ("x-usage-ratelimit-session", "session"),
        ("x-usage-ratelimit-weekly", "weekly"),
    ],
)
def test_scopes_of_copilot(name: str, scope: str) -> None:
    (quota,) = snapshot("rem=75", name)
    assert (quota.scope, quota.used_ratio, quota.remaining) == (scope, 0.25, None)
    assert snapshot("rem=75", "x-quota-snapshot-another") == ()
