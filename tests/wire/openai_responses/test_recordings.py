"""Covers wire/openai_responses/ against exchanges with real providers (see tests/wire/test_recordings.py)."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import read_envelope
from llm_canaries.wire.event import End, Event, Finished, Head, Liveness, UsageSeen, fold, unfold
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Opaque, Part, Reply, Thought
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.usage_laws import Law, broken_laws

NAME = "openai_responses"
DIALECT = DIALECTS[NAME]
BESIDE = Path(__file__).parents[3] / ".." / "shared" / "recordings"
FOLDER = Path(os.environ.get("WIRE_RECORDINGS_DIR") or BESIDE)

WORDS = ("message", "reasoning", "function_call")  # items that the hub has words for
BACKGROUND = {  # accepted to be answered later: no content, no finish, no usage
    "test_openai_responses/test_background_mode_vcr#0",
    "test_openai_responses/test_background_mode_with_tool_vcr#0",
    "test_openai_responses/test_background_mode_with_tool_vcr#2",
}
INVENTED = {  # replies that were written by hand, with the status "complete" and without what official types want
    "test_openai_responses/test_openai_previous_response_id_auto_mode#0",
    "test_openai_responses/test_openai_responses_verbosity#0",
}
LAWS = {  # OpenAI's own first week: an answer with counts of zero
    "test_openai_responses/test_openai_responses_model_retry#0": (Law.OUTPUT_ZERO, Law.INPUT_ZERO),
}
FAULTS = {
    "test_openai_responses/test_openai_responses_thinking_with_modified_history#1": FaultReason.BAD_REQUEST,
    "test_multimodal_tool_returns/test_multimodal_tool_return_matrix[direct-url-audio-openai_responses]#1":
        FaultReason.BAD_REQUEST,
    "test_model_name_suggestions/test_model_name_suggestion[openai-responses]#0": FaultReason.MODEL_NOT_FOUND,
}  # fmt: skip


@cache
def rows() -> tuple[dict[str, Any], ...]:
    path = FOLDER / f"{NAME}.jsonl"
    return tuple(json.loads(line) for line in path.read_text().splitlines()) if path.is_file() else ()


def of_kind(kind: str) -> list[Any]:
    """The exchanges whose answer is a fault, a stream, a whole reply, or any, as parameters."""
    found = []
    for row in rows():
        own = "fault" if row["status"] >= 400 else "stream" if isinstance(row["response"], str) else "reply"
        if kind in (own, "any"):
            found.append(pytest.param(row, id=row["id"]))
    missing = pytest.mark.skipif(not os.environ.get("CI"), reason=f"no recordings in {FOLDER}: set WIRE_RECORDINGS_DIR")
    return found or [pytest.param({}, id="none", marks=missing)]


def body_of(row: dict[str, Any]) -> bytes:
    assert row, f"CI needs the recordings: none in {FOLDER}"
    answer = row["response"]
    return answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()


def events_of(body: bytes, step: int) -> list[Event]:
    decoder, reader = Decoder(), DIALECT.reader()
    events: list[Event] = []
    for start in range(0, len(body), step):
        for frame in decoder.feed(body[start : start + step]):
            events += reader.feed(frame)
    for frame in decoder.close():
        events += reader.feed(frame)
    return [*events, *reader.close()]


def told(value: Any) -> Any:
    """`value` without nulls, and without lists that official types want even where they are empty."""
    if isinstance(value, dict):
        idle: dict[str, object] = {"annotations": [], "logprobs": [], "content": [], "detail": "auto"}
        if value.get("type") == "reasoning":
            idle["status"] = "completed"
        said = {key: told(each) for key, each in value.items() if each is not None}
        return {key: each for key, each in said.items() if key not in idle or idle[key] != each}
    return [told(each) for each in value] if isinstance(value, list) else value


def normal(request: dict[str, Any]) -> dict[str, Any]:
    """A request with what means the same said in the same way: a text as a part, a message with its type."""
    said = told(request)
    if said.get("stream") is False:
        del said["stream"]
    for item in said["input"]:
        if "role" in item and item.get("type", "message") == "message":
            item["type"] = "message"
            if isinstance(item["content"], str):
                kind = "output_text" if item["role"] == "assistant" else "input_text"
                item["content"] = [{"type": kind, "text": item["content"]}]
    return said


def unsealed(parts: tuple[Part, ...]) -> list[Part]:
    """`parts` without what each event of one stream writes anew: seals, and log probabilities of another rounding."""
    return [
        replace(part, signature=None if part.signature is None else "sealed", extra={})
        if isinstance(part, Thought)
        else Opaque(NAME, {"about": {**part.block["about"], "logprobs": None}})  # type: ignore[dict-item]
        if isinstance(part, Opaque) and "about" in part.block
        else part
        for part in parts
    ]


@pytest.mark.parametrize("row", of_kind("any"))
def test_a_request_survives_the_hub(row: dict[str, Any]) -> None:
    assert row, f"CI needs the recordings: none in {FOLDER}"
    ask = DIALECT.read_ask(json.dumps(row["request"]).encode(), row["path"])
    written = DIALECT.write_ask(ask, Profile())
    assert written.losses == ()
    assert normal(json.loads(written.body)) == normal(row["request"])
    assert DIALECT.read_ask(written.body, written.path) == ask


@pytest.mark.parametrize("row", of_kind("reply"))
def test_a_whole_reply_survives_the_hub(row: dict[str, Any]) -> None:
    body = body_of(row)
    reply = DIALECT.read_reply(body)
    written = DIALECT.write_reply(reply)
    assert written.losses == ()
    assert DIALECT.read_reply(written.body) == reply
    assert fold(NAME, unfold(reply)) == reply
    assert read_envelope(body, 0) is None
    again, said = told(json.loads(written.body)), told(row["response"])
    again["reasoning"], said["reasoning"] = again.get("reasoning", {}), said.get("reasoning", {})
    assert again == said
    if row["id"] in BACKGROUND:
        assert (reply.content, reply.finish, reply.usage) == ((), None, None)
        return
    assert reply.content
    assert (reply.finish is Finish.UNKNOWN) == (row["id"] in INVENTED)
    check_usage(row, reply)


@pytest.mark.parametrize("row", of_kind("reply"))
def test_official_types_accept_what_is_written(row: dict[str, Any]) -> None:
    """Ours are refused for nothing that the provider's own answer is not refused for: it is ahead of its types."""
    said = json.loads(DIALECT.write_reply(DIALECT.read_reply(body_of(row))).body)
    assert refusals(said) <= refusals(row["response"])
    plain = [item for item in said["output"] if item["type"] in WORDS]
    wanted = {"tools": [], "tool_choice": "auto"} | ({"status": "completed"} if row["id"] in INVENTED else {})
    assert refusals(said | wanted | {"output": plain, "prompt_cache_retention": None}) == set()


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_is_read_to_its_end(row: dict[str, Any]) -> None:
    body = body_of(row)
    events = events_of(body, len(body))
    for step in (7, 1024):
        assert events_of(body, step) == events
    assert isinstance(next(event for event in events if not isinstance(event, Liveness)), Head)
    assert isinstance(events[-1], End)
    assert sum(isinstance(event, Finished) for event in events) == 1
    assert sum(isinstance(event, UsageSeen) for event in events) == 1
    reply = fold(NAME, events)
    assert reply is not None
    check_usage(row, reply)


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_is_what_its_last_event_says(row: dict[str, Any]) -> None:
    body = body_of(row)
    lines = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    whole = DIALECT.read_reply(json.dumps(lines[-1]["response"]).encode())
    reply = fold(NAME, events_of(body, 4096))
    assert reply is not None
    assert unsealed(reply.content) == unsealed(whole.content)
    for field in ("id", "model", "created", "finish", "finish_native", "usage", "effort"):
        assert getattr(reply, field) == getattr(whole, field)
    words = "".join(line["delta"] for line in lines if line["type"] == "response.output_text.delta")
    assert reply.text == words
    arguments = "".join(line["delta"] for line in lines if line["type"] == "response.function_call_arguments.delta")
    assert "".join(call.arguments for call in reply.calls) == arguments


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_written_again_says_the_same(row: dict[str, Any]) -> None:
    events = events_of(body_of(row), 4096)
    reply = fold(NAME, events)
    assert reply is not None
    assert isinstance(events[0], Head | Liveness)
    for said in (events, unfold(reply)):
        head = next(event for event in said if isinstance(event, Head))
        writer = DIALECT.writer(head)
        body = b"".join(writer.feed(event) for event in said) + writer.close()
        again = fold(NAME, events_of(body, 4096))
        assert again is not None
        assert (again.content, again.finish, again.usage) == (reply.content, reply.finish, reply.usage)
        assert writer.losses == ()
        check_stream(body)


