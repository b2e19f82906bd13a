"""Chat Completions streams: frames in, events out (protocols.md A1)."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from llm_canaries.wire.envelope import envelope_of
from llm_canaries.wire.event import (
    Broken,
    Delta,
    End,
    Event,
    Finished,
    Head,
    Liveness,
    PartEnd,
    PartStart,
    UsageSeen,
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import Object, decode_object, encode_text, integer, items, mapping, rest, string
from llm_canaries.wire.message import Text, Thought
from llm_canaries.wire.openai_chat.parts import NAME, read_content, unknown
from llm_canaries.wire.openai_chat.reply import effort_of, finish_of
from llm_canaries.wire.sse import Frame
from llm_canaries.wire.usage import chat_usage_of, read_chat_usage

_Words = Literal["text", "thought", "refusal"]
_FIELDS: tuple[tuple[str, _Words], ...] = (
    ("reasoning_content", "thought"),
    ("reasoning", "thought"),
    ("content", "text"),
    ("refusal", "refusal"),
)
_CHUNK = frozenset({"id", "object", "created", "model", "choices", "usage", "x_groq", "obfuscation"})
_Silent = Literal["", None]


class _TextDelta(Struct, gc=False):
    """A delta that says one piece of text and nothing else that is read."""

    content: str
    reasoning_content: _Silent = None
    reasoning: _Silent = None
    refusal: _Silent = None
    tool_calls: None = None


class _TextChoice(Struct, gc=False):
    """A choice that goes on with its text."""

    delta: _TextDelta
    finish_reason: _Silent = None


class _TextChunk(Struct, gc=False):
    """Nearly every chunk of nearly every stream; a chunk of any other kind does not fit this type."""

    choices: tuple[_TextChoice]
    usage: None = None
    x_groq: None = None
    error: None = None


_decode_text = msgspec.json.Decoder(_TextChunk).decode


class ChatReader:
    """One stream of chunks; tool calls stay open until the finish, for their pieces may interleave."""

    def __init__(self) -> None:
        self._begun = False
        self._finished = False
        self._next = 0
        self._words: tuple[_Words, int] | None = None
        self._text: int | None = None  # the words' index, where they are text
        self._tools: dict[int, int] = {}

    def feed(self, frame: Frame) -> Sequence[Event]:
        """The events of one frame. Raises WireError where it is not JSON."""
        if self._text is not None:
            try:
                text = _decode_text(frame.data).choices[0].delta.content
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass
            else:
                return (Delta(self._text, text),) if text else ()
        if frame.comment or not frame.data.strip():
            return (Liveness(),)
        if frame.data.strip() == "[DONE]":
            return (*self._close_parts(), End())
        return tuple(self._chunk(decode_object(frame.data)))

    def close(self) -> Sequence[Event]:
        """What the end of the body closes."""
        return tuple(self._close_parts())

    def _chunk(self, chunk: Object) -> Iterator[Event]:
        if (envelope := envelope_of(chunk, 0)) is not None:
            code = envelope.code or envelope.kind
            yield Broken(
                Fault(reason=FaultReason.STREAM_ERROR, status=200, code=code, message=envelope.message)
            )
            return
        if not self._begun:
            self._begun = True
            created = integer(chunk.get("created")) or 0
            effort = effort_of(chunk)
            id, model, extra = string(chunk.get("id")), string(chunk.get("model")), rest(chunk, _CHUNK)
            yield Head(dialect=NAME, id=id, model=model, created=created, effort=effort, extra=extra)
        for choice in items(chunk.get("choices"))[:1]:
            yield from self._choice(mapping(choice))
        if (usage := chat_usage_of(chunk)) is not None:
            yield UsageSeen(read_chat_usage(usage))

    def _choice(self, choice: Object) -> Iterator[Event]:
        delta = mapping(choice.get("delta"))
        seen: set[str] = set()
        for field, kind in _FIELDS:
            if (text := string(delta.get(field))) and kind not in seen:
                seen.add(kind)
                yield from self._say(kind, text)
        for part in read_content(items(delta.get("content")), "delta.content"):  # Mistral's pieces, thinking among them
            if isinstance(part, Text | Thought) and part.text:
                yield from self._say("text" if isinstance(part, Text) else "thought", part.text)
        for call in items(delta.get("tool_calls")):
            yield from self._call(mapping(call))
        native = choice.get("finish_reason")
        finish = finish_of(native)
        if finish is not None and not self._finished:
            self._finished = True
            yield from self._close_parts()
            yield Finished(finish, string(native))

    def _say(self, kind: _Words, text: str) -> Iterator[Event]:
        if self._words is None or self._words[0] != kind:
            yield from self._end_words()
            self._words = (kind, self._next)
            self._text = self._next if kind == "text" else None
            self._next += 1
            yield PartStart(index=self._words[1], kind=kind)
        yield Delta(self._words[1], text)

    def _call(self, call: Object) -> Iterator[Event]:
        function = mapping(call.get("function"))
        number = integer(call.get("index"))
        if number is None:
            number = len(self._tools)
        if number not in self._tools:
            yield from self._end_words()
            self._tools[number] = self._next
            self._next += 1
            id, name, arguments = string(call.pop("id", "")), string(function.get("name")), function.get("arguments")
            call["function"] = function
            call.pop("index", None)
            extra = unknown(call, "function", "name", "arguments")
            yield PartStart(index=self._tools[number], kind="tool", id=id, name=name, extra=extra)
        else:
            arguments = function.get("arguments")
        if arguments:
            text = arguments if isinstance(arguments, str) else encode_text(arguments)
            yield Delta(self._tools[number], text)

    def _end_words(self) -> Iterator[Event]:
        if self._words is not None:
            yield PartEnd(self._words[1])
            self._words = self._text = None

    def _close_parts(self) -> Iterator[Event]:
        yield from self._end_words()
        for index in self._tools.values():
            yield PartEnd(index)
        self._tools = {}
