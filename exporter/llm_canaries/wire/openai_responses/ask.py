"""Responses requests, both ways (protocols.md A2)."""

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
from llm_canaries.wire.message import Ask, Extra, Message, Opaque, Text, Thinking, Tool, ToolChoice
from llm_canaries.wire.openai_responses.inputs import read_input, write_input
from llm_canaries.wire.openai_responses.parts import NAME, kin, without
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import fit, level_of

PATH = "/v1/responses"
LEAST_CAP = 16  # a smaller max_output_tokens is refused: integer_below_min_value (earendil-works/pi#6265)
SEALS = "reasoning.encrypted_content"
_STATE = ("previous_response_id", "conversation", "prompt")


def read_ask(body: bytes) -> Ask:
    """The Ask that a request body is. Raises WireError."""
    said = decode_object(body)
    model, turns = take(said, "model", str), said.pop("input", None)
    want(isinstance(turns, str | list | None), f"input: expected a string or an array, got {kind(turns)}")
    # what the provider has stored may go on without new input
    if not model or (not turns and all(said.get(key) is None for key in _STATE)):
        raise WireError(f"{'input' if model else 'model'}: expected, and not empty")
    if isinstance(turns, str):
        turns = [{"role": "user", "content": turns}] if turns else []
    messages = _read_instructions(said, read_input(turns or []))
    return Ask(
        dialect=NAME,
        model=model,
        messages=messages,
        stream=take(said, "stream", bool) is True,
        include_usage=True,
        max_tokens=take_count(said, "max_output_tokens"),
        temperature=take_number(said, "temperature"),
        top_p=take_number(said, "top_p"),
        tools=tuple(each("tools", take(said, "tools", list) or [], _read_tool)),
        tool_choice=_read_choice(said),
        parallel_tool_calls=take(said, "parallel_tool_calls", bool),
        thinking=_read_thinking(said),
        user=take(said, "user", str),
        extra=said,
    )


def write_ask(ask: Ask, profile: Profile) -> Request:
    """`ask` as a request."""
    losses = Losses(ask.dialect, NAME)
    extra = losses.extra("ask", ask.extra)
    instructions, messages = _split_instructions(ask, extra)
    body: Object = {"model": ask.model}
    if instructions is not None:
        body["instructions"] = instructions
    if turns := write_input(messages, losses):
        body["input"] = turns
    if ask.stream:
        body["stream"] = True
    if ask.max_tokens is not None:
        body["max_output_tokens"] = _write_cap(ask.max_tokens, losses)
    if ask.stop:
        losses.add("stop", f"{len(ask.stop)} stop sequence(s), which Responses does not have")
    if tools := [said for tool in ask.tools if (said := _write_tool(tool, losses)) is not None]:
        body["tools"] = tools
    if ask.tool_choice is not None and (tools or not ask.tools):
        body["tool_choice"] = _write_choice(ask.tool_choice, losses)
    elif ask.tool_choice is not None:
        losses.add("tool_choice", f"{ask.tool_choice.mode}, for no tool is left")
    if ask.thinking is not None:
        body |= _write_thinking(ask, ask.thinking, profile, losses)
    if not losses.same:
        body |= _stateless(body)
    optional = {
        "temperature": ask.temperature,
        "top_p": ask.top_p,
        "parallel_tool_calls": ask.parallel_tool_calls,
        "user": ask.user,
    }
    body |= {key: value for key, value in optional.items() if value is not None} | extra
    headers = (("content-type", "application/json"),)
    return Request(path=PATH, headers=headers, body=encode(body), losses=losses.found)


def _stateless(body: Object) -> Object:
    """What a client of another dialect takes for granted: nothing is kept, and it brings all history itself.

    Responses stores every answer unless told not to, for nobody here would ever name it again. Reasoning that is not
    stored goes on only if it comes back sealed, and seals must be asked for (protocols.md A2, H1); models that do not
    reason refuse to be asked, so they are asked for only where reasoning is.
    """
    effort = body.get("reasoning", {}).get("effort")
    return {"store": False} | ({"include": [SEALS]} if effort not in (None, "none") else {})


