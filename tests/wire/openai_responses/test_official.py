"""Covers wire/openai_responses/ against OpenAI's own SDK: its types, strictly, and what it makes of our streams."""

import json
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Head, unfold
from llm_canaries.wire.message import Finish, Part, Refusal, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder

NAME = "openai_responses"
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
IDS = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
PARTS: st.SearchStrategy[Part] = st.one_of(
    WORDS.map(Text),
    WORDS.map(Refusal),
    st.builds(Thought, WORDS, st.none() | IDS),
    IDS.map(lambda data: Thought(redacted=data)),
    st.builds(ToolCall, IDS, IDS, st.sampled_from(["{}", "", '{"a":1}'])),
)
USAGE = Usage(input=7, output=5, reasoning=2, cache_read=1, cache_write=0)


def streamed(reply: Reply) -> bytes:
    events = unfold(reply)
    assert isinstance(events[0], Head)
    writer = DIALECTS[NAME].writer(events[0])
    return b"".join(writer.feed(event) for event in events) + writer.close()


@pytest.mark.parametrize("speaker", DIALECTS)
def test_official_types_accept_what_is_written(speaker: str) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.lists(PARTS, max_size=5), st.sampled_from([*Finish, None]), st.sampled_from([USAGE, None]))
    def check(parts: list[Part], finish: Finish | None, usage: Usage | None) -> None:
        echo = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []} if speaker == NAME else {}
        reply = Reply(dialect=speaker, id="r", model="m", created=3, content=tuple(parts), finish=finish, usage=usage,
                      effort="low", extra=echo)  # fmt: skip
        whole = Response.model_validate_json(DIALECTS[NAME].write_reply(reply).body)
        words = "".join(part.text for part in parts if isinstance(part, Text))
        assert whole.output_text == words
        calls = [(item.call_id, item.arguments) for item in whole.output if item.type == "function_call"]
        assert calls == [(part.id, part.arguments) for part in parts if isinstance(part, ToolCall)]
        decoder, body = Decoder(), streamed(reply)
        frames = [EVENTS.validate_json(frame.data) for frame in [*decoder.feed(body), *decoder.close()]]
        assert [frame.sequence_number for frame in frames] == list(range(len(frames)))
        assert frames[-1].type in ("response.completed", "response.incomplete", "response.failed")
        assert frames[-1].response == whole
        deltas = "".join(frame.delta for frame in frames if frame.type == "response.output_text.delta")
        assert deltas == words

    check()


REPLY = Reply(
    dialect="anthropic_messages",
    id="msg_1",
    model="m",
    content=(
        Thought("hm", "sig"),
        Thought(redacted="sealed"),
        Text("hello\u2028there 🐤"),
        Text(" and more"),
        ToolCall("c1", "f", '{"a":[1,2]}'),
        ToolCall("c2", "g", ""),
    ),
    finish=Finish.TOOL,
    finish_native="tool_use",
    usage=Usage(input=125, output=9, reasoning=4, cache_read=100, cache_write=20),
)


def client(body: bytes, kind: str) -> openai.OpenAI:
    answer = httpx2.MockTransport(lambda request: httpx2.Response(200, headers={"content-type": kind}, content=body))
    return openai.OpenAI(api_key="k", base_url="http://mirror.test", http_client=httpx2.Client(transport=answer))


def check_response(said: Any) -> None:
    calls = ["function_call", "function_call"]
    assert [item.type for item in said.output] == ["reasoning", "reasoning", "message", *calls]
    assert said.output_text == "hello\u2028there 🐤 and more"
    assert said.output[0].summary[0].text == "hm"
    assert said.output[0].encrypted_content == "anthropic_messages#sig"
    assert [(item.call_id, item.name, item.arguments) for item in said.output[3:]] == [
        ("c1", "f", '{"a":[1,2]}'),
        ("c2", "g", ""),
    ]
    assert (said.status, said.usage.total_tokens) == ("completed", 134)
    assert said.usage.output_tokens_details.reasoning_tokens == 4


def test_the_sdk_accumulates_our_stream() -> None:
    with (
        client(streamed(REPLY), "text/event-stream") as sdk,
        sdk.responses.stream(model="m", input="x") as stream,
    ):
        kinds = [event.type for event in stream]
        check_response(stream.get_final_response())
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"


def test_the_sdk_reads_our_answer() -> None:
    with client(DIALECTS[NAME].write_reply(REPLY).body, "application/json") as sdk:
        check_response(sdk.responses.create(model="m", input="x"))


def test_what_the_sdk_gives_back_is_an_ask() -> None:
    """The agent loop that OpenAI documents: the output goes into the next input as it came."""
    with client(DIALECTS[NAME].write_reply(REPLY).body, "application/json") as sdk:
        said = sdk.responses.create(model="m", input="x")
    results = [{"type": "function_call_output", "call_id": each, "output": "r"} for each in ("c1", "c2")]
    items = [item.to_dict() for item in said.output]
    ask = DIALECTS[NAME].read_ask(json.dumps({"model": "m", "input": [*items, *results]}).encode(), "/")
    assert [turn.role for turn in ask.messages] == ["assistant", "tool"]
    request = json.loads(DIALECTS["anthropic_messages"].write_ask(ask, Profile()).body)
    assert request["messages"][0]["content"][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
    ]
