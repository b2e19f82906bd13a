"""Parts of a content, both ways (protocols.md A4).

A seal on a part that is not a thought is an empty Thought right before it, so that other dialects can carry it: they
know seals on reasoning alone. An empty Thought whose `extra` says `thought` stands in a part of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from llm_canaries.wire.gemini.calls import NO_ID, Calls
from llm_canaries.wire.gemini.media import KEYS, read_media, write_media
from llm_canaries.wire.gemini.names import NAME, camel
from llm_canaries.wire.gemini.results import read_result
from llm_canaries.wire.gemini.seals import is_foreign, unwrapped
from llm_canaries.wire.json import Object, WireError, decode, encode_text, fits, kind, mapping, want
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import (
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    ToolCall,
)

_DATA = frozenset({"text", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall"})
_DATA |= {"toolResponse", *KEYS}

Seal = Callable[[Thought], tuple[str | None, bool]]
"""The seal to write for a thought, and whether the thought is written at all."""


def read_parts(said: Any, where: str, calls: Calls) -> tuple[Part, ...]:
    """The parts of a content, in order. Raises WireError."""
    if said is None:
        return ()
    want(isinstance(said, list), f"{where}: expected an array, got {kind(said)}")
    found: list[Part] = []
    for each in said:
        for part in read_part(each, where, calls):
            if isinstance(part, Thought) and is_foreign(part.signature):
                part = _whole(part, found)
            found.append(part)
    return tuple(found)


def read_part(said: Any, where: str, calls: Calls) -> tuple[Part, ...]:
    """What one part is: itself, after its seal; a part nobody knows, or with a field of another type, stays opaque."""
    want(isinstance(said, dict), f"{where}: expected objects, got {kind(said)}")
    held = camel(said)
    data = held.keys() & _DATA
    opaque = (Opaque(NAME, said),)
    if len(data) != 1 or not fits(held, str, "text", "thoughtSignature") or not fits(held, bool, "thought"):
        return opaque
    seal, thought = held.pop("thoughtSignature", None), held.pop("thought", False)
    if thought:
        return (_read_thought(held.pop("text"), seal, held),) if "text" in held else opaque
    part = _read_data(held, calls)
    if part is None:
        return opaque
    if not seal:
        return (part,)
    if part == Text(""):
        return (_thought("", seal, {"thought": None}),)
    return (_thought("", seal, {}), part)


def write_parts(parts: Sequence[Part], where: str, losses: Losses, seal_of: Seal) -> list[Object]:
    """`parts` as the parts of a content; the seal of an empty Thought stands on the part that follows it."""
    said: list[Object] = []
    waiting: str | None = None
    for part in parts:
        if not isinstance(part, Thought):
            if (block := write_part(part, where, losses)) is None:
                continue
            if waiting is not None and not isinstance(part, Opaque):
                block, waiting = block | {"thoughtSignature": waiting}, None
            said += [lone(waiting), block] if waiting is not None else [block]
            waiting = None
            continue
        seal, shown = seal_of(part)
        if not shown:
            continue
        extra = losses.extra(where, part.extra)
        said += [lone(waiting)] if waiting is not None else []
        waiting = seal if is_next(part, seal) and not extra else None
        if waiting is None:
            said.append(write_thought(part.text, seal, extra))
    return said + ([lone(waiting)] if waiting is not None else [])


def write_part(part: Part, where: str, losses: Losses) -> Object | None:
    """`part` as one part, None (and a loss) where Gemini has no word for it."""
    match part:
        case Text(text, extra) | Refusal(text, extra):
            if isinstance(part, Refusal):
                losses.plain(where)
            return {"text": text} | losses.extra(where, extra)
        case Image() | Document():
            return write_media(part, where, losses)
        case ToolCall():
            return write_call(part, where, losses)
        case Opaque(dialect, block) if dialect == NAME:
            return dict(block)
        case _:
            losses.part(where, part)
            return None


def write_call(call: ToolCall, where: str, losses: Losses) -> Object:
    """`call` as a part; its id is left out where there is none or we made it up."""
    extra = losses.extra(where, call.extra)
    around = mapping(extra.pop(AROUND, None))
    said: Object = {"id": call.id or None, "name": call.name, "args": _args(call.arguments, where, losses)}
    return {"functionCall": camel(said | extra)} | around


def write_thought(text: str, seal: str | None, extra: Object) -> Object:
    """A thought as a part of its own."""
    said: Object = {"text": text, "thought": True} | ({} if seal is None else {"thoughtSignature": seal})
    return camel(said | extra)


def is_next(part: Thought, seal: str | None) -> bool:
    """Whether `part` is nothing but the seal of the part that follows."""
    return seal is not None and not part.text and part.redacted is None


def lone(seal: str) -> Object:
    """A part that bears a seal and nothing else, as Gemini ends its streams."""
    return {"text": "", "thoughtSignature": seal}


def _whole(part: Thought, found: list[Part]) -> Thought:
    """A thought sealed elsewhere with its words: they went out in pieces and its seal came last."""
    words = part.text
    while found and isinstance(before := found[-1], Thought) and _is_piece(before):
        words = before.text + words
        found.pop()
    return Thought(words, part.signature, part.redacted, part.extra)


def _is_piece(part: Thought) -> bool:
    return part.signature is None and part.redacted is None and not part.extra


def _read_thought(text: str, seal: str | None, extra: Object) -> Thought:
    part = _thought(text, seal, extra)
    if text or not part.signature or extra or is_foreign(part.signature):
        return part
    return Thought("", part.signature, extra={"thought": True})


def _thought(text: str, seal: str | None, extra: Object) -> Thought:
    if not seal:
        return Thought(text, extra=extra)
    held, redacted = unwrapped(seal)
    return Thought(text, None if redacted else held, held if redacted else None, extra)


def _read_data(held: Object, calls: Calls) -> Part | None:
    match held:
        case {"text": str(text)}:
            return Text(text, _rest(held, "text"))
        case {"functionCall": dict(call)}:
            return _read_call(call, _rest(held, "functionCall"), calls)
        case {"functionResponse": dict(result)}:
            return read_result(result, _rest(held, "functionResponse"), calls)
        case {"inlineData": _} | {"fileData": _}:
            return read_media(held)
        case _:
            return None


def _read_call(said: Object, around: Object, calls: Calls) -> ToolCall | None:
    held = camel(said)
    # arguments in pieces (Vertex, `streamFunctionCallArguments`) are whole only in the client's hands
    in_pieces = not held.keys().isdisjoint({"partialArgs", "willContinue"})
    if in_pieces or not fits(held, str, "id", "name") or not fits(held, dict, "args"):
        return None
    given, name = held.pop("id", ""), held.pop("name", "")
    arguments = encode_text(held.pop("args", {}))
    extra = held | ({} if given else dict(NO_ID)) | ({AROUND: around} if around else {})
    return ToolCall(calls.called(given, name), name, arguments, extra)


def _args(arguments: str, where: str, losses: Losses) -> object:
    """The JSON object that `arguments` is, spliced in as text so that long numbers keep their digits."""
    if not arguments.strip():
        return {}
    try:
        if isinstance(decode(arguments), dict):
            # a line end among the arguments would end the event of a stream
            one_line = msgspec.json.format(arguments, indent=-1) if set(arguments) & {"\n", "\r"} else arguments
            return msgspec.Raw(one_line.encode())
    except WireError:
        pass
    losses.add(where, "tool arguments that are not a JSON object")
    return {}


def _rest(said: Object, *known: str) -> Object:
    return {key: value for key, value in said.items() if key not in known}

