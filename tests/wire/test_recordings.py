"""Covers wire/openai_chat and wire/anthropic_messages against exchanges with real providers.

The folder is found through WIRE_RECORDINGS_DIR; by default it lies beside the checkout.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaMessage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import read_envelope
from llm_canaries.wire.event import Broken, End, Event, Finished, Head, Liveness, UsageSeen, fold, unfold
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Reply, Usage
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.usage_laws import Law, broken_laws

BESIDE = Path(__file__).parents[2] / ".." / "shared" / "recordings"
FOLDER = Path(os.environ.get("WIRE_RECORDINGS_DIR") or BESIDE)
NAMES = ("openai_chat", "anthropic_messages")

# A demo endpoint that answers "echo": the request was recorded for its headers, no model was asked.
ECHO = "test_openai/test_text_response#0"
# Groq refuses the model's own tool call in mid-stream: an error object under a 200, then nothing.
CUT = "test_groq/test_tool_use_failed_error_streaming#0"

LAWS = {
    # Google's compatible endpoint: the total holds thoughts that no other field does (protocols.md B2)
    "test_openai/test_compatible_api_with_tool_calls_without_id#0": (Law.TOTAL_MISMATCH_HIDDEN_REASONING,),
    "test_openai/test_compatible_api_with_tool_calls_without_id#1": (Law.TOTAL_MISMATCH_HIDDEN_REASONING,),
    # OpenRouter passes on a prompt of 0 tokens for a video
    "test_openrouter/test_openrouter_video_url_public_api#0": (Law.INPUT_ZERO,),
}
FAULTS = {
    "test_openai/test_openai_o1_mini_system_role[system]#0": FaultReason.BAD_REQUEST,
    "test_groq/test_tool_use_failed_error_with_text#0": FaultReason.BAD_REQUEST,
    "test_model_name_suggestions/test_model_name_suggestion[groq]#0": FaultReason.MODEL_NOT_FOUND,
    "test_anthropic/test_anthropic_explicit_effort_xhigh_unsupported_model_errors#0": FaultReason.BAD_REQUEST,
    "test_model_name_suggestions/test_model_name_suggestion[anthropic]#0": FaultReason.MODEL_NOT_FOUND,
}


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    path = FOLDER / f"{name}.jsonl"
    if not path.is_file():
        return ()
    return tuple(json.loads(line) for line in path.read_text().splitlines())


def of_kind(kind: str) -> list[Any]:
    """The exchanges whose answer is a fault, a stream, a whole reply, or any, as parameters."""
    found = []
    for name in NAMES:
        for row in rows(name):
            streamed = isinstance(row["response"], str)
            answer = "echo" if row["id"] == ECHO else "stream" if streamed else "reply"
            own = "fault" if row["status"] >= 400 else answer
            if kind in (own, "any"):
                found.append(pytest.param(name, row, id=f"{name}-{row['id']}"))
    missing = pytest.mark.skipif(not os.environ.get("CI"), reason=f"no recordings in {FOLDER}: set WIRE_RECORDINGS_DIR")
    return found or [pytest.param("", {}, id="none", marks=missing)]


def ask_of(name: str, row: dict[str, Any]) -> Ask:
    assert row, f"CI needs the recordings: none in {FOLDER}"
    return DIALECTS[name].read_ask(json.dumps(row["request"]).encode(), row["path"])


def body_of(row: dict[str, Any]) -> bytes:
    assert row, f"CI needs the recordings: none in {FOLDER}"
    answer = row["response"]
    return answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()


def events_of(name: str, body: bytes, step: int) -> list[Event]:
    decoder, reader = Decoder(), DIALECTS[name].reader()
    events: list[Event] = []
    for start in range(0, len(body), step):
        for frame in decoder.feed(body[start : start + step]):
            events += reader.feed(frame)
    for frame in decoder.close():
        events += reader.feed(frame)
    return [*events, *reader.close()]


def plain(value: Any) -> Any:
    """`value` without nulls, and a lone text part as the string that it holds."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if each is not None}
    if not isinstance(value, list):
        return value
    if len(value) == 1 and isinstance(value[0], dict) and value[0].keys() == {"type", "text"}:
        return value[0]["text"]
    return [plain(each) for each in value]


def normal(request: dict[str, Any]) -> dict[str, Any]:
    """A request with what means the same said in the same way."""
    said = plain(request)
    if said.get("stream") is False:
        del said["stream"]
    turns: list[dict[str, Any]] = []
    for turn in said["messages"]:
        if turn["role"] == "assistant" and not turn.get("content"):
            turn = {key: value for key, value in turn.items() if key != "content"}  # null, absent, "" and []
        if turns and turn["role"] == "user" == turns[-1]["role"]:
            both = [
                [{"type": "text", "text": each}] if isinstance(each, str) else each
                for each in (turns[-1]["content"], turn["content"])
            ]
            turn = turns.pop() | turn | {"content": both[0] + both[1]}
        turns.append(turn)
    for tool in said.get("tools", []):
        if "function" in tool:
            tool.setdefault("type", "function")  # Mistral's client leaves it out
    return said | {"messages": turns}


@pytest.mark.parametrize(("name", "row"), of_kind("any"))
def test_a_request_survives_the_hub(name: str, row: dict[str, Any]) -> None:
    ask = ask_of(name, row)
    cap = "max_tokens" if "max_tokens" in row["request"] else "max_completion_tokens"
    written = DIALECTS[name].write_ask(ask, Profile(tool_images=True, max_tokens_field=cap))
    assert written.losses == ()
    assert normal(json.loads(written.body)) == normal(row["request"])
    assert DIALECTS[name].read_ask(written.body, written.path) == ask


