"""Content parts and tool calls of Chat Completions, both ways."""

from typing import Any

from llm_canaries.wire import data_url
from llm_canaries.wire.json import Object, encode_text, kind, string, want
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Document, Image, Opaque, Part, Refusal, Text, Thought, ToolCall

NAME = "openai_chat"


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
    return [said for part in parts if (said := _write_part(part, where, losses)) is not None]


def read_calls(calls: Any, where: str) -> tuple[Part, ...]:
    """The `tool_calls` of an assistant message; other kinds of call stay opaque. Raises WireError."""
    if calls is None:
        return ()
    want(isinstance(calls, list), f"{where}: expected an array, got {kind(calls)}")
    return tuple(_read_call(call, where) for call in calls)


def write_call(call: ToolCall, losses: Losses) -> Object:
    """`call` as one entry of `tool_calls`."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function} | losses.extra("tool call", call.extra)


def _read_call(call: Any, where: str) -> Part:
    want(isinstance(call, dict), f"{where}: expected objects, got {kind(call)}")
    function = call.get("function")
    if not isinstance(function, dict):
        return Opaque(NAME, call)
    arguments = function.get("arguments")
    rest = {key: value for key, value in call.items() if key not in ("id", "type", "function")}
    return ToolCall(
        string(call.get("id")),
        string(function.get("name")),
        arguments if isinstance(arguments, str) else encode_text(arguments or {}),
        rest,
    )


def _read_part(part: Any, where: str) -> Part:
    want(isinstance(part, dict), f"{where}: expected objects, got {kind(part)}")
    match part:
        case {"type": "text", "text": str(text)}:
            return Text(text, _rest(part, "type", "text"))
        case {"type": "refusal", "refusal": str(text)}:
            return Refusal(text, _rest(part, "type", "refusal"))
        case {"type": "image_url", "image_url": {"url": str(url)} as image}:
            extra = _rest(image, "url") | _rest(part, "type", "image_url")
            if (held := data_url.split(url)) is not None:
                return Image(data=held[1], media_type=held[0], extra=extra)
            return Image(url=url, extra=extra)
        case {"type": "file", "file": {"file_data": str(url)} as file} if (held := data_url.split(url)) is not None:
            name = file.get("filename")
            return Document(
                data=held[1], media_type=held[0], name=name, extra=_rest(file, "file_data", "filename")
            )
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
            return {
                "type": "image_url",
                "image_url": {"url": data_url.join(part)} | losses.extra(where, extra),
            }
        case Document(data=str()):
            file = {"filename": part.name or "document", "file_data": data_url.join(part)}
            return {"type": "file", "file": file | losses.extra(where, part.extra)}
        case Opaque(dialect, block) if dialect == NAME:
            return block
        case _:
            losses.add(where, type(part).__name__.lower())
            return None


def _rest(said: Object, *known: str) -> Object:
    return {key: value for key, value in said.items() if key not in known}
