"""Covers wire/gemini against Google's own SDK: its client asks a server that is made of our readers and writers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from google import genai
from google.genai import errors, types

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Liveness, unfold
from llm_canaries.wire.exchange import Request
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import (
    Ask,
    Document,
    Finish,
    Image,
    Message,
    Models,
    Reply,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
)
from llm_canaries.wire.profile import ModelFacts, Profile

# the SDK's own client on aiohttp
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

GEMINI = DIALECTS["gemini"]
SEAL = "QUJDRA=="
CALL = Reply(
    dialect="anthropic_messages",
    id="msg_1",
    model="claude",
    created=1_700_000_000,
    content=(
        Thought("hm", "sig+/="),
        Thought(redacted="sealed"),
        Text("a\u2028b 🐤"),
        ToolCall("toolu_1", "read_image", '{"n":12345678901234567890123,"a":[1,2]}'),
        ToolCall("toolu_2", "f", ""),
    ),
    finish=Finish.TOOL,
    finish_native="tool_use",
    usage=Usage(input=125, output=9, reasoning=4, cache_read=100),
)


class Provider:
    """Answers every ask with `answer`, and remembers what it was asked."""

    def __init__(self, answer: Reply | Fault) -> None:
        self.answer = answer
        self.asks: list[Ask] = []
        self.bodies: list[bytes] = []
        self.headers: list[str] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post(GEMINI.path, self._ask)
        app.router.add_get(GEMINI.models_path, self._list)
        return app

    async def _ask(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        self.asks.append(ask := GEMINI.read_ask(body, request.path_qs))
        self.headers.append(request.headers[GEMINI.auth("k")[0][0]])
        if isinstance(self.answer, Fault):
            status, error = GEMINI.write_fault(self.answer)
            return web.Response(status=status, body=error, content_type="application/json")
        if not ask.stream:
            return web.Response(body=GEMINI.write_reply(self.answer).body, content_type="application/json")
        events = unfold(self.answer)
        writer = GEMINI.writer(events[0])  # type: ignore[arg-type]
        with_pings = [each for event in events for each in (event, Liveness())]
        said = b"".join(writer.feed(event) for event in with_pings) + writer.close()
        return web.Response(body=said, content_type="text/event-stream")

    async def _list(self, request: web.Request) -> web.Response:
        return web.Response(body=GEMINI.write_models(Models(("a", "mirror/echo"))), content_type="application/json")


@asynccontextmanager
async def asking(provider: Provider) -> AsyncIterator[Any]:
    async with TestServer(provider.app()) as server:
        options = types.HttpOptions(base_url=str(server.make_url("/")), api_version="v1beta")
        async with genai.Client(api_key="k", http_options=options).aio as client:
            yield client.models


def parts_of(answers: list[types.GenerateContentResponse]) -> list[types.Part]:
    return [part for answer in answers for part in answer.parts or ()]


async def test_a_whole_answer() -> None:
    provider = Provider(CALL)
    async with asking(provider) as models:
        answer = await models.generate_content(model="mirror/echo", contents="hi")
    assert [(part.text, part.thought) for part in answer.parts[:3]] == [
        ("hm", True), ("", True), ("a\u2028b 🐤", None),
    ]  # fmt: skip
    calls = [part.function_call for part in answer.parts[3:]]
    assert [(call.id, call.name, call.args) for call in calls] == [
        ("toolu_1", "read_image", {"n": 12345678901234567890123, "a": [1, 2]}),
        ("toolu_2", "f", {}),
    ]
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    usage = answer.usage_metadata
    counts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    assert (*counts, usage.cached_content_token_count, usage.total_token_count) == (125, 5, 4, 100, 134)
    assert (answer.response_id, answer.model_version) == ("msg_1", "claude")
    (ask,) = provider.asks
    assert (ask.model, ask.stream, ask.messages) == ("mirror/echo", False, (Message("user", (Text("hi"),)),))
    assert provider.headers == ["k"]


async def test_a_streamed_answer() -> None:
    provider = Provider(CALL)
    async with asking(provider) as models:
        answers = [each async for each in await models.generate_content_stream(model="m", contents="hi")]
    assert provider.asks[0].stream
    parts = parts_of(answers)
    assert "".join(part.text or "" for part in parts if part.thought) == "hm"
    assert "".join(part.text or "" for part in parts if not part.thought) == "a\u2028b 🐤"
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.id, call.name) for call in calls] == [("toolu_1", "read_image"), ("toolu_2", "f")]
    assert [answer.candidates[0].finish_reason for answer in answers][-2:] == [None, types.FinishReason.STOP]  # type: ignore[index]
    assert answers[-1].usage_metadata is not None
    assert answers[-1].usage_metadata.total_token_count == 134


@pytest.mark.parametrize("stream", [False, True])
async def test_seals_come_back_through_the_sdk(stream: bool) -> None:
    """What the SDK decoded and encoded again is the other maker's seal still, on the same thought."""
    provider = Provider(CALL)
    async with asking(provider) as models:
        if stream:
            answers = [each async for each in await models.generate_content_stream(model="m", contents="hi")]
        else:
            answers = [await models.generate_content(model="m", contents="hi")]
        parts = parts_of(answers)
        result = types.Part(function_response=types.FunctionResponse(name="f", id="toolu_2", response={"output": "1"}))
        contents = [types.UserContent("hi"), types.ModelContent(parts), types.UserContent(result)]
        await models.generate_content(model="m", contents=contents)
    ask = provider.asks[-1]
    assert [part for part in ask.messages[1].content if isinstance(part, Thought)] == [
        Thought("hm", "anthropic_messages#sig+/="),
        Thought(redacted="anthropic_messages#sealed"),
    ]
    assert ask.messages[2] == Message("tool", (ToolResult("toolu_2", (Text("1"),)),))
    written = json.loads(DIALECTS["anthropic_messages"].write_ask(ask, Profile()).body)
    assert written["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig+/="},
        {"type": "redacted_thinking", "data": "sealed"},
    ]


