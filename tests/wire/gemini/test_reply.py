"""Covers wire/gemini/reply.py, finish.py, usage.py, seals.py and errors.py by example."""

import json
from typing import Any

import pytest
from google.genai.types import BlockedReason, FinishReason

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.gemini.finish import finish_of
from llm_canaries.wire.gemini.usage import read_usage
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Opaque, Part, Refusal, Reply, Text, Thought, ToolCall, Usage

GEMINI = DIALECTS["gemini"]
R = FaultReason


def reply_of(*parts: dict[str, Any], **candidate: Any) -> Reply:
    said = {"candidates": [{"content": {"role": "model", "parts": list(parts)}} | candidate], "responseId": "r"}
    return GEMINI.read_reply(json.dumps(said).encode())


def written(reply: Reply) -> tuple[dict[str, Any], list[str]]:
    found = GEMINI.write_reply(reply)
    return json.loads(found.body), [f"{loss.where}: {loss.what}" for loss in found.losses]


def parts_of(reply: Reply) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = written(reply)[0]["candidates"][0]["content"]["parts"]
    return parts


def reply(*content: Part, dialect: str = "anthropic_messages", **more: Any) -> Reply:
    return Reply(dialect=dialect, id="i", model="m", content=content, **more)


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([{"text": "a"}, {"text": "b"}], (Text("ab"),)),
        ([{"text": "a", "thought": True}, {"text": "b", "thought": True}, {"text": "c"}], (Thought("ab"), Text("c"))),
        ([{"text": "a", "thought": True, "thoughtSignature": "QQ=="}], (Thought("a", "QQ=="),)),
        (
            [{"text": "a", "thought": True, "thoughtSignature": "QQ=="}, {"text": "b", "thought": True}],
            (Thought("a", "QQ=="), Thought("b")),
        ),
        (
            [{"text": "a", "thought": True}, {"text": "", "thought": True, "thoughtSignature": "QQ=="}],
            (Thought("a", "QQ=="),),
        ),
        ([{"text": "a"}, {"text": "b", "thoughtSignature": "QQ=="}, {"text": "c"}],
         (Text("a"), Thought("", "QQ=="), Text("bc"))),
        ([{"text": "a"}, {"text": "", "thoughtSignature": "QQ=="}],
         (Text("a"), Thought("", "QQ==", extra={"thought": None}))),
        ([{"text": "", "thought": True, "thoughtSignature": "QQ=="}, {"text": "a"}],
         (Thought("", "QQ==", extra={"thought": True}), Text("a"))),
        ([{"text": ""}], ()),
        ([{"text": "a", "partMetadata": {}}, {"text": "b"}], (Text("a", {"partMetadata": {}}), Text("b"))),
        ([{"executableCode": {"code": "1"}, "thoughtSignature": "QQ=="}, {"text": "b"}],
         (Opaque("gemini", {"executableCode": {"code": "1"}, "thoughtSignature": "QQ=="}), Text("b"))),
        ([{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}],
         (Opaque("gemini", {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}),)),
    ],
)  # fmt: skip
def test_parts(parts: list[dict[str, Any]], content: tuple[Part, ...]) -> None:
    found = reply_of(*parts)
    assert found.content == content
    again, losses = written(found)
    assert GEMINI.read_reply(json.dumps(again).encode()).content == content
    assert losses == []


