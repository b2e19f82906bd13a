"""Covers canary/expectations.py: each expectation holds, does not hold, or cannot be told."""

import time

import pytest

from llm_canaries.canary.expectations import (
    check,
    of_finish,
    of_headers,
    of_json,
    of_status,
    of_text,
    of_time,
    of_tokens,
    pattern,
)
from llm_canaries.wire.clip import clipped
from llm_canaries.wire.message import Finish, Usage

HEADERS = (("Content-Type", "application/json; charset=utf-8"), ("X-A", "one"), ("x-a", "two"))


@pytest.mark.parametrize(
    ("finding", "reason", "detail"),
    [
        (of_status(200, 200), None, ""),
        (of_status(200, 404), "status_differs", "HTTP 200, expected 404"),
        (of_headers(HEADERS, {"content-type": "^application/json", "x-a": "one"}), None, ""),
        (of_headers(HEADERS, {"x-a": "^two$"}), "header_differs", "x-a is 'one', expected '^two$'"),
        (of_headers(HEADERS, {"x-b": ""}), "header_differs", "no header x-b"),
        (of_json(b'{"a": 1}', {"a": 1, "b": None}), None, ""),
        (of_json(b'{"a": 1}', {"a": True}), "json_differs", "`a` is 1, expected true"),
        (of_json(b'{"a": 1}', {"b": "x"}), "json_differs", 'nothing at `b`, expected "x"'),
        (of_json(b'{"a": [1, 2]}', {"a[*]": 2}), None, ""),
        (of_json(b"not json", {}), None, ""),
        (of_text("Paris is it", ("Paris",), ("London",), ("(?i)^paris",)), None, ""),
        (of_text("Ｐａｒｉｓ", ("Paris",), (), ()), None, ""),
        (of_text("Paris", ("London",), (), ()), "text_differs", "no 'London' in 'Paris'"),
        (of_text("Paris", (), ("Par",), ()), "text_differs", "'Par' in 'Paris'"),
        (of_text("a\nb", (), (), ("^a.b$",)), None, ""),
        (of_text("Paris", (), (), ("^p",)), "text_differs", "nothing that matches '^p' in 'Paris'"),
        (of_finish(Finish.STOP, "stop", ()), None, ""),
        (of_finish(Finish.STOP, "end_turn", (Finish.LENGTH, Finish.STOP)), None, ""),
        (of_finish(Finish.STOP, "end_turn", (Finish.LENGTH,)), "finish_differs",
         "finish reason 'end_turn', expected length"),
        (of_tokens(Usage(output=5), {"output": (5, 5)}), None, ""),
        (of_tokens(Usage(output=5), {"output": (6, None)}), "tokens_differ", "5 output tokens, expected at least 6"),
        (of_tokens(Usage(output=5), {"output": (0, 4)}), "tokens_differ", "5 output tokens, expected 0 to 4"),
        (of_time("it came", 1.0, 0.0), None, ""),
        (of_time("it came", None, 1.0), None, ""),
        (of_time("it came", 1.0, 1.0), None, ""),
        (of_time("it came", 1.5, 1.0), "late", "it came after 1.50 s, allowed 1 s"),
    ],
)  # fmt: skip
def test_expectations(finding, reason, detail):
    if reason is None:
        assert finding is None
    else:
        assert (finding.outcome, finding.reason, finding.detail) == ("fail", reason, detail)
        assert finding.fault_domain is not None


def test_a_body_that_is_no_json():
    assert of_json(b"<html>", {"a": 1}).reason == "json_differs"


@pytest.mark.parametrize("usage", [None, Usage(), Usage(input=3)])
def test_what_is_not_counted_cannot_be_told(usage):
    finding = of_tokens(usage, {"output": (0, 4)})
    assert (finding.outcome, finding.reason) == ("inconclusive", "no_counts")


def test_patterns_and_paths_are_checked():
    check(("^a+$",), ("a.b[0]",))
    with pytest.raises(ValueError, match=r"`\(` is not a pattern: missing \)"):
        check(("(",), ())
    with pytest.raises(ValueError, match="not a path"):
        check((), ("a[",))


def test_a_pattern_cannot_hang():
    started = time.process_time()
    assert pattern("(a*)*(a*)*b$").search("a" * 50_000) is None
    assert time.process_time() - started < 1


def test_long_texts_are_told_in_short():
    assert len(clipped("x" * 1000)) == 60