async def test_what_the_sdk_asks() -> None:
    provider = Provider(CALL)
    read_image = types.FunctionDeclaration(name="read_image", description="d", parameters=types.Schema(
        type=types.Type.OBJECT, properties={"a": types.Schema(type=types.Type.STRING, nullable=True)}))  # fmt: skip
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        tools=[types.Tool(function_declarations=[read_image])],
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(
            mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["read_image"])),
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        stop_sequences=["END"],
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )  # fmt: skip
    image = types.Part.from_bytes(data=b"ABC", mime_type="image/png")
    async with asking(provider) as models:
        await models.generate_content(model="m", contents=[image, "look"], config=config)
    (ask,) = provider.asks
    assert ask.messages == (
        Message("system", (Text("be brief"),)),
        Message("user", (Image(data="QUJD", media_type="image/png"), Text("look"))),
    )
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    assert [(tool.name, tool.schema) for tool in ask.tools if isinstance(tool, Tool)] == [("read_image", schema)]
    assert ask.tool_choice == ToolChoice("tool", "read_image")
    assert (ask.max_tokens, ask.temperature, ask.top_p, ask.stop) == (50, 0.5, 0.9, ("END",))
    assert ask.thinking == Thinking(effort="low")
    assert dict(ask.extra) == {"generationConfig.topK": 3.0}


ROUND = (
    Message("system", (Text("s"),)),
    Message("user", (Text("look"), Image(url="https://x.test/a.png"), Document(data="QUJD", media_type="text/plain"))),
    Message("assistant", (Thought("hm", f"gemini#{SEAL}"), ToolCall("a", "f", '{"n":1}'), ToolCall("b", "g", "{}"))),
    Message("tool", (ToolResult("a", (Text("one"), Image(data="QUJD", media_type="image/png"))),
                     ToolResult("b", (Text("no"),), True))),
)  # fmt: skip


@pytest.mark.parametrize("result_parts", [True, False])
def test_the_sdks_types_accept_the_asks_we_write(result_parts: bool) -> None:
    ask = Ask(
        dialect="anthropic_messages", model="m", messages=ROUND, max_tokens=5, thinking=Thinking(effort="high"),
        tools=(Tool("f", "d", {"type": "object", "$defs": {}, "additionalProperties": False}), Tool("g")),
        tool_choice=ToolChoice("required"),
    )  # fmt: skip
    said = body_of(GEMINI.write_ask(ask, Profile(models={"*": ModelFacts(result_parts=result_parts)})))
    contents = [types.Content.model_validate(each) for each in said.pop("contents")]
    assert [content.role for content in contents] == ["user", "model", "user", "user"][: 3 if result_parts else 4]
    types.Content.model_validate(said.pop("systemInstruction"))
    assert [types.Tool.model_validate(each).function_declarations[1].name for each in said.pop("tools")] == ["g"]  # type: ignore[index]
    types.ToolConfig.model_validate(said.pop("toolConfig"))
    config = types.GenerateContentConfig.model_validate(said.pop("generationConfig"))
    assert config.thinking_config is not None
    assert config.thinking_config.thinking_level is types.ThinkingLevel.HIGH
    assert said == {}


def body_of(request: Request) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(request.body)
    return said


async def test_a_refusal_is_the_sdks_own_error() -> None:
    provider = Provider(Fault(reason=FaultReason.QUOTA_EXHAUSTED, message="no more", retry_after=38))
    async with asking(provider) as models:
        with pytest.raises(errors.ClientError) as refused:
            await models.generate_content(model="m", contents="hi")
    assert (refused.value.code, refused.value.status, refused.value.message) == (429, "RESOURCE_EXHAUSTED", "no more")
    details = refused.value.details["error"]["details"]
    assert details[-1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38s"}


async def test_the_list_of_models() -> None:
    async with asking(Provider(CALL)) as models:
        listed = [model async for model in await models.list()]
    assert [model.name for model in listed] == ["models/a", "models/mirror/echo"]
    assert listed[0].supported_actions == ["generateContent", "streamGenerateContent"]
