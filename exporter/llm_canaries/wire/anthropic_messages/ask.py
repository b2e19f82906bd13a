"""Messages requests, both ways (protocols.md A3)."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from llm_canaries.wire.anthropic_messages.parts import NAME, read_blocks, write_block, write_blocks
from llm_canaries.wire.exchange import Request
from llm_canaries.wire.json import Object, decode_object, encode, integer, items, kind, mapping, string, want
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Ask, Extra, Message, Opaque, Part, Text, Thinking, Tool, ToolChoice, ToolResult
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import MESSAGES_MINIMUM, budget_of, level_of

PATH = "/v1/messages"
VERSION = "2023-06-01"
DEFAULT_CAP = 4096  # max_tokens is required here and optional elsewhere

_CHOICES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def read_ask(body: bytes) -> Ask:
    """The Ask that a request body is. Raises WireError."""
    said = decode_object(body)
    model, messages = said.pop("model", None), said.pop("messages", None)
    want(isinstance(model, str) and bool(model), "model: expected a non-empty string")
    want(isinstance(messages, list) and bool(messages), "messages: expected a non-empty array")
    system = read_blocks(said.pop("system", None), "system")
    turns = tuple(turn for at, each in enumerate(messages) for turn in _read_message(each, at))
    choice = mapping(said.pop("tool_choice", None))
    alone = choice.pop("disable_parallel_tool_use", None)
    return Ask(
        dialect=NAME,
        model=model,
        messages=((Message("system", system),) if system else ()) + turns,
        stream=said.pop("stream", None) is True,
        include_usage=True,
        max_tokens=integer(said.pop("max_tokens", None)),
        temperature=said.pop("temperature", None),
        top_p=said.pop("top_p", None),
        stop=tuple(string(each) for each in items(said.pop("stop_sequences", None))),
        tools=tuple(_read_tool(tool) for tool in items(said.pop("tools", None))),
        tool_choice=_read_choice(choice),
        parallel_tool_calls=None if alone is None else not alone,
        thinking=_read_thinking(said),
        user=_read_user(said),
        extra=said,
    )


def write_ask(ask: Ask, profile: Profile) -> Request:
    """`ask` as a request; a level of thinking becomes a budget or an effort by `profile.thinking_form`."""
    losses = Losses(ask.dialect, NAME)
    system, turns = _split_system(ask.messages)
    cap = DEFAULT_CAP if ask.max_tokens is None else ask.max_tokens
    body: Object = {"model": ask.model, "max_tokens": cap, "messages": list(_write_messages(turns, losses))}
    if system:
        body["system"] = write_blocks(system, "system", losses)
    if ask.stream:
        body["stream"] = True
    if ask.stop:
        body["stop_sequences"] = list(ask.stop)
    if ask.tools:
        body["tools"] = [said for tool in ask.tools if (said := _write_tool(tool, losses)) is not None]
    if (choice := _write_choice(ask)) is not None:
        body["tool_choice"] = choice
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    if ask.top_p is not None:
        body["top_p"] = ask.top_p
    extra = losses.extra("ask", ask.extra)
    if ask.user is not None:
        body["metadata"] = mapping(extra.pop("metadata", None)) | {"user_id": ask.user}
    if ask.thinking is not None:
        _write_thinking(ask.thinking, body, extra, profile, losses)
    headers = (("content-type", "application/json"), ("anthropic-version", VERSION))
    return Request(path=PATH, headers=headers, body=encode(extra | body), losses=losses.found)


def _read_message(said: Any, at: int) -> Iterator[Message]:
    want(isinstance(said, dict), f"messages[{at}]: expected an object, got {kind(said)}")
    role = said.get("role")
    want(role in ("user", "assistant", "system"), f"messages[{at}].role: expected user or assistant")
    parts = read_blocks(said.get("content"), f"messages[{at}].content")
    extra = {key: value for key, value in said.items() if key not in ("role", "content")}
    if role != "user":
        yield Message(role, parts, extra)
        return
    for is_result, run in groupby(parts, key=lambda part: isinstance(part, ToolResult)):
        yield Message("tool" if is_result else "user", tuple(run), extra)
    if not parts:
        yield Message("user", (), extra)


def _read_tool(tool: Any) -> Tool | Opaque:
    want(isinstance(tool, dict), f"tools: expected objects, got {kind(tool)}")
    if tool.get("type", "custom") != "custom" or "input_schema" not in tool:
        return Opaque(NAME, tool)
    extra = {key: value for key, value in tool.items() if key not in ("name", "description", "input_schema")}
    return Tool(string(tool.get("name")), tool.get("description"), mapping(tool.get("input_schema")), extra)


def _read_choice(choice: Object) -> ToolChoice | None:
    match choice.get("type"):
        case "auto" | "none" as mode:
            return ToolChoice(mode)
        case "any":
            return ToolChoice("required")
        case "tool":
            return ToolChoice("tool", string(choice.get("name")))
        case _:
            return None


def _read_thinking(said: Object) -> Thinking | None:
    thinking, output = mapping(said.pop("thinking", None)), mapping(said.get("output_config"))
    effort = output.pop("effort", None)
    if not output:
        said.pop("output_config", None)
    mode = thinking.pop("type", None)
    if mode not in ("enabled", "disabled", "adaptive"):
        if mode is not None:
            said["thinking"] = {"type": mode} | thinking
        return Thinking(effort=effort) if isinstance(effort, str) else None
    budget = integer(thinking.pop("budget_tokens", None))
    return Thinking(mode, effort if isinstance(effort, str) else None, budget, thinking)


def _read_user(said: Object) -> str | None:
    metadata = mapping(said.get("metadata"))
    user = metadata.pop("user_id", None)
    if "metadata" in said and not metadata:
        del said["metadata"]
    return user if isinstance(user, str) else None


def _split_system(messages: tuple[Message, ...]) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
    """The leading system messages as one, and the turns after them."""
    count = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    return tuple(part for message in messages[:count] for part in message.content), messages[count:]


def _write_messages(turns: tuple[Message, ...], losses: Losses) -> Iterator[Object]:
    """Turns as messages; a run of tool results opens the user turn that follows it."""
    results: list[Part] = []
    for turn in turns:
        extra = losses.extra(turn.role, turn.extra)
        if turn.role == "tool":
            results += turn.content
            continue
        if results and turn.role != "user":
            yield {"role": "user", "content": write_blocks(results, "user", losses)}
            results = []
        content = (*results, *turn.content)
        results = []
        if turn.role == "system" and not losses.same and not all(isinstance(part, Text) for part in content):
            losses.add("system", "a part that is not text, in mid-conversation")
        yield {"role": turn.role, "content": write_blocks(content, turn.role, losses)} | extra
    if results:
        yield {"role": "user", "content": [block for part in results if (block := write_block(part, "user", losses))]}


def _write_tool(tool: Tool | Opaque, losses: Losses) -> Extra | None:
    if isinstance(tool, Opaque):
        if tool.dialect == NAME:
            return tool.block
        losses.add("tools", f"tool of type {tool.block.get('type')}")
        return None
    said: Object = {"name": tool.name, "input_schema": tool.schema or {"type": "object", "properties": {}}}
    if tool.description is not None:
        said["description"] = tool.description
    return said | losses.extra(f"tool {tool.name}", tool.extra)


def _write_choice(ask: Ask) -> Object | None:
    choice, alone = ask.tool_choice, ask.parallel_tool_calls is False
    if choice is None and not (alone and ask.tools):
        return None
    said: Object = {"type": _CHOICES[choice.mode] if choice else "auto"}
    if choice is not None and choice.mode == "tool":
        said["name"] = choice.name
    if alone and said["type"] != "none":
        said["disable_parallel_tool_use"] = True
    elif ask.parallel_tool_calls is True and ask.dialect == NAME:
        said["disable_parallel_tool_use"] = False
    return said


def _write_thinking(thinking: Thinking, body: Object, extra: Object, profile: Profile, losses: Losses) -> None:
    kept = losses.extra("thinking", thinking.extra)
    if thinking.mode is not None:
        said: Object = {"type": thinking.mode}
        if thinking.budget is not None:
            said["budget_tokens"] = thinking.budget
        body["thinking"] = said | kept
        if thinking.effort is not None:
            body["output_config"] = mapping(extra.pop("output_config", None)) | {"effort": thinking.effort}
        return
    level, budget = level_of(thinking), budget_of(thinking)
    if losses.same or (profile.thinking_form == "adaptive" and level != "none"):
        body["output_config"] = mapping(extra.pop("output_config", None)) | {"effort": level}
        if not losses.same:
            body["thinking"] = {"type": "adaptive"}
    elif level == "none" or budget == 0:
        body["thinking"] = {"type": "disabled"}
    elif budget is None:
        losses.add("thinking", f"level {level}, which has no budget")
    else:
        _write_budget(budget, body, losses)


def _write_budget(budget: int, body: Object, losses: Losses) -> None:
    """A budget fits between the least that Messages takes and the cap (C3); the cap is raised, never broken."""
    fitted = max(budget, MESSAGES_MINIMUM)
    if fitted != budget:
        losses.add("thinking", f"budget {budget}, raised to {fitted}")
    if fitted >= body["max_tokens"]:
        losses.add("max_tokens", f"{body['max_tokens']}, raised to hold the thinking budget")
        body["max_tokens"] = fitted + body["max_tokens"]
    body["thinking"] = {"type": "enabled", "budget_tokens": fitted}