def test_calls_have_ids_that_stay_and_go() -> None:
    parts = [
        {"functionCall": {"name": "get.weather:now", "args": {"n": 1}}, "thoughtSignature": "QQ=="},
        {"functionCall": {"name": "f", "id": "own"}},
        {"functionCall": {"name": "get.weather:now", "args": {}}},
    ]
    found = reply_of(*parts, finishReason="STOP")
    thought, first, second, third = found.content
    assert thought == Thought("", "QQ==")
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert isinstance(third, ToolCall)
    assert second == ToolCall("own", "f", "{}")
    assert first.id != third.id
    assert all(part.id.replace("_", "a").isalnum() and len(part.id) <= 40 for part in (first, third))
    assert reply_of(*parts, finishReason="STOP") == found
    assert parts_of(found) == [*parts[:1], {"functionCall": {"name": "f", "id": "own", "args": {}}}, parts[2]]
    assert (found.finish, found.finish_native) == (Finish.TOOL, "STOP")
    chat = DIALECTS["openai_chat"].write_reply(found)
    assert not any("id" in loss.what for loss in chat.losses)
    said = json.loads(chat.body)["choices"][0]
    assert said["finish_reason"] == "tool_calls"
    assert [call["id"] for call in said["message"]["tool_calls"]] == [first.id, "own", third.id]


def test_every_reason_to_stop_that_google_documents_is_known() -> None:
    for reason in FinishReason:
        if reason is FinishReason.FINISH_REASON_UNSPECIFIED:
            assert finish_of(reason.value, False) is None
            continue
        finish = finish_of(reason.value, False)
        assert finish not in (None, Finish.UNKNOWN, Finish.TOOL), reason
        if "SAFETY" in reason.value or "PROHIBITED" in reason.value or "RECITATION" in reason.value:
            assert finish is Finish.FILTER
    assert finish_of("NEW", False) is Finish.UNKNOWN
    assert finish_of("STOP", True) is Finish.TOOL
    assert finish_of("MAX_TOKENS", True) is Finish.LENGTH
    assert finish_of("", True) is finish_of(None, True) is finish_of(5, True) is None


@pytest.mark.parametrize(
    ("finish", "calls", "word", "lost"),
    [
        (Finish.STOP, False, "STOP", []),
        (Finish.TOOL, True, "STOP", []),
        (Finish.LENGTH, True, "MAX_TOKENS", []),
        (Finish.FILTER, False, "SAFETY", []),
        (Finish.ERROR, False, "OTHER", []),
        (Finish.STOP_SEQUENCE, False, "STOP", ["finish: stop_sequence, said as STOP"]),
        (Finish.PAUSE, False, "STOP", ["finish: pause, said as STOP"]),
        (Finish.UNKNOWN, False, "odd_word", []),
        (Finish.TOOL, False, "STOP", ["finish: tool, said as STOP"]),
        (Finish.STOP, True, "STOP", ["finish: stop, said as STOP"]),
    ],
)
def test_reasons_from_elsewhere(finish: Finish, calls: bool, word: str, lost: list[str]) -> None:
    content: tuple[Part, ...] = (ToolCall("a", "f", "{}"),) if calls else (Text("x"),)
    said, losses = written(reply(*content, finish=finish, finish_native="odd_word"))
    assert (said["candidates"][0]["finishReason"], losses) == (word, lost)


@pytest.mark.parametrize("reason", [each.value for each in BlockedReason])
def test_a_blocked_prompt_has_no_candidate(reason: str) -> None:
    said = {"promptFeedback": {"blockReason": reason, "safetyRatings": []}, "usageMetadata": {"promptTokenCount": 5},
            "modelVersion": "m"}  # fmt: skip
    found = GEMINI.read_reply(json.dumps(said).encode())
    assert (found.finish, found.finish_native, found.content) == (Finish.FILTER, reason, ())
    assert written(found) == (said, [])
    assert json.loads(DIALECTS["anthropic_messages"].write_reply(found).body)["stop_reason"] == "refusal"


