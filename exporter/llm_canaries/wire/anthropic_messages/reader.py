"""Messages streams: frames in, events out (protocols.md A3, B3)."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from llm_canaries.wire.anthropic_messages.parts import NAME
from llm_canaries.wire.anthropic_messages.reply import effort_of, finish_of
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
from llm_canaries.wire.json import (
    Object,
    WireError,
    decode,
    decode_object,
    encode_text,
    integer,
    mapping,
    rest,
    string,
)
from llm_canaries.wire.message import Opaque, Usage
from llm_canaries.wire.sse import Frame
from llm_canaries.wire.usage import read_messages_usage


class _TextDelta(Struct, gc=False, tag="text_delta", tag_field="type"):
    """A piece of text."""

    text: str


class _ThinkingDelta(Struct, gc=False, tag="thinking_delta", tag_field="type"):
    """A piece of reasoning."""

    thinking: str


class _InputDelta(Struct, gc=False, tag="input_json_delta", tag_field="type"):
    """A piece of a call's arguments."""

    partial_json: str


class _BlockDelta(Struct, gc=False, tag="content_block_delta", tag_field="type"):
    """Nearly every event of nearly every stream; an event of any other kind does not fit this type."""

    index: Annotated[int, Meta(ge=0, lt=2**31)]
    delta: _TextDelta | _ThinkingDelta | _InputDelta


_decode_delta = msgspec.json.Decoder(_BlockDelta).decode

STOP = "message_delta"
"""Marks an Opaque with what the end of an answer says of it beside the reason to stop."""

_MESSAGE = frozenset({"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"})
_TEXT = frozenset({"type", "text"})
_THINKING = frozenset({"type", "thinking", "signature"})
_SEALED = frozenset({"type", "data"})
_TOOL_USE = frozenset({"type", "id", "name", "input"})
_STOP = frozenset({"stop_reason", "stop_sequence"})


class MessagesReader:
    """One stream of events; usage in message_delta overwrites message_start's field by field."""

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._opaque: dict[int, tuple[Object, list[str]]] = {}
        self._silent: set[int] = set()

    def feed(self, frame: Frame) -> Sequence[Event]:
        """The events of one frame. Raises WireError where it is not a JSON object."""
        if frame.event == "content_block_delta":
            try:
                said = _decode_delta(frame.data)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass
            else:
                return self._piece(said.index, said.delta)
        if frame.comment or not frame.data.strip():
            return (Liveness(),)
        if frame.data.strip() == "[DONE]":  # some gateways add chat's ending after message_stop
            return ()
        whole = decode_object(frame.data)
        return tuple(self._event(string(whole.get("type")) or frame.event, whole))

    def close(self) -> Sequence[Event]:
        """Nothing is owed at the end of the body."""
        return ()

    def _piece(self, index: int, delta: _TextDelta | _ThinkingDelta | _InputDelta) -> Sequence[Event]:
        if type(delta) is _TextDelta:
            return (Delta(index, delta.text),)
        if type(delta) is _ThinkingDelta:
            return (Delta(index, delta.thinking),)
        piece = delta.partial_json if isinstance(delta, _InputDelta) else ""
        if index in self._opaque:
            self._opaque[index][1].append(piece)
            return ()
        if piece:
            self._silent.discard(index)
        return (Delta(index, piece),)

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
        id, model = string(message.get("id")), string(message.get("model"))
        usage, effort = read_messages_usage(mapping(message.get("usage"))), effort_of(message)
        yield Head(dialect=NAME, id=id, model=model, effort=effort, extra=rest(message, _MESSAGE))
        # many gateways open with zeros, which say nothing (B5: start_zero)
        if usage.input or usage.output or usage.broken:
            self._usage = usage
            yield UsageSeen(usage)

    def _block(self, index: int, block: Object) -> Iterator[Event]:
        kind = block.get("type")
        if kind == "text":
            yield PartStart(index=index, kind="text", extra=rest(block, _TEXT))
            if text := string(block.get("text")):
                yield Delta(index, text)
        elif kind == "thinking":
            yield PartStart(index=index, kind="thought", extra=rest(block, _THINKING))
            if text := string(block.get("thinking")):
                yield Delta(index, text)
            if seal := string(block.get("signature")):
                yield Signature(index, seal)
        elif kind == "redacted_thinking":
            yield PartStart(index=index, kind="thought", extra=rest(block, _SEALED))
            yield Signature(index, string(block.get("data")), redacted=True)
        elif kind == "tool_use":
            call, name = string(block.get("id")), string(block.get("name"))
            yield PartStart(index=index, kind="tool", id=call, name=name, extra=rest(block, _TOOL_USE))
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
            case "input_json_delta":
                yield from self._piece(index, _InputDelta(string(delta.get("partial_json"))))
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
        if more := {key: value for key, value in rest(delta, _STOP).items() if value is not None}:
            yield OpaquePart(-1, Opaque(NAME, {STOP: more}))
        if isinstance(usage := said.get("usage"), dict):
            self._usage = read_messages_usage(usage, self._usage)
            yield UsageSeen(self._usage)


def _input(pieces: list[str]) -> object:
    try:
        return decode("".join(pieces))
    except WireError:
        return "".join(pieces)
