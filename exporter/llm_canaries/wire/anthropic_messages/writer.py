"""Messages streams: events in, bytes out (protocols.md A3, B3)."""

from collections.abc import Mapping

from llm_canaries.wire.anthropic_messages.errors import word_of
from llm_canaries.wire.anthropic_messages.parts import NAME, write_block
from llm_canaries.wire.anthropic_messages.reply import finish_of, native_finish
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
from llm_canaries.wire.json import HOLE, Object, encode, quoted
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Opaque, Usage
from llm_canaries.wire.seal import carried
from llm_canaries.wire.sse import encode_frame, holed_frame
from llm_canaries.wire.usage import write_messages_usage

_DELTAS: Mapping[str, tuple[str, str]] = {
    "tool": ("input_json_delta", "partial_json"),
    "thought": ("thinking_delta", "thinking"),
}


class MessagesWriter:
    """Events into Messages: blocks strictly in order, one message_delta, then message_stop.

    A part that begins while another is open waits until that one has ended: the native API never
    interleaves blocks.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._usage: Usage | None = None
        self._begun = False
        self._finished: Finished | None = None
        self._numbers: dict[int, int] = {}
        self._current: int | None = None
        self._unopened: PartStart | None = None  # a thought: its next event tells whether it is sealed whole
        self._around = (b"", b"")  # each piece of the current part
        self._waiting: list[Event] = []
        self._losses = Losses(head.dialect, NAME)
        self._extra = self._losses.extra("reply", head.extra)
        self._stop: Object = {}

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What a Messages stream cannot say of the events so far."""
        return self._losses.found

    def feed(self, event: Event) -> bytes:
        """The bytes that `event` adds to the stream; the head waits for the usage that may come right after it."""
        if type(event) is Delta and event.index == self._current and self._unopened is None:  # nearly all of a stream
            before, after = self._around
            return before + quoted(event.text) + after
        if isinstance(event, Head):
            return b""
        if isinstance(event, UsageSeen):
            self._usage = event.usage
        return (b"" if self._begun else self._start()) + self._say(event)

    def _say(self, event: Event) -> bytes:
        match event:
            case PartStart() | Delta() | Signature() | PartEnd():
                return self._part(event)
            case OpaquePart(index, part) if index >= 0:
                return self._whole(event, part)
            case OpaquePart(_, part):
                return self._between(part)
            case Finished():
                self._finished = event
            case Broken(fault):
                error = {"type": word_of(fault), "message": fault.message}
                return encode_frame(encode({"type": "error", "error": error}), "error")
            case End():
                return self._end()
            case Liveness():
                return encode_frame(b'{"type":"ping"}', "ping")
        return b""

    def close(self) -> bytes:
        """Nothing: a stream that did not end is left cut, never tidied up."""
        return b""

    def _start(self) -> bytes:
        self._begun = True
        message: Object = self._extra | {
            "id": self._head.id,
            "type": "message",
            "role": "assistant",
            "model": self._head.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_messages_usage(self._usage or Usage()),
        }
        if self._head.effort is not None:
            message["output_config"] = {"effort": self._head.effort}
        return _frame("message_start", message=message)

    def _part(self, event: PartStart | Delta | Signature | PartEnd) -> bytes:
        if isinstance(event, PartStart) and self._current is None:
            self._current, self._unopened = event.index, event
            return b"" if event.kind == "thought" else self._open(event)
        if event.index != self._current:
            self._waiting.append(event)
            return b""
        if isinstance(event, PartStart):
            return b""
        sealed = event.signature if isinstance(event, Signature) and event.redacted else None
        opening = self._open(self._unopened, sealed) if self._unopened is not None else b""
        if isinstance(event, PartEnd):
            number = self._numbers[event.index]
            self._current = None
            return opening + _frame("content_block_stop", index=number) + self._resume()
        return opening + self._inside(event)

    def _resume(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(self._say(event) for event in waiting)

    def _open(self, start: PartStart, sealed: str | None = None) -> bytes:
        self._unopened = None
        number = self._numbers[start.index] = len(self._numbers)
        extra = self._losses.extra(start.kind, start.extra)
        block: Object
        match start.kind:
            case "tool":
                block = {"type": "tool_use", "id": start.id, "name": start.name, "input": {}} | extra
            case "thought" if sealed is not None:
                block = {"type": "redacted_thinking", "data": self._carried(sealed)} | extra
            case "thought":
                block = {"type": "thinking", "thinking": "", "signature": ""} | extra
            case _:
                block = {"type": "text", "text": ""} | extra
                if start.kind == "refusal":
                    self._losses.plain("refusal")
        kind, field = _DELTAS.get(start.kind, ("text_delta", "text"))
        said = {"type": "content_block_delta", "index": number, "delta": {"type": kind, field: HOLE}}
        self._around = holed_frame(said, "content_block_delta")
        return _frame("content_block_start", index=number, content_block=block)

    def _inside(self, event: Delta | Signature) -> bytes:
        if isinstance(event, Signature):
            number = self._numbers[event.index]
            delta = {"type": "signature_delta", "signature": self._carried(event.signature)}
            return b"" if event.redacted else _frame("content_block_delta", index=number, delta=delta)
        before, after = self._around
        return before + quoted(event.text) + after

    def _carried(self, seal: str) -> str:
        return carried(seal, self._losses.source, NAME)

    def _whole(self, event: Event, part: Opaque) -> bytes:
        if self._current is not None:
            self._waiting.append(event)
            return b""
        block = write_block(part, "content", self._losses)
        if block is None:
            return b""
        number = self._numbers[-2 - len(self._numbers)] = len(self._numbers)
        start = _frame("content_block_start", index=number, content_block=block)
        return start + _frame("content_block_stop", index=number)

    def _between(self, part: Opaque) -> bytes:
        """What came beside the blocks: more of the one that is open, of the end, or an event nobody knows."""
        if part.dialect != NAME:
            self._losses.part("content", part)
            return b""
        match part.block:
            case {"message_delta": Mapping() as more}:
                self._stop |= more
                return b""
            case {"index": int(index), "delta": delta} if index == self._current and self._unopened is None:
                return _frame("content_block_delta", index=self._numbers[index], delta=delta)
            case {"type": str(kind)}:
                return encode_frame(encode(dict(part.block)), kind)
        self._losses.part("content", part)
        return b""

    def _end(self) -> bytes:
        rest = b""
        while self._current is not None:
            rest += self._part(PartEnd(self._current))
        if self._finished is None:
            return rest + _frame("message_stop")
        own = self._finished.native if finish_of(self._finished.native) == self._finished.finish else None
        native = native_finish(self._finished.finish, own)
        if finish_of(native) != self._finished.finish:
            self._losses.add("finish", f"{self._finished.finish}, said as {native}")
        delta: Object = self._stop | {
            "stop_reason": native,
            "stop_sequence": self._finished.stop_sequence,
        }
        usage = {} if self._usage is None else {"usage": write_messages_usage(self._usage)}
        return rest + _frame("message_delta", delta=delta, **usage) + _frame("message_stop")


def _frame(kind: str, **fields: object) -> bytes:
    return encode_frame(encode({"type": kind} | fields), kind)
