"""What a gateway made of all beside the conversation: tools, their choice, limits, stops, reasoning, the model id."""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_canaries.canary.scenarios.loopback.reasons import MISSING, NOTHING, Difference, Reason, shown
from llm_canaries.wire.json import encode
from llm_canaries.wire.message import Ask, Opaque, Thinking, Tool, ToolChoice
from llm_canaries.wire.thinking import level_of

Differences = Iterator[Difference]

_DEEPEST = 8  # levels of a schema
_LOOSE = frozenset({"$schema", "$defs", "definitions", "title", "strict", "propertyOrdering", "nullable"})


def settings_differ(asked: Ask, due: Ask, came: Ask, upstream: str) -> Differences:
    """The differences of all but the messages; `upstream` is the model id that is due, empty where nobody has said."""
    if upstream and came.model != upstream:
        yield Difference(Reason.MODEL_CHANGED, "model", upstream, came.model or NOTHING)
    yield from _tools_differ(due, came)
    if asked.tools:
        yield from _choice_differs(due, came)
    yield from _limits_differ(asked, due, came)
    if asked.thinking is not None and due.thinking is not None:
        yield from _thinking_differs(asked.thinking, due.thinking, came.thinking, came.dialect)


def _tools_differ(due: Ask, came: Ask) -> Differences:
    theirs = {tool.name: tool for tool in came.tools if isinstance(tool, Tool)}
    ours = {tool.name: tool for tool in due.tools if isinstance(tool, Tool)}
    for name, tool in ours.items():
        if (other := theirs.get(name)) is None:
            yield Difference(Reason.TOOL_LOST, f"tools.{name}", "a tool", MISSING)
            continue
        if (other.description or "") != (tool.description or ""):
            where = f"tools.{name}.description"
            yield Difference(Reason.TOOL_CHANGED, where, shown(tool.description), shown(other.description))
        yield from _schema_differs(f"tools.{name}.schema", _plain(tool.schema), _plain(other.schema))
    for name in theirs.keys() - ours.keys():
        yield Difference(Reason.TOOL_ADDED, f"tools.{name}", NOTHING, "a tool")
    for name in _own_tools(came) - _own_tools(due):
        yield Difference(Reason.TOOL_ADDED, f"tools.{name}", NOTHING, "a tool of the provider's own")


def _own_tools(ask: Ask) -> set[str]:
    """The kinds of tools that a provider runs itself, such as `image_generation`."""
    return {str(tool.block.get("type") or "unnamed") for tool in ask.tools if isinstance(tool, Opaque)}


def _plain(schema: Mapping[str, Any] | None) -> Any:
    """A schema with its `$ref`s written out, types in lower case, and what says nothing of the arguments left out."""
    root = dict(schema or {})
    definitions = {**(root.get("definitions") or {}), **(root.get("$defs") or {})}
    return _resolved(root, definitions, 0)


def _resolved(node: Any, definitions: Mapping[str, Any], depth: int) -> Any:
    if depth > 2 * _DEEPEST:
        return node
    if isinstance(node, list):
        return [_resolved(each, definitions, depth + 1) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and (target := definitions.get(reference.rpartition("/")[2])) is not None:
        return _resolved(target | {key: node[key] for key in node if key != "$ref"}, definitions, depth + 1)
    plain = {key: _resolved(value, definitions, depth + 1) for key, value in node.items() if key not in _LOOSE}
    if isinstance(plain.get("type"), str):
        plain["type"] = plain["type"].lower()
    return plain


def _schema_differs(where: str, before: Any, after: Any) -> Differences:
    """What a schema says that another does not.

    To forbid more arguments than were named is a lawful addition, and so is to say in words which values are allowed.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after and value not in ([], {}):
                yield Difference(Reason.TOOL_CHANGED, f"{where}.{key}", _brief(value), MISSING)
            elif key in after and not (key == "description" and _hinted(before, after)):
                yield from _schema_differs(f"{where}.{key}", value, after[key])
        for key in after.keys() - before.keys() - {"additionalProperties", "required", "properties", "type"}:
            if key == "description" and _hinted(before, after):
                continue
            yield Difference(Reason.TOOL_CHANGED, f"{where}.{key}", NOTHING, _brief(after[key]))
    elif before != after:
        yield Difference(Reason.TOOL_CHANGED, where, _brief(before), _brief(after))


def _hinted(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a description says the values of its `enum` after the words that it had, for models that read no enum."""
    said, words, allowed = str(before.get("description", "")), str(after["description"]), before.get("enum")
    hint = words.removeprefix(said)
    return isinstance(allowed, list) and words.startswith(said) and all(str(value) in hint for value in allowed)


def _brief(value: Any) -> str:
    return shown(value if isinstance(value, str) else encode(value).decode())


def _choice_differs(due: Ask, came: Ask) -> Differences:
    """To leave the choice out is `auto`."""
    wanted, got = _choice(due.tool_choice), _choice(came.tool_choice)
    if wanted != got:
        yield Difference(Reason.CHOICE_CHANGED, "tool_choice", wanted, got)
    if due.parallel_tool_calls is False and came.parallel_tool_calls is not False:
        yield Difference(Reason.CHOICE_CHANGED, "parallel_tool_calls", "false", shown(came.parallel_tool_calls))
    if due.parallel_tool_calls is not False and came.parallel_tool_calls is False:
        yield Difference(Reason.CHOICE_CHANGED, "parallel_tool_calls", NOTHING, "false")


def _choice(choice: ToolChoice | None) -> str:
    if choice is None:
        return "auto"
    return f"tool {choice.name}" if choice.mode == "tool" else choice.mode


def _limits_differ(asked: Ask, due: Ask, came: Ask) -> Differences:
    """The limit is the one asked for; where a budget of reasoning has to stay below it, it may be higher."""
    wanted, got = due.max_tokens, came.max_tokens
    budget = came.thinking.budget if came.thinking is not None else None
    raised = budget is not None and wanted is not None and got is not None and got > wanted
    if asked.max_tokens is not None and wanted != got and not raised:
        yield Difference(Reason.LIMIT_CHANGED, "max_tokens", shown(wanted), shown(got))
    if due.stop != came.stop:
        said = (encode(list(ask.stop)).decode() if ask.stop else NOTHING for ask in (due, came))
        yield Difference(Reason.STOP_CHANGED, "stop", *said)


def _thinking_differs(asked: Thinking, due: Thinking, came: Thinking | None, dialect: str) -> Differences:
    """Off stays off and on stays on; a budget stays itself, and so does a level.

    What a level is worth in tokens is each gateway's own table (C3), and in Messages no control is "off".
    """
    off = _is_off(due)
    if came is None:
        lawful = off and dialect == "anthropic_messages"
    elif off or _is_off(came):
        lawful = off and _is_off(came)
    elif asked.budget is not None and came.budget is not None:
        lawful = asked.budget == came.budget
    else:
        lawful = (asked.budget is None) != (came.budget is None) or level_of(asked) == level_of(came)
    if not lawful:
        yield Difference(Reason.THINKING_CHANGED, "thinking", _said(due), _said(came))


def _is_off(thinking: Thinking) -> bool:
    return level_of(thinking) == "none"


def _said(thinking: Thinking | None) -> str:
    if thinking is None:
        return MISSING
    if thinking.budget is not None and thinking.mode != "disabled":
        return f"{thinking.budget} tokens"
    return thinking.effort or thinking.mode or NOTHING
