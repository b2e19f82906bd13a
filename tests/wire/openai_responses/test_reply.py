"""Covers wire/openai_responses/reply.py, usage.py and dialect.py: whole answers, faults, models."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import fold, unfold
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Models, Opaque, Part, Refusal, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.openai_responses.usage import read_responses_usage, write_responses_usage

NAME, MESSAGES = "openai_responses", "anthropic_messages"
DIALECT = DIALECTS[NAME]
TEXT = {"type": "output_text", "text": "a", "annotations": []}
REFUSAL = {"type": "refusal", "refusal": "b"}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [TEXT]}
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}


def answer(*output: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"id": "r", "object": "response", "created_at": 3, "model": "m", "status": status, "output": output} | more


def read(*output: Any, **more: Any) -> Reply:
    return DIALECT.read_reply(json.dumps(answer(*output, **more)).encode())


def written(reply: Reply) -> tuple[dict[str, Any], list[str]]:
    said = DIALECT.write_reply(reply)
    return json.loads(said.body), [f"{loss.where}: {loss.what}" for loss in said.losses]


def foreign(*content: Part, finish: Finish | None = Finish.STOP, **more: Any) -> Reply:
    return Reply(dialect=MESSAGES, id="r", model="m", created=3, content=content, finish=finish, **more)


def test_an_answer() -> None:
    reply = read(
        {"type": "reasoning", "id": "rs", "encrypted_content": "g", "summary": []},
        MESSAGE | {"phase": "final_answer"},
        CALL,
        reasoning={"effort": "low", "summary": "auto"},
        usage={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        store=True,
    )
    assert reply == Reply(
        dialect=NAME,
        id="r",
        model="m",
        created=3,
        content=(
            Thought("", "g", extra={"id": "rs"}),
            Text("a", {"around": {"id": "msg_1", "phase": "final_answer"}}),
            ToolCall("c", "f", "{}", {"id": "fc"}),
        ),
        finish=Finish.TOOL,
        finish_native="completed",
        usage=Usage(input=1, output=2, total_reported=3),
        effort="low",
        extra={"reasoning": {"summary": "auto"}, "store": True},
    )


@pytest.mark.parametrize(
    ("output", "status", "reason", "finish", "native"),
    [
        ([MESSAGE], "completed", None, Finish.STOP, "completed"),
        ([MESSAGE, CALL], "completed", None, Finish.TOOL, "completed"),
        ([MESSAGE | {"content": [REFUSAL]}], "completed", None, Finish.FILTER, "completed"),
        ([CALL], "incomplete", "max_output_tokens", Finish.LENGTH, "incomplete/max_output_tokens"),
        ([], "incomplete", "content_filter", Finish.FILTER, "incomplete/content_filter"),
        ([], "incomplete", "steered", Finish.UNKNOWN, "incomplete/steered"),
        ([], "failed", None, Finish.ERROR, "failed"),
        ([], "cancelled", None, Finish.UNKNOWN, "cancelled"),
        ([], "queued", None, None, None),
        ([], "in_progress", None, None, None),
        ([], "incomplete", None, None, None),
    ],
)  # fmt: skip
def test_how_an_answer_ends(output: Any, status: str, reason: Any, finish: Any, native: Any) -> None:
    details = {"reason": reason} if reason else None
    reply = read(*output, status=status, incomplete_details=details)
    assert (reply.finish, reply.finish_native) == (finish, native)
    body, losses = written(reply)
    assert (body["status"], body["incomplete_details"], losses) == (status, details, [])
    assert (body["error"] is not None) == (status == "failed")


@pytest.mark.parametrize(
    ("finish", "native", "said"),
    [
        (Finish.STOP, "end_turn", ("completed", None)),
        (Finish.LENGTH, "max_tokens", ("incomplete", {"reason": "max_output_tokens"})),
        (Finish.FILTER, "refusal", ("incomplete", {"reason": "content_filter"})),
        (Finish.ERROR, "error", ("failed", None)),
        (None, None, ("incomplete", None)),
    ],
)
def test_what_others_finish_with(finish: Any, native: Any, said: Any) -> None:
    body, losses = written(foreign(Text("a"), finish=finish, finish_native=native))
    assert ((body["status"], body["incomplete_details"]), losses) == (said, [])


def test_finishes_that_cannot_be_said() -> None:
    for finish in (Finish.PAUSE, Finish.STOP_SEQUENCE, Finish.UNKNOWN, Finish.TOOL):
        body, losses = written(foreign(Text("a"), finish=finish, finish_native="odd"))
        assert (body["status"], losses) == ("completed", [f"finish: {finish}, said as completed"])


def test_an_answer_of_others() -> None:
    usage = Usage(input=5, output=3, cache_read=2)
    body, losses = written(foreign(
        Thought("hm", "sig"), Thought(redacted="data"), Text("a"), Refusal("b"), ToolCall("c", "f", "{}"), Text("d"),
        finish=Finish.TOOL, usage=usage, effort="low",
    ))  # fmt: skip
    assert body["output"] == [
        {"type": "reasoning", "id": "rs_r_0", "summary": [{"type": "summary_text", "text": "hm"}],
         "encrypted_content": "anthropic_messages#sig"},
        {"type": "reasoning", "id": "rs_r_1", "summary": [], "encrypted_content": "redacted#anthropic_messages#data"},
        {"type": "message", "id": "msg_r_2", "role": "assistant", "status": "completed",
         "content": [TEXT, REFUSAL]},
        CALL | {"id": "fc_r_3"},
        MESSAGE | {"id": "msg_r_4", "content": [TEXT | {"text": "d"}]},
    ]  # fmt: skip
    assert body["usage"]["input_tokens_details"] == {"cached_tokens": 2}
    assert (body["reasoning"], body["tools"], body["created_at"]) == ({"effort": "low"}, [], 3)
    assert losses == ["usage: reasoning_tokens not known, said as 0"]
    again = DIALECT.read_reply(json.dumps(body).encode())
    assert [(t.text, t.signature, t.redacted) for t in again.thoughts] == [
        ("hm", "anthropic_messages#sig", None), ("", None, "anthropic_messages#data")
    ]  # fmt: skip


def test_blocks_of_others_and_the_message_cut_short() -> None:
    block = Opaque(MESSAGES, {"type": "server_tool_use"})
    body, losses = written(foreign(Text("a"), block, finish=Finish.LENGTH))
    assert [item["status"] for item in body["output"]] == ["incomplete"]
    assert losses == ["content: opaque server_tool_use"]


def test_what_is_said_about_a_text_comes_after_it() -> None:
    cited = TEXT | {"annotations": [{"type": "url_citation"}], "logprobs": [{"token": "a"}]}
    search = {"type": "web_search_call", "id": "ws", "status": "completed"}
    said = answer(MESSAGE | {"content": [cited, TEXT | {"text": "b"}]}, search, MESSAGE | {"id": "msg_2"})
    reply = DIALECT.read_reply(json.dumps(said).encode())
    assert reply.text == "aba"
    assert [type(part).__name__ for part in reply.content] == ["Text", "Opaque", "Text", "Opaque", "Text"]
    assert fold(NAME, unfold(reply)) == reply
    assert written(reply)[0]["output"] == list(said["output"])


def test_an_error_inside_a_200() -> None:
    reply = read(status="failed", error={"code": "server_error", "message": "boom"})
    assert (reply.finish, reply.extra["error"]) == (Finish.ERROR, {"code": "server_error", "message": "boom"})
    assert written(reply)[0]["error"]["message"] == "boom"
    for body in (b'{"error":{"message":"m"}}', b'{"output":"x"}', b'{"choices":[]}', b'{"output":[{}]}', b"<html>"):
        with pytest.raises(WireError):
            DIALECT.read_reply(body)


def test_counts() -> None:
    said = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 14}  # fmt: skip
    usage = Usage(input=9, output=5, reasoning=3, cache_read=4, cache_write=2, total_reported=14)
    assert read_responses_usage(said) == usage
    assert write_responses_usage(usage) == said
    assert write_responses_usage(Usage(input=1, output=2))["total_tokens"] == 3
    broken = read_responses_usage({"input_tokens": -1, "output_tokens_details": {"reasoning_tokens": "many"}})
    assert broken == Usage(broken=("input_tokens", "output_tokens_details.reasoning_tokens"))
    assert read_responses_usage({"prompt_tokens": 5, "completion_tokens": 5}) == Usage()  # chat's shape leaked (B5)


def test_faults() -> None:
    for reason in FaultReason:
        status, body = DIALECT.write_fault(Fault(reason=reason, message="m"))
        assert json.loads(body)["error"]["message"] == "m"
        assert 400 <= status < 600
    status, body = DIALECT.write_fault(Fault(reason=FaultReason.MODEL_NOT_FOUND, message="no model x"))
    assert status == 400
    assert json.loads(body)["error"] == {
        "message": "no model x", "type": "invalid_request_error", "param": "model", "code": "model_not_found"
    }  # fmt: skip
    assert read_fault(status, (), body, 0).reason is FaultReason.MODEL_NOT_FOUND


def test_the_rest_of_the_dialect() -> None:
    assert DIALECT.auth("k") == (("authorization", "Bearer k"),)
    assert (DIALECT.path, DIALECT.models_path) == ("/v1/responses", "/v1/models")
    models = Models(("a", "b"))
    assert DIALECT.read_models(DIALECT.write_models(models)) == models
    body = b'{"input": [ 1.0 ], "model":"a"}'
    assert DIALECT.with_model(body, "/v1/responses", "b") == (b'{"input":[ 1.0 ],"model":"b"}', "/v1/responses")
