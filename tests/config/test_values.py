"""config/values.py: each kind of value, what it accepts and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.config.schema import CanaryConfig, GatewayConfig, Limits, ModelConfig
from llm_canaries.config.values import Refused, check_url, parse_duration, parse_level, parse_ratio, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("10m", 600.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1h30m", 5400.0),
        ("1d2h3m4s5ms", 93784.005),
        ("0s", 0.0),
        ("365d", 31_536_000.0),
        ("90m", 5400.0),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["", "s", "10", "1 h", "1h 30m", "1m1h", "1.5h", "1H", "+1s", "1s\n", None, [], True])
def test_not_durations(value):
    with pytest.raises(Refused, match="is not a duration; write `500ms`"):
        parse_duration(value)


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_refused(text):
    words, seconds = "write", 0.0
    try:
        seconds = parse_duration(text)
    except Refused as refused:
        words = str(refused)
    assert 0 <= seconds <= 365 * 86_400
    assert "write" in words


@pytest.mark.parametrize(
    ("value", "ratio"), [("2%", 0.02), ("2.2%", 0.022), ("2 %", 0.02), (0.02, 0.02), ("0.02", 0.02), (0, 0.0), (1, 1.0)]
)
def test_ratios(value, ratio):
    assert parse_ratio(value) == ratio


@pytest.mark.parametrize("value", ["", "%", "-2%", -0.1, True, None, "2%%", float("nan"), float("inf"), "1e-2", "٢%"])
def test_not_ratios(value):
    with pytest.raises(Refused, match=r"is not a ratio; write `2%` or `0\.02`"):
        parse_ratio(value)


@pytest.mark.parametrize("value", ["100.1%", 1.01, 2, "101%"])
def test_ratios_above_one(value):
    with pytest.raises(Refused, match="is more than 100%"):
        parse_ratio(value)


@pytest.mark.parametrize(
    ("value", "size"), [("8MiB", 8 * 1024**2), ("1GiB", 1024**3), ("512KiB", 524_288), ("2048B", 2048), (4096, 4096)]
)
def test_sizes(value, size):
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["8 MiB", "8MB", "8", "", "-1KiB", 1.5, True, None])
def test_not_sizes(value):
    with pytest.raises(Refused, match="is not a size; write `512KiB`"):
        parse_size(value)


@pytest.mark.parametrize("value", [0, -5, "1023B", "2GiB", 1024**3 + 1])
def test_sizes_out_of_range(value):
    with pytest.raises(Refused, match="is out of range; write `1KiB` to `1GiB`"):
        parse_size(value)


@pytest.mark.parametrize(("value", "level"), [("2%", 0.02), ("20s", 20.0), (3, 3.0), ("0.5", 0.5), (1e9, 1e9)])
def test_levels(value, level):
    assert parse_level(value) == level


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8317", "https://api.openai.com/v1/", "http://[::1]:80", "https://bücher.example", "HTTP://h/a@b"],
)
def test_urls(url):
    assert check_url(url) == url


@pytest.mark.parametrize("url", ["http://u:p@h", "http://:@h", "http://@h", "http://u@h/"])
def test_urls_with_credentials(url):
    with pytest.raises(Refused, match="use `api_key`"):
        check_url(url)


def test_models_made_in_python_take_numbers_of_seconds():
    assert Limits(connect=1, body="1MiB").connect == 1.0
    assert CanaryConfig(use="anything", every=60).every == 60.0
    assert GatewayConfig(kind="any", models=["a", ModelConfig(id="b")]).models[1].id == "b"
    with pytest.raises(ValueError, match="is too short; write at least `10s`"):
        CanaryConfig(use="anything", every=1)


def test_an_error_of_a_model_made_in_python_shows_no_input():
    with pytest.raises(ValueError, match="api_key") as caught:
        GatewayConfig(kind="any", models=["a"], api_key="pl4nted\nlines")
    assert "pl4nted" not in str(caught.value)
