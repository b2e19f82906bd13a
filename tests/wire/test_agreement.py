"""Covers writers and readers together: a streamed answer says what the whole one says, to us and to official SDKs."""

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from drawn_replies import frames_of, read, replies, streamed
from google.genai.types import GenerateContentResponse
from hypothesis import given, settings
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import Finish, Refusal, Reply, Text, Thought, ToolCall, Usage

SOME = settings(max_examples=60, deadline=None, derandomize=True)

def gist(name: str, reply: Reply) -> dict[str, Any]:
    """What a client sees of a reply; chat has one text, one reasoning and one refusal, whatever their order."""
    if name != "openai_chat":
        return {"content": reply.content, "stop_sequence": reply.stop_sequence} | _rest(reply)
    kinds = {
        kind.__name__: "".join(part.text for part in reply.content if isinstance(part, kind))
        for kind in (Text, Thought, Refusal)
    }
    return kinds | {"calls": reply.calls} | _rest(reply)


def words(name: str, reply: Reply) -> str:
    """The visible words; a refusal comes last in chat."""
    said = [part for part in reply.content if isinstance(part, Text | Refusal)]
    order = sorted(said, key=lambda part: name == "openai_chat" and isinstance(part, Refusal))
    return "".join(part.text for part in order)


def _rest(reply: Reply) -> dict[str, Any]:
    keys = ("id", "model", "created", "finish", "finish_native", "usage", "effort")
    return {key: getattr(reply, key) for key in keys}


@pytest.mark.parametrize("speaker", DIALECTS)
@pytest.mark.parametrize("name", DIALECTS)
def test_stream_and_whole_agree(name: str, speaker: str) -> None:
    @SOME
    @given(replies(speaker))
    def check(reply: Reply) -> None:
        whole = DIALECTS[name].read_reply(DIALECTS[name].write_reply(reply).body)
        assert gist(name, read(name, streamed(name, reply))) == gist(name, whole)
        assert [call.arguments for call in whole.calls] == [call.arguments for call in reply.calls]
        assert words(name, whole) == words(name, reply)
        if name == "anthropic_messages" == speaker and not any(isinstance(p, Refusal) for p in reply.content):
            assert whole.content == reply.content
        if name == speaker:
            assert (whole.finish, whole.finish_native) == (reply.finish, reply.finish_native)
            assert whole.usage is not None
            assert reply.usage is not None
            assert (whole.usage.input, whole.usage.output) == (reply.usage.input, reply.usage.output)

    check()


@pytest.mark.parametrize("name", DIALECTS)
def test_an_answer_without_usage_or_finish_has_none_either_way(name: str) -> None:
    reply = Reply(dialect=name, id="i", model="m", content=(Text("x"),))
    whole = DIALECTS[name].read_reply(DIALECTS[name].write_reply(reply).body)
    for answer in (whole, read(name, streamed(name, reply))):
        assert (answer.usage, answer.finish, answer.finish_native, answer.text) == (None, None, None, "x")


@pytest.mark.parametrize("name", DIALECTS)
def test_losses_of_a_reply_are_declared(name: str) -> None:
    other = "openai_chat" if name == "anthropic_messages" else "anthropic_messages"
    reply = Reply(
        dialect=other, id="i", model="m", content=(Thought("t", "sig"),), finish=Finish.UNKNOWN, finish_native="odd",
        extra={"service_tier": "x"},
    )  # fmt: skip
    losses = {(loss.where, loss.what) for loss in DIALECTS[name].write_reply(reply).losses}
    assert ("reply", "field service_tier") in losses
    assert (("thinking", "signature") in losses) == (name == "openai_chat")


def test_a_finish_that_chat_has_no_word_for_is_a_loss() -> None:
    for finish, word in ((Finish.PAUSE, "pause_turn"), (Finish.STOP_SEQUENCE, "stop_sequence")):
        reply = Reply(dialect="anthropic_messages", id="i", model="m", finish=finish, finish_native=word)
        written = DIALECTS["openai_chat"].write_reply(reply)
        assert json.loads(written.body)["choices"][0]["finish_reason"] == "stop"
        assert [(loss.where, loss.what) for loss in written.losses] == [("finish", f"{finish}, said as stop")]


