"""Responses streams: frames in, events out (protocols.md A2, B3)."""

from collections.abc import Iterator, Sequence

import msgspec

from llm_canaries.wire.envelope import envelope_of
from llm_canaries.wire.event import (
    Broken,
    Delta,
    End,
    Event,
    Finished,
    Liveness,
    OpaquePart,
    PartEnd,
    PartStart,
    Signature,
    UsageSeen,
    unfold,
)
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import Object, decode_object, integer, items, mapping, string
from llm_canaries.wire.message import Opaque, Part, Refusal, Reply, ToolCall
from llm_canaries.wire.openai_responses.opening import OpenItem
from llm_canaries.wire.openai_responses.parts import NAME
from llm_canaries.wire.openai_responses.reply import finish_of, native_of, read_head, read_output_item
from llm_canaries.wire.openai_responses.usage import read_responses_usage
from llm_canaries.wire.sse import Frame

_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_GROW = {  # what a delta or a done is of: the kind of its item, and of its part
    "response.output_text": ("message", "text"),
    "response.refusal": ("message", "refusal"),
    "response.reasoning_summary_text": ("reasoning", "summary"),
    "response.reasoning_text": ("reasoning", "content"),
    "response.function_call_arguments": ("function_call", ""),
}


class ResponsesReader:
    """One stream of events; items may interleave, and what only the last event shows is taken from there."""

    def __init__(self) -> None:
        self._begun = False
        self._ended = False
        self._next = 0
        self._items: dict[int, OpenItem] = {}
        self._ids: set[str] = set()
        self._said: list[Part] = []  # calls and refusals, without their words: they decide how the answer finished

    def feed(self, frame: Frame) -> Sequence[Event]:
        """The events of one frame. Raises WireError where it is not a JSON object."""
        if frame.comment or not frame.data.strip():
            return (Liveness(),)
        if frame.data.strip() == "[DONE]":  # OpenRouter adds chat's ending after the terminal event
            return ()
        said = decode_object(frame.data)
        return tuple(self._event(string(said.get("type")) or frame.event, said))

    def close(self) -> Sequence[Event]:
        """Nothing is owed at the end of the body."""
        return ()

    def _event(self, kind: str, said: Object) -> Iterator[Event]:
        at, name = integer(said.get("output_index")) or 0, kind.rpartition(".")[0]
        if self._ended:
            yield OpaquePart(-1, Opaque(NAME, said))
        elif kind in ("response.created", "response.in_progress", "response.queued"):
            yield from self._begin(mapping(said.get("response"))) or (Liveness(),)
        elif kind in _ENDS:
            yield from self._end(kind, mapping(said.get("response")))
        elif kind == "response.output_item.added":
            yield from self._begin({})
            yield from self._add(at, mapping(said.get("item")))
        elif kind == "response.output_item.done":
            yield from self._begin({})
            yield from self._done(at, mapping(said.get("item")))
        elif name in _GROW or name in ("response.content_part", "response.reasoning_summary_part"):
            yield from self._begin({})
            yield from self._inside(at, kind, said)
        elif (envelope := envelope_of(said, 0)) is not None:
            code = envelope.code or envelope.kind
            yield Broken(
                Fault(reason=FaultReason.STREAM_ERROR, status=200, code=code, message=envelope.message)
            )
        elif "output_index" in said and at in self._items:
            yield Liveness()  # how far an item has come that its output_item.done will show whole
        else:
            yield OpaquePart(-1, Opaque(NAME, said))

    def _begin(self, response: Object) -> tuple[Event, ...]:
        if self._begun:
            return ()
        self._begun = True
        head = read_head(response)
        return (msgspec.structs.replace(head, extra={k: v for k, v in head.extra.items() if k != "status"}),)

    def _add(self, at: int, item: Object) -> Iterator[Event]:
        yield from self._open(at, OpenItem(item, self._take))
        self._ids.add(string(item.get("id")))

    def _open(self, at: int, item: OpenItem) -> Iterator[Event]:
        """Begins `item`, and ends one that some gateways give the same number."""
        if (earlier := self._items.get(at)) is not None:
            yield from earlier.close()
        self._items[at] = item
        yield from self._noted(item.begin())

    def _done(self, at: int, item: Object) -> Iterator[Event]:
        if (opened := self._items.get(at)) is not None and not opened.ended and opened.is_like(item):
            yield from self._noted(opened.end(item))
        elif opened is None or string(item.get("id")) not in self._ids - {""}:
            self._items[at] = OpenItem(item, self._take, ended=True)
            yield from self._whole(item)
        self._ids.add(string(item.get("id")))

    def _inside(self, at: int, kind: str, said: Object) -> Iterator[Event]:
        name, _, step = kind.rpartition(".")
        item_kind, field = _GROW.get(name, ("", ""))
        if at not in self._items and item_kind in ("message", "reasoning"):  # a gateway that only sends deltas
            role = {"role": "assistant"} if item_kind == "message" else {}
            id = {"id": said["item_id"]} if isinstance(said.get("item_id"), str) else {}
            yield from self._open(at, OpenItem({"type": item_kind} | role | id, self._take))
            self._ids.add(string(said.get("item_id")))
        opened = self._items.get(at)
        if opened is None or opened.ended or (item_kind and opened.kind != item_kind):
            yield Liveness()  # its output_item.done, or the terminal event, will show it whole
            return
        number = integer(said.get("summary_index" if "summary" in name else "content_index")) or 0
        if name == "response.content_part":
            part = mapping(said.get("part"))
            yield from self._noted(opened.part_added(number, part) if step == "added" else opened.part_done(number))
        elif name == "response.reasoning_summary_part":
            yield from opened.piece("summary", number) if step == "added" else ()
        elif step == "delta":
            yield from self._noted(opened.grow(number, field, string(said.get("delta"))))
        else:
            whole = said.get("refusal" if field == "refusal" else "text" if field else "arguments")
            yield from self._noted(opened.grow(number, field, string(whole), whole=True))

    def _end(self, kind: str, response: Object) -> Iterator[Event]:
        self._ended = True
        usage, error = response.get("usage"), mapping(response.get("error"))
        output, native = items(response.get("output")), native_of(response) or kind.rpartition(".")[2]
        yield from self._begin(response)
        for at, item in enumerate(output):
            item, opened = mapping(item), self._items.get(at)
            if opened is not None and not opened.ended and opened.is_like(item):
                yield from self._noted(opened.end(item))
            elif (opened is None or not opened.is_like(item)) and string(item.get("id")) not in self._ids - {""}:
                yield from self._whole(item)
        for opened in self._items.values():
            yield from opened.close()
        if (finish := finish_of(native, self._said)) is not None:
            yield Finished(finish, native)
        if isinstance(usage, dict):
            yield UsageSeen(read_responses_usage(usage))
        if native == "failed":
            code, message = string(error.get("code")), string(error.get("message"))
            yield Broken(Fault(reason=FaultReason.STREAM_ERROR, status=200, code=code, message=message))
        else:
            yield End()

    def _whole(self, item: Object) -> Iterator[Event]:
        """The events of an item that came in one piece."""
        content = read_output_item(item)
        for event in unfold(Reply(dialect=NAME, id="", model="", content=content))[1:-1]:
            if isinstance(event, PartStart | Delta | Signature | PartEnd | OpaquePart):
                yield from self._noted((msgspec.structs.replace(event, index=self._next + event.index),))
        self._next += 2 * len(content)

    def _take(self) -> int:
        """A number for a part; the one after it is kept for what else is said of that part."""
        self._next += 2
        return self._next - 2

    def _noted(self, events: Sequence[Event] | Iterator[Event]) -> Iterator[Event]:
        for event in events:
            match event:
                case PartStart(kind="tool"):
                    self._said.append(ToolCall("", "", ""))
                case PartStart(kind="refusal"):
                    self._said.append(Refusal(""))
            yield event
