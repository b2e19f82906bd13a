"""Tools and the choice among them, both ways (protocols.md A4)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from llm_canaries.wire.gemini.names import NAME, camel
from llm_canaries.wire.gemini.schema import to_json_schema, to_parameters
from llm_canaries.wire.json import Object, kind, take, want
from llm_canaries.wire.loss import Losses, under
from llm_canaries.wire.message import Ask, Opaque, Tool, ToolChoice

_MODES: Mapping[str, Literal["auto", "none", "required", "tool"]] = {
    "AUTO": "auto",
    "NONE": "none",
    "ANY": "required",
    "VALIDATED": "auto",  # words or calls, the calls by their schema
}
_WORDS = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}

# In `extra`: the schema was in Gemini's own words. Null counts as absence, so no other dialect calls it a loss.
_OWN_WORDS: Mapping[str, None] = MappingProxyType({"parametersJsonSchema": None})


def read_tools(said: Object) -> tuple[Tool | Opaque, ...]:
    """The tools: every function of every entry, and what else an entry holds. Raises WireError."""
    found: list[Tool | Opaque] = []
    for at, entry in enumerate(take(said, "tools", list) or ()):
        want(isinstance(entry, dict), f"tools[{at}]: expected an object, got {kind(entry)}")
        held = camel(entry)
        functions = take(held, "functionDeclarations", list, f"tools[{at}].")
        found += (_read_tool(each, f"tools[{at}].functionDeclarations") for each in functions or ())
        if held or functions is None:
            found.append(Opaque(NAME, held))
    return tuple(found)


def write_tools(tools: Sequence[Tool | Opaque], losses: Losses) -> list[Object]:
    """`tools` as entries; functions in a row share one."""
    entries: list[Object] = []
    row: list[Object] = []
    for tool in tools:
        if isinstance(tool, Tool):
            if not row:
                entries.append({"functionDeclarations": row})
            row.append(_write_tool(tool, losses))
        elif tool.dialect == NAME:
            row = []
            entries.append(dict(tool.block))
        else:
            losses.tool(tool)
    return entries


def read_choice(said: Object) -> tuple[ToolChoice | None, Object]:
    """The choice, and what `toolConfig` holds besides, as fields of the ask's `extra`. Raises WireError."""
    held = camel(take(said, "toolConfig", dict) or {})
    calling = take(held, "functionCallingConfig", dict, "toolConfig.")
    if calling is None:
        return None, under("toolConfig", held)
    extra = camel(calling)
    word = take(extra, "mode", str, "toolConfig.functionCallingConfig.") or ""
    mode = _MODES.get(word)
    if mode is None:
        return None, under("toolConfig", held | {"functionCallingConfig": calling})
    if word == "VALIDATED":
        extra["mode"] = word
    match extra.get("allowedFunctionNames"):
        case [str(name)] if mode == "required":
            del extra["allowedFunctionNames"]
            return ToolChoice("tool", name, extra), under("toolConfig", held)
    return ToolChoice(mode, None, extra), under("toolConfig", held)


def write_choice(ask: Ask, has_tools: bool, losses: Losses) -> Object:
    """`toolConfig` as far as the choice goes."""
    choice = ask.tool_choice
    if ask.parallel_tool_calls is False:
        losses.add("parallel_tool_calls", "false: calls may come side by side")
    if choice is None:
        return {}
    if ask.tools and not has_tools:
        losses.add("tool_choice", f"{choice.mode}, for no tool is left")
        return {}
    said: Object = {"mode": _WORDS[choice.mode]}
    if choice.mode == "tool":
        said["allowedFunctionNames"] = [choice.name]
    return {"functionCallingConfig": said | losses.extra("tool_choice", choice.extra)}


def _read_tool(said: Any, where: str) -> Tool:
    want(isinstance(said, dict), f"{where}: expected objects, got {kind(said)}")
    held = camel(said)
    name, description = take(held, "name", str, f"{where}."), take(held, "description", str, f"{where}.")
    want(bool(name), f"{where}.name: expected a non-empty string")
    schema = take(held, "parametersJsonSchema", dict, f"{where}.")
    if schema is None and (own := take(held, "parameters", dict, f"{where}.")) is not None:
        return Tool(name or "", description, to_json_schema(own), held | dict(_OWN_WORDS))
    return Tool(name or "", description, schema, held)


def _write_tool(tool: Tool, losses: Losses) -> Object:
    extra = losses.extra(f"tool {tool.name}", tool.extra)
    said: Object = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    own_words = extra.pop("parametersJsonSchema", "") is None
    if tool.schema is not None and own_words:
        said["parameters"] = to_parameters(tool.schema)
    elif tool.schema or (tool.schema is not None and losses.same):
        said["parametersJsonSchema"] = tool.schema
    return said | extra
