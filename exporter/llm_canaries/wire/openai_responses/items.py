"""Items that the model makes (messages, reasoning, calls), to parts and back (protocols.md A2)."""

from collections.abc import Callable, Sequence

from llm_canaries.wire.json import Object, encode_text, fits, items, mapping, string
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import Extra, Opaque, Part, Refusal, Text, Thought, ToolCall
from llm_canaries.wire.openai_responses.parts import (
    JOINED,
    NAME,
    SEPARATOR,
    about_of,
    about_part,
    around,
    inner_of,
    kin,
    read_output,
    read_seal,
    unmarked,
    without,
    write_output,
)

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
_PIECES = (("summary", "summary_text"), ("content", "reasoning_text"))


def kind_of(item: Object) -> str:
    """The type of an item; the model's message may come without one, and one that is not the model's is no message."""
    kind = string(item.get("type")) or "message"
    if kind == "message" and item.get("role") != "assistant":
        return ""
    return kind if kind in _PREFIXES else ""


def read_item(item: Object) -> tuple[Part, ...]:
    """The parts of one item of the model; an item nobody knows, or with a field of another type, stays opaque."""
    match kind_of(item):
        case "message":
            return _read_message(item)
        case "reasoning":
            return _read_reasoning(item)
        case "function_call" if fits(item, str, "call_id", "name"):
            said = item.get("arguments")
            arguments = said if isinstance(said, str) else "" if said is None else encode_text(said)
            return (ToolCall(string(item.get("call_id")), string(item.get("name")), arguments, extra_of(item)),)
        case _:
            return (Opaque(NAME, item),)


def settled(item: Object) -> Object:
    """`item` of an answer without its status, which only repeats how far the answer has come."""
    known = kind_of(item) and item.get("status") in ("completed", "incomplete", "in_progress")
    return without(item, "status") if known else item


def extra_of(item: Object) -> Object:
    """What an item says that its parts do not."""
    match kind_of(item):
        case "message":
            return without(item, "type", "role", "content")
        case "reasoning":
            return without(item, "type", "summary", "content", "encrypted_content")
        case _:
            return without(item, "type", "call_id", "name", "arguments")


def mark_of(item: Object, at: int) -> Object:
    """The mark of the message's part number `at`: the first holds the message's fields, the others join it."""
    beside = extra_of(item) if at == 0 else {}
    return {AROUND: beside} if beside else {JOINED: None} if at else {}


def pieces_of(item: Object) -> list[tuple[str, str]] | None:
    """The texts of a reasoning item with the field that each stands in, None where one is no text."""
    found = []
    for field, kind in _PIECES:
        if not fits(item, list, field):
            return None
        for piece in items(item.get(field)):
            if not isinstance(piece, dict) or piece.keys() != {"type", "text"} or piece["type"] != kind:
                return None
            found.append((field, piece["text"]))
    return found if all(isinstance(text, str) for _, text in found) else None


def about_pieces(pieces: Sequence[tuple[str, str]]) -> tuple[Opaque, ...]:
    """Where the pieces of one reasoning text begin and end; nothing for the usual one summary, or none."""
    lengths = [[field, len(text)] for field, text in pieces]
    text = SEPARATOR.join(text for _, text in pieces)
    return () if lengths == _usual(text) else about_part({"pieces": lengths})


def write_items(
    parts: Sequence[Part], losses: Losses, where: str, seal_of: Callable[[Thought], str | None], *, whole: bool
) -> list[Object]:
    """`parts` as items; texts of another dialect in a row are one message if `whole`, else one each.

    `seal_of` gives the seal that a thought is written with, None where it cannot be said.
    """
    found: list[Object] = []
    message: Object | None = None
    for part, after in zip(parts, (*parts[1:], None), strict=False):
        about = about_of(after) or {}
        match part:
            case Text() | Refusal():
                extra = losses.extra(where, part.extra)
                said = write_output(part, unmarked(extra), about)
                message = _into(message, said, extra, joins=_joins(part.extra, losses, whole), found=found)
                continue
            case Opaque() if losses.same and (inner := inner_of(part)) is not None:
                joins = _joins(part.block, losses, whole)
                message = _into(message, inner, part.block, joins=joins, found=found)
                continue
            case Opaque() if losses.same and about_of(part) is not None:
                continue
            case Opaque(dialect, block) if dialect == NAME:
                found.append(dict(block))
            case Thought():
                if (seal := seal_of(part)) is not None:
                    found.append(write_thought(part.text, seal, kin(part.extra, losses, where), about))
            case ToolCall(extra=extra):
                found.append(write_call(part, kin(extra, losses, where)))
            case _:
                losses.part(where, part)
                continue
        message = None
    return found


def write_thought(text: str, seal: str, extra: Object, about: Extra) -> Object:
    """A reasoning item; its text is cut into the pieces that it came in."""
    pieces: dict[str, list[Object]] = {"summary": []}
    start = 0
    for field, length in _lengths(text, about):
        piece = {"type": dict(_PIECES)[field], "text": text[start : start + length]}
        pieces.setdefault(field, []).append(piece)
        start += length + len(SEPARATOR)
    return {"type": "reasoning"} | pieces | ({"encrypted_content": seal} if seal else {}) | extra


def write_call(call: ToolCall, extra: Object) -> Object:
    """A function_call item."""
    said: Object = {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
    return said | extra


def finished(item: Object, at: int, answer: str) -> Object:
    """`item` number `at` of an answer with an id and a status; an id that nobody gave is made of the answer's."""
    prefix = _PREFIXES.get(string(item.get("type")))
    if prefix is None:
        return item
    status = {} if prefix == "rs" else {"status": "completed"}
    return {"id": f"{prefix}_{answer}_{at}"} | status | item


def _joins(extra: Extra, losses: Losses, whole: bool) -> bool:
    return JOINED in extra if losses.same else whole


def _into(message: Object | None, said: object, extra: Extra, *, joins: bool, found: list[Object]) -> Object:
    """The message that `said` stands in: the open one, or a new one."""
    if message is None or not joins:
        message = {"type": "message", "role": "assistant"} | around(extra) | {"content": []}
        found.append(message)
    items(message["content"]).append(said)
    return message


def _read_message(item: Object) -> tuple[Part, ...]:
    content = item.get("content")
    if isinstance(content, str):
        return (Text(content, mark_of(item, 0)),)
    if not isinstance(content, list) or not content or not all(isinstance(said, dict) for said in content):
        return (Opaque(NAME, item),)
    return tuple(part for at, said in enumerate(content) for part in read_output(said, mark_of(item, at)))


def _read_reasoning(item: Object) -> tuple[Part, ...]:
    pieces = pieces_of(item)
    if pieces is None or not fits(item, str, "encrypted_content"):
        return (Opaque(NAME, item),)
    signature, redacted = read_seal(item.get("encrypted_content"))
    text = SEPARATOR.join(text for _, text in pieces)
    return Thought(text, signature, redacted, extra_of(item)), *about_pieces(pieces)


def _usual(text: str) -> list[list[object]]:
    return [["summary", len(text)]] if text else []


def _lengths(text: str, about: Extra) -> list[tuple[str, int]]:
    """Field and length of each piece; the usual ones where what is said does not fit the text."""
    said = [(each[0], each[1]) for each in items(mapping(about).get("pieces")) if _is_length(each)]
    if sum(length for _, length in said) + len(SEPARATOR) * (len(said) - 1) == len(text) and said:
        return said
    return [("summary", len(text))] if text else []


def _is_length(said: object) -> bool:
    match said:
        case ["summary" | "content", int(length)]:
            return length >= 0
        case _:
            return False