@pytest.mark.parametrize("speaker", DIALECTS)
def test_openai_types_accept_what_is_written(speaker: str) -> None:
    known = ("stop", "length", "tool_calls", "content_filter", "end_turn", "max_tokens", "tool_use", "refusal",
             "STOP", "MAX_TOKENS", "SAFETY", "completed", "incomplete/max_output_tokens")  # fmt: skip

    @SOME
    @given(replies(speaker).filter(lambda reply: reply.finish_native in known))
    def check(reply: Reply) -> None:
        message = ChatCompletion.model_validate_json(DIALECTS["openai_chat"].write_reply(reply).body).choices[0].message
        words = [part.text for part in reply.content if isinstance(part, Text)]
        assert message.content == ("".join(words) if words else None)
        for frame in frames_of(streamed("openai_chat", reply))[:-1]:
            ChatCompletionChunk.model_validate_json(frame.data)

    check()


@pytest.mark.parametrize("speaker", DIALECTS)
def test_anthropic_types_accept_what_is_written(speaker: str) -> None:
    odd = ("new_word", "network_error", "error", "OTHER", "NEW_REASON", "failed", "odd")
    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

    @SOME
    @given(replies(speaker).filter(lambda reply: reply.finish_native not in odd))
    def check(reply: Reply) -> None:
        message = AnthropicMessage.model_validate_json(DIALECTS["anthropic_messages"].write_reply(reply).body)
        assert len(message.content) == len(reply.content)
        for frame in frames_of(streamed("anthropic_messages", reply)):
            assert events.validate_json(frame.data).type == frame.event

    check()


@pytest.mark.parametrize("speaker", DIALECTS)
def test_google_types_accept_what_is_written(speaker: str) -> None:
    @SOME
    @given(replies(speaker).filter(lambda reply: reply.finish is not Finish.UNKNOWN))
    def check(reply: Reply) -> None:
        said = GenerateContentResponse.model_validate_json(DIALECTS["gemini"].write_reply(reply).body)
        assert said.response_id == reply.id
        calls = [part.function_call for part in said.parts or () if part.function_call]
        assert [call.name for call in calls] == [call.name for call in reply.calls]
        words = [part.text or "" for part in said.parts or () if not part.thought]
        assert "".join(words) == reply.text
        for frame in frames_of(streamed("gemini", reply)):
            GenerateContentResponse.model_validate_json(frame.data)

    check()


REPLY = Reply(
    dialect="anthropic_messages",
    id="msg_1",
    model="m",
    content=(
        Thought("hm", "sig"),
        Thought(redacted="sealed"),
        Text("hello\u2028there 🐤"),
        ToolCall("c1", "f", '{"a":[1,2]}'),
        ToolCall("c2", "g", ""),
    ),
    finish=Finish.TOOL,
    finish_native="tool_use",
    usage=Usage(input=125, output=9, reasoning=4, cache_read=100, cache_write=20),
)


def serving(body: bytes) -> httpx2.MockTransport:
    headers = {"content-type": "text/event-stream"}
    return httpx2.MockTransport(lambda request: httpx2.Response(200, headers=headers, content=body))


def test_the_anthropic_sdk_accumulates_our_stream() -> None:
    body = streamed("anthropic_messages", REPLY)
    with (
        httpx2.Client(transport=serving(body)) as http,
        anthropic.Anthropic(api_key="k", base_url="http://mirror.test", http_client=http) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream,
    ):
        message = stream.get_final_message()
    said = [block.to_dict() for block in message.content]
    assert said == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "hello\u2028there 🐤"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": [1, 2]}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
    ]
    assert message.stop_reason == "tool_use"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (5, 100, 20)
    assert usage.output_tokens == 9


def test_the_openai_sdk_accumulates_our_stream() -> None:
    body = streamed("openai_chat", REPLY)
    with (
        httpx2.Client(transport=serving(body)) as http,
        openai.OpenAI(api_key="k", base_url="http://mirror.test", http_client=http) as client,
        client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "x"}]) as stream,
    ):
        completion = stream.get_final_completion()
    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "hello\u2028there 🐤"
    assert choice.message.tool_calls is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls] == [
        ("c1", "f", '{"a":[1,2]}'),
        ("c2", "g", ""),
    ]
    assert completion.usage is not None
    assert completion.usage.total_tokens == 134
