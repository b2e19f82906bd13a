"""Covers wire/openai_chat/reply.py and dialect.py: whole answers, faults and model lists."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Models, Opaque, Refusal, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.openai_chat.reply import read_reply, write_reply


def answer(message: dict[str, Any], finish: object = "stop", **more: Any) -> Reply:
    said = {"id": "i", "object": "chat.completion", "created": 3, "model": "m"}
    return read_reply(json.dumps(said | {"choices": [{"message": message, "finish_reason": finish}]} | more).encode())


def test_a_whole_answer() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "a", "reasoning_content": "r", "refusal": "no", "tool_calls": [call]}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    reply = answer(message, "tool_calls", usage=usage, reasoning_effort="low", x=1)
    assert reply == Reply(
        dialect="openai_chat",
        id="i",
        model="m",
        created=3,
        content=(Thought("r"), Text("a"), Refusal("no"), ToolCall("c", "f", "{}")),
        finish=Finish.TOOL,
        finish_native="tool_calls",
        usage=Usage(input=1, output=2),
        effort="low",
        extra={"x": 1},
    )


@pytest.mark.parametrize(
    ("native", "finish", "word"),
    [
        ("stop", Finish.STOP, "stop"),
        ("length", Finish.LENGTH, "length"),
        ("tool_calls", Finish.TOOL, "tool_calls"),
        ("function_call", Finish.TOOL, "function_call"),
        ("content_filter", Finish.FILTER, "content_filter"),
        ("error", Finish.ERROR, "error"),
        ("network_error", Finish.UNKNOWN, "network_error"),
        ("", None, None),
        (None, None, None),
        (5, None, None),
    ],
)
def test_finishes(native: object, finish: Finish | None, word: str | None) -> None:
    reply = answer({"content": "x"}, native)
    assert (reply.finish, reply.finish_native) == (finish, word)
    assert json.loads(write_reply(reply).body)["choices"][0]["finish_reason"] == word


@pytest.mark.parametrize("body", [{}, {"choices": None}, {"choices": {}}, [], {"error": {"message": "x"}}])
def test_what_is_no_answer(body: object) -> None:
    with pytest.raises(WireError):
        read_reply(json.dumps(body).encode())


@pytest.mark.parametrize("choices", [[], [None], [{}], [{"message": None}], [{"message": {"content": ""}}]])
def test_an_answer_that_says_nothing(choices: list[object]) -> None:
    reply = read_reply(json.dumps({"choices": choices}).encode())
    assert (reply.content, reply.finish, reply.usage) == ((), None, None)


def test_only_one_spelling_of_reasoning_is_read() -> None:
    assert answer({"reasoning": "r", "content": "a"}).content == (Thought("r"), Text("a"))
    assert answer({"reasoning": "r", "reasoning_content": "r"}).content == (Thought("r"),)


def test_mistral_says_its_thoughts_in_parts() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "so"}]
    assert answer({"content": parts}).content == (Thought("hm"), Text("so"))


def test_native_blocks_come_back_to_where_they_stood() -> None:
    message = {
        "role": "assistant",
        "content": "x",
        "refusal": None,
        "annotations": [{"type": "url_citation"}],
        "function_call": {"name": "f", "arguments": "{}"},
        "tool_calls": [{"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}}],
    }
    reply = answer(message)
    written = write_reply(reply)
    assert written.losses == ()
    assert json.loads(written.body)["choices"][0]["message"] == message
    lost = write_reply(Reply(dialect="x", id="", model="", content=(Opaque("x", {"type": "odd"}),))).losses
    assert [(loss.where, loss.what) for loss in lost] == [("content", "opaque odd")]


def test_groq_keeps_its_usage_elsewhere() -> None:
    reply = answer({"content": "x"}, x_groq={"usage": {"prompt_tokens": 4}})
    assert reply.usage == Usage(input=4)


@pytest.mark.parametrize("reason", list(FaultReason))
def test_a_written_fault_is_an_error_again(reason: FaultReason) -> None:
    status, body = DIALECTS["openai_chat"].write_fault(Fault(reason=reason, message="m"))
    said = json.loads(body)["error"]
    assert (said["message"], said["param"], status >= 400) == ("m", None, True)
    again = read_fault(status, (), body, 0)
    assert again.message == "m"
    kept = {FaultReason.AUTH, FaultReason.PERMISSION, FaultReason.RATE_LIMITED, FaultReason.QUOTA_EXHAUSTED,
            FaultReason.MODEL_NOT_FOUND, FaultReason.MODEL_NOT_SUPPORTED, FaultReason.BAD_REQUEST,
            FaultReason.TOO_LARGE, FaultReason.OVERLOADED}  # fmt: skip
    assert (again.reason is reason) or reason not in kept


def test_the_providers_own_code_is_kept() -> None:
    _, body = DIALECTS["openai_chat"].write_fault(Fault(reason=FaultReason.RATE_LIMITED, code="ramp", message="m"))
    assert json.loads(body)["error"]["code"] == "ramp"


def test_models() -> None:
    dialect = DIALECTS["openai_chat"]
    assert dialect.read_models(dialect.write_models(Models(("b", "a")))) == Models(("b", "a"))
    assert dialect.read_models(b'{"data":[{"id":"a"},{"id":5},{},null,{"id":""}]}') == Models(("a",))
    assert dialect.write_models(Models(())) == b'{"object":"list","data":[]}'
    with pytest.raises(WireError, match="data: expected an array"):
        dialect.read_models(b'{"models":[]}')
