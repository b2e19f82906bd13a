"""Covers proxy/head.py."""

import pytest

from llm_canaries.proxy.head import head


def test_lines_and_an_empty_one() -> None:
    assert head("GET / HTTP/1.1", {"a": "1", "b": ""}) == b"GET / HTTP/1.1\r\na: 1\r\nb: \r\n\r\n"
    assert head("HTTP/1.1 200 OK", {}) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_bytes_that_are_no_text_leave_as_they_came() -> None:
    value = b"\xff\xc3\xbc".decode("utf-8", "surrogateescape")
    assert head("GET /", {"a": value}) == b"GET /\r\na: \xff\xc3\xbc\r\n\r\n"


@pytest.mark.parametrize("broken", ["a\nb", "a\rb", "a\r\nx: b", "a\0b", "\r\n", "\n\r"])
def test_a_field_is_one_field(broken: str) -> None:
    for first, fields in (("GET /", {"x": broken}), ("GET /", {broken: "x"}), (broken, {"x": "y"})):
        with pytest.raises(ValueError, match="a line end"):
            head(first, fields)
