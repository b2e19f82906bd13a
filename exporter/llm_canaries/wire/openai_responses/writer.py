"""Responses streams: events in, bytes out (protocols.md A2, H1)."""

from llm_canaries.wire.event import (
    Broken,
    Delta,
    End,
    Event,
    Finished,
    Head,
    Liveness,
    OpaquePart,
    PartEnd,
    PartStart,
    Signature,
    UsageSeen,
)
from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import Object, encode
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Opaque, Part, Refusal, ToolCall, Usage
from llm_canaries.wire.openai_responses.closing import Call, Item, Reasoning, Whole, Words
from llm_canaries.wire.openai_responses.parts import JOINED, NAME, about_of, inner_of, kin, unmarked
from llm_canaries.wire.openai_responses.reply import native_finish, write_response
from llm_canaries.wire.sse import encode_frame

_LIMITS = (FaultReason.RATE_LIMITED, FaultReason.QUOTA_EXHAUSTED)


class ResponsesWriter:
    """Events into Responses: items and parts added before they grow and done after, one terminal event with it all.

    Texts in a row are parts of one message; an item is done when the next one begins, for what is said about it may
    come after its words. The whole answer is kept, for the terminal event repeats it.
    """

    def __init__(self, head: Head) -> None:
        self._losses = Losses(head.dialect, NAME)
        extra = self._losses.extra("reply", head.extra)
        self._head = Head(
            dialect=NAME, id=head.id, model=head.model, created=head.created, effort=head.effort, extra=extra
        )
        self._number = 0
        self._begun = False
        self._ended = False
        self._items: list[Item] = []
        self._parts: dict[int, tuple[Item, int]] = {}
        self._message: Words | None = None
        self._said: list[Part] = []  # calls and refusals, without their words: they decide how the answer finished
        self._finished: Finished | None = None
        self._usage: Usage | None = None

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What a Responses stream cannot say of the events so far."""
        return self._losses.found

    def feed(self, event: Event) -> bytes:
        """The bytes that `event` adds to the stream."""
        if isinstance(event, Liveness):
            return b": keep-alive\n\n"
        if self._ended:
            return b""
        return (b"" if self._begun else self._begin()) + self._say(event)

    def close(self) -> bytes:
        """Nothing: a stream that did not end is left cut, never tidied up."""
        return b""

    def _say(self, event: Event) -> bytes:
        match event:
            case PartStart():
                return self._start(event)
            case Delta(index, text) if (part := self._parts.get(index)) is not None:
                return self._frames(part[0].grow(part[1], text))
            case Signature(index, signature, redacted):
                if (part := self._parts.get(index)) is not None and isinstance(part[0], Reasoning):
                    part[0].seal(signature, self._losses.source, redacted=redacted)
            case PartEnd(index) if (part := self._parts.get(index)) is not None:
                return self._frames(part[0].end(part[1]))
            case OpaquePart(index, block):
                return self._opaque(index, block)
            case Finished():
                self._finished = event
            case UsageSeen(usage):
                self._usage = usage
            case Broken(fault):
                return self._break(fault)
            case End():
                return self._end()
        return b""

    def _begin(self) -> bytes:
        self._begun = True
        said = write_response(self._head, [], "incomplete", None, self._losses) | {"status": "in_progress"}
        return self._frame("response.created", response=said) + self._frame("response.in_progress", response=said)

    def _start(self, start: PartStart) -> bytes:
        if start.index in self._parts:
            return b""
        if start.kind in ("text", "refusal"):
            return self._words(start.index, start)
        at, answer, extra = len(self._items), self._head.id, kin(start.extra, self._losses, start.kind)
        if start.kind == "tool":
            self._said.append(ToolCall("", "", ""))
            return self._open(Call(at, answer, start, extra), start.index)
        return self._open(Reasoning(at, answer, extra), start.index)

    def _words(self, index: int, start: PartStart | Opaque) -> bytes:
        """A part of a message: the one that is open, or a new one."""
        extra: Object = {} if isinstance(start, PartStart) else dict(start.block)
        if isinstance(start, PartStart):
            extra = self._losses.extra(start.kind, start.extra)
            self._said += [Refusal("")] if start.kind == "refusal" else []
        frames = b""
        if self._message is None or (self._losses.same and JOINED not in extra):
            message = Words(len(self._items), self._head.id, extra)
            frames = self._open(message, None)
            self._message = message
        at, added = self._message.add(start, unmarked(extra))
        self._parts[index] = (self._message, at)
        return frames + self._frames(added)

    def _open(self, item: Item, index: int | None) -> bytes:
        frames, self._message = self._settle(), None
        self._items.append(item)
        if index is not None:
            self._parts[index] = (item, 0)
        return frames + self._frames(item.added())

    def _opaque(self, index: int, part: Opaque) -> bytes:
        if part.dialect != NAME or not self._losses.same:
            self._losses.part("content", part)
            return b""
        if index < 0:
            return self._frame(str(part.block.get("type", "")), **{k: v for k, v in part.block.items() if k != "type"})
        if (about := about_of(part)) is not None:
            owner = self._parts.get(index - 1)
            return b"" if owner is None else self._frames(owner[0].tell(owner[1], about))
        if inner_of(part) is not None:
            return self._words(index, part)
        return self._open(Whole(len(self._items), self._head.id, part.block), index)

    def _settle(self, *, last: bool = False) -> bytes:
        """The end of every item that has no open part; of all items when the answer itself ends."""
        return b"".join(self._frames(item.done()) for item in self._items if not item.settled and (last or item.idle))

    def _break(self, fault: Fault) -> bytes:
        """The failure; codes beyond the documented ones are what the real backend sends too."""
        self._ended = True
        code = fault.code or ("rate_limit_exceeded" if fault.reason in _LIMITS else "server_error")
        error = {"code": code, "message": fault.message}
        output = [item.whole() for item in self._items if item.settled]
        said = write_response(self._head, output, "failed", self._usage, self._losses) | {"error": error}
        return self._frame("response.failed", response=said)

    def _end(self) -> bytes:
        self._ended = True
        rest = self._settle(last=True)
        finish, native = (self._finished.finish, self._finished.native) if self._finished else (None, None)
        said = native_finish(finish, native, self._said, self._losses)
        output = [item.whole() for item in self._items]
        response = write_response(self._head, output, said, self._usage, self._losses)
        status = response["status"]
        kind = status if status in ("incomplete", "failed") else "completed"
        return rest + self._frame(f"response.{kind}", response=response)

    def _frames(self, events: list[Object]) -> bytes:
        return b"".join(self._frame(**event) for event in events)

    def _frame(self, type: str, **said: object) -> bytes:
        body = encode({"type": type, "sequence_number": self._number} | said | {"sequence_number": self._number})
        self._number += 1
        return encode_frame(body, type)
