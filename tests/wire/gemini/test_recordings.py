"""Covers wire/gemini against exchanges with the real provider, on the Developer API and on Vertex AI.

The folder is found through WIRE_RECORDINGS_DIR; by default it lies beside the checkout.
"""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.genai.types import GenerateContentResponse

from llm_canaries.wire.answer import objections
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import read_envelope
from llm_canaries.wire.event import End, Event, Finished, Head, UsageSeen, fold, unfold
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Reply, Usage
from llm_canaries.wire.profile import ModelFacts, Profile
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.usage_laws import broken_laws

BESIDE = Path(__file__).parents[3] / ".." / "shared" / "recordings"
FOLDER = Path(os.environ.get("WIRE_RECORDINGS_DIR") or BESIDE)
GEMINI = DIALECTS["gemini"]

# Refused by a filter: a candidate, or a template of Model Armor, without content.
SILENT = {
    "test_google/test_google_model_safety_settings#0",
    "test_google/test_google_model_armor_response_template_real_block#0",
}
FAULTS = {
    "test_multimodal_tool_returns/test_multimodal_tool_return_matrix[direct-url-image-google_vertex]#2": (
        FaultReason.BAD_REQUEST,
        "INVALID_ARGUMENT",
    ),
    "test_model_name_suggestions/test_model_name_suggestion[google]#0": (FaultReason.MODEL_NOT_FOUND, "NOT_FOUND"),
}
USERS_OWN = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "labels", "properties"}


@cache
def rows() -> tuple[dict[str, Any], ...]:
    path = FOLDER / "gemini.jsonl"
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


def asked(row: dict[str, Any]) -> bytes:
    assert row, f"CI needs the recordings: none in {FOLDER}"
    return json.dumps(row["request"]).encode()


def events_of(body: bytes, step: int) -> list[Event]:
    decoder, reader = Decoder(), GEMINI.reader()
    frames = [frame for at in range(0, len(body), step) for frame in decoder.feed(body[at : at + step])]
    frames += decoder.close()
    return [*(event for frame in frames for event in reader.feed(frame)), *reader.close()]


def camel(value: Any) -> Any:
    """`value` with Google's names in camelCase; what the user named himself stays."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_(.)", lambda found: found[1].upper(), key): each for key, each in value.items()}
    return {key: each if key in USERS_OWN else camel(each) for key, each in named.items() if each is not None}


def upper(schema: Any) -> Any:
    """A schema in Gemini's words, where types may be in either case."""
    if isinstance(schema, list):
        return [upper(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: each.upper() if key == "type" and isinstance(each, str) else upper(each) for key, each in schema.items()
    }


def normal(request: Any) -> dict[str, Any]:
    """A request with what means the same said in the same way."""
    said: dict[str, Any] = camel(request)
    said.get("systemInstruction", {}).pop("role", None)  # says nothing
    contents: list[dict[str, Any]] = []
    for content in said["contents"]:
        content.setdefault("role", "user")
        for part in content.get("parts", []):
            for each in (part, *part.get("functionResponse", {}).get("parts", [])):
                if "inlineData" in each:  # two alphabets of base64; Google's SDK writes the one for URLs
                    each["inlineData"]["data"] = each["inlineData"]["data"].replace("-", "+").replace("_", "/")
        if contents and content["role"] == "user" == contents[-1]["role"]:
            contents[-1]["parts"] += content["parts"]
        else:
            contents.append(content)
    for tool in said.get("tools", []):
        for function in tool.get("functionDeclarations", []):
            if "parameters" in function:
                function["parameters"] = upper(function["parameters"])
    if not said.get("generationConfig", True):  # an empty one says nothing
        del said["generationConfig"]
    return said | {"contents": contents}


@pytest.mark.parametrize("row", of_kind("any"))
@pytest.mark.parametrize("result_parts", [None, True])
def test_a_request_survives_the_hub(row: dict[str, Any], result_parts: bool | None) -> None:
    ask = GEMINI.read_ask(asked(row), row["path"])
    written = GEMINI.write_ask(ask, Profile(models={"*": ModelFacts(result_parts=result_parts)}))
    assert written.losses == ()
    assert normal(json.loads(written.body)) == normal(row["request"])
    assert GEMINI.read_ask(written.body, written.path) == ask
    assert ask.model in row["path"]
    assert ask.stream == ("stream" in row["path"])
    assert written.path.partition("?")[0] == f"/v1beta/models/{row['path'].rpartition('/')[2]}"


@pytest.mark.parametrize("row", of_kind("reply"))
def test_a_whole_reply_survives_the_hub(row: dict[str, Any]) -> None:
    body = body_of(row)
    reply = GEMINI.read_reply(body)
    written = GEMINI.write_reply(reply)
    assert written.losses == ()
    assert GEMINI.read_reply(written.body) == reply
    assert fold("gemini", unfold(reply)) == reply
    assert read_envelope(body, 0) is None
    assert reply.finish is not None
    assert bool(reply.content) == (row["id"] not in SILENT)
    check_usage(row, reply)
    check_by_sdk(json.loads(written.body))
    assert same_answer(json.loads(written.body)) == same_answer(row["response"])


def same_answer(said: dict[str, Any]) -> dict[str, Any]:
    """An answer with what means the same said in the same way: index 0, content that is empty, time in seconds."""
    (candidate,) = said["candidates"]
    content = candidate.get("content", {})
    candidate = {"index": 0} | candidate | {"content": {"role": "model", "parts": []} | content}
    time = {"createTime": said["createTime"][:19]} if "createTime" in said else {}
    return said | {"candidates": [candidate]} | time


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_is_read_to_its_end(row: dict[str, Any]) -> None:
    body = body_of(row)
    events = events_of(body, len(body))
    for step in (1, 7, 1024):
        assert events_of(body, step) == events
    assert isinstance(events[0], Head)
    assert isinstance(events[-1], End)
    assert objections(events) == ()
    assert sum(isinstance(event, Finished) for event in events) == 1
    reply = fold("gemini", events)
    assert reply is not None
    assert fold("gemini", unfold(reply)) == reply
    assert [event.usage for event in events if isinstance(event, UsageSeen)][-1] == reply.usage
    check_usage(row, reply)


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_says_what_its_chunks_say(row: dict[str, Any]) -> None:
    """Words, calls, seals and counts, added up from the raw lines without our decoder, reader or fold."""
    reply = fold("gemini", events_of(body_of(row), 4096))
    chunks = [json.loads(line[6:]) for line in body_of(row).decode().splitlines() if line.startswith("data: {")]
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"].get("parts", [])]
    assert reply is not None
    assert reply.text == "".join(part.get("text", "") for part in parts if not part.get("thought"))
    thoughts = "".join(part["text"] for part in parts if part.get("thought"))
    assert "".join(part.text for part in reply.thoughts) == thoughts
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    assert [(call.name, json.loads(call.arguments)) for call in reply.calls] == [
        (call["name"], call["args"]) for call in calls
    ]
    seals = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part and "toolCall" not in part]
    opaque = [part for part in parts if "toolResponse" in part]  # its seal stays inside the block
    assert [part.signature for part in reply.thoughts if part.signature] == seals[len(opaque) :]
    usage = chunks[-1]["usageMetadata"]
    counts = (usage.get("candidatesTokenCount", 0), usage.get("thoughtsTokenCount", 0))
    assert reply.usage is not None
    assert reply.usage.output == sum(counts)
    assert reply.usage.input == usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_written_again_says_the_same(row: dict[str, Any]) -> None:
    events = events_of(body_of(row), 4096)
    head = events[0]
    assert isinstance(head, Head)
    writer = GEMINI.writer(head)
    body = b"".join(writer.feed(event) for event in events) + writer.close()
    assert writer.losses == ()
    again = events_of(body, 4096)
    assert fold("gemini", again) == fold("gemini", events)
    assert objections(again) == ()
    for line in body.decode().splitlines():
        if line:
            check_by_sdk(json.loads(line.removeprefix("data: ")))


@pytest.mark.parametrize("row", of_kind("stream"))
def test_a_stream_and_its_chunks_in_one_say_the_same(row: dict[str, Any]) -> None:
    """All parts of a stream in one answer read as the stream does."""
    chunks = [json.loads(line[6:]) for line in body_of(row).decode().splitlines() if line.startswith("data: {")]
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"].get("parts", [])]
    whole = chunks[-1] | {"candidates": [chunks[-1]["candidates"][0] | {"content": {"parts": parts}}]}
    reply = fold("gemini", events_of(body_of(row), 4096))
    assert reply is not None
    found = GEMINI.read_reply(json.dumps(whole).encode())
    assert (found.content, found.finish, found.usage) == (reply.content, reply.finish, reply.usage)


@pytest.mark.parametrize("row", of_kind("fault"))
def test_a_refusal_is_classified(row: dict[str, Any]) -> None:
    body = body_of(row)
    fault = read_fault(row["status"], (), body, 0)
    assert (fault.reason, fault.code) == FAULTS[row["id"]]
    assert fault.message == row["response"]["error"]["message"]
    with pytest.raises(WireError):
        GEMINI.read_reply(body)
    again = read_fault(*GEMINI.write_fault(fault)[:1], (), GEMINI.write_fault(fault)[1], 0)
    assert (again.reason, again.message) == (fault.reason, fault.message)


def check_usage(row: dict[str, Any], reply: Reply) -> None:
    cap = GEMINI.read_ask(asked(row), row["path"]).max_tokens
    assert reply.usage is not None
    assert broken_laws(reply.usage, said_something=bool(reply.content), cap=cap) == ()
    assert reply.usage != Usage()


def check_by_sdk(said: dict[str, Any]) -> None:
    """The SDK's types take what is written; `serviceTier` is newer than they are, and the client drops it by itself."""
    said.get("usageMetadata", {}).pop("serviceTier", None)
    GenerateContentResponse.model_validate_json(json.dumps(said))
