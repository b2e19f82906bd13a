"""Covers wire/fault_reading.py: real error bodies and their reasons (protocols.md A6, F; cliproxyapi.md 0 to 4)."""

import json

import pytest
from refusals import (
    CURRENT_QUOTA,
    SPARK,
    anthropic,
    body_of,
    google,
    info,
    openai,
    openrouter,
    violated,
)

from llm_canaries.wire.fault import DOMAINS, Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault

NOW = 1_700_000_000.0
R = FaultReason

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
    ("litellm, cooling", 429, openai("No deployments available for selected model, Try again in 5 seconds. All "
        "deployments for selected model are in cooldown. Passed model=m."), R.COOLDOWN),
    ("litellm, cooling, on messages", 429, anthropic("rate_limit_error", "No deployments available for selected model, "
        "Try again in 5 seconds. All deployments for selected model are in cooldown."), R.COOLDOWN),
    ("canaries proxy, open", 503, openai("no way to m is open; the first one opens in 30 s", "overloaded"), R.COOLDOWN),
    ("canaries proxy, open, on messages", 529, anthropic("overloaded_error",
        "no way to m is open; the first one opens in 30 s"), R.COOLDOWN),
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
    ("cpa, cooldown, as Messages clients get it", 429, anthropic("rate_limit_error",
        "All credentials for model claude-sonnet-4-5 are cooling down"), R.COOLDOWN),
    ("cpa, no credential", 503, openai("auth_unavailable: no auth available (providers=codex, "
        "model=gpt-5.3-codex-spark)", "internal_server_error", "server_error"), R.NO_CREDENTIAL),
    ("cpa, no credential, with a hint", 503, openai("auth_unavailable: no auth available (providers=claude, model=m); "
        "check Claude auth/key session and cooldown state", "internal_server_error", "server_error"), R.NO_CREDENTIAL),
    ("portkey, no such endpoint", 500, {"status": "failure", "message": "messages is not supported by google"},
     R.NO_ROUTE),
    ("portkey, its own fault", 500, {"status": "failure", "message": "Something went wrong"}, R.UPSTREAM_ERROR),
    ("portkey, no config", 400, {"status": "failure", "message": "Either x-portkey-config or x-portkey-provider header "
        "is required"}, R.BAD_REQUEST),
    ("a status that is no code of business", 503, {"status": "unavailable", "message": "no"}, R.OVERLOADED),
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
    ("gemini, key", 400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
        info("API_KEY_INVALID")), R.AUTH),
    ("gemini, region", 400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
     R.PERMISSION),
    ("gemini, billing", 400, google(400, "FAILED_PRECONDITION", "Please enable billing on the project."), R.BILLING),
    ("gemini, argument", 400, google(400, "INVALID_ARGUMENT", "Unable to submit request."), R.BAD_REQUEST),
    ("gemini, signed out", 401, google(401, "UNAUTHENTICATED", "Request had invalid credentials."), R.AUTH),
    ("gemini, denied", 403, google(403, "PERMISSION_DENIED", "Caller lacks permission", info("SERVICE_DISABLED")),
     R.PERMISSION),
    ("gemini, no billing", 403, google(403, "PERMISSION_DENIED", "Billing is off", info("BILLING_DISABLED")),
     R.BILLING),
    ("gemini, aborted", 409, google(409, "ABORTED", "The operation was aborted."), R.UPSTREAM_ERROR),
    ("gemini, quota of a minute", 429, google(429, "RESOURCE_EXHAUSTED", CURRENT_QUOTA,
        violated("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")), R.RATE_LIMITED),
    ("gemini, quota of a day", 429, google(429, "RESOURCE_EXHAUSTED", CURRENT_QUOTA,
        violated("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "GenerateRequestsPerDayPerProjectPerModel")),
     R.QUOTA_EXHAUSTED),
    ("gemini, quota of a plan", 429, google(429, "RESOURCE_EXHAUSTED", "You have exhausted your capacity. "
        "Your quota will reset after 1h2m3s.", info("QUOTA_EXHAUSTED")), R.QUOTA_EXHAUSTED),
    ("gemini, capacity", 429, google(429, "RESOURCE_EXHAUSTED", "No capacity", info("MODEL_CAPACITY_EXHAUSTED")),
     R.OVERLOADED),
    ("gemini, cancelled", 499, google(499, "CANCELLED", "The operation was cancelled."), R.CONNECTION_LOST),
    ("gemini, internal", 500, google(500, "INTERNAL", "An internal error has occurred."), R.UPSTREAM_ERROR),
    ("gemini, deadline", 504, google(504, "DEADLINE_EXCEEDED", "Deadline expired."), R.UPSTREAM_TIMEOUT),
    ("anthropic, conflict", 409, anthropic("conflict_error", "Conflict"), R.UPSTREAM_ERROR),
    ("anthropic, credit", 400, anthropic("invalid_request_error", "Your credit balance is too low to access the API."),
     R.BILLING),
    ("flattened, overloaded", 500, anthropic("overloaded_error", "Overloaded"), R.OVERLOADED),
    ("flattened, key", 400, anthropic("authentication_error", "invalid x-api-key"), R.AUTH),
    ("flattened, permission", 500, anthropic("permission_error", "no"), R.PERMISSION),
    ("flattened, billing", 400, anthropic("billing_error", "no"), R.BILLING),
    ("flattened, rate", 502, anthropic("rate_limit_error", "slow"), R.RATE_LIMITED),
    ("flattened, size", 400, anthropic("request_too_large", "too large"), R.TOO_LARGE),
    ("flattened, timeout", 500, anthropic("timeout_error", "slow"), R.UPSTREAM_TIMEOUT),
    ("bedrock, throttled", 400, {"__type": "com.amazon.coral#ThrottlingException", "message": "Too many requests"},
     R.RATE_LIMITED),
    ("openai, unprocessable", 422, openai("Unprocessable", None, "invalid_request_error"), R.BAD_REQUEST),
    ("openai, conflict", 409, openai("Conflict", None, "conflict"), R.UPSTREAM_ERROR),
    ("openrouter, the provider's own words", 429, openrouter("google", json.dumps(google(429, "RESOURCE_EXHAUSTED",
        "no", violated("GenerateRequestsPerDayPerProjectPerModel")))), R.QUOTA_EXHAUSTED),
    ("openrouter, credits", 402, {"error": {"code": 402, "message": "Insufficient credits"}}, R.BILLING),
    ("openrouter, model", 400, {"error": {"code": 400, "message": "x is not a valid model ID"}}, R.BAD_REQUEST),
    ("fastapi, an object", 429, {"detail": {"error": {"message": "m", "code": "insufficient_quota"}}},
     R.QUOTA_EXHAUSTED),
    ("cpa, 404 of plain text", 404, openai("404 page not found", "model_not_found"), R.NO_ROUTE),
    ("cpa, no credential, with the last error", 503, openai("auth_unavailable: no auth available (providers=codex, "
        "model=m; last upstream error: 429)", "internal_server_error", "server_error"), R.NO_CREDENTIAL),
    ("cpa, synthesised key", 401, openai("Unauthorized", "invalid_api_key", "authentication_error"), R.AUTH),
    ("cpa, synthesised rate", 429, openai("Too Many", "rate_limit_exceeded", "rate_limit_error"), R.RATE_LIMITED),
    ("cpa, synthesised server", 500, openai("boom", "internal_server_error", "server_error"), R.UPSTREAM_ERROR),
    ("cpa, keep-alive before a refusal", 400, "\n\n \n" + json.dumps({"detail": SPARK}), R.MODEL_NOT_SUPPORTED),
]  # fmt: skip


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


def test_the_code_is_the_most_telling_word() -> None:
    nested = body_of(anthropic("rate_limit_error", "slow", details={"error_code": "ramp_limit_exceeded"}))
    assert read_fault(429, (), nested, NOW).code == "ramp_limit_exceeded"
    assert read_fault(404, (), body_of(anthropic("not_found_error", "model: x")), NOW).code == "not_found_error"
    assert read_fault(400, (), body_of({"detail": SPARK}), NOW).message == SPARK
    assert read_fault(401, (), b'{"error":"denied","message":"why"}', NOW) == Fault(
        reason=R.AUTH, status=401, code="denied", message="why"
    )
