"""Covers wire/fault.py: real error bodies (protocols.md A6, F; cliproxyapi.md 0, 1.2, 4.5) and their reasons."""

import json

import pytest

from llm_canaries.wire.fault import (
    DOMAINS,
    Domain,
    Envelope,
    Fault,
    FaultReason,
    is_html,
    read_envelope,
    read_fault,
)

NOW = 1_700_000_000.0
R = FaultReason
SPARK = "The 'gpt-5.3-codex-spark' model is not supported when using Codex with a ChatGPT account."


def openai(message: str, code: object = None, kind: str = "invalid_request_error", **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "code": code, "param": None} | more}


def anthropic(kind: str, message: str, **more: object) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message} | more, "request_id": "req_1"}


TABLE: list[tuple[str, int, object, FaultReason]] = [
    ("openai chat, unknown model", 404, openai("The model `x` does not exist or you do not have access to it.",
                                               "model_not_found"), R.MODEL_NOT_FOUND),
    ("openai responses, unknown model", 400, openai("The requested model 'x' does not exist.", "model_not_found",
                                                    param="model"), R.MODEL_NOT_FOUND),
    ("anthropic, unknown model", 404, anthropic("not_found_error", "model: x"), R.MODEL_NOT_FOUND),
    ("gemini, unknown model", 404, {"error": {"code": 404, "status": "NOT_FOUND", "message":
        "models/x is not found for API version v1beta, or is not supported for generateContent."}}, R.MODEL_NOT_FOUND),
    ("gemini, in a list of one", 404, [{"error": {"code": 404, "status": "NOT_FOUND", "message":
        "models/x is not found for API version v1beta"}}], R.MODEL_NOT_FOUND),
    ("bedrock, unknown model", 400, {"message": "The provided model identifier is invalid."}, R.MODEL_NOT_FOUND),
    ("litellm, unknown model", 400, openai("400: {'error': \"/chat/completions: Invalid model name passed in model=x"),
     R.MODEL_NOT_FOUND),
    ("cpa, unknown model", 400, openai("unknown provider for model X", "model_not_found", param="model"),
     R.MODEL_NOT_FOUND),
    ("cpa, older, unknown model", 502, openai("unknown provider for model X", "internal_server_error", "server_error"),
     R.MODEL_NOT_FOUND),
    ("fastapi, no such path", 404, {"detail": "Not Found"}, R.NO_ROUTE),
    ("plain text, no such path", 404, "404 page not found", R.NO_ROUTE),
    ("html, no such path", 404, "<html><body>model</body></html>", R.NO_ROUTE),
    ("method not allowed", 405, {"detail": "Method Not Allowed"}, R.NO_ROUTE),
    ("spark as detail", 400, {"detail": SPARK}, R.MODEL_NOT_SUPPORTED),
    ("spark as message", 400, openai(SPARK), R.MODEL_NOT_SUPPORTED),
    ("spark, on messages", 400, anthropic("invalid_request_error", json.dumps({"detail": SPARK})),
     R.MODEL_NOT_SUPPORTED),
    ("plan", 400, openai("gpt-5 is not available for your plan"), R.MODEL_NOT_SUPPORTED),
    ("unsupported model", 422, openai("Unsupported model"), R.MODEL_NOT_SUPPORTED),
    ("model unavailable", 400, openai("model unavailable"), R.MODEL_NOT_SUPPORTED),
    ("model_not_supported", 400, openai("no", "model_not_supported"), R.MODEL_NOT_SUPPORTED),
    ("requested model", 400, openai("The requested model is not supported."), R.MODEL_NOT_SUPPORTED),
    ("anthropic, effort", 400, anthropic("invalid_request_error",
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."), R.BAD_REQUEST),
    ("openai, image in a tool message", 400, openai("Invalid 'messages[3]'. Image URLs are only allowed for messages "
        "with role 'user', but this message with role 'tool' contains an image URL."), R.BAD_REQUEST),
    ("openai, order", 400, openai("Messages with role 'tool' must be a response to a preceding message with "
        "'tool_calls'"), R.BAD_REQUEST),
    ("cpa, level", 400, openai('level "x" not supported, valid levels: a, b'), R.BAD_REQUEST),
    ("cpa, budget", 400, openai("budget 5 out of range [128,32768]"), R.BAD_REQUEST),
    ("voyage", 400, {"detail": "input is empty"}, R.BAD_REQUEST),
    ("fastapi list", 422, {"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, R.BAD_REQUEST),
    ("iflow, unsigned", 406, "", R.BAD_REQUEST),
    ("context", 400, openai("This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
     R.TOO_LARGE),
    ("anthropic, long prompt", 400, anthropic("invalid_request_error", "prompt is too long: 300000 tokens"),
     R.TOO_LARGE),
    ("anthropic, large body", 413, anthropic("request_too_large", "Request exceeds the maximum size"), R.TOO_LARGE),
    ("nginx, large body", 413, "<html><title>413 Request Entity Too Large</title></html>", R.TOO_LARGE),
    ("openai, key", 401, openai("Incorrect API key provided: sk-x.", "invalid_api_key"), R.AUTH),
    ("cpa, no key", 401, {"error": "Missing API key"}, R.AUTH),
    ("cpa, wrong key", 401, {"error": "Invalid API key"}, R.AUTH),
    ("anthropic, key", 401, anthropic("authentication_error", "invalid x-api-key"), R.AUTH),
    ("litellm, payment", 402, openai("no balance", "402", "PaymentRequired"), R.BILLING),
    ("anthropic, billing", 402, anthropic("billing_error", "Your credit balance is too low"), R.BILLING),
    ("copilot, quota", 402, openai("You have exceeded your premium request allowance", "quota_exceeded"),
     R.QUOTA_EXHAUSTED),
    ("openai, region", 403, openai("Country, region, or territory not supported", "unsupported_country"),
     R.PERMISSION),
    ("cpa, 403 of plain text", 403, openai("Forbidden", "insufficient_quota", "permission_error"), R.PERMISSION),
    ("anthropic, permission", 403, anthropic("permission_error", "no"), R.PERMISSION),
    ("timeout", 408, openai("Request timeout", "timeout"), R.UPSTREAM_TIMEOUT),
    ("openai, rate", 429, openai("Rate limit reached for gpt-4o", "rate_limit_exceeded", "tokens"), R.RATE_LIMITED),
    ("openai, quota", 429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
     R.QUOTA_EXHAUSTED),
    ("codex, quota", 429, {"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached",
                                     "resets_in_seconds": 90}}, R.QUOTA_EXHAUSTED),
    ("anthropic, rate", 429, anthropic("rate_limit_error", "slow", details={"error_code": "ramp_limit_exceeded"}),
     R.RATE_LIMITED),
    ("gemini, rate", 429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Resource exhausted"}},
     R.RATE_LIMITED),
    ("cpa, cooldown", 429, {"error": {"code": "model_cooldown", "model": "m-429", "reset_seconds": 7, "reset_time":
        "7s", "message": "All credentials for model m-429 are cooling down via provider x"}}, R.COOLDOWN),
    ("cpa, no credential", 503, openai("auth_unavailable: no auth available (providers=codex, "
        "model=gpt-5.3-codex-spark)", "internal_server_error", "server_error"), R.NO_CREDENTIAL),
    ("cpa, no credential, with a hint", 503, openai("auth_unavailable: no auth available (providers=claude, model=m); "
        "check Claude auth/key session and cooldown state", "internal_server_error", "server_error"), R.NO_CREDENTIAL),
    ("anthropic, server", 500, anthropic("api_error", "Internal server error"), R.UPSTREAM_ERROR),
    ("cloudflare", 502, "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>", R.HTML),
    ("cloudflare, origin", 520, "\n <HTML><body>Web server is returning an unknown error</body></HTML>", R.HTML),
    ("bad gateway", 502, openai("upstream", "internal_server_error", "server_error"), R.UPSTREAM_ERROR),
    ("openai, overloaded", 503, openai("The server is overloaded", None, "server_error"), R.OVERLOADED),
    ("gemini, unavailable", 503, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}},
     R.OVERLOADED),
    ("anthropic, timeout", 504, anthropic("timeout_error", "took too long"), R.UPSTREAM_TIMEOUT),
    ("anthropic, overloaded", 529, anthropic("overloaded_error", "Overloaded"), R.OVERLOADED),
    ("openrouter, integer code", 429, {"error": {"code": 429, "message": "Provider returned error", "metadata":
        {"provider_name": "x", "raw": "{}"}}}, R.RATE_LIMITED),
    ("cohere", 404, {"id": "1", "message": "model 'x' not found, make sure the correct model ID was used"},
     R.MODEL_NOT_FOUND),
    ("ollama", 404, {"error": "model 'x' not found"}, R.MODEL_NOT_FOUND),
    ("express, no such path", 404, {"message": "Route GET:/v1/models not found", "error": "Not Found"}, R.NO_ROUTE),
    ("an error in a 200", 200, openai("boom", None, "server_error"), R.ERROR_IN_200),
    ("nothing said", 400, "", R.BAD_REQUEST),
    ("nothing said, teapot", 418, "", R.BAD_REQUEST),
    ("nothing said, 500", 500, "", R.UPSTREAM_ERROR),
]  # fmt: skip


def body_of(said: object) -> bytes:
    return said.encode() if isinstance(said, str) else json.dumps(said).encode()


@pytest.mark.parametrize(("status", "said", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_reasons(status: int, said: object, reason: FaultReason) -> None:
    fault = read_fault(status, (), body_of(said), NOW)
    assert (fault.reason, fault.status) == (reason, status)
    assert fault.domain is DOMAINS[reason]


BUSINESS = {"439": R.AUTH, "449": R.RATE_LIMITED}


@pytest.mark.parametrize(
    ("said", "plain", "mapped"),
    [
        ({"status": "439", "msg": "Your API Token has expired.", "body": None}, R.BUSINESS_ERROR, R.AUTH),
        ({"status": 449, "msg": "You exceeded your rate limit", "body": None}, R.BUSINESS_ERROR, R.RATE_LIMITED),
        ({"status": "434", "msg": "Access to the current AK has been blocked"}, R.BUSINESS_ERROR, R.BUSINESS_ERROR),
        ({"success": False, "code": "439", "message": "no"}, R.BUSINESS_ERROR, R.AUTH),
        ({"success": False, "code": ["439"], "msg": "no"}, R.BUSINESS_ERROR, R.BUSINESS_ERROR),
    ],
)
def test_business_envelopes(said: object, plain: FaultReason, mapped: FaultReason) -> None:
    body = body_of(said)
    assert read_fault(200, (), body, NOW).reason is plain
    assert read_fault(200, (), body, NOW, business=BUSINESS).reason is mapped


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
    nested = body_of(anthropic("rate_limit_error", "slow", details={"error_code": "ramp_limit_exceeded"}))
    assert read_fault(429, (), nested, NOW).code == "ramp_limit_exceeded"
    assert read_fault(404, (), body_of(anthropic("not_found_error", "model: x")), NOW).code == "not_found_error"
    assert read_fault(400, (), body_of({"detail": SPARK}), NOW).message == SPARK
    assert read_fault(401, (), b'{"error":"denied","message":"why"}', NOW) == Fault(
        reason=R.AUTH, status=401, code="denied", message="why"
    )


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
    [(b"<!DOCTYPE html>", True), (b" \n<HTML>", True), (b"<head>", True), (b"<?xml?>", False), (b"{}", False)],
)
def test_is_html(body: bytes, expected: bool) -> None:
    assert is_html(body) is expected


def test_every_reason_has_a_domain() -> None:
    assert set(DOMAINS) == set(FaultReason)
    assert set(DOMAINS.values()) == set(Domain) - {Domain.CANARY}
