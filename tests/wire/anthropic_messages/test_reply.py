"""Covers wire/anthropic_messages/reply.py and dialect.py: whole answers, faults and model lists."""

import json
from typing import Any

import pytest

from llm_canaries.wire.anthropic_messages.reply import read_reply, write_reply
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Models, Opaque, Refusal, Reply, Text, Thought, ToolCall, Usage

NAME = "anthropic_messages"


def answer(*blocks: dict[str, Any], **more: Any) -> Reply:
    said = {"id": "i", "type": "message", "role": "assistant", "model": "m", "content": list(blocks)}
    return read_reply(json.dumps(said | more).encode())


def test_a_whole_answer() -> None:
    reply = answer(
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {"n": 12345678901234567890123}},
        {"type": "server_tool_use", "id": "x"},
        stop_reason="stop_sequence",
        stop_sequence="END",
        usage={"input_tokens": 1, "output_tokens": 2},
        output_config={"effort": "low"},
        container=None,
    )
    assert reply == Reply(
        dialect=NAME,
        id="i",
        model="m",
        content=(
            Thought("t", "s"),
            Text("a"),
            ToolCall("c", "f", '{"n":12345678901234567890123}'),
            Opaque(NAME, {"type": "server_tool_use", "id": "x"}),
        ),
        finish=Finish.STOP_SEQUENCE,
        finish_native="stop_sequence",
        stop_sequence="END",
        usage=Usage(input=1, output=2),
        effort="low",
        extra={"container": None},
    )
    assert read_reply(write_reply(reply).body) == reply


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP_SEQUENCE),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("tool_use", Finish.TOOL),
        ("refusal", Finish.FILTER),
        ("pause_turn", Finish.PAUSE),
        ("a_new_word", Finish.UNKNOWN),
        (None, None),
    ],
)
def test_finishes(native: str | None, finish: Finish | None) -> None:
    reply = answer(stop_reason=native)
    assert (reply.finish, reply.finish_native) == (finish, native)
    assert json.loads(write_reply(reply).body)["stop_reason"] == native


@pytest.mark.parametrize("body", [{}, {"content": None}, {"content": "text"}, [], {"type": "error", "error": {}}])
def test_what_is_no_answer(body: object) -> None:
    with pytest.raises(WireError):
        read_reply(json.dumps(body).encode())


def test_wrong_types_of_optional_fields_count_as_absent() -> None:
    reply = answer(stop_reason=5, stop_sequence=5, usage=[], output_config=5)
    assert (reply.finish, reply.stop_sequence, reply.usage, reply.effort) == (None, None, None, None)


def test_an_unsealed_thought_may_be_shown() -> None:
    reply = Reply(dialect="openai_chat", id="i", model="m", content=(Thought("t"), Refusal("no")))
    assert json.loads(write_reply(reply).body)["content"] == [
        {"type": "thinking", "thinking": "t", "signature": ""},
        {"type": "text", "text": "no"},
    ]
    assert answer({"type": "thinking", "thinking": "t", "signature": ""}).content == (Thought("t"),)


def test_an_unknown_finish_keeps_its_word_and_an_error_is_a_loss() -> None:
    odd = Reply(dialect="openai_chat", id="i", model="m", finish=Finish.UNKNOWN, finish_native="network_error")
    assert json.loads(write_reply(odd).body)["stop_reason"] == "network_error"
    failed = Reply(dialect="openai_chat", id="i", model="m", finish=Finish.ERROR, finish_native="error")
    assert [(loss.where, loss.what) for loss in write_reply(failed).losses] == [("finish", "error, said as end_turn")]


@pytest.mark.parametrize("reason", list(FaultReason))
def test_a_written_fault_is_an_error_again(reason: FaultReason) -> None:
    status, body = DIALECTS[NAME].write_fault(Fault(reason=reason, message="m"))
    said = json.loads(body)
    assert (said["type"], said["error"]["message"], status >= 400) == ("error", "m", True)
    again = read_fault(status, (), body, 0)
    kept = {FaultReason.AUTH, FaultReason.BILLING, FaultReason.PERMISSION, FaultReason.RATE_LIMITED,
            FaultReason.BAD_REQUEST, FaultReason.TOO_LARGE, FaultReason.OVERLOADED,
            FaultReason.UPSTREAM_TIMEOUT}  # fmt: skip
    assert (again.reason is reason) or reason not in kept


def test_models() -> None:
    dialect = DIALECTS[NAME]
    body = dialect.write_models(Models(("b", "a")))
    said = json.loads(body)
    assert (said["first_id"], said["last_id"], said["has_more"]) == ("b", "a", False)
    assert dialect.read_models(body) == Models(("b", "a"))
    assert json.loads(dialect.write_models(Models(()))) == {"data": [], "has_more": False}
    with pytest.raises(WireError, match="data: expected an array"):
        dialect.read_models(b'{"data":{}}')
