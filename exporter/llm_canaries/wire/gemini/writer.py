"""generateContent streams: events in, bytes out (protocols.md A4)."""

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
from llm_canaries.wire.gemini.errors import error_of
from llm_canaries.wire.gemini.finish import UNSAID, finish_of, native_finish
from llm_canaries.wire.gemini.names import NAME
from llm_canaries.wire.gemini.parts import lone, write_call, write_part, write_thought
from llm_canaries.wire.gemini.reader import CANDIDATE, USAGE
from llm_canaries.wire.gemini.reply import candidate, head_of, is_blocked
from llm_canaries.wire.gemini.seals import wrapped
from llm_canaries.wire.gemini.usage import write_usage
from llm_canaries.wire.json import Object, encode
from llm_canaries.wire.loss import Losses, back_under
from llm_canaries.wire.message import Opaque, Thought, ToolCall, Usage
from llm_canaries.wire.sse import encode_frame


class GeminiWriter:
    """Events into chunks: words as they come, calls whole, the reason to stop and the usage in the last one.

    A part that begins while another is open waits until that one has ended: its place is its order.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._losses = Losses(head.dialect, NAME)
        self._top = self._losses.extra("reply", head.extra)
        self._last: Object = {}  # what comes beside the last candidate, by name
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._start: PartStart | None = None
        self._pieces: list[str] = []
        self._seal = ""
        self._sealed_whole = False
        self._next_seal: str | None = None  # of an empty thought: it stands on the part that follows
        self._called = False
        self._begun = False
        self._waiting: list[Event] = []
        if head.effort is not None:
            self._losses.add("reply", f"effort {head.effort}")

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What a Gemini stream cannot say of the events so far."""
        return self._losses.found

    def feed(self, event: Event) -> bytes:
        """The bytes that `event` adds to the stream."""
        match event:
            case PartStart() | Delta() | Signature() | PartEnd():
                return self._part(event)
            case OpaquePart(index, part) if index >= 0:
                return self._opaque(event, part)
            case OpaquePart(_, part):
                self._beside(part)
            case UsageSeen(usage):
                self._usage = usage
            case Finished():
                self._finished = event
            case Broken(fault):
                return encode_frame(encode({"error": error_of(fault)}))
            case Liveness():
                return b"\n"  # Google's SDK takes a comment for JSON and fails; a blank line after a frame is nothing
            case End():
                return self._end()
            case Head():
                pass
        return b""

    def close(self) -> bytes:
        """Nothing: a stream that did not end is left cut, never tidied up."""
        return b""

    def _part(self, event: PartStart | Delta | Signature | PartEnd) -> bytes:
        if isinstance(event, PartStart) and self._start is None:
            self._start, self._pieces, self._seal, self._sealed_whole = event, [], "", False
            if event.kind == "refusal":
                self._losses.plain("refusal")
            return b""
        if self._start is None or event.index != self._start.index:
            self._waiting.append(event)
            return b""
        match event:
            case Delta(_, text):
                return self._words(self._start, text)
            case Signature(_, signature, redacted):
                self._seal += signature
                self._sealed_whole = self._sealed_whole or redacted
            case PartEnd():
                ended, self._start = self._close_part(self._start), None
                return ended + self._resume()
            case _:
                pass
        return b""

    def _words(self, start: PartStart, text: str) -> bytes:
        """Words leave at once; a call waits until its arguments are whole."""
        first = not self._pieces
        if text:
            self._pieces.append(text)
        if start.kind == "tool" or not text:
            return b""
        if start.kind == "thought":
            return self._flush_seal() + self._say({"text": text, "thought": True})
        extra = self._losses.extra(start.kind, start.extra) if first else {}
        return self._say(self._sealed({"text": text} | extra))

    def _close_part(self, start: PartStart) -> bytes:
        if start.kind == "tool":
            self._called = True
            call = ToolCall(start.id, start.name, "".join(self._pieces), start.extra)
            return self._say(self._sealed(write_call(call, "tool", self._losses)))
        if start.kind == "thought":
            return self._close_thought(start)
        return b"" if self._pieces else self._say(self._sealed({"text": ""}))

    def _close_thought(self, start: PartStart) -> bytes:
        extra = self._losses.extra("thought", start.extra)
        redacted = self._seal if self._sealed_whole else None
        part = Thought("", None if redacted is not None else self._seal, redacted)
        seal = wrapped(part, self._losses.source)
        if seal is None:
            return b"" if self._pieces else self._flush_seal() + self._say(write_thought("", None, extra))
        flushed = self._flush_seal()
        if self._pieces or redacted is not None or extra:
            return flushed + self._say(write_thought("", seal, extra))
        self._next_seal = seal
        return flushed

    def _opaque(self, event: Event, part: Opaque) -> bytes:
        if self._start is not None:
            self._waiting.append(event)
            return b""
        block = write_part(part, "content", self._losses)
        return b"" if block is None else self._flush_seal() + self._say(block)

    def _beside(self, part: Opaque) -> None:
        if part.dialect == NAME:
            self._last |= part.block
        else:
            self._losses.part("content", part)

    def _resume(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(self.feed(event) for event in waiting)

    def _sealed(self, part: Object) -> Object:
        seal, self._next_seal = self._next_seal, None
        return part if seal is None else part | {"thoughtSignature": seal}

    def _flush_seal(self) -> bytes:
        seal, self._next_seal = self._next_seal, None
        return b"" if seal is None else self._say(lone(seal))

    def _say(self, part: Object) -> bytes:
        return self._chunk({"candidates": [candidate([part])]})

    def _end(self) -> bytes:
        rest = b""
        while self._start is not None:
            rest += self._part(PartEnd(self._start.index))
        rest += self._flush_seal()
        around, details = back_under(CANDIDATE, self._last), back_under(USAGE, self._last)
        usage = {} if self._usage is None else {"usageMetadata": write_usage(self._usage, details, self._losses)}
        if self._finished is not None and is_blocked(self._top, self._finished.native):
            return rest + self._chunk(self._last | usage)
        others = self._last.pop("candidates", [])
        candidates = [around | candidate([], self._word()), *others]
        return rest + self._chunk({"candidates": candidates} | self._last | usage)

    def _word(self) -> str:
        if self._finished is None:
            return UNSAID
        finish, called = self._finished.finish, self._called
        word = native_finish(finish, self._finished.native, called)
        if finish_of(word, called) != finish:
            self._losses.add("finish", f"{finish}, said as {word}")
        return word

    def _chunk(self, said: Object) -> bytes:
        """A frame; what the answer says of itself beside its head stands in the first one."""
        head, first = self._head, not self._begun
        self._begun = True
        return encode_frame(encode(said | head_of(head.id, head.model, head.created) | (self._top if first else {})))
