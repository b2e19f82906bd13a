"""What a streamed answer says, event by event, and the fold that makes one Reply of it."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_canaries.wire.fault import Fault
from llm_canaries.wire.message import (
    Extra,
    Finish,
    Opaque,
    Part,
    Refusal,
    Reply,
    Text,
    Thought,
    ToolCall,
    Usage,
)


class Head(Struct, frozen=True, tag=True, kw_only=True, gc=False):
    """The answer begins: who answers, under which id; `dialect` names whose words `extra` and opaque parts are in."""

    dialect: str = ""
    id: str
    model: str
    created: int = 0
    effort: str | None = None
    extra: Extra = {}


class PartStart(Struct, frozen=True, tag=True, kw_only=True, gc=False):
    """Part number `index` begins; `id` and `name` only where `kind` is tool."""

    index: int
    kind: Literal["text", "thought", "tool", "refusal"]
    id: str = ""
    name: str = ""
    extra: Extra = {}


class Delta(Struct, frozen=True, tag=True, gc=False):
    """More of part `index`: words, reasoning, or a piece of JSON arguments."""

    index: int
    text: str


class Signature(Struct, frozen=True, tag=True, gc=False):
    """The seal of thought `index`; `redacted` marks a thought that came sealed whole."""

    index: int
    signature: str
    redacted: bool = False


class PartEnd(Struct, frozen=True, tag=True, gc=False):
    """Part `index` is complete."""

    index: int


class OpaquePart(Struct, frozen=True, tag=True, gc=False):
    """A whole block, or an event between blocks (`index` -1), that the hub has no word for."""

    index: int
    part: Opaque


class UsageSeen(Struct, frozen=True, tag=True, gc=False):
    """The usage as known so far: a snapshot that replaces earlier ones, never an increment (B3)."""

    usage: Usage


class Finished(Struct, frozen=True, tag=True, gc=False):
    """The model stopped, and why."""

    finish: Finish
    native: str
    stop_sequence: str | None = None


class Liveness(Struct, frozen=True, tag=True, gc=False):
    """A ping or comment: the line is alive, the answer has not moved."""


class Broken(Struct, frozen=True, tag=True, gc=False):
    """An error said in the stream, under a status that was already 200."""

    fault: Fault


class End(Struct, frozen=True, tag=True, gc=False):
    """The dialect's terminal event ([DONE], message_stop)."""


Event: TypeAlias = (
    Head
    | PartStart
    | Delta
    | Signature
    | PartEnd
    | OpaquePart
    | UsageSeen
    | Finished
    | Liveness
    | Broken
    | End
)


class _Open:
    """A part being collected."""

    def __init__(self, start: PartStart) -> None:
        self.start = start
        self.pieces: list[str] = []
        self.signature: str | None = None
        self.redacted: str | None = None

    def part(self) -> Part:
        text = "".join(self.pieces)
        match self.start.kind:
            case "text":
                return Text(text, self.start.extra)
            case "refusal":
                return Refusal(text, self.start.extra)
            case "tool":
                return ToolCall(self.start.id, self.start.name, text, self.start.extra)
            case "thought":
                return Thought(text, self.signature, self.redacted, self.start.extra)


def fold(dialect: str, events: Sequence[Event]) -> Reply | None:
    """The Reply that `events` add up to, None when no answer began; parts keep the order of their index."""
    head: Head | None = None
    parts: dict[int, _Open | Opaque] = {}
    finished: Finished | None = None
    usage: Usage | None = None
    for event in events:
        match event:
            case Head():
                head = head or event
            case PartStart():
                parts.setdefault(event.index, _Open(event))
            case Delta(index, text):
                if isinstance(part := parts.get(index), _Open):
                    part.pieces.append(text)
            case Signature(index, signature, redacted):
                if isinstance(part := parts.get(index), _Open):
                    part.redacted, part.signature = (
                        (signature, part.signature)
                        if redacted
                        else (part.redacted, (part.signature or "") + signature or None)
                    )
            case OpaquePart(index, block) if index >= 0:
                parts.setdefault(index, block)
            case UsageSeen():
                usage = event.usage
            case Finished():
                finished = event
            case _:
                pass
    if head is None:
        return None
    return Reply(
        dialect=dialect,
        id=head.id,
        model=head.model,
        created=head.created,
        content=tuple(p.part() if isinstance(p, _Open) else p for _, p in sorted(parts.items())),
        finish=finished.finish if finished else None,
        finish_native=finished.native if finished else None,
        stop_sequence=finished.stop_sequence if finished else None,
        usage=usage,
        effort=head.effort,
        extra=head.extra,
    )


def unfold(reply: Reply) -> list[Event]:
    """The events of a Reply sent in one go: what a stream of the same answer would say."""
    events: list[Event] = [
        Head(
            dialect=reply.dialect,
            id=reply.id,
            model=reply.model,
            created=reply.created,
            effort=reply.effort,
            extra=reply.extra,
        )
    ]
    for index, part in enumerate(reply.content):
        events += _unfold_part(index, part)
    if reply.finish is not None:
        events.append(Finished(reply.finish, reply.finish_native or "", reply.stop_sequence))
    if reply.usage is not None:
        events.append(UsageSeen(reply.usage))
    events.append(End())
    return events


def _unfold_part(index: int, part: Part) -> list[Event]:
    match part:
        case Text(text, extra):
            return [PartStart(index=index, kind="text", extra=extra), Delta(index, text), PartEnd(index)]
        case Refusal(text, extra):
            return [PartStart(index=index, kind="refusal", extra=extra), Delta(index, text), PartEnd(index)]
        case ToolCall(id, name, arguments, extra):
            start = PartStart(index=index, kind="tool", id=id, name=name, extra=extra)
            return [start, Delta(index, arguments), PartEnd(index)]
        case Thought(text, signature, redacted, extra):
            seals: list[Event] = [Signature(index, signature)] if signature is not None else []
            if redacted is not None:
                seals.append(Signature(index, redacted, redacted=True))
            words: list[Event] = [Delta(index, text)] if text else []
            return [PartStart(index=index, kind="thought", extra=extra), *words, *seals, PartEnd(index)]
        case Opaque():
            return [OpaquePart(index, part)]
        case _:
            raise ValueError(f"a reply cannot hold a {type(part).__name__} part")
