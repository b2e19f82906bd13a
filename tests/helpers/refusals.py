"""Error bodies as providers and gateways write them (protocols.md A6)."""

import json

SPARK = "The 'gpt-5.3-codex-spark' model is not supported when using Codex with a ChatGPT account."



def openai(message: str, code: object = None, kind: str = "invalid_request_error", **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "code": code, "param": None} | more}


def anthropic(kind: str, message: str, **more: object) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message} | more, "request_id": "req_1"}


def google(code: int, status: str, message: str, *details: object) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def detail(kind: str, **said: object) -> dict[str, object]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}"} | said


def info(reason: str, **metadata: str) -> dict[str, object]:
    return detail("ErrorInfo", reason=reason, domain="googleapis.com", metadata=metadata)


def violated(*identities: str) -> dict[str, object]:
    return detail("QuotaFailure", violations=[{"quotaId": each, "quotaValue": "10"} for each in identities])


def openrouter(provider: str, raw: object) -> dict[str, object]:
    metadata = {"provider_name": provider, "raw": raw}
    return {"error": {"code": 429, "message": "Provider returned error", "metadata": metadata}}


CURRENT_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def body_of(said: object) -> bytes:
    return said.encode() if isinstance(said, str) else json.dumps(said).encode()
