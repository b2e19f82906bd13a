"""The `input` of Responses requests: a flat run of items, to turns and back (protocols.md A2)."""

from collections.abc import Iterator, Sequence
from typing import Any

from llm_canaries.wire.json import Object, WireError, each, fits, kind, string, want
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Extra, Message, Thought, ToolResult
from llm_canaries.wire.openai_responses.items import read_item, write_items
from llm_canaries.wire.openai_responses.parts import (
    CHAT,
    NAME,
    STRINGIFIED,
    read_content,
    read_stringified,
    unmarked,
    without,
    write_content,
    write_result,
    write_seal,
)
from llm_canaries.wire.seal import brought_back

_ROLES = ("user", "system", "developer")


def read_input(said: list[Any]) -> tuple[Message, ...]:
    """Items as turns: what the model made in a row is one turn, and so are results in a row. Raises WireError."""
    turns: list[Message] = []
    for turn in each("input", said, _read_turn):
        if turns and turn.role in ("assistant", "tool") and turns[-1].role == turn.role:
            turns[-1] = Message(turn.role, turns[-1].content + turn.content)
        else:
            turns.append(turn)
    return tuple(turns)


def write_input(turns: Sequence[Message], losses: Losses) -> list[Object]:
    """Turns as items; an ask that has nothing left to say says nothing, for without input it would be refused."""
    said = [item for turn in turns for item in _write_turn(turn, losses)]
    if not said and not losses.same:
        losses.add("input", "nothing that can be said is left")
        return [{"role": "user", "content": ""}]
    return said


def _read_turn(item: Object) -> Message:
    role, type = item.get("role"), item.get("type") or "message"
    if type == "message" and role in _ROLES:
        extra = without(item, "type", "role", "content")
        named: Extra = {"role": "developer"} if role == "developer" else {}
        content = read_content(item.get("content"), ".content")
        return Message("user" if role == "user" else "system", content, {**named, **extra})
    if type == "function_call_output" and fits(item, str, "call_id"):
        return Message("tool", (_read_result(item),))
    if type == "message" and role == "assistant":
        said = item.get("content")
        want(isinstance(said, str | list | None), f".content: expected a string or an array, got {kind(said)}")
    elif not isinstance(item.get("type"), str):
        raise WireError(": expected a type, or a role of user, assistant, system or developer")
    return Message("assistant", read_item(item))


def _read_result(item: Object) -> ToolResult:
    output = item.get("output")
    parts = read_stringified(output)
    content = read_content(output if parts is None else parts, ".output")
    extra = without(item, "type", "call_id", "output") | ({} if parts is None else {STRINGIFIED: None})
    return ToolResult(string(item.get("call_id")), content, extra=extra)


def _write_turn(turn: Message, losses: Losses) -> Iterator[Object]:
    match turn.role:
        case "assistant":
            losses.extra("assistant", turn.extra)
            written = write_items(turn.content, losses, "assistant", lambda part: _seal(part, losses), whole=False)
            yield from (_easy(item) for item in written)
        case "tool":
            for part in turn.content:
                if isinstance(part, ToolResult):
                    yield _write_result(part, losses)
                else:
                    losses.part("tool", part)
        case role:
            content = write_content(turn.content, role, losses) or ""
            developer = role == "system" and turn.extra.get("role") == "developer" and losses.source in (NAME, CHAT)
            extra = losses.extra(role, without(turn.extra, "role") if developer else turn.extra)
            yield {"role": "developer" if developer else role, "content": content} | extra


def _write_result(result: ToolResult, losses: Losses) -> Object:
    where = f"tool result {result.id}"
    if result.is_error:
        losses.add(where, "is_error")
    output = write_result(result.content, result.extra, where, losses)
    said: Object = {"type": "function_call_output", "call_id": result.id, "output": output}
    return said | unmarked(losses.extra(where, result.extra))


def _seal(thought: Thought, losses: Losses) -> str | None:
    """A thought goes back only with its own seal (H1); one without any was stored by the provider that it came from."""
    held = thought.signature if thought.redacted is None else thought.redacted
    if held is None and losses.same:
        return ""
    seal = None if held is None else brought_back(held, losses.source, NAME)
    if seal is None:
        losses.add("assistant", f"thinking {'without a' if held is None else 'with a foreign'} signature")
        return None
    return write_seal(thought, seal)


def _easy(item: Object) -> Object:
    """`item`, in the short form of a message where that says it all: every server of this API knows that one."""
    match item:
        case {"type": "message", "content": [{"type": "output_text", "text": text, **more}]} if (
            more == {"annotations": []} and "id" not in item and "status" not in item
        ):
            return without(item, "type") | {"content": text}
        case _:
            return item
