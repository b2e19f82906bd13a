"""Covers wire/json.py: what counts as JSON, as a whole number, and as a field of the right type."""

import pytest

from llm_canaries.wire.json import (
    WireError,
    decode,
    decode_object,
    each,
    encode,
    encode_text,
    fits,
    integer,
    items,
    kind,
    mapping,
    string,
    take,
    take_count,
    take_number,
    want,
)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"\xff", b'"\\ud800"', "\ud800", b"[" * 100_000, b"1e", b"{} x"]
)
def test_what_is_not_json_is_a_wire_error(body: bytes | str) -> None:
    with pytest.raises(WireError, match="not JSON"):
        decode(body)


def test_blank_lines_before_a_body_are_legal() -> None:
    assert decode_object(b'\n\n \r\n{"a":1}') == {"a": 1}


def test_only_an_object_is_an_object() -> None:
    with pytest.raises(WireError, match="got array"):
        decode_object(b"[]")


def test_long_numbers_keep_their_digits() -> None:
    assert encode_text(decode(b"[12345678901234567890123,-9007199254740993]")) == (
        "[12345678901234567890123,-9007199254740993]"
    )


def test_what_is_nested_too_deeply_to_write_is_a_wire_error() -> None:
    value: object = 1
    for _ in range(5000):
        value = [value]
    with pytest.raises(WireError, match="deeply"):
        encode(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((5, 5), (5.0, 5), (-1, -1), (0, 0), (True, None), (5.5, None), ("5", None), (None, None), (2**63, None)),
        *((1e300, None), (float("nan"), None), (float("inf"), None), ([], None)),
    ],
)
def test_integer(value: object, expected: int | None) -> None:
    assert integer(value) == expected


def test_lookups_never_raise() -> None:
    assert (string(5), items({}), mapping([])) == ("", [], {})
    assert [kind(value) for value in ({}, [], "", True, None, 1, 1.5)] == [
        *("object", "array", "string", "boolean", "null", "number", "number")
    ]


def test_take_removes_what_it_reads() -> None:
    said = {"a": "x", "b": None, "c": 3}
    assert (take(said, "a", str), take(said, "b", str), take(said, "z", str)) == ("x", None, None)
    assert take_count(said, "c") == 3
    assert said == {}


def test_each_says_which_value_is_wrong() -> None:
    assert each("tools", [{"n": 1}, {"n": 2}], lambda said: said["n"]) == [1, 2]
    with pytest.raises(WireError, match=r"^tools\[1\]: expected an object, got array$"):
        each("tools", [{}, [], {}], lambda said: said)
    with pytest.raises(WireError, match=r"^tools\[2\]\.name: expected string, got number$"):
        each("tools", [{}, {}, {"name": 5}], lambda said: take(said, "name", str, "."))


@pytest.mark.parametrize(("value", "wanted"), [(5, str), ("x", bool), ({}, list), ([], dict), (0, bool)])
def test_take_names_the_field(value: object, wanted: type) -> None:
    with pytest.raises(WireError, match=r"^tools\[0\]\.field: expected .*, got "):
        take({"field": value}, "field", wanted, "tools[0].")


@pytest.mark.parametrize("value", ["1", True, [], {}])
def test_numbers_are_numbers(value: object) -> None:
    for read in (take_number, take_count):
        with pytest.raises(WireError, match=r"^top_p: "):
            read({"top_p": value}, "top_p")


def test_a_count_is_whole() -> None:
    with pytest.raises(WireError, match="whole number"):
        take_count({"n": 1.5}, "n")
    assert take_number({"n": 1.5}, "n") == 1.5


def test_fits_lets_null_and_absence_pass() -> None:
    assert fits({"a": None, "b": "x"}, str, "a", "b", "c")
    assert not fits({"a": 5}, str, "a")


def test_want() -> None:
    want(True, "fine")
    with pytest.raises(WireError, match="not fine"):
        want(False, "not fine")
