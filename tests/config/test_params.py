"""config/params.py: each field by itself, merged over what a definition says."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from llm_canaries.config.params import ParamsError, check_params, merge_params


class Tone(StrEnum):
    LOW = "low"
    HIGH = "high"


class Inner(Struct, frozen=True):
    a: int = 1


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    needed: str
    digits: Annotated[int, Meta(ge=1, lt=10)] = 6
    within_seconds: float = 0.0
    pauses_seconds: tuple[float, ...] = ()
    rest_seconds: float | None = None
    tone: Tone = Tone.LOW
    mode: Literal["a", "b"] | None = None
    pair: tuple[int, str] = (1, "a")
    table: dict[str, int] = {}
    inner: Inner = Inner()
    flags: list[bool] = []
    ratio: Annotated[float, Meta(gt=0, le=1)] = 0.5


def test_base_below_overrides():
    merged = merge_params(Params, {"needed": "x", "digits": 3}, {"digits": 4, "within_seconds": "1m30s"})
    assert merged == Params(needed="x", digits=4, within_seconds=90.0)


def test_a_struct_as_base():
    base = Params(needed="x", tone=Tone.HIGH, pauses_seconds=(1.0, 2.0))
    assert merge_params(Params, base, {"rest_seconds": "20s", "pauses_seconds": ["5s", 7]}) == Params(
        needed="x", tone=Tone.HIGH, rest_seconds=20.0, pauses_seconds=(5.0, 7.0)
    )
    assert merge_params(Params, base, None) == base


def test_nothing_but_defaults():
    assert merge_params(Inner, None, {}) == Inner()


def test_every_field_is_told():
    given = {
        "digits": 10,
        "within_seconds": "soon",
        "pauses_seconds": ["5s", "later"],
        "rest_seconds": True,
        "tone": "midle",
        "mode": "c",
        "pair": [1],
        "table": {"a": "b"},
        "inner": 5,
        "flags": [True, "no"],
        "ratio": 1.5,
        "tones": "low",
    }
    assert check_params(Params, given, whole=True).objections == (
        ("digits", "`10` does not fit; write a whole number from 1 below 10"),
        ("within_seconds", "`soon` is not a duration; write `500ms`, `30s`, `10m`, `1h`, `1d` or `1h30m`"),
        ("pauses_seconds", "an item is not a duration; write `500ms`, `30s`, `10m`, `1h`, `1d` or `1h30m`"),
        ("rest_seconds", "`true` does not fit; write a number of seconds or a duration such as `20s` or `null`"),
        ("tone", "the text `midle` does not fit; write one of `low`, `high`"),
        ("mode", "the text `c` does not fit; write one of `a`, `b` or `null`"),
        ("pair", "a list does not fit; write a list of a whole number, text"),
        ("table", "a mapping does not fit (wrong at `[...]`); write a mapping"),
        ("inner", "`5` does not fit; write a mapping"),
        ("flags", "a list does not fit (wrong at `[1]`); write a list, each `true` or `false`"),
        ("ratio", "`1.5` does not fit; write a number above 0 to 1"),
        ("tones", "unknown parameter; did you mean `tone`? allowed: " + ", ".join(f"`{name}`" for name in NAMES)),
        ("needed", "missing parameter; this scenario needs it"),
    )


NAMES = sorted(Params.__struct_fields__)


def test_overrides_alone_need_not_be_whole():
    assert check_params(Params, {"digits": 2}, whole=False).objections == ()


def test_a_bad_merge_raises_all_objections():
    with pytest.raises(ParamsError) as caught:
        merge_params(Params, {}, {"digits": "2"})
    assert caught.value.objections == (
        ("digits", "the text `2` does not fit; write a whole number from 1 below 10"),
        ("needed", "missing parameter; this scenario needs it"),
    )
    assert str(caught.value) == (
        "`digits`: the text `2` does not fit; write a whole number from 1 below 10; "
        "`needed`: missing parameter; this scenario needs it"
    )
