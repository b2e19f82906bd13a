"""The official SDKs behind one face: what each test asks, said as each SDK's users say it."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types
from msgspec import Struct

ECHO = "Reply with exactly this and nothing else: 123456"
CALL = "call red"
SHOWN = "Reply with only the number shown in the image."
TOKENS = 8000
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


class Said(Struct, frozen=True, kw_only=True):
    """What came back, in no SDK's words; `pieces` are those of a stream, `thoughts` None where none were said."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    finish: str = ""
    thoughts: str | None = None
    reasoning: int | None = None
    input: int = 0
    output: int = 0
    pieces: int = 1
    turn: Any = None


class Chat:
    """`openai`, Chat Completions."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    async def ask(self, model: str, prompt: str, *, stream: bool, thinking: bool = False, tools: bool = False) -> Said:
        """One turn."""
        return await self._send(model, [{"role": "user", "content": prompt}], stream, thinking, tools)

    async def show(self, model: str, prompt: str, first: Said, png: bytes, *, stream: bool) -> Said:
        """The turn after a call, whose result is a picture."""
        url = f"data:image/png;base64,{b64encode(png).decode()}"
        content = [{"type": "text", "text": "here"}, {"type": "image_url", "image_url": {"url": url}}]
        result = {"role": "tool", "tool_call_id": first.calls[0][0], "content": content}
        messages = [{"role": "user", "content": prompt}, first.turn, result, {"role": "user", "content": SHOWN}]
        return await self._send(model, messages, stream, False, True)

    async def _send(self, model: str, messages: list[Any], stream: bool, thinking: bool, tools: bool) -> Said:
        more: dict[str, Any] = {"reasoning_effort": "low"} if thinking else {}
        if tools:
            more["tools"] = [{"type": "function", "function": {"name": "red", "parameters": NO_PARAMETERS}}]
        ask = {"model": model, "messages": messages, "max_completion_tokens": TOKENS, **more}
        pieces = 1
        if stream:
            async with self._client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as events:
                pieces = len([event async for event in events if event.type == "content.delta"])
                answer: Any = await events.get_final_completion()
        else:
            answer = await self._client.chat.completions.create(**ask)
        (choice,) = answer.choices
        calls = tuple((call.id, call.function.name) for call in choice.message.tool_calls or ())
        thoughts = getattr(choice.message, "reasoning_content", None)
        details = answer.usage.completion_tokens_details
        return Said(
            text=choice.message.content or "",
            calls=calls,
            finish=choice.finish_reason,
            thoughts=thoughts,
            reasoning=details.reasoning_tokens if details else None,
            input=answer.usage.prompt_tokens,
            output=answer.usage.completion_tokens,
            pieces=pieces,
            turn=choice.message.model_dump(exclude_none=True, exclude={"parsed"}),
        )


class Responses:
    """`openai`, Responses."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    async def ask(self, model: str, prompt: str, *, stream: bool, thinking: bool = False, tools: bool = False) -> Said:
        """One turn."""
        return await self._send(model, [{"role": "user", "content": prompt}], stream, thinking, tools)

    async def show(self, model: str, prompt: str, first: Said, png: bytes, *, stream: bool) -> Said:
        """The turn after a call, whose result is a picture."""
        url = f"data:image/png;base64,{b64encode(png).decode()}"
        output = [{"type": "input_text", "text": "here"}, {"type": "input_image", "image_url": url, "detail": "auto"}]
        result = {"type": "function_call_output", "call_id": first.calls[0][0], "output": output}
        asked = [{"role": "user", "content": prompt}, *first.turn, result, {"role": "user", "content": SHOWN}]
        return await self._send(model, asked, stream, False, True)

    async def _send(self, model: str, asked: list[Any], stream: bool, thinking: bool, tools: bool) -> Said:
        more: dict[str, Any] = {"reasoning": {"effort": "low", "summary": "auto"}} if thinking else {}
        if tools:
            more["tools"] = [{"type": "function", "name": "red", "parameters": NO_PARAMETERS, "strict": False}]
        ask = {"model": model, "input": asked, "max_output_tokens": TOKENS, "store": False, **more}
        pieces = 1
        if stream:
            async with self._client.responses.stream(**ask) as events:
                pieces = len([event async for event in events if event.type == "response.output_text.delta"])
                answer: Any = await events.get_final_response()
        else:
            answer = await self._client.responses.create(**ask)
        calls = tuple((item.call_id, item.name) for item in answer.output if item.type == "function_call")
        thoughts = [part.text for item in answer.output if item.type == "reasoning" for part in item.summary]
        return Said(
            text=answer.output_text,
            calls=calls,
            finish=answer.status,
            thoughts="".join(thoughts) if thoughts else None,
            reasoning=answer.usage.output_tokens_details.reasoning_tokens,
            input=answer.usage.input_tokens,
            output=answer.usage.output_tokens,
            pieces=pieces,
            turn=[item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output],
        )


