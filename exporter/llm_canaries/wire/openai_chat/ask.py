"""Chat Completions requests, both ways (protocols.md A1)."""

from collections.abc import Iterator
from typing import Any

from llm_canaries.wire.exchange import Request
from llm_canaries.wire.json import Object, decode_object, encode, integer, kind, mapping, string, want
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import (
    Ask,
    Document,
    Extra,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.openai_chat.parts import NAME, read_calls, read_content, write_call, write_content
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import level_of

PATH = "/v1/chat/completions"


def read_ask(body: bytes) -> Ask:
    """The Ask that a request body is. Raises WireError."""
    said = decode_object(body)
    model, messages = said.pop("model", None), said.pop("messages", None)
    want(isinstance(model, str) and bool(model), "model: expected a non-empty string")
    want(isinstance(messages, list) and bool(messages), "messages: expected a non-empty array")
    options = said.get("stream_options")
    include_usage = isinstance(options, dict) and options.pop("include_usage", False) is True
    if options is None or options == {}:
        said.pop("stream_options", None)
    stop = said.pop("stop", None)
    effort = said.pop("reasoning_effort", None)
    return Ask(
        dialect=NAME,
        model=model,
        messages=tuple(_read_messages(messages)),
        stream=said.pop("stream", None) is True,
        include_usage=include_usage,
        max_tokens=_read_cap(said),
        temperature=_number(said, "temperature"),
        top_p=_number(said, "top_p"),
        stop=(stop,) if isinstance(stop, str) else tuple(string(each) for each in stop or ()),
        tools=tuple(_read_tool(tool) for tool in said.pop("tools", None) or ()),
        tool_choice=_read_choice(said),
        parallel_tool_calls=said.pop("parallel_tool_calls", None),
        thinking=Thinking(effort=effort) if isinstance(effort, str) else None,
        user=said.pop("user", None),
        extra=said,
    )


def write_ask(ask: Ask, profile: Profile) -> Request:
    """`ask` as a request; images in tool results stay or are hoisted by `profile.tool_images`."""
    losses = Losses(ask.dialect, NAME)
    body: Object = {"model": ask.model, "messages": list(_write_messages(ask, profile, losses))}
    extra = losses.extra("ask", ask.extra)
    if ask.stream:
        body["stream"] = True
    if ask.stream and (ask.include_usage or not losses.same) and profile.stream_usage:
        body["stream_options"] = mapping(extra.pop("stream_options", None)) | {"include_usage": True}
    if ask.max_tokens is not None:
        body[profile.max_tokens_field] = ask.max_tokens
    if ask.stop:
        body["stop"] = list(ask.stop)
    if ask.tools:
        body["tools"] = [_write_tool(tool, losses) for tool in ask.tools if _sayable(tool, losses)]
    if ask.tool_choice is not None:
        body["tool_choice"] = _write_choice(ask.tool_choice)
    if ask.thinking is not None:
        losses.extra("thinking", ask.thinking.extra)
        if (level := level_of(ask.thinking)) is not None:
            body["reasoning_effort"] = level
    optional = {
        "temperature": ask.temperature,
        "top_p": ask.top_p,
        "parallel_tool_calls": ask.parallel_tool_calls,
        "user": ask.user,
    }
    body |= {key: value for key, value in optional.items() if value is not None} | extra
    return Request(
        path=PATH, headers=(("content-type", "application/json"),), body=encode(body), losses=losses.found
    )


def _read_cap(said: Object) -> int | None:
    for field in ("max_completion_tokens", "max_tokens"):
        if (cap := integer(said.get(field))) is not None:
            del said[field]
            return cap
    return None


def _number(said: Object, key: str) -> float | None:
    value = said.pop(key, None)
    want(value is None or isinstance(value, int | float), f"{key}: expected a number, got {kind(value)}")
    return value  # type: ignore[no-any-return]  # narrowed by the line above


def _read_tool(tool: Any) -> Tool | Opaque:
    want(isinstance(tool, dict), f"tools: expected objects, got {kind(tool)}")
    function = tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, dict):
        return Opaque(NAME, tool)
    function = dict(function)
    return Tool(
        name=string(function.pop("name", "")),
        description=function.pop("description", None),
        schema=function.pop("parameters", None),
        extra=function,
    )


