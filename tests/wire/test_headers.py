"""Covers wire/headers.py: lookup without case, every form of Retry-After, and times in headers."""

import pytest

from llm_canaries.wire.headers import go_duration, header, instant, number, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def test_names_are_found_without_case_and_the_first_wins() -> None:
    headers = (("Retry-After", "1"), ("retry-after", "2"))
    assert header(headers, "RETRY-AFTER") == "1"
    assert header(headers, "x-none") is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "25"}, 25.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "-5"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60.0),
        ({"retry-after": "Tue, 14 Nov 2023 23:14:20 +0100"}, 60.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20"}, 60.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 99999999999999999999 22:13:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e30"}, None),
        ({"llm_provider-retry-after": "7"}, 7.0),
        ({"llm_provider-retry-after": "7", "retry-after": "9"}, 9.0),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(tuple(headers.items()), NOW) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("5", 5.0), ("-1.5", -1.5), ("1e14", 1e14), ("1e15", None), ("nan", None), ("inf", None), ("", None), ("x", None)],
)
def test_numbers(value: str, expected: float | None) -> None:
    assert number(value) == expected
    assert number(None) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("38s", 38.0), ("1h2m3.5s", 3723.5), ("20ms", 0.02), ("0s", 0.0), ("5", None), ("-5s", None), ("", None)],
)
def test_go_durations(value: str, expected: float | None) -> None:
    assert go_duration(value) == expected
    assert go_duration("9" * 400 + "s") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1700000060", 60.0),
        ("1700000060.5", 60.5),
        ("1700000060000", 60.0),
        ("2023-11-14T22:14:20Z", 60.0),
        ("2023-11-14T23:14:20+01:00", 60.0),
        ("2023-11-14T22:14:20", 60.0),
        ("1700000000", None),
        ("2023-11-14T22:13:00Z", None),
        ("60", None),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("nan", None),
        ("", None),
    ],
)
def test_instants(value: str, expected: float | None) -> None:
    at = instant(value, NOW)
    assert (None if at is None else at - NOW) == expected
