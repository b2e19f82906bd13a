"""Messages requests, both ways (protocols.md A3)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import Literal

from llm_canaries.wire.anthropic_messages.parts import NAME, read_blocks, write_blocks
from llm_canaries.wire.exchange import Request
from llm_canaries.wire.json import (
    Object,
    WireError,
    decode_object,
    each,
    encode,
    mapping,
    string,
    take,
    take_count,
    take_number,
    want,
)
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Ask, Extra, Message, Opaque, Part, Text, Thinking, Tool, ToolChoice, ToolResult
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import MESSAGES_MINIMUM, fit

PATH = "/v1/messages"
VERSION = "2023-06-01"
DEFAULT_CAP = 4096  # max_tokens is required here and optional elsewhere

_MODES: Mapping[str, Literal["auto", "none", "required", "tool"]] = {
    "auto": "auto",
    "none": "none",
    "any": "required",
    "tool": "tool",
}
_CHOICES = {mode: word for word, mode in _MODES.items()}


def read_ask(body: bytes) -> Ask:
    """The Ask that a request body is. Raises WireError."""
    said = decode_object(body)
    model, messages = take(said, "model", str), take(said, "messages", list)
    if not model or not messages:
        raise WireError(f"{'messages' if model else 'model'}: expected, and not empty")
    system = read_blocks(said.pop("system", None), "system")
    turns = [Message("system", system)] if system else []
    turns += chain.from_iterable(each("messages", messages, _read_message))
    choice, alone = _read_choice(said)
    return Ask(
        dialect=NAME,
        model=model,
        messages=tuple(turns),
        stream=take(said, "stream", bool) is True,
        include_usage=True,
        max_tokens=take_count(said, "max_tokens"),
        temperature=take_number(said, "temperature"),
        top_p=take_number(said, "top_p"),
        stop=_read_stop(said),
        tools=tuple(each("tools", take(said, "tools", list) or [], _read_tool)),
        tool_choice=choice,
        parallel_tool_calls=None if alone is None else not alone,
        thinking=_read_thinking(said) if said else None,
        user=_read_user(said) if said else None,
        extra=said,
    )


def write_ask(ask: Ask, profile: Profile) -> Request:
    """`ask` as a request; a level of thinking becomes a budget or an effort by `profile.thinking_form`."""
    losses = Losses(ask.dialect, NAME)
    system, turns = _split_system(ask.messages, losses)
    cap = DEFAULT_CAP if ask.max_tokens is None else ask.max_tokens
    if ask.max_tokens is None:
        losses.add("max_tokens", f"none given, {cap} said")
    messages = list(_write_messages(turns, losses))
    if not messages:  # without a message the ask would be refused
        losses.add("messages", "nothing is left, an empty text said")
        messages.append({"role": "user", "content": ""})
    body: Object = {"model": ask.model, "max_tokens": cap, "messages": messages}
    if system:
        body["system"] = write_blocks(system, "system", losses)
    if ask.stream:
        body["stream"] = True
    if ask.stop:
        body["stop_sequences"] = list(ask.stop)
    if tools := [said for tool in ask.tools if (said := _write_tool(tool, losses)) is not None]:
        body["tools"] = tools
    choice = _write_choice(ask, losses)
    if choice is not None and (tools or not ask.tools):
        body["tool_choice"] = choice
    elif choice is not None:
        losses.add("tool_choice", f"{choice['type']}, for no tool is left")
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    if ask.top_p is not None:
        body["top_p"] = ask.top_p
    extra = losses.extra("ask", ask.extra)
    if ask.user is not None:
        body["metadata"] = mapping(extra.pop("metadata", None)) | {"user_id": ask.user}
    if ask.thinking is not None:
        _write_thinking(ask, ask.thinking, body, extra, profile, losses)
    headers = (("content-type", "application/json"), ("anthropic-version", VERSION))
    return Request(path=PATH, headers=headers, body=encode(extra | body), losses=losses.found)


def _read_message(said: Object) -> Iterable[Message]:
    role, content = said.pop("role", None), said.pop("content", None)
    if role not in ("user", "assistant", "system"):
        raise WireError(".role: expected user or assistant")
    if type(content) is str:
        return (Message(role, (Text(content),), said),)
    parts = read_blocks(content, ".content")
    kinds = set(map(type, parts)) if role == "user" else ()
    if ToolResult not in kinds:
        return (Message(role, parts, said),)
    if len(kinds) == 1:
        return (Message("tool", parts, said),)
    runs = groupby(parts, key=lambda part: isinstance(part, ToolResult))
    return [Message("tool" if is_result else "user", tuple(run), said) for is_result, run in runs]


def _read_stop(said: Object) -> tuple[str, ...]:
    stops = take(said, "stop_sequences", list)
    if not stops:
        return ()
    want(all(isinstance(stop, str) for stop in stops), "stop_sequences: expected strings")
    return tuple(stops)


def _read_tool(tool: Object) -> Tool | Opaque:
    if tool.get("type", "custom") != "custom" or "input_schema" not in tool:
        return Opaque(NAME, tool)
    name, description = take(tool, "name", str, "."), take(tool, "description", str, ".")
    if not name:
        raise WireError(".name: expected a non-empty string")
    return Tool(name, description, take(tool, "input_schema", dict, "."), tool)


def _read_choice(said: Object) -> tuple[ToolChoice | None, object]:
    """The choice, and whether calls must come alone; a type of choice that nobody knows stays in `said`."""
    choice = take(said, "tool_choice", dict)
    if choice is None:
        return None, None
    mode = _MODES.get(string(choice.get("type")))
    if mode is None:
        said["tool_choice"] = choice
        return None, None
    del choice["type"]
    alone = take(choice, "disable_parallel_tool_use", bool, "tool_choice.")
    name = take(choice, "name", str, "tool_choice.") if mode == "tool" else None
    return ToolChoice(mode, name, choice), alone


def _read_thinking(said: Object) -> Thinking | None:
    output = take(said, "output_config", dict) or {}
    effort = take(output, "effort", str, "output_config.")
    if output:
        said["output_config"] = output
    thinking = take(said, "thinking", dict) or {}
    match thinking.get("type"):
        case "enabled" | "disabled" | "adaptive" as mode:
            del thinking["type"]
            return Thinking(mode, effort, take_count(thinking, "budget_tokens", "thinking."), thinking)
    if thinking:
        said["thinking"] = thinking
    return None if effort is None else Thinking(effort=effort)


def _read_user(said: Object) -> str | None:
    metadata = take(said, "metadata", dict) or {}
    user = take(metadata, "user_id", str, "metadata.")
    if metadata:
        said["metadata"] = metadata
    return user


def _split_system(messages: tuple[Message, ...], losses: Losses) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
    """The leading system messages as one, and the turns after them."""
    count = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    for message in messages[:count]:
        losses.extra("system", message.extra)
    return tuple(part for message in messages[:count] for part in message.content), messages[count:]


def _write_messages(turns: tuple[Message, ...], losses: Losses) -> Iterator[Object]:
    """Turns as messages; a run of tool results opens the user turn that follows it."""
    results = Message("user", ())
    for turn in turns:
        if turn.role == "tool":
            results = Message("user", results.content + turn.content, {**results.extra, **turn.extra})
            continue
        if turn.role == "user":
            turn = Message("user", results.content + turn.content, {**results.extra, **turn.extra})
        else:
            yield from _write_message(results, losses) if results.content else ()
        results = Message("user", ())
        yield from _write_message(turn, losses)
    yield from _write_message(results, losses) if results.content else ()


def _write_message(turn: Message, losses: Losses) -> Iterator[Object]:
    """`turn` as a message; one of another dialect that has nothing left to say would be refused."""
    if turn.role == "system" and not losses.same and not all(isinstance(part, Text) for part in turn.content):
        losses.add("system", "a part that is not text, in mid-conversation")
    content, extra = write_blocks(turn.content, turn.role, losses), losses.extra(turn.role, turn.extra)
    if content or losses.same:
        yield {"role": turn.role, "content": content} | extra
    else:
        losses.add(turn.role, "a message without content")


def _write_tool(tool: Tool | Opaque, losses: Losses) -> Extra | None:
    if isinstance(tool, Opaque):
        if tool.dialect == NAME:
            return tool.block
        losses.tool(tool)
        return None
    none = {"type": "object", "properties": {}}  # the least that Messages takes; {} is refused
    said: Object = {"name": tool.name, "input_schema": tool.schema if tool.schema or losses.same else none}
    if tool.description is not None:
        said["description"] = tool.description
    return said | losses.extra(f"tool {tool.name}", tool.extra)


def _write_choice(ask: Ask, losses: Losses) -> Object | None:
    choice, alone = ask.tool_choice, ask.parallel_tool_calls is False
    if choice is None and not (alone and ask.tools):
        return None
    said: Object = {"type": _CHOICES[choice.mode] if choice else "auto"}
    if choice is not None:
        said |= ({"name": choice.name} if choice.mode == "tool" else {}) | losses.extra("tool_choice", choice.extra)
    if alone and said["type"] != "none":
        said["disable_parallel_tool_use"] = True
    elif ask.parallel_tool_calls is True and ask.dialect == NAME:
        said["disable_parallel_tool_use"] = False
    return said


def _write_thinking(
    ask: Ask, thinking: Thinking, body: Object, extra: Object, profile: Profile, losses: Losses
) -> None:
    """Thinking as it was said, or what of it the model takes where another dialect's client asks."""
    kept = losses.extra("thinking", thinking.extra)
    if not losses.same:
        facts = profile.facts(ask.model)
        # a model that takes both forms is asked in the client's own
        form = "budget" if thinking.budget is not None and facts.budget is not None else profile.form_for(facts)
        thinking, lost = fit(thinking, facts, profile, ask.max_tokens, form, least=MESSAGES_MINIMUM)
        losses.take(lost)
        _make_room(thinking.budget or 0, body, losses)
    if thinking.mode is not None:
        budget = {} if thinking.budget is None else {"budget_tokens": thinking.budget}
        body["thinking"] = {"type": thinking.mode} | budget | kept
    if thinking.effort is not None:
        body["output_config"] = mapping(extra.pop("output_config", None)) | {"effort": thinking.effort}


def _make_room(budget: int, body: Object, losses: Losses) -> None:
    """A cap that could hold no budget is raised, for Messages would refuse it."""
    if budget >= body["max_tokens"]:
        losses.add("max_tokens", f"{body['max_tokens']}, raised to hold the thinking budget")
        body["max_tokens"] += budget