@pytest.mark.parametrize(("name", "row"), of_kind("reply"))
def test_a_whole_reply_survives_the_hub(name: str, row: dict[str, Any]) -> None:
    body = body_of(row)
    reply = DIALECTS[name].read_reply(body)
    written = DIALECTS[name].write_reply(reply)
    assert written.losses == ()
    assert DIALECTS[name].read_reply(written.body) == reply
    assert fold(name, unfold(reply)) == reply
    assert read_envelope(body, 0) is None
    assert reply.content
    assert reply.finish is not None
    check_usage(name, row, reply)


@pytest.mark.parametrize(("name", "row"), of_kind("reply"))
def test_official_types_accept_what_is_written(name: str, row: dict[str, Any]) -> None:
    body = DIALECTS[name].write_reply(DIALECTS[name].read_reply(body_of(row))).body
    if name == "openai_chat":
        said = json.loads(body)
        for key in ("usage", "service_tier", "moderation"):  # providers fill these in their own ways
            said.pop(key, None)
        message = ChatCompletion.model_validate(said).choices[0].message
        assert message.content is not None or message.tool_calls or message.refusal
    else:
        assert TypeAdapter(AnthropicMessage | BetaMessage).validate_json(body).content  # MCP blocks are beta


@pytest.mark.parametrize(("name", "row"), of_kind("stream"))
def test_a_stream_is_read_to_its_end(name: str, row: dict[str, Any]) -> None:
    body = body_of(row)
    events = events_of(name, body, len(body))
    for step in (1, 7, 1024):
        assert events_of(name, body, step) == events
    assert isinstance(next(event for event in events if not isinstance(event, Liveness)), Head)
    reply = fold(name, events)
    assert reply is not None
    assert fold(name, unfold(reply)) == reply
    if row["id"] == CUT:
        (broken,) = (event.fault for event in events if isinstance(event, Broken))
        assert (broken.reason, broken.code) == (FaultReason.STREAM_ERROR, "tool_use_failed")
        assert reply.finish is None
        return
    assert isinstance(events[-1], End)
    assert sum(isinstance(event, Finished) for event in events) == 1
    assert [event.usage for event in events if isinstance(event, UsageSeen)][-1] == reply.usage
    check_usage(name, row, reply)


@pytest.mark.parametrize(("name", "row"), of_kind("stream"))
def test_a_stream_says_what_its_deltas_say(name: str, row: dict[str, Any]) -> None:
    """The visible words, added up from the raw lines without our decoder, reader or fold."""
    lines = [line[6:] for line in body_of(row).decode().splitlines() if line.startswith("data: {")]
    words = ""
    for said in map(json.loads, lines):
        for choice in said.get("choices", []):
            words += choice["delta"].get("content") or ""
        if said.get("type") == "content_block_start" and said["content_block"]["type"] == "text":
            words += said["content_block"]["text"]
        if said.get("type") == "content_block_delta" and said["delta"]["type"] == "text_delta":
            words += said["delta"]["text"]
    reply = fold(name, events_of(name, body_of(row), 4096))
    assert reply is not None
    assert reply.text == words


@pytest.mark.parametrize(("name", "row"), of_kind("stream"))
def test_a_stream_written_again_says_the_same(name: str, row: dict[str, Any]) -> None:
    reply = fold(name, events_of(name, body_of(row), 4096))
    assert reply is not None
    writer = DIALECTS[name].writer(Head(dialect=name, id=reply.id, model=reply.model, created=reply.created))
    body = b"".join(writer.feed(event) for event in unfold(reply)) + writer.close()
    again = fold(name, events_of(name, body, 4096))
    assert again is not None
    assert (again.text, again.finish, again.finish_native) == (reply.text, reply.finish, reply.finish_native)
    assert [(call.id, call.name, call.arguments) for call in again.calls] == [
        (call.id, call.name, call.arguments) for call in reply.calls
    ]
    assert [(each.text, each.signature) for each in again.thoughts] == [
        (each.text, each.signature) for each in reply.thoughts
    ]
    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for line in body.decode().splitlines():
        if line.startswith("data: {") and name == "openai_chat":
            ChatCompletionChunk.model_validate_json(line[6:])
        elif line.startswith("data: {") and not reply_is_opaque(reply):
            events.validate_json(line[6:])


def reply_is_opaque(reply: Reply) -> bool:
    """Whether a block of a kind that the hub has no word for is among the parts."""
    return any(type(part).__name__ == "Opaque" for part in reply.content)


@pytest.mark.parametrize(("name", "row"), of_kind("fault"))
def test_a_refusal_is_classified(name: str, row: dict[str, Any]) -> None:
    fault = read_fault(row["status"], (), body_of(row), 0)
    assert fault.reason is FAULTS[row["id"]]
    assert fault.message == row["response"]["error"]["message"]
    with pytest.raises(WireError):
        DIALECTS[name].read_reply(body_of(row))


@pytest.mark.parametrize(("name", "row"), of_kind("echo"))
def test_a_page_that_is_no_answer_is_none(name: str, row: dict[str, Any]) -> None:
    body = body_of(row)
    assert row["headers"]["content-type"] == ["text/plain"]
    with pytest.raises(WireError, match="not JSON"):
        DIALECTS[name].read_reply(body)
    assert events_of(name, body, 3) == []
    assert read_envelope(body, 0) is None


def check_usage(name: str, row: dict[str, Any], reply: Reply) -> None:
    cap = ask_of(name, row).max_tokens
    assert reply.usage is not None
    assert broken_laws(reply.usage, said_something=bool(reply.content), cap=cap) == LAWS.get(row["id"], ())
    assert reply.usage != Usage()
