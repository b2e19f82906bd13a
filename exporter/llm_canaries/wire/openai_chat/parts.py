"""Content parts and tool calls of Chat Completions, both ways."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llm_canaries.wire import data_url
from llm_canaries.wire.json import Object, WireError, encode_text, fits, kind, mapping, rest, string
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import Document, Image, Opaque, Part, Refusal, Text, Thought, ToolCall

NAME = "openai_chat"
CALL = "tool_call"  # marks an Opaque that stood in `tool_calls`, not in `content`


def read_content(content: Any, where: str) -> tuple[Part, ...]:
    """The parts of a message's `content`: a string, an array of parts, or null. Raises WireError."""
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, list):
        return tuple([_read_part(part, where) for part in content])
    if content is not None:
        raise WireError(f"{where}: expected a string or an array, got {kind(content)}")
    return ()


def write_content(parts: Sequence[Part], where: str, losses: Losses) -> str | list[object]:
    """`parts` as `content`: a plain string where that says it all."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(only := parts[0], Text) and not only.extra:
        return only.text
    return [said for part in parts if (said := _write_part(part, where, losses)) is not None] or ""


def read_calls(calls: Any, where: str) -> tuple[Part, ...]:
    """The `tool_calls` of an assistant message; other kinds of call stay opaque. Raises WireError."""
    if calls is None:
        return ()
    if not isinstance(calls, list):
        raise WireError(f"{where}: expected an array, got {kind(calls)}")
    return tuple([_read_call(call, where) for call in calls])


def is_call(part: Opaque) -> bool:
    """Whether `part` is a call of a kind that the hub has no word for."""
    return part.dialect == NAME and CALL in part.block


def write_call(call: ToolCall | Opaque, losses: Losses) -> Object:
    """`call` as one entry of `tool_calls`."""
    if isinstance(call, Opaque):
        return mapping(call.block[CALL])
    function: Object = {"name": call.name, "arguments": call.arguments}
    said: Object = {"id": call.id, "type": "function", "function": function}
    return beside(said, "function", losses.extra("tool call", call.extra)) if call.extra else said


def unknown(said: Object, inside: str, *known: str) -> Object:
    """What is left of `said[inside]` without the `known` fields, and under AROUND what stands beside it."""
    held: Object = said.pop(inside)
    for field in known:
        held.pop(field, None)
    said.pop("type", None)
    if said:
        held[AROUND] = said
    return held


def beside(said: Object, inside: str, extra: Object) -> Object:
    """`said` with the fields of `extra` where `unknown` found them: in `said[inside]`, or beside it."""
    if not extra:
        return said
    return said | {inside: said[inside] | rest(extra, frozenset({AROUND}))} | mapping(extra.get(AROUND))


def _read_call(call: Any, where: str) -> Part:
    if not isinstance(call, dict):
        raise WireError(f"{where}: expected objects, got {kind(call)}")
    function = call.get("function")
    if not isinstance(function, dict) or not fits(call, str, "id") or not fits(function, str, "name"):
        return Opaque(NAME, {CALL: call})
    id, name, arguments = call.get("id"), function.get("name"), function.get("arguments")
    if not isinstance(arguments, str):
        arguments = encode_text(arguments or {})
    call.pop("id", None)
    return ToolCall(id or "", name or "", arguments, unknown(call, "function", "name", "arguments"))


def _read_part(part: Any, where: str) -> Part:
    if not isinstance(part, dict):
        raise WireError(f"{where}: expected objects, got {kind(part)}")
    what = part.get("type")
    read = _READERS.get(what) if isinstance(what, str) else None
    known = None if read is None else read(part, part.get(what))
    return Opaque(NAME, part) if known is None else known


def _read_text(part: Object, text: Any) -> Part | None:
    if not isinstance(text, str):
        return None
    del part["type"], part["text"]
    return Text(text, part)


def _read_refusal(part: Object, text: Any) -> Part | None:
    if not isinstance(text, str):
        return None
    del part["type"], part["refusal"]
    return Refusal(text, part)


def _read_image(part: Object, image: Any) -> Part | None:
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        return None
    extra = unknown(part, "image_url", "url")
    held = data_url.split(url)
    return Image(url=url, extra=extra) if held is None else Image(held[1], held[0], None, extra)


def _read_file(part: Object, file: Any) -> Part | None:
    url = file.get("file_data") if isinstance(file, dict) and fits(file, str, "filename") else None
    if not isinstance(url, str):
        return None
    held, name = data_url.split(url), file.get("filename")
    if held is not None:
        return Document(held[1], held[0], None, name, unknown(part, "file", "file_data", "filename"))
    if not url.startswith(("https://", "http://")):
        return None
    return Document(url=url, name=name, extra=unknown(part, "file", "file_data", "filename"))  # OpenRouter's


def _read_thinking(part: Object, thoughts: Any) -> Part | None:
    if not isinstance(thoughts, list):
        return None
    return Thought("".join(string(each.get("text")) for each in thoughts if isinstance(each, dict)))


def _write_part(part: Part, where: str, losses: Losses) -> object:
    match part:
        case Text():
            said: Object = {"type": "text", "text": part.text}
            return said | losses.extra(where, part.extra) if part.extra else said
        case Image():
            image: Object = {"type": "image_url", "image_url": {"url": data_url.spliced(part)}}
            return beside(image, "image_url", losses.extra(where, part.extra)) if part.extra else image
        case Document() if part.data is not None or losses.same:
            named = {} if losses.same and part.name is None else {"filename": part.name or "document"}
            held: Object = {"file_data": data_url.spliced(part)} | named
            return beside({"type": "file", "file": held}, "file", losses.extra(where, part.extra))
        case Refusal():
            return {"type": "refusal", "refusal": part.text} | losses.extra(where, part.extra)
        case Opaque(dialect=dialect) if dialect == NAME:
            return part.block
        case _:
            losses.part(where, part)
            return None


_READERS: Mapping[str, Callable[[Object, Any], Part | None]] = {
    "text": _read_text,
    "refusal": _read_refusal,
    "image_url": _read_image,
    "file": _read_file,
    "thinking": _read_thinking,
}
