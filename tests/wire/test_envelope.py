"""Covers wire/envelope.py: what is an error, what is none, and the words in it (protocols.md A6)."""

import json

import pytest

from llm_canaries.wire.envelope import Envelope, is_html, read_envelope

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    "said",
    [
        {"id": "x", "choices": [], "status": "439", "msg": "an answer is no error"},
        {"content": [], "status": "439", "msg": "nor is this"},
        {"success": True, "data": {"choices": []}},
        {"status": "0", "msg": "fine"},
        {"object": "list", "data": []},
        {"type": "message", "message": "x"},
        {"error": None, "choices": []},
        {},
        [],
        [{}, {}],
        "just text",
        5,
    ],
)
def test_what_is_no_error(said: object) -> None:
    assert read_envelope(json.dumps(said).encode(), NOW) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff"])
def test_what_is_not_json_is_no_envelope(body: bytes) -> None:
    assert read_envelope(body, NOW) is None


def test_the_words_of_the_other_side_are_kept() -> None:
    assert read_envelope(b'\n\n{"error":{"message":"m","type":"t","code":429,"param":"p"}}', NOW) == Envelope(
        message="m", code="429", kind="t", param="p"
    )


@pytest.mark.parametrize(
    ("said", "message", "name"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "m", "c"),
        ({"error": {"message": "m", "type": "t", "code": 429}}, "m", "t"),
        ({"error": {"message": "m", "code": 429}}, "m", "429"),
        ({"error": {"message": "m", "code": 404, "status": "NOT_FOUND"}}, "m", "NOT_FOUND"),
        (
            {"error": {"message": "m", "code": 400, "details": [{"@type": "x/google.rpc.ErrorInfo", "reason": "R"}]}},
            "m",
            "R",
        ),
        ({"error": {"message": "m", "type": "t", "details": {"error_code": "ramp"}}}, "m", "ramp"),
        ({"error": {"message": "p", "code": 429, "metadata": {"raw": '{"message":"slow"}'}}}, "p: slow", "429"),
        ({"error": {"message": "p", "code": 429, "metadata": {"raw": {"error": "slow"}}}}, "p: slow", "429"),
        ({"error": {"message": "p", "code": 502, "metadata": {"raw": "bad  gateway"}}}, "p: bad gateway", "502"),
        ({"error": {"message": "p", "code": 502, "metadata": {"raw": 7}}}, "p", "502"),
        ({"error": {"code": 502, "metadata": {"raw": "bad"}}}, "bad", "502"),
        ({"detail": {"message": "inner"}}, "inner", ""),
        ({"detail": {"other": 1}}, '{"other":1}', ""),
        ({"detail": ["a"]}, '["a"]', ""),
        ({"__type": "com.amazon#Slow", "message": "m"}, "m", "Slow"),
        ({"id": "7", "message": "model 'x' not found"}, "model 'x' not found", ""),
        ({"status": "439", "msg": "expired", "body": None}, "expired", "439"),
        ({"error": "denied", "message": "why"}, "why", "denied"),
    ],
)
def test_the_message_and_the_name(said: object, message: str, name: str) -> None:
    envelope = read_envelope(json.dumps(said).encode(), NOW)
    assert envelope is not None
    assert (envelope.message, envelope.name) == (message, name)


@pytest.mark.parametrize("key", ["detail", "error"])
def test_envelopes_in_envelopes_end(key: str) -> None:
    said: object = "deep"
    for _ in range(50):
        said = {"detail": said} if key == "detail" else {"error": {"message": "m", "metadata": {"raw": said}}}
    envelope = read_envelope(json.dumps(said).encode(), NOW)
    assert envelope is not None
    assert len(envelope.message) <= 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"<!DOCTYPE html>", True), (b" \n<HTML>", True), (b"<head>", True), (b"<?xml?>", False), (b"{}", False)],
)
def test_is_html(body: bytes, expected: bool) -> None:
    assert is_html(body) is expected
