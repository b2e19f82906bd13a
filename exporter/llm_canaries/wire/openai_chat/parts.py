"""Content parts and tool calls of Chat Completions, both ways."""

from typing import Any

from llm_canaries.wire import data_url
from llm_canaries.wire.json import Object, encode_text, fits, kind, mapping, string, want
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import Document, Image, Opaque, Part, Refusal, Text, Thought, ToolCall

NAME = "openai_chat"
CALL = "tool_call"  # marks an Opaque that stood in `tool_calls`, not in `content`


def read_content(content: Any, where: str) -> tuple[Part, ...]:
    """The parts of a message's `content`: a string, an array of parts, or null. Raises WireError."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    want(isinstance(content, list), f"{where}: expected a string or an array, got {kind(content)}")
    return tuple(_read_part(part, where) for part in content)


def write_content(parts: tuple[Part, ...], where: str, losses: Losses) -> str | list[object]:
    """`parts` as `content`: a plain string where that says it all."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text) and not parts[0].extra:
        return parts[0].text
    return [said for part in parts if (said := _write_part(part, where, losses)) is not None] or ""


def read_calls(calls: Any, where: str) -> tuple[Part, ...]:
    """The `tool_calls` of an assistant message; other kinds of call stay opaque. Raises WireError."""
    if calls is None:
        return ()
    want(isinstance(calls, list), f"{where}: expected an array, got {kind(calls)}")
    return tuple(_read_call(call, where) for call in calls)


def is_call(part: Opaque) -> bool:
    """Whether `part` is a call of a kind that the hub has no word for."""
    return part.dialect == NAME and CALL in part.block


def write_call(call: ToolCall | Opaque, losses: Losses) -> Object:
    """`call` as one entry of `tool_calls`."""
    if isinstance(call, Opaque):
        return mapping(call.block[CALL])
    function: Object = {"name": call.name, "arguments": call.arguments}
    return wrap("function", function, losses.extra("tool call", call.extra), id=call.id, type="function")


def unknown(said: Object, inside: str, *known: str) -> Object:
    """The fields of `said[inside]` that are not `known`, and under AROUND those that stand beside it."""
    beside = {key: value for key, value in said.items() if key not in ("type", inside)}
    return _rest(said[inside], *known) | ({AROUND: beside} if beside else {})


def wrap(inside: str, held: Object, extra: Object, **said: str) -> Object:
    """`said` with `held` under `inside`, and `extra` where `unknown` found it."""
    return said | {inside: held | _rest(extra, AROUND)} | mapping(extra.get(AROUND))


def _read_call(call: Any, where: str) -> Part:
    want(isinstance(call, dict), f"{where}: expected objects, got {kind(call)}")
    function = call.get("function")
    if not isinstance(function, dict) or not fits(call, str, "id") or not fits(function, str, "name"):
        return Opaque(NAME, {CALL: call})
    arguments = function.get("arguments")
    return ToolCall(
        string(call.get("id")),
        string(function.get("name")),
        arguments if isinstance(arguments, str) else encode_text(arguments or {}),
        unknown(_rest(call, "id"), "function", "name", "arguments"),
    )


def _read_part(part: Any, where: str) -> Part:
    want(isinstance(part, dict), f"{where}: expected objects, got {kind(part)}")
    match part:
        case {"type": "text", "text": str(text)}:
            return Text(text, _rest(part, "type", "text"))
        case {"type": "refusal", "refusal": str(text)}:
            return Refusal(text, _rest(part, "type", "refusal"))
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            extra = unknown(part, "image_url", "url")
            if (held := data_url.split(url)) is not None:
                return Image(data=held[1], media_type=held[0], extra=extra)
            return Image(url=url, extra=extra)
        case {"type": "file", "file": {"file_data": str(url)} as file} if fits(file, str, "filename") and (
            held := data_url.split(url)
        ):
            extra = unknown(part, "file", "file_data", "filename")
            return Document(data=held[1], media_type=held[0], name=file.get("filename"), extra=extra)
        case {"type": "thinking", "thinking": list(thoughts)}:
            return Thought("".join(string(t.get("text")) for t in thoughts if isinstance(t, dict)))
        case _:
            return Opaque(NAME, part)


def _write_part(part: Part, where: str, losses: Losses) -> object:
    match part:
        case Text(text, extra):
            return {"type": "text", "text": text} | losses.extra(where, extra)
        case Refusal(text, extra):
            return {"type": "refusal", "refusal": text} | losses.extra(where, extra)
        case Image(extra=extra):
            return wrap("image_url", {"url": data_url.join(part)}, losses.extra(where, extra), type="image_url")
        case Document(data=str(), name=name, extra=extra):
            file: Object = {"filename": name or "document", "file_data": data_url.join(part)}
            return wrap("file", file, losses.extra(where, extra), type="file")
        case Opaque(dialect, block) if dialect == NAME:
            return block
        case _:
            losses.add(where, type(part).__name__.lower())
            return None


def _rest(said: Object, *known: str) -> Object:
    return {key: value for key, value in said.items() if key not in known}
