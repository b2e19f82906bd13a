"""Chat Completions requests, both ways (protocols.md A1)."""

from llm_canaries.wire.exchange import Request
from llm_canaries.wire.json import (
    Object,
    WireError,
    decode_object,
    each,
    encode,
    kind,
    mapping,
    take,
    take_count,
    take_number,
    want,
)
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import (
    Ask,
    Extra,
    Message,
    Opaque,
    Refusal,
    Thinking,
    Thought,
    Tool,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.openai_chat.parts import (
    NAME,
    beside,
    read_calls,
    read_content,
    unknown,
)
from llm_canaries.wire.openai_chat.turns import write_turns
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import fit, level_of

PATH = "/v1/chat/completions"
HEADERS = (("content-type", "application/json"),)


def read_ask(body: bytes) -> Ask:
    """The Ask that a request body is. Raises WireError."""
    said = decode_object(body)
    model, messages = take(said, "model", str), take(said, "messages", list)
    if not model or not messages:
        raise WireError(f"{'messages' if model else 'model'}: expected, and not empty")
    options = take(said, "stream_options", dict) or {}
    include_usage = take(options, "include_usage", bool, "stream_options.") is True
    if options:
        said["stream_options"] = options
    effort = take(said, "reasoning_effort", str)
    return Ask(
        dialect=NAME,
        model=model,
        messages=_bundled(each("messages", messages, _read_message)),
        stream=take(said, "stream", bool) is True,
        include_usage=include_usage,
        max_tokens=_read_cap(said),
        temperature=take_number(said, "temperature"),
        top_p=take_number(said, "top_p"),
        stop=_read_stop(said),
        tools=tuple(each("tools", take(said, "tools", list) or [], _read_tool)),
        tool_choice=_read_choice(said),
        parallel_tool_calls=take(said, "parallel_tool_calls", bool),
        thinking=None if effort is None else Thinking(effort=effort),
        user=take(said, "user", str),
        extra=said,
    )


def write_ask(ask: Ask, profile: Profile) -> Request:
    """`ask` as a request; images in tool results stay or are hoisted by `profile.tool_images`."""
    losses = Losses(ask.dialect, NAME)
    body: Object = {"model": ask.model, "messages": write_turns(ask.messages, profile, losses)}
    extra = losses.extra("ask", ask.extra)
    if ask.stream:
        body["stream"] = True
    if ask.stream and (ask.include_usage or not losses.same) and profile.stream_usage:
        body["stream_options"] = mapping(extra.pop("stream_options", None)) | {"include_usage": True}
    if ask.max_tokens is not None:
        body[profile.max_tokens_field] = ask.max_tokens
    if ask.stop:
        body["stop"] = list(ask.stop)
    if tools := [said for tool in ask.tools if (said := _write_tool(tool, losses)) is not None]:
        body["tools"] = tools
    if ask.tool_choice is not None and (tools or not ask.tools):
        body["tool_choice"] = _write_choice(ask.tool_choice, losses)
    elif ask.tool_choice is not None:
        losses.add("tool_choice", f"{ask.tool_choice.mode}, for no tool is left")
    if ask.thinking is not None:
        _write_thinking(ask.thinking, ask.model, body, profile, losses)
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    if ask.top_p is not None:
        body["top_p"] = ask.top_p
    if ask.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = ask.parallel_tool_calls
    if ask.user is not None:
        body["user"] = ask.user
    return Request(path=PATH, headers=HEADERS, body=encode(body | extra if extra else body), losses=losses.found)


def _read_cap(said: Object) -> int | None:
    """The cap under its newer name, else under its older one; a second one stays in `said`."""
    for field in ("max_completion_tokens", "max_tokens"):
        if (cap := take_count(said, field)) is not None:
            return cap
    return None


def _read_stop(said: Object) -> tuple[str, ...]:
    stop = said.pop("stop", None)
    stops = [] if stop is None else [stop] if isinstance(stop, str) else stop
    want(isinstance(stops, list) and all(isinstance(one, str) for one in stops), "stop: expected strings")
    return tuple(stops)


def _read_tool(tool: Object) -> Tool | Opaque:
    function = tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, dict):
        return Opaque(NAME, tool)
    name, description = take(function, "name", str, ".function."), take(function, "description", str, ".function.")
    if not name:
        raise WireError(".function.name: expected a non-empty string")
    schema = take(function, "parameters", dict, ".function.")
    return Tool(name, description, schema, unknown(tool, "function"))


def _read_choice(said: Object) -> ToolChoice | None:
    """The choice; words and forms that the hub does not know stay in `said`."""
    match said.get("tool_choice"):
        case "auto" | "none" | "required" as mode:
            del said["tool_choice"]
            return ToolChoice(mode)
        case {"function": {"name": str(name)}}:
            del said["tool_choice"]
            return ToolChoice("tool", name)
        case str() | dict() | None:
            return None
        case other:
            raise WireError(f"tool_choice: expected a string or an object, got {kind(other)}")


def _bundled(read: list[Message | ToolResult]) -> tuple[Message, ...]:
    """Turns, of which every run of results is one."""
    turns: list[Message] = []
    results: list[ToolResult] = []
    for one in read:
        if isinstance(one, ToolResult):
            results.append(one)
            continue
        if results:
            turns.append(Message("tool", tuple(results)))
            results = []
        turns.append(one)
    if results:
        turns.append(Message("tool", tuple(results)))
    return tuple(turns)


def _read_message(said: Object) -> Message | ToolResult:
    role = said.get("role")
    if role not in ("system", "developer", "user", "assistant", "tool"):
        return Message("user", (Opaque(NAME, said),))
    del said["role"]
    content = read_content(said.pop("content", None), ".content")
    if role == "tool":
        return ToolResult(take(said, "tool_call_id", str, ".") or "", content, extra=said)
    if role == "developer":
        return Message("system", content, {"role": "developer"} | said)
    if role == "assistant":
        if thought := take(said, "reasoning_content", str, "."):
            content = (Thought(thought), *content)
        if (refusal := take(said, "refusal", str, ".")) is not None:
            content = (*content, Refusal(refusal))
        content = (*content, *read_calls(said.pop("tool_calls", None), ".tool_calls"))
    return Message(role, content, said)


def _write_tool(tool: Tool | Opaque, losses: Losses) -> Extra | None:
    if isinstance(tool, Opaque):
        if tool.dialect == NAME:
            return tool.block
        losses.tool(tool)
        return None
    function: Object = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    said: Object = {"type": "function", "function": function}
    return beside(said, "function", losses.extra(f"tool {tool.name}", tool.extra)) if tool.extra else said


def _write_thinking(thinking: Thinking, model: str, body: Object, profile: Profile, losses: Losses) -> None:
    """A level as it was said, or the one that the model takes where another dialect's client asks."""
    losses.extra("thinking", thinking.extra)
    if not losses.same:
        thinking, lost = fit(thinking, profile.facts(model), profile, None, "level")
        losses.take(lost)
    level = level_of(thinking)
    if level is not None:
        body["reasoning_effort"] = level
    elif thinking.mode is not None:
        losses.add("thinking", f"mode {thinking.mode}")


def _write_choice(choice: ToolChoice, losses: Losses) -> object:
    losses.extra("tool_choice", choice.extra)
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode
