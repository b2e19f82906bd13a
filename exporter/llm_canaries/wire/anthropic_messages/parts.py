"""Content blocks of Messages, both ways (protocols.md A3)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from llm_canaries.wire import data_url, splice
from llm_canaries.wire.json import Object, WireError, decode, encode_text, fits, kind, string
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import (
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llm_canaries.wire.seal import brought_back

NAME = "anthropic_messages"


def read_blocks(content: Any, where: str) -> tuple[Part, ...]:
    """The parts of a `content`: a string, an array of blocks, or null. Raises WireError."""
    if isinstance(content, list):
        return tuple([read_block(block, where) for block in content])
    if isinstance(content, str):
        return (Text(content),)
    if content is not None:
        raise WireError(f"{where}: expected a string or an array, got {kind(content)}")
    return ()


def read_block(block: Any, where: str) -> Part:
    """The part that one block is; a block nobody knows, or with a field of another type, stays opaque.

    A block that is read is taken apart: what is left of it is the part's `extra`.
    """
    if type(block) is not dict:
        raise WireError(f"{where}: expected objects, got {kind(block)}")
    what = block.get("type")
    if type(what) is str and (read := _READERS.get(what)) is not None and (part := read(block, where)) is not None:
        return part
    return Opaque(NAME, block)


def write_blocks(parts: Sequence[Part], where: str, losses: Losses) -> str | list[Object]:
    """`parts` as `content`: a plain string where that says it all."""
    if len(parts) == 1 and isinstance(only := parts[0], Text) and not only.extra:
        return only.text
    return [block for part in parts if (block := write_block(part, where, losses)) is not None]


def write_block(part: Part, where: str, losses: Losses) -> Object | None:
    """`part` as one block, None (and a loss) where Messages has no word for it."""
    return _WRITERS[type(part)](part, where, losses)


def write_thought(part: Thought, seal: str) -> Object:
    """`part` as a block with `seal`: sealed whole, or beside its words."""
    if part.redacted is not None:
        return {"type": "redacted_thinking", "data": seal}
    return {"type": "thinking", "thinking": part.text, "signature": seal}


def _read_text(block: Object, where: str) -> Part | None:
    if not isinstance(text := block.get("text"), str):
        return None
    del block["type"], block["text"]
    return Text(text, block)


def _read_file(block: Object, where: str) -> Part | None:
    """An image or a document with base64 or a URL; a document has a title."""
    source, is_image = block.get("source"), block["type"] == "image"
    if not isinstance(source, dict) or not (is_image or fits(block, str, "title")):
        return None
    form, data, url, media = source.get("type"), source.get("data"), source.get("url"), None
    if form == "base64" and isinstance(data, str):
        url, media = None, string(source.get("media_type"))
    elif form == "url" and isinstance(url, str):
        data = None
    else:
        return None
    del block["type"], block["source"]
    if is_image:
        return Image(data, media, url, block)
    return Document(data, media, url, block.pop("title", None), block)


def _read_thought(block: Object, where: str) -> Part | None:
    if not fits(block, str, "thinking", "signature"):
        return None
    del block["type"]
    return Thought(block.pop("thinking", None) or "", block.pop("signature", None), None, block)


def _read_sealed(block: Object, where: str) -> Part | None:
    if not isinstance(data := block.get("data"), str):
        return None
    del block["type"], block["data"]
    return Thought(redacted=data, extra=block)


def _read_call(block: Object, where: str) -> Part | None:
    if not fits(block, str, "id", "name"):
        return None
    del block["type"]
    id, name, given = block.pop("id", None), block.pop("name", None), block.pop("input", None)
    return ToolCall(id or "", name or "", "{}" if given is None else encode_text(given), block)


def _read_result(block: Object, where: str) -> Part | None:
    if not fits(block, str, "tool_use_id") or ("is_error" in block and not fits(block, bool, "is_error")):
        return None
    del block["type"]
    content = read_blocks(block.pop("content", None), f"{where}.tool_result.content")
    return ToolResult(block.pop("tool_use_id", None) or "", content, block.pop("is_error", None), block)


def _write_text(part: Text, where: str, losses: Losses) -> Object:
    said: Object = {"type": "text", "text": part.text}
    return said | losses.extra(where, part.extra) if part.extra else said


def _write_refusal(part: Refusal, where: str, losses: Losses) -> Object:
    losses.plain(where)
    return {"type": "text", "text": part.text} | losses.extra(where, part.extra)


def _write_image(part: Image, where: str, losses: Losses) -> Object:
    said: Object = {"type": "image", "source": _source(part)}
    return said | losses.extra(where, part.extra)


def _write_document(part: Document, where: str, losses: Losses) -> Object:
    title = {"title": part.name} if part.name is not None else {}
    said: Object = {"type": "document", "source": _source(part)}
    return said | title | losses.extra(where, part.extra)


def _write_call(part: ToolCall, where: str, losses: Losses) -> Object:
    said: Object = {"type": "tool_use", "id": part.id, "name": part.name}
    said["input"] = _input(part.arguments, where, losses)
    return said | losses.extra(where, part.extra) if part.extra else said


def _write_result(part: ToolResult, where: str, losses: Losses) -> Object:
    blocks = write_blocks(part.content, f"tool result {part.id}", losses)
    said: Object = {"type": "tool_result", "tool_use_id": part.id, "content": blocks}
    if part.is_error is not None:
        said["is_error"] = part.is_error
    return said | losses.extra(where, part.extra) if part.extra else said


def _write_opaque(part: Opaque, where: str, losses: Losses) -> Object | None:
    if part.dialect == NAME:
        return dict(part.block)
    losses.part(where, part)
    return None


def _write_thought(part: Thought, where: str, losses: Losses) -> Object | None:
    """A thought goes back only with its own seal: another maker's would be refused (H1)."""
    held = part.signature if part.redacted is None else part.redacted
    seal = None if held is None else brought_back(held, losses.source, NAME)
    if seal is None:
        losses.add(where, f"thinking {'without a' if held is None else 'with a foreign'} signature")
        return None
    return write_thought(part, seal) | losses.extra(where, part.extra)


def _source(part: Image | Document) -> Object:
    if part.url is not None and (held := data_url.split(part.url)) is None:
        return {"type": "url", "url": part.url}
    media, data = (part.media_type, part.data) if part.url is None else held or ("", "")
    data_said = splice.string("", data or "")
    return {"type": "base64", "media_type": media or "application/octet-stream", "data": data_said}


def _input(arguments: str, where: str, losses: Losses) -> object:
    """The JSON object that `arguments` is, spliced in as text so that long numbers keep their digits."""
    if not arguments.strip():
        return {}
    try:
        if isinstance(decode(arguments), dict):
            return msgspec.Raw(arguments.encode())
    except WireError:
        pass
    losses.add(where, "tool arguments that are not a JSON object")
    return {}


_READERS: Mapping[str, Callable[[Object, str], Part | None]] = {
    "text": _read_text,
    "image": _read_file,
    "document": _read_file,
    "thinking": _read_thought,
    "redacted_thinking": _read_sealed,
    "tool_use": _read_call,
    "tool_result": _read_result,
}

_WRITERS: Mapping[type, Callable[[Any, str, Losses], Object | None]] = {
    Text: _write_text,
    Refusal: _write_refusal,
    Image: _write_image,
    Document: _write_document,
    Thought: _write_thought,
    ToolCall: _write_call,
    ToolResult: _write_result,
    Opaque: _write_opaque,
}