def _read_instructions(said: Object, turns: tuple[Message, ...]) -> tuple[Message, ...]:
    """`turns` after the instructions; where none are given, those in `said` tell that the first turn is an item."""
    instructions = take(said, "instructions", str)
    if instructions:
        return Message("system", (Text(instructions),)), *turns
    if instructions is not None or (turns and turns[0].role == "system"):
        said["instructions"] = instructions
    return turns


def _split_instructions(ask: Ask, extra: Object) -> tuple[str | None, tuple[Message, ...]]:
    """The first message where it is all instructions, and the rest."""
    if "instructions" in extra:
        return extra.pop("instructions"), ask.messages
    match ask.messages:
        case (Message("system", (Text(text, inner),), outer), *_) if not inner and not outer and text:
            return text, ask.messages[1:]
    return None, ask.messages


def _write_cap(cap: int, losses: Losses) -> int:
    if cap >= LEAST_CAP or losses.same:
        return cap
    losses.add("max_tokens", f"{cap}, raised to {LEAST_CAP}")
    return LEAST_CAP


def _read_tool(tool: Object) -> Tool | Opaque:
    if tool.get("type") != "function":
        return Opaque(NAME, tool)
    name, description = take(tool, "name", str, "."), take(tool, "description", str, ".")
    want(bool(name), ".name: expected a non-empty string")
    del tool["type"]
    return Tool(name or "", description, take(tool, "parameters", dict, "."), tool)


def _write_tool(tool: Tool | Opaque, losses: Losses) -> Extra | None:
    """A tool; unless told otherwise this API enforces the schema strictly, which nobody else does."""
    if isinstance(tool, Opaque):
        if tool.dialect == NAME:
            return tool.block
        losses.tool(tool)
        return None
    said: Object = {"type": "function", "name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    if tool.schema is not None or losses.same:
        said["parameters"] = tool.schema
    if not losses.same:
        said = {"parameters": {"type": "object", "properties": {}}, "strict": False} | said
    return said | kin(tool.extra, losses, f"tool {tool.name}", "strict")


def _read_choice(said: Object) -> ToolChoice | None:
    """The choice; words and forms that the hub does not know stay in `said`."""
    match said.get("tool_choice"):
        case "auto" | "none" | "required" as mode:
            del said["tool_choice"]
            return ToolChoice(mode)
        case {"type": "function", "name": str(name)}:
            return ToolChoice("tool", name, without(mapping(said.pop("tool_choice")), "type", "name"))
        case str() | dict() | None:
            return None
        case other:
            raise WireError(f"tool_choice: expected a string or an object, got {kind(other)}")


def _write_choice(choice: ToolChoice, losses: Losses) -> object:
    extra = losses.extra("tool_choice", choice.extra)
    return {"type": "function", "name": choice.name} | extra if choice.mode == "tool" else choice.mode


def _read_thinking(said: Object) -> Thinking | None:
    reasoning = take(said, "reasoning", dict)
    if reasoning is None:
        return None
    return Thinking(effort=take(reasoning, "effort", str, "reasoning."), extra=reasoning)


def _write_thinking(ask: Ask, thinking: Thinking, profile: Profile, losses: Losses) -> Object:
    """A level as it was said, or the one that the model takes where another dialect's client asks."""
    said = losses.extra("thinking", thinking.extra)
    if not losses.same:
        thinking, lost = fit(thinking, profile.facts(ask.model), profile, None, "level")
        losses.take(lost)
    elif thinking.mode is not None:
        losses.add("thinking", f"mode {thinking.mode}")
    if (level := level_of(thinking)) is not None:
        said["effort"] = level
    return {"reasoning": said} if said or losses.same else {}