def test_what_stands_beside_the_answer_comes_back_and_is_declared_elsewhere() -> None:
    said = {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "STOP", "index": 0,
             "finishMessage": "m", "safetyRatings": []},
            {"content": {"parts": [{"text": "second"}]}, "index": 1},
        ],
        "usageMetadata": {"promptTokenCount": 5, "toolUsePromptTokenCount": 2, "candidatesTokenCount": 1,
                          "totalTokenCount": 8, "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 5}]},
        "modelVersion": "m", "responseId": "r", "createTime": "2023-11-14T22:13:20Z", "modelStatus": {},
    }  # fmt: skip
    found = GEMINI.read_reply(json.dumps(said).encode())
    assert (found.id, found.model, found.created, found.text) == ("r", "m", 1_700_000_000, "x")
    assert found.usage == Usage(input=7, output=1, total_reported=8)
    assert written(found) == (said, [])
    losses = {loss.what for loss in DIALECTS["openai_chat"].write_reply(found).losses}
    assert losses == {
        "field candidates", "field candidate.finishMessage", "field candidate.safetyRatings", "field modelStatus",
        "field usageMetadata.toolUsePromptTokenCount", "field usageMetadata.promptTokensDetails",
    }  # fmt: skip


def test_what_an_answer_cannot_say_is_declared() -> None:
    found = reply(Refusal("no"), Opaque("anthropic_messages", {}), effort="high",
                  usage=Usage(input=5, output=1, cache_write=3), extra={"container": {}})  # fmt: skip
    said, losses = written(found)
    assert said["candidates"][0]["content"]["parts"] == [{"text": "no"}]
    assert losses == [
        "reply: field container",
        "content: refusal, said as text",
        "content: opaque nothing",
        "usage: cache_write 3",
        "reply: effort high",
    ]


def test_counts() -> None:
    assert read_usage({"promptTokenCount": 5, "totalTokenCount": 5}) == Usage(input=5, total_reported=5)
    assert read_usage({"prompt_token_count": 5, "thoughts_token_count": 3}) == Usage(input=5, output=3, reasoning=3)
    assert read_usage({"promptTokenCount": -1, "candidatesTokenCount": "x"}).broken == (
        "promptTokenCount",
        "candidatesTokenCount",
    )
    for usage in (Usage(), Usage(input=0, output=0), Usage(input=5, output=3, reasoning=3, cache_read=2)):
        again = GEMINI.read_reply(GEMINI.write_reply(reply(Text("x"), dialect="gemini", usage=usage)).body).usage
        assert again is not None
        assert (again.input, again.output, again.reasoning) == (usage.input, usage.output, usage.reasoning)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"error":{"code":400}}', b'{"candidates":{}}', b"<html>",
                                  b'{"candidates":[],"error":{"code":400,"message":"m"}}'])  # fmt: skip
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(WireError):
        GEMINI.read_reply(body)


def test_an_answer_that_says_nothing_is_one() -> None:
    found = GEMINI.read_reply(b'{"usageMetadata":{"promptTokenCount":5},"modelVersion":"m"}')
    assert (found.content, found.finish, found.usage) == ((), None, Usage(input=5))


@pytest.mark.parametrize(
    "reason",
    [
        R.AUTH, R.BILLING, R.PERMISSION, R.RATE_LIMITED, R.QUOTA_EXHAUSTED, R.COOLDOWN, R.MODEL_NOT_FOUND, R.NO_ROUTE,
        R.MODEL_NOT_SUPPORTED, R.BAD_REQUEST, R.TOO_LARGE, R.OVERLOADED, R.NO_CREDENTIAL, R.UPSTREAM_TIMEOUT,
        R.UPSTREAM_ERROR,
    ],
)  # fmt: skip
def test_a_fault_reads_as_it_was_written(reason: FaultReason) -> None:
    status, body = GEMINI.write_fault(Fault(reason=reason, message="so it is", retry_after=1.5))
    error = json.loads(body)["error"]
    assert error["code"] == status
    again = read_fault(status, (), body, 0)
    assert (again.reason, again.message, again.retry_after) == (reason, "so it is", 1.5)


def test_the_providers_own_code_is_kept() -> None:
    _, body = GEMINI.write_fault(Fault(reason=R.RATE_LIMITED, code="insufficient_quota"))
    assert json.loads(body)["error"]["details"][0]["reason"] == "insufficient_quota"
    _, body = GEMINI.write_fault(Fault(reason=R.RATE_LIMITED, code="429"))
    assert "details" not in json.loads(body)["error"]
