"""generateContent streams: frames in, events out (protocols.md A4, B3). A whole answer is a stream of one chunk."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from llm_canaries.wire.envelope import envelope_of
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
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.gemini.calls import Calls
from llm_canaries.wire.gemini.finish import finish_of
from llm_canaries.wire.gemini.media import KEYS
from llm_canaries.wire.gemini.names import NAME, camel
from llm_canaries.wire.gemini.parts import read_part
from llm_canaries.wire.gemini.seals import held_by, is_foreign
from llm_canaries.wire.gemini.usage import details_of, read_usage
from llm_canaries.wire.json import Object, decode, integer, items, kind, mapping, string, want
from llm_canaries.wire.loss import under
from llm_canaries.wire.message import Extra, Finish, Opaque, Part, Text, Thought, ToolCall
from llm_canaries.wire.sse import Frame

_Words = Literal["text", "thought"]
_NOTHING: Extra = {}

CANDIDATE, USAGE = "candidate", "usageMetadata"
"""What stands before the fields of either in `extra`."""


class GeminiReader:
    """One stream of chunks: words of one kind that follow each other are one part, until a seal closes it.

    No frame ends the stream: it has ended when the body has, if a reason to stop was said. Usage may follow the
    reason; a part that does comes after the end.
    """

    def __init__(self) -> None:
        self._head: Head | None = None
        self._over = False
        self._ended = False
        self._calls = Calls()
        self._called = False
        self._next = 0
        self._open: _Words | None = None

    def feed(self, frame: Frame) -> Sequence[Event]:
        """The events of one frame. Raises WireError where it is not a JSON object."""
        if frame.comment or not frame.data.strip():
            return (Liveness(),)
        if frame.data.strip() == "[DONE]":  # some gateways add chat's ending
            return ()
        said = decode(frame.data)
        if isinstance(said, list) and len(said) == 1:  # Google wraps some errors so
            said = said[0]
        want(isinstance(said, dict), f"expected a JSON object, got {kind(said)}")
        return tuple(self.chunk(said))

    def close(self) -> Sequence[Event]:
        """What the end of the body closes."""
        return (*self._close_part(), *self._end())

    def chunk(self, said: Object, whole: bool = False) -> Iterator[Event]:
        """The events of one chunk, or of an answer that is `whole`. Raises WireError."""
        if (envelope := envelope_of(said, 0)) is not None:
            self._ended = True
            code, wait = envelope.name, envelope.retry_after
            reason, message = FaultReason.STREAM_ERROR, envelope.message
            yield Broken(Fault(reason=reason, status=200, code=code, message=message, retry_after=wait))
            return
        held = camel(said)
        candidates, usage = held.pop("candidates", None), held.pop("usageMetadata", None)
        beside: Object = {}
        yield from self._begin(held, beside)
        for candidate in items(candidates):
            one = camel(mapping(candidate))
            if integer(one.pop("index", 0)) == 0:
                yield from self._candidate(one)
                beside |= under(CANDIDATE, one)
            else:
                beside.setdefault("candidates", []).append(candidate)
        yield from self._blocked(mapping(held.get("promptFeedback")))
        if isinstance(usage, dict):
            yield UsageSeen(read_usage(usage))
            if whole or self._over:  # earlier ones are snapshots on the way
                beside |= under(USAGE, details_of(usage))
        if beside:
            yield OpaquePart(-1, Opaque(NAME, beside))

    def _begin(self, said: Object, beside: Object) -> Iterator[Event]:
        """The head, out of the first chunk; what only a later one says of the answer goes `beside`."""
        known = {key: said.pop(key, "") for key in ("responseId", "modelVersion", "createTime")}
        if self._head is not None:
            beside |= {key: value for key, value in said.items() if key not in self._head.extra}
            return
        id, model, created = string(known["responseId"]), string(known["modelVersion"]), _seconds(known["createTime"])
        self._calls = Calls(id)
        self._head = Head(dialect=NAME, id=id, model=model, created=created, extra=said)
        yield self._head

    def _candidate(self, said: Object) -> Iterator[Event]:
        content = camel(mapping(said.pop("content", None)))
        for part in items(content.get("parts")):
            yield from self._part(part)
        native = said.pop("finishReason", None)
        if not native or self._over:
            return
        self._over = True
        yield from self._close_part()
        if (finish := finish_of(native, self._called)) is not None:
            yield Finished(finish, string(native))

    def _blocked(self, feedback: Object) -> Iterator[Event]:
        reason = string(camel(feedback).get("blockReason"))
        if reason and not self._over:
            self._over = True
            yield from self._close_part()
            yield Finished(Finish.FILTER, reason)

    def _part(self, said: object) -> Iterator[Event]:
        for part in self._read(said):
            if part == Text("") or part == Thought():  # a chunk that brings a reason or a count needs some part
                continue
            if self._over:
                yield from self._end()
            match part:
                case Text(text, extra):
                    yield from self._words("text", text, extra)
                case Thought():
                    yield from self._thought(part)
                case ToolCall():
                    yield from self._close_part()
                    yield from self._call(part)
                case Opaque():
                    yield from self._close_part()
                    yield OpaquePart(self._take_index(), part)

    def _read(self, said: object) -> tuple[Part, ...]:
        """What one part is; an answer has no place for pictures but a block of their own."""
        parts = read_part(said, "candidates[0].content.parts", self._calls)
        if isinstance(said, dict) and not camel(said).keys().isdisjoint((*KEYS, "functionResponse")):
            return (Opaque(NAME, said),)
        return parts

    def _words(self, sort: _Words, text: str, extra: Extra = _NOTHING) -> Iterator[Event]:
        if self._open != sort or extra:
            yield from self._start(sort, extra)
        if text:
            yield Delta(self._next - 1, text)
        if extra:
            yield from self._close_part()

    def _start(self, sort: _Words, extra: Extra) -> Iterator[Event]:
        yield from self._close_part()
        self._open = sort
        yield PartStart(index=self._take_index(), kind=sort, extra=extra)

    def _thought(self, part: Thought) -> Iterator[Event]:
        """Words of a thought go on where it is open; a seal closes it, and one of no words begins its own."""
        seal, whole = held_by(part), part.redacted is not None
        of_open = part.extra == {"thought": True} or (not part.extra and is_foreign(seal))
        if part.text and not part.extra:
            yield from self._words("thought", part.text)
        elif self._open != "thought" or whole or not of_open:
            yield from self._start("thought", part.extra)
            if part.text:
                yield Delta(self._next - 1, part.text)
        if seal:
            yield Signature(self._next - 1, seal, redacted=whole)
        if seal or part.extra:
            yield from self._close_part()

    def _call(self, call: ToolCall) -> Iterator[Event]:
        self._called = True
        index = self._take_index()
        yield PartStart(index=index, kind="tool", id=call.id, name=call.name, extra=call.extra)
        yield Delta(index, call.arguments)
        yield PartEnd(index)

    def _take_index(self) -> int:
        self._next += 1
        return self._next - 1

    def _close_part(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            yield PartEnd(self._next - 1)

    def _end(self) -> Iterator[Event]:
        if self._over and not self._ended:
            self._ended = True
            yield End()


def _seconds(time: object) -> int:
    """Unix time of an RFC 3339 instant, 0 where there is none."""
    try:
        return int(datetime.fromisoformat(string(time)).timestamp())
    except (ValueError, OverflowError):
        return 0