class Claude:
    """`anthropic`, Messages."""

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self._client = client

    async def ask(self, model: str, prompt: str, *, stream: bool, thinking: bool = False, tools: bool = False) -> Said:
        """One turn."""
        return await self._send(model, [{"role": "user", "content": prompt}], stream, thinking, tools)

    async def show(self, model: str, prompt: str, first: Said, png: bytes, *, stream: bool) -> Said:
        """The turn after a call, whose result is a picture."""
        source = {"type": "base64", "media_type": "image/png", "data": b64encode(png).decode()}
        content = [{"type": "text", "text": "here"}, {"type": "image", "source": source}]
        result = {"type": "tool_result", "tool_use_id": first.calls[0][0], "content": content}
        messages = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": first.turn},
            {"role": "user", "content": [result, {"type": "text", "text": SHOWN}]},
        ]
        return await self._send(model, messages, stream, False, True)

    async def _send(self, model: str, messages: list[Any], stream: bool, thinking: bool, tools: bool) -> Said:
        more: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 2048}} if thinking else {}
        if tools:
            more["tools"] = [{"name": "red", "input_schema": NO_PARAMETERS}]
        ask = {"model": model, "messages": messages, "max_tokens": TOKENS, **more}
        pieces = 1
        if stream:
            async with self._client.messages.stream(**ask) as events:
                pieces = len([event async for event in events if event.type == "text"])
                answer: Any = await events.get_final_message()
        else:
            answer = await self._client.messages.create(**ask)
        thoughts = [block.thinking for block in answer.content if block.type == "thinking"]
        details = getattr(answer.usage, "output_tokens_details", None)
        return Said(
            text="".join(block.text for block in answer.content if block.type == "text"),
            calls=tuple((block.id, block.name) for block in answer.content if block.type == "tool_use"),
            finish=answer.stop_reason,
            thoughts="".join(thoughts) if thoughts else None,
            reasoning=details.thinking_tokens if details else None,
            input=answer.usage.input_tokens,
            output=answer.usage.output_tokens,
            pieces=pieces,
            turn=[block.model_dump(exclude_none=True) for block in answer.content],
        )


class Google:
    """`google-genai`."""

    def __init__(self, client: genai.Client) -> None:
        self._models = client.aio.models

    async def ask(self, model: str, prompt: str, *, stream: bool, thinking: bool = False, tools: bool = False) -> Said:
        """One turn."""
        content = types.Content(role="user", parts=[types.Part(text=prompt)])
        return await self._send(model, [content], stream, thinking, tools)

    async def show(self, model: str, prompt: str, first: Said, png: bytes, *, stream: bool) -> Said:
        """The turn after a call, whose result is a picture."""
        id, name = first.calls[0]
        blob = types.FunctionResponseBlob(mime_type="image/png", data=png)
        result = types.FunctionResponse(
            id=id or None,
            name=name,
            response={"output": "here"},
            parts=[types.FunctionResponsePart(inline_data=blob)],
        )
        contents = [
            types.Content(role="user", parts=[types.Part(text=prompt)]),
            first.turn,
            types.Content(role="user", parts=[types.Part(function_response=result), types.Part(text=SHOWN)]),
        ]
        return await self._send(model, contents, stream, False, True)

    async def _send(
        self, model: str, contents: list[types.Content], stream: bool, thinking: bool, tools: bool
    ) -> Said:
        config = types.GenerateContentConfig(max_output_tokens=TOKENS)
        if thinking:
            config.thinking_config = types.ThinkingConfig(thinking_budget=2048, include_thoughts=True)
        if tools:
            red = types.FunctionDeclaration(name="red", parameters_json_schema=NO_PARAMETERS)
            config.tools = [types.Tool(function_declarations=[red])]
        asked: Any = contents
        if stream:
            chunks = [each async for each in await self._models.generate_content_stream(
                model=model, contents=asked, config=config
            )]
        else:
            chunks = [await self._models.generate_content(model=model, contents=asked, config=config)]
        found = [part for each in chunks for part in _parts(each)]
        usage = next(each.usage_metadata for each in reversed(chunks) if each.usage_metadata)
        calls = [part.function_call for part in found if part.function_call]
        thoughts = [part.text or "" for part in found if part.thought]
        return Said(
            text="".join(part.text or "" for part in found if not part.thought),
            calls=tuple((call.id or "", call.name or "") for call in calls),
            finish=str(chunks[-1].candidates[0].finish_reason) if chunks[-1].candidates else "",
            thoughts="".join(thoughts) if thoughts else None,
            reasoning=usage.thoughts_token_count,
            input=usage.prompt_token_count or 0,
            output=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            pieces=sum(1 for each in chunks if any(part.text and not part.thought for part in _parts(each))),
            turn=types.Content(role="model", parts=found),
        )


def _parts(answer: types.GenerateContentResponse) -> list[types.Part]:
    content = answer.candidates[0].content if answer.candidates else None
    return list(content.parts or ()) if content else []


Client = Chat | Responses | Claude | Google


@asynccontextmanager
async def clients(url: str, key: str) -> AsyncIterator[dict[str, Client]]:
    """Every SDK talking to `url`, by the dialect it speaks; none of them tries twice."""
    google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))
    async with (
        openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, max_retries=0) as chat,
        anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as claude,
    ):
        yield {
            "openai_chat": Chat(chat),
            "openai_responses": Responses(chat),
            "anthropic_messages": Claude(claude),
            "gemini": Google(google),
        }
    await google.aio.aclose()
