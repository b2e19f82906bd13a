"""Covers wire/fault_reading.py: what a refusal says beside its reason, of waiting, trying again and what would do."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import anthropic, body_of, detail, google, info, openai, openrouter

from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.fault_reading import read_fault

NOW = 1_700_000_000.0
R = FaultReason


def test_a_body_without_an_envelope_is_excerpted() -> None:
    fault = read_fault(502, (), b"bad\n   gateway " + b"x" * 5000, NOW)
    assert fault.message.startswith("bad gateway xx")
    assert len(fault.message) <= 200


@pytest.mark.parametrize(
    ("headers", "error", "expected"),
    [
        ((), {"reset_seconds": 7}, 7.0),
        ((), {"resets_in_seconds": 90}, 90.0),
        ((), {"resets_at": NOW + 5}, 5.0),
        ((), {"resets_at": NOW - 5}, 0.0),
        ((), {"resets_at": 10**40}, None),
        ((), {"reset_seconds": "7"}, None),
        ((), {"reset_seconds": -7}, 0.0),
        ((("retry-after", "3"),), {"reset_seconds": 7}, 3.0),
        ((("retry-after", "junk"),), {"reset_seconds": 7}, 7.0),
        ((), {}, None),
    ],
)
def test_the_wait(headers: tuple[tuple[str, str], ...], error: dict[str, object], expected: float | None) -> None:
    body = body_of({"error": {"message": "m"} | error})
    assert read_fault(429, headers, body, NOW).retry_after == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (google(429, "RESOURCE_EXHAUSTED", "m", detail("RetryInfo", retryDelay="38s")), 38.0),
        (google(429, "RESOURCE_EXHAUSTED", "m", detail("RetryInfo", retryDelay="0.5s")), 0.5),
        (google(429, "RESOURCE_EXHAUSTED", "m", info("X", quotaResetDelay="1h2m3.5s")), 3723.5),
        (
            google(429, "m", "after 9s", info("X", quotaResetDelay="2s"), detail("RetryInfo", retryDelay="38s")),
            38.0,
        ),
        (google(429, "m", "after 9s", info("X", quotaResetDelay="2s"), detail("RetryInfo", retryDelay="soon")), 2.0),
        ([google(429, "RESOURCE_EXHAUSTED", "Your quota will reset after 1h2m3s.")], 3723.0),
        (google(429, "RESOURCE_EXHAUSTED", "reset after you slept, after 8s."), 8.0),
        (google(429, "RESOURCE_EXHAUSTED", "after 8 seconds, afterwards 5s"), None),
        (google(429, "RESOURCE_EXHAUSTED", "m", detail("RetryInfo"), "junk", None), None),
        (openrouter("x", json.dumps(google(429, "m", "m", detail("RetryInfo", retryDelay="4s")))), 4.0),
        ({"error": {"message": "m", "details": "after 5s"}}, None),
        ({"error": {"message": "No deployments available, Try again in 5 seconds. All are in cooldown"}}, 5.0),
        ({"error": {"message": "Try again in 1 second"}}, 1.0),
        ({"error": {"message": "Try again in 5 minutes, or in a few seconds"}}, None),
    ],
)
def test_the_wait_that_google_asks_for(body: object, expected: float | None) -> None:
    assert read_fault(429, (), body_of(body), NOW).retry_after == expected


REJECTED = ("anthropic-ratelimit-unified-status", "rejected")


def window(name: str, status: str, reset: object) -> tuple[tuple[str, str], ...]:
    head = f"anthropic-ratelimit-unified-{name}"
    return (f"{head}-status", status), (f"{head}-reset", str(reset)), (f"{head}-utilization", "0.9")


@pytest.mark.parametrize(
    ("headers", "wait", "reason"),
    [
        ((*window("5h", "rejected", NOW + 60), *window("7d", "allowed", NOW + 9000)), 60.0, R.QUOTA_EXHAUSTED),
        ((*window("5h", "rejected", "2023-11-14T22:14:20Z"),), 60.0, R.QUOTA_EXHAUSTED),
        ((*window("5h", "rejected", NOW + 60), *window("7d", "rejected", NOW + 9000)), 9000.0, R.QUOTA_EXHAUSTED),
        ((*window("5h", "rejected", NOW + 60), ("retry-after", "25")), 60.0, R.QUOTA_EXHAUSTED),
        ((*window("5h", "rejected", NOW + 60), ("retry-after", "99")), 99.0, R.QUOTA_EXHAUSTED),
        ((REJECTED, ("anthropic-ratelimit-unified-reset", str(NOW + 30))), 30.0, R.QUOTA_EXHAUSTED),
        ((*window("5h", "rejected", NOW - 60),), None, R.QUOTA_EXHAUSTED),
        ((*window("5h", "allowed_warning", NOW + 60), ("retry-after", "25")), 25.0, R.RATE_LIMITED),
        ((*window("5h", "allowed", NOW + 60),), None, R.RATE_LIMITED),
        ((REJECTED, *window("5h", "allowed", NOW + 6), *window("7d_oi", "rejected", NOW + 60)), None, R.RATE_LIMITED),
        ((*window("overage", "rejected", NOW + 60),), None, R.RATE_LIMITED),
    ],
)
def test_only_windows_that_refuse_bound_the_wait(
    headers: tuple[tuple[str, str], ...], wait: float | None, reason: FaultReason
) -> None:
    fault = read_fault(429, headers, body_of(anthropic("rate_limit_error", "slow")), NOW)
    assert (fault.retry_after, fault.reason) == (wait, reason)


@pytest.mark.parametrize(("value", "expected"), [("true", True), (" False", False), ("yes", None), ("", None)])
def test_the_word_on_trying_again(value: str, expected: bool | None) -> None:
    assert read_fault(500, (("X-Should-Retry", value),), b"", NOW).should_retry is expected
    assert read_fault(500, (), b"", NOW).should_retry is None


@pytest.mark.parametrize(
    ("said", "levels", "budget"),
    [
        (
            anthropic(
                "invalid_request_error",
                "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
            ),
            ("low", "medium", "high", "max"),
            None,
        ),
        (openai('level "x" not supported, valid levels: minimal, high'), ("minimal", "high"), None),
        (
            openai(
                "Unsupported value: 'minimal' is not supported. Supported values are: 'low', 'medium', and 'high'.",
                "unsupported_value",
                param="reasoning.effort",
            ),
            ("low", "medium", "high"),
            None,
        ),
        (openai("Supported values are: 'low', 'high'", param="input[0].content[0].detail"), (), None),
        (openai("level x not supported"), (), None),
        (openai("budget 5 out of range [128,32768]"), (), (128, 32768)),
        (openai("budget -5 out of range [0, 24576]"), (), (0, 24576)),
        (openai("budget 5 out of range"), (), None),
    ],
)
def test_what_a_refusal_of_thinking_offers(
    said: object, levels: tuple[str, ...], budget: tuple[int, int] | None
) -> None:
    fault = read_fault(400, (), body_of(said), NOW)
    assert (fault.levels, fault.budget, fault.reason) == (levels, budget, R.BAD_REQUEST)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                *("error", "message", "code", "type", "status", "details", "metadata", "raw", "detail", "@type", "msg"),
                *("retryDelay", "violations", "quotaId", "reason", "resets_at", "reset_seconds", "success", "__type"),
            ]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(JSON, st.sampled_from([200, 400, 404, 409, 429, 500, 503]))
def test_no_body_raises(said: object, status: int) -> None:
    fault = read_fault(status, (), json.dumps(said).encode(), NOW)
    assert fault.status == status
    assert fault.retry_after is None or fault.retry_after >= 0
