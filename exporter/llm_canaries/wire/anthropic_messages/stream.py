"""Messages streams, both ways (protocols.md A3, B3)."""

from collections.abc import Iterator, Sequence

from llm_canaries.wire.anthropic_messages.parts import NAME, write_block
from llm_canaries.wire.anthropic_messages.reply import effort_of, finish_of, native_finish
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
from llm_canaries.wire.fault import Fault, FaultReason, envelope_of
from llm_canaries.wire.json import (
    Object,
    WireError,
    decode,
    decode_object,
    encode,
    encode_text,
    integer,
    mapping,
    string,
)
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Opaque, Usage
from llm_canaries.wire.sse import Frame, encode_frame
from llm_canaries.wire.usage import read_messages_usage, write_messages_usage


class MessagesReader:
    """One stream of events; usage in message_delta overwrites message_start's field by field."""

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._opaque: dict[int, tuple[Object, list[str]]] = {}
        self._silent: set[int] = set()

    def feed(self, frame: Frame) -> Sequence[Event]:
        """The events of one frame. Raises WireError where it is not a JSON object."""
        if frame.comment or not frame.data.strip():
            return (Liveness(),)
        if frame.data.strip() == "[DONE]":  # some gateways add chat's ending after message_stop
            return ()
        said = decode_object(frame.data)
        return tuple(self._event(string(said.get("type")) or frame.event, said))

    def close(self) -> Sequence[Event]:
        """Nothing is owed at the end of the body."""
        return ()

    def _event(self, kind: str, said: Object) -> Iterator[Event]:
        index = integer(said.get("index")) or 0
        match kind:
            case "message_start":
                yield from self._start(mapping(said.get("message")))
            case "content_block_start":
                yield from self._block(index, mapping(said.get("content_block")))
            case "content_block_delta":
                yield from self._delta(index, mapping(said.get("delta")))
            case "content_block_stop":
                yield from self._stop(index)
            case "message_delta":
                yield from self._finish(said)
            case "message_stop":
                yield End()
            case "ping":
                yield Liveness()
            case _ if (envelope := envelope_of(said, 0)) is not None:
                code = envelope.code or envelope.kind
                yield Broken(
                    Fault(reason=FaultReason.STREAM_ERROR, status=200, code=code, message=envelope.message)
                )
            case _:
                yield OpaquePart(-1, Opaque(NAME, said))

    def _start(self, message: Object) -> Iterator[Event]:
        yield Head(id=string(message.get("id")), model=string(message.get("model")), effort=effort_of(message))
        usage = read_messages_usage(mapping(message.get("usage")))
        # many gateways open with zeros, which say nothing (B5: start_zero)
        if usage.input or usage.output or usage.broken:
            self._usage = usage
            yield UsageSeen(usage)

    def _block(self, index: int, block: Object) -> Iterator[Event]:
        kind = block.get("type")
        if kind == "text":
            yield PartStart(index=index, kind="text")
            if text := string(block.get("text")):
                yield Delta(index, text)
        elif kind == "thinking":
            yield PartStart(index=index, kind="thought")
            if text := string(block.get("thinking")):
                yield Delta(index, text)
            if seal := string(block.get("signature")):
                yield Signature(index, seal)
        elif kind == "redacted_thinking":
            yield PartStart(index=index, kind="thought")
            yield Signature(index, string(block.get("data")), redacted=True)
        elif kind == "tool_use":
            extra = {k: v for k, v in block.items() if k not in ("type", "id", "name", "input")}
            call, name = string(block.get("id")), string(block.get("name"))
            yield PartStart(index=index, kind="tool", id=call, name=name, extra=extra)
            if whole := block.get("input"):
                yield Delta(index, encode_text(whole))
            else:
                self._silent.add(index)
        else:
            self._opaque[index] = (block, [])

    def _delta(self, index: int, delta: Object) -> Iterator[Event]:
        match delta.get("type"):
            case "text_delta":
                yield Delta(index, string(delta.get("text")))
            case "thinking_delta":
                yield Delta(index, string(delta.get("thinking")))
            case "signature_delta":
                yield Signature(index, string(delta.get("signature")))
            case "input_json_delta" if index in self._opaque:
                self._opaque[index][1].append(string(delta.get("partial_json")))
            case "input_json_delta":
                if delta.get("partial_json"):
                    self._silent.discard(index)
                yield Delta(index, string(delta.get("partial_json")))
            case _:
                yield OpaquePart(-1, Opaque(NAME, {"index": index, "delta": delta}))

    def _stop(self, index: int) -> Iterator[Event]:
        if index not in self._opaque:
            if index in self._silent:  # no arguments are {}, as in an answer that is not streamed
                self._silent.discard(index)
                yield Delta(index, "{}")
            yield PartEnd(index)
            return
        block, pieces = self._opaque.pop(index)
        yield OpaquePart(index, Opaque(NAME, block | {"input": _input(pieces)} if pieces else block))

    def _finish(self, said: Object) -> Iterator[Event]:
        delta = mapping(said.get("delta"))
        native = delta.get("stop_reason")
        if (finish := finish_of(native)) is not None:
            yield Finished(finish, string(native), string(delta.get("stop_sequence")) or None)
        if isinstance(usage := said.get("usage"), dict):
            self._usage = read_messages_usage(usage, self._usage)
            yield UsageSeen(self._usage)


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
        self._kinds: dict[int, str] = {}
        self._waiting: list[Event] = []

    def feed(self, event: Event) -> bytes:
        """The bytes that `event` adds to the stream; the head waits for the usage that may come right after it."""
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
            case Finished():
                self._finished = event
            case Broken(fault):
                error = {"type": fault.code or "api_error", "message": fault.message}
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
        message: Object = {
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
        self._kinds[start.index] = start.kind
        block: Object
        match start.kind:
            case "tool":
                block = {"type": "tool_use", "id": start.id, "name": start.name, "input": {}}
            case "thought" if sealed is not None:
                block = {"type": "redacted_thinking", "data": sealed}
            case "thought":
                block = {"type": "thinking", "thinking": "", "signature": ""}
            case _:
                block = {"type": "text", "text": ""}
        return _frame("content_block_start", index=number, content_block=block)

    def _inside(self, event: Delta | Signature) -> bytes:
        number = self._numbers[event.index]
        if isinstance(event, Signature):
            delta = {"type": "signature_delta", "signature": event.signature}
            return b"" if event.redacted else _frame("content_block_delta", index=number, delta=delta)
        kinds = {"tool": ("input_json_delta", "partial_json"), "thought": ("thinking_delta", "thinking")}
        kind, field = kinds.get(self._kinds[event.index], ("text_delta", "text"))
        return _frame("content_block_delta", index=number, delta={"type": kind, field: event.text})

    def _whole(self, event: Event, part: Opaque) -> bytes:
        if self._current is not None:
            self._waiting.append(event)
            return b""
        block = write_block(part, "content", Losses(part.dialect, NAME))
        if block is None:
            return b""
        number = self._numbers[-2 - len(self._numbers)] = len(self._numbers)
        start = _frame("content_block_start", index=number, content_block=block)
        return start + _frame("content_block_stop", index=number)

    def _end(self) -> bytes:
        rest = b""
        while self._current is not None:
            rest += self._part(PartEnd(self._current))
        if self._finished is None:
            return rest + _frame("message_stop")
        own = self._finished.native if finish_of(self._finished.native) == self._finished.finish else None
        delta = {
            "stop_reason": native_finish(self._finished.finish, own),
            "stop_sequence": self._finished.stop_sequence,
        }
        usage = {} if self._usage is None else {"usage": write_messages_usage(self._usage)}
        return rest + _frame("message_delta", delta=delta, **usage) + _frame("message_stop")


def _input(pieces: list[str]) -> object:
    try:
        return decode("".join(pieces))
    except WireError:
        return "".join(pieces)


def _frame(kind: str, **fields: object) -> bytes:
    return encode_frame(encode({"type": kind} | fields), kind)