@pytest.mark.parametrize("row", of_kind("fault"))
def test_a_refusal_is_classified(row: dict[str, Any]) -> None:
    fault = read_fault(row["status"], (), body_of(row), 0)
    assert fault.reason is FAULTS[row["id"]]
    assert fault.message == row["response"]["error"]["message"]
    with pytest.raises(WireError):
        DIALECT.read_reply(body_of(row))


def check_usage(row: dict[str, Any], reply: Reply) -> None:
    assert reply.usage is not None
    cap = row["request"].get("max_output_tokens")
    assert broken_laws(reply.usage, said_something=bool(reply.content), cap=cap) == LAWS.get(row["id"], ())


def refusals(said: dict[str, Any]) -> set[Any]:
    """Where the SDK's own type refuses `said`; OpenAI itself leaves out what it wants of cache writes."""
    if said.get("usage"):
        said["usage"]["input_tokens_details"].setdefault("cache_write_tokens", 0)
    try:
        Response.model_validate(said)
    except ValidationError as error:
        return {each["loc"] for each in error.errors()}
    return set()


def check_stream(body: bytes) -> None:
    events: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    numbers = []
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            said = json.loads(line[6:])
            numbers.append(said["sequence_number"])
            response = said.get("response", {})
            if response.get("usage"):
                response["usage"]["input_tokens_details"].setdefault("cache_write_tokens", 0)
            response["output"] = [item for item in response.get("output", []) if item["type"] in WORDS]
            if said.get("item", {"type": "message"})["type"] not in WORDS:
                continue  # ahead of the official types, or behind them
            assert events.validate_python(said).type == said["type"]
    assert numbers == list(range(len(numbers)))
