"""Content blocks of Messages, both ways (protocols.md A3)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from llm_canaries.wire import data_url
from llm_canaries.wire.json import Object, WireError, decode, encode_text, fits, kind, string, want
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
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    want(isinstance(content, list), f"{where}: expected a string or an array, got {kind(content)}")
    return tuple(read_block(block, where) for block in content)


def read_block(block: Any, where: str) -> Part:
    """The part that one block is; a block nobody knows, or with a field of another type, stays opaque."""
    want(isinstance(block, dict), f"{where}: expected objects, got {kind(block)}")
    match block:
        case {"type": "text", "text": str(text)}:
            return Text(text, _rest(block, "type", "text"))
        case {"type": "image" | "document" as what, "source": {"type": "base64", "data": str(data)} as source} if fits(
            block, str, "title"
        ):
            media = string(source.get("media_type"))
            if what == "image":
                return Image(data=data, media_type=media, extra=_rest(block, "type", "source"))
            extra = _rest(block, "type", "source", "title")
            return Document(data=data, media_type=media, name=block.get("title"), extra=extra)
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return Image(url=url, extra=_rest(block, "type", "source"))
        case {"type": "document", "source": {"type": "url", "url": str(url)}} if fits(block, str, "title"):
            extra = _rest(block, "type", "source", "title")
            return Document(url=url, name=block.get("title"), extra=extra)
        case {"type": "thinking"} if fits(block, str, "thinking", "signature"):
            extra = _rest(block, "type", "thinking", "signature")
            return Thought(string(block.get("thinking")), block.get("signature"), extra=extra)
        case {"type": "redacted_thinking", "data": str(data)}:
            return Thought(redacted=data, extra=_rest(block, "type", "data"))
        case {"type": "tool_use"} if fits(block, str, "id", "name"):
            arguments = encode_text({} if block.get("input") is None else block["input"])
            extra = _rest(block, "type", "id", "name", "input")
            return ToolCall(string(block.get("id")), string(block.get("name")), arguments, extra)
        case {"type": "tool_result"} if fits(block, str, "tool_use_id") and fits(block, bool, "is_error"):
            content = read_blocks(block.get("content"), f"{where}.tool_result.content")
            extra = _rest(block, "type", "tool_use_id", "content", "is_error")
            return ToolResult(string(block.get("tool_use_id")), content, block.get("is_error"), extra)
        case _:
            return Opaque(NAME, block)


def write_blocks(parts: Sequence[Part], where: str, losses: Losses) -> str | list[Object]:
    """`parts` as `content`: a plain string where that says it all."""
    if len(parts) == 1 and isinstance(only := parts[0], Text) and not only.extra:
        return only.text
    return [block for part in parts if (block := write_block(part, where, losses)) is not None]


def write_block(part: Part, where: str, losses: Losses) -> Object | None:
    """`part` as one block, None (and a loss) where Messages has no word for it."""
    match part:
        case Text(text, extra) | Refusal(text, extra):
            return {"type": "text", "text": text} | losses.extra(where, extra)
        case Image(extra=extra):
            return {"type": "image", "source": _source(part)} | losses.extra(where, extra)
        case Document(name=name, extra=extra):
            title = {"title": name} if name is not None else {}
            return {"type": "document", "source": _source(part)} | title | losses.extra(where, extra)
        case Thought():
            return _write_thought(part, where, losses)
        case ToolCall(id, name, arguments, extra):
            said = {"type": "tool_use", "id": id, "name": name, "input": _input(arguments, where, losses)}
            return said | losses.extra(where, extra)
        case ToolResult(id, content, is_error, extra):
            blocks = write_blocks(content, f"tool result {id}", losses)
            failed = {"is_error": is_error} if is_error is not None else {}
            said = {"type": "tool_result", "tool_use_id": id, "content": blocks}
            return said | failed | losses.extra(where, extra)
        case Opaque(dialect, block) if dialect == NAME:
            return dict(block)
        case _:
            losses.add(where, type(part).__name__.lower())
            return None


def _write_thought(part: Thought, where: str, losses: Losses) -> Object | None:
    """A thought goes back only with its own seal: another maker's would be refused (H1)."""
    held = part.signature if part.redacted is None else part.redacted
    seal = None if held is None else brought_back(held, losses.source, NAME)
    if seal is None:
        losses.add(where, f"thinking {'without a' if held is None else 'with a foreign'} signature")
        return None
    return write_thought(part, seal) | losses.extra(where, part.extra)


def write_thought(part: Thought, seal: str) -> Object:
    """`part` as a block with `seal`: sealed whole, or beside its words."""
    if part.redacted is not None:
        return {"type": "redacted_thinking", "data": seal}
    return {"type": "thinking", "thinking": part.text, "signature": seal}


def _source(part: Image | Document) -> Object:
    if part.url is not None and (held := data_url.split(part.url)) is None:
        return {"type": "url", "url": part.url}
    media, data = (part.media_type, part.data) if part.url is None else held or ("", "")
    return {"type": "base64", "media_type": media or "application/octet-stream", "data": data or ""}


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


def _rest(said: Object, *known: str) -> Object:
    return {key: value for key, value in said.items() if key not in known}
