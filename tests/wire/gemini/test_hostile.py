"""Covers every reader of wire/gemini: no bytes and no path raise anything but WireError."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spoiling import MANY, PATH, read_asks, read_replies, read_streams, spoiled

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError
from llm_canaries.wire.profile import ModelFacts, Profile
from llm_canaries.wire.sse import Frame

GEMINI = DIALECTS["gemini"]
PARTS: list[dict[str, Any]] = [
    {"text": "t", "thought": True, "thoughtSignature": "QUJD"},
    {"text": "", "thoughtSignature": "YW50aHJvcGljX21lc3NhZ2VzI2FiYw=="},
    {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}, "thought_signature": "QUJD"},
    {"function_call": {"name": "f"}},
    {"executableCode": {"language": "PYTHON", "code": "1"}},
    {"inlineData": {"mimeType": "image/png", "data": "QQ==", "displayName": "d"}, "mediaResolution": {}},
]
RESULTS: list[dict[str, Any]] = [
    {"functionResponse": {"id": "c", "name": "f", "response": {"output": ["a", "b"]},
                          "parts": [{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]}},
    {"function_response": {"name": "f", "response": {"error": "e"}}},
    {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.test/a.pdf"}},
]  # fmt: skip
ASK = {
    "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
    "contents": [
        {"parts": [{"text": "u"}]},
        {"role": "model", "parts": PARTS},
        {"role": "user", "parts": RESULTS},
    ],
    "tools": [
        {"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}},
                                  {"name": "g", "parameters": {"type": "OBJECT", "properties": {
                                      "a": {"type": "ARRAY", "items": {"type": "STRING", "nullable": True}}}}}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}, "retrievalConfig": {}},
    "generationConfig": {"maxOutputTokens": 5, "temperature": 0.5, "topP": 1, "stopSequences": ["x"], "topK": 3,
                         "thinkingConfig": {"thinkingBudget": 5, "thinkingLevel": "LOW", "includeThoughts": True}},
    "safetySettings": [],
}  # fmt: skip
USAGE = {
    "promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "toolUsePromptTokenCount": 1,
    "cachedContentTokenCount": 1, "totalTokenCount": 11, "promptTokensDetails": [{"modality": "IMAGE"}],
}  # fmt: skip
REPLY = {
    "candidates": [
        {"content": {"role": "model", "parts": PARTS}, "finishReason": "STOP", "index": 0, "safetyRatings": []},
        {"content": {"parts": [{"text": "second"}]}, "index": 1},
    ],
    "promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE, "modelVersion": "m", "responseId": "r",
    "createTime": "2026-01-01T00:00:00.5Z",
}  # fmt: skip
CHUNKS = [
    *({"candidates": [{"content": {"parts": [part], "role": "model"}}], "responseId": "r"} for part in PARTS),
    {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}], "usageMetadata": USAGE},
    {"usageMetadata": USAGE},
    {"promptFeedback": {"blockReason": "SAFETY"}},
    {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [{"@type": "x.RetryInfo"}]}},
    REPLY,
]


@MANY
@given(spoiled(ASK))
@example(b'{"contents":[{"parts":[{"functionResponse":{"name":"f"}}]}]}')
@example(b'{"contents":[{"role":[],"parts":[]}]}')
@example(b'{"contents":[{"role":"model","parts":[{"functionResponse":{"response":{}}},{"text":"x"}]}]}')
@example(b'{"contents":[{"parts":[{"functionCall":{"name":"f"}}]}]}')
def test_asks(body: bytes) -> None:
    read_asks("gemini", body)


@MANY
@given(spoiled(ASK), st.sampled_from([True, False, None]))
def test_a_spoiled_ask_is_written_for_any_model(body: bytes, result_parts: bool | None) -> None:
    profile = Profile(models={"*": ModelFacts(result_parts=result_parts)})
    with suppress(WireError):
        ask = GEMINI.read_ask(body, PATH)
        written = GEMINI.write_ask(ask, profile)
        GEMINI.read_ask(written.body, written.path)


@MANY
@given(spoiled(REPLY))
@example(b'{"candidates":[null]}')
@example(b'{"candidates":[],"usageMetadata":[]}')
@example(b'{"candidates":[{"index":1}]}')
@example(b'{"candidates":[],"createTime":"9999-99-99"}')
@example(b'{"candidates":[],"createTime":"0001-01-01T00:00:00+14:00"}')
def test_replies(body: bytes) -> None:
    read_replies("gemini", body)


@MANY
@given(st.lists(spoiled(*CHUNKS), min_size=1, max_size=5))
def test_streams(bodies: list[bytes]) -> None:
    read_streams("gemini", *bodies)


@MANY
@given(st.text(max_size=30) | st.text("/:?%models.generateContent", max_size=60).map("/v1beta/models/{}".format))
def test_paths(path: str) -> None:
    body = b'{"contents":[{"parts":[{"text":"x"}]}]}'
    with suppress(WireError):
        ask = GEMINI.read_ask(body, path)
        assert ask.model
        assert GEMINI.read_ask(body, GEMINI.with_model(body, path, "other/m")[1]).model == "other/m"


@pytest.mark.parametrize("depth", [100, 300, 500, 850, 900, 950, 985, 990, 995, 1000, 1010, 50_000])
def test_deep_nesting(depth: int) -> None:
    nest, objects = "[" * depth + "]" * depth, '{"items":' * depth + "{}" + "}" * depth
    call = {"functionCall": {"name": "f", "args": {"a": "HERE"}}}
    result = {"functionResponse": {"name": "f", "response": {"output": "HERE"}}}
    tools = [{"functionDeclarations": [{"name": "f", "parameters": {"items": "HERE"}}]}]
    for said in (
        {"contents": [{"role": "model", "parts": [call]}]},
        {"contents": [{"parts": [result]}]},
        {"contents": [{"parts": [{"text": "x"}]}], "tools": tools},
        {"candidates": [{"content": {"parts": [call]}}], "usageMetadata": {"more": "HERE"}},
    ):
        for inside in (nest, objects):
            body = json.dumps(said).replace('"HERE"', inside).encode()
            with suppress(WireError):
                ask = GEMINI.read_ask(body, PATH)
                GEMINI.write_ask(ask, Profile())
            with suppress(WireError):
                GEMINI.write_reply(GEMINI.read_reply(body))
            with suppress(WireError):
                GEMINI.reader().feed(Frame(data=body.decode()))
