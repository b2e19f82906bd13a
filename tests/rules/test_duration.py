"""Durations: rules/duration.py."""

import pytest

from llm_canaries.rules.duration import read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("2w", 1_209_600), ("1y", 31_536_000), ("10s53ms", 10.053),
     ("500ms", 0.5), ("1m1ms", 60.001)],
)  # fmt: skip
def test_durations(text, seconds):
    assert read_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "1.5h", "5m 3s", "30m1h", "-5m", "5 m", "1H", "9" * 20 + "s"])
def test_what_is_no_duration(text):
    assert read_duration(text) is None