def _read_choice(said: Object) -> ToolChoice | None:
    choice = said.get("tool_choice")
    if isinstance(choice, str) and choice in ("auto", "none", "required"):
        del said["tool_choice"]
        return ToolChoice(choice)  # type: ignore[arg-type]  # the line above narrows it
    if isinstance(choice, dict) and isinstance(function := choice.get("function"), dict):
        del said["tool_choice"]
        return ToolChoice("tool", string(function.get("name")))
    return None


def _read_messages(messages: list[Any]) -> Iterator[Message]:
    results: list[ToolResult] = []
    for at, said in enumerate(messages):
        want(isinstance(said, dict), f"messages[{at}]: expected an object, got {kind(said)}")
        said = dict(said)
        if said.get("role") == "tool":
            results.append(_read_result(said, at))
            continue
        if results:
            yield Message("tool", tuple(results))
            results = []
        yield _read_message(said, at)
    if results:
        yield Message("tool", tuple(results))


def _read_result(said: Object, at: int) -> ToolResult:
    del said["role"]
    content = read_content(said.pop("content", None), f"messages[{at}].content")
    return ToolResult(string(said.pop("tool_call_id", "")), content, extra=said)


def _read_message(said: Object, at: int) -> Message:
    role = said.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        return Message("user", (Opaque(NAME, said),))
    del said["role"]
    content = read_content(said.pop("content", None), f"messages[{at}].content")
    if role == "developer":
        return Message("system", content, {"role": "developer"} | said)
    if role == "assistant":
        thought = said.pop("reasoning_content", None)
        if isinstance(thought, str) and thought:
            content = (Thought(thought), *content)
        if isinstance(refusal := said.pop("refusal", None), str):
            content = (*content, Refusal(refusal))
        content = (*content, *read_calls(said.pop("tool_calls", None), f"messages[{at}].tool_calls"))
    return Message(role, content, said)


def _sayable(tool: Tool | Opaque, losses: Losses) -> bool:
    if isinstance(tool, Opaque) and tool.dialect != NAME:
        losses.add("tools", f"tool of type {tool.block.get('type')}")
        return False
    return True


def _write_tool(tool: Tool | Opaque, losses: Losses) -> Extra:
    if isinstance(tool, Opaque):
        return tool.block
    function: Object = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    return {"type": "function", "function": function | losses.extra(f"tool {tool.name}", tool.extra)}


def _write_choice(choice: ToolChoice) -> object:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _write_messages(ask: Ask, profile: Profile, losses: Losses) -> Iterator[Object]:
    for message in ask.messages:
        match message.role:
            case "tool":
                yield from _write_results(message, profile, losses)
            case "assistant":
                yield _write_assistant(message, losses)
            case role:
                if len(message.content) == 1 and isinstance(whole := message.content[0], Opaque) and "role" in whole.block:
                    yield from [dict(whole.block)] if whole.dialect == NAME else []
                    continue
                content = write_content(message.content, role, losses)
                yield {"role": role, "content": content} | losses.extra(role, message.extra)


def _write_assistant(message: Message, losses: Losses) -> Object:
    words: list[Part] = []
    said: Object = {"role": "assistant", "content": None}
    for part in message.content:
        match part:
            case Thought(text) if losses.same and text:
                said["reasoning_content"] = text
            case Thought():
                losses.add("assistant", "thinking")
            case Refusal(text):
                said["refusal"] = text
            case ToolCall():
                said.setdefault("tool_calls", []).append(write_call(part, losses))
            case _:
                words.append(part)
    if words:
        said["content"] = write_content(tuple(words), "assistant", losses)
    return said | losses.extra("assistant", message.extra)


def _write_results(message: Message, profile: Profile, losses: Losses) -> Iterator[Object]:
    """Every tool message of a run, then one user message with what the tool role cannot hold."""
    hoisted: list[Part] = []
    for result in message.content:
        if not isinstance(result, ToolResult):
            losses.add("tool", type(result).__name__.lower())
            continue
        pictures = [] if profile.tool_images else [p for p in result.content if isinstance(p, Image | Document)]
        kept = tuple(part for part in result.content if part not in pictures)
        if result.is_error:
            losses.add(f"tool result {result.id}", "is_error")
        if pictures:
            losses.add(f"tool result {result.id}", f"{len(pictures)} image(s) moved to a user message")
            hoisted += [Text(f"Returned by tool call {result.id}:"), *pictures]
        content = write_content(kept, "tool", losses)
        extra = losses.extra("tool result", result.extra)
        yield {"role": "tool", "tool_call_id": result.id, "content": content} | extra
    if hoisted:
        yield {"role": "user", "content": write_content(tuple(hoisted), "user", losses)}
