"""One item of a Responses stream while it comes."""

from collections.abc import Callable, Iterator

from llm_canaries.wire.event import Delta, Event, OpaquePart, PartEnd, PartStart, Signature
from llm_canaries.wire.json import Object, encode_text, items, string
from llm_canaries.wire.message import Opaque, Refusal, Text, Thought
from llm_canaries.wire.openai_responses.items import extra_of, kind_of, mark_of, read_item, settled
from llm_canaries.wire.openai_responses.parts import NAME, SEPARATOR, read_output


class OpenItem:
    """An item that has begun: it numbers its parts with `take` and remembers which of them are open and have words.

    A message has a part for each piece of its content, the other items have one. What an item tells only when it is
    done stands in a part of its own, numbered right after the part it is about.
    """

    def __init__(self, item: Object, take: Callable[[], int], *, ended: bool = False) -> None:
        self._item = settled(item)
        self._take = take
        self.kind = kind_of(item)
        self.ended = ended
        self._numbers: dict[int, int] = {}
        self._open: set[int] = set()
        self._spoken: set[tuple[str, int]] = set()
        self._pieces: list[tuple[str, int]] = []
        self._kept: int | None = None

    def is_like(self, item: Object) -> bool:
        """Whether `item` can be this one, further on: ids are no sign, for some gateways make new ones each time."""
        return kind_of(item) == self.kind and (bool(self.kind) or item.get("type") == self._item.get("type"))

    def begin(self) -> Iterator[Event]:
        """Starts the part of an item that has one; a message keeps a number for its first."""
        if self.kind == "message":
            self._kept = self._take()
            return
        number = self._numbers[0] = self._take()
        if self.kind == "reasoning":
            yield from self._start(0, PartStart(index=number, kind="thought", extra=extra_of(self._item)))
        elif self.kind == "function_call":
            id, name, extra = string(self._item.get("call_id")), string(self._item.get("name")), extra_of(self._item)
            yield from self._start(0, PartStart(index=number, kind="tool", id=id, name=name, extra=extra))

    def part_added(self, at: int, part: Object) -> Iterator[Event]:
        """Starts part `at` of a message, or of the content of a reasoning item."""
        if self.kind == "reasoning":
            yield from self.piece("content", at)
        elif self.kind == "message":
            kind = string(part.get("type"))
            if kind in ("output_text", "refusal"):
                yield from self._words(at, "refusal" if kind == "refusal" else "text")
            elif at not in self._numbers:
                self._number(at)

    def part_done(self, at: int) -> Iterator[Event]:
        """Ends part `at` of a message."""
        if self.kind == "message":
            yield from self._end_part(at)

    def piece(self, field: str, at: int) -> Iterator[Event]:
        """Starts a piece of a reasoning item: all its pieces are one text."""
        if (field, at) in self._pieces:
            return
        self._pieces.append((field, at))
        if len(self._pieces) > 1:
            yield Delta(self._numbers[0], SEPARATOR)

    def grow(self, at: int, field: str, text: str, *, whole: bool = False) -> Iterator[Event]:
        """Adds to part `at`; `whole` text is that of a done, news only where no delta came."""
        if self.kind == "message":
            yield from self._words(at, "refusal" if field == "refusal" else "text")
        elif self.kind == "reasoning":
            yield from self.piece(field, at)
        key, number = (field, at), self._numbers[at if self.kind == "message" else 0]
        if text and not (whole and key in self._spoken):
            self._spoken.add(key)
            yield Delta(number, text)

    def end(self, item: Object) -> Iterator[Event]:
        """Ends the item as `item` shows it whole."""
        self.ended, item = True, settled(item)
        match self.kind:
            case "message":
                yield from self._end_message(item)
            case "reasoning":
                yield from self._end_reasoning(item)
            case "function_call":
                yield from self._end_call(item)
            case _:
                yield OpaquePart(self._numbers[0], Opaque(NAME, item))

    def close(self) -> Iterator[Event]:
        """Ends what is still open."""
        self.ended = True
        for at in sorted(self._open):
            yield PartEnd(self._numbers[at])
        self._open.clear()

    def _end_message(self, item: Object) -> Iterator[Event]:
        content = item.get("content")
        said = [{"type": "output_text", "text": content}] if isinstance(content, str) else items(content)
        said = [piece for piece in said if isinstance(piece, dict)]
        if not said and not self._numbers:
            yield OpaquePart(self._number(0), Opaque(NAME, item))
        for at, piece in enumerate(said):
            first, *about = read_output(piece, mark_of(item, at))
            if isinstance(first, Text | Refusal):
                yield from self.grow(at, "refusal" if isinstance(first, Refusal) else "text", first.text, whole=True)
                yield from self._end_part(at)
            elif at not in self._open:
                self._number(at)
                about = [first]
            yield from (
                OpaquePart(self._numbers[at] + (part is not first), part) for part in about if isinstance(part, Opaque)
            )
        yield from self.close()

    def _end_reasoning(self, item: Object) -> Iterator[Event]:
        thought, *about = read_item(item)
        if isinstance(thought, Thought):
            if thought.text and not self._spoken:
                yield Delta(self._numbers[0], thought.text)
            if thought.signature is not None:
                yield Signature(self._numbers[0], thought.signature)
            if thought.redacted is not None:
                yield Signature(self._numbers[0], thought.redacted, redacted=True)
        yield from self.close()
        yield from (OpaquePart(self._numbers[0] + 1, part) for part in about if isinstance(part, Opaque))

    def _end_call(self, item: Object) -> Iterator[Event]:
        said = item.get("arguments")
        arguments = said if isinstance(said, str) else "" if said is None else encode_text(said)
        if arguments and not self._spoken:
            yield Delta(self._numbers[0], arguments)
        yield from self.close()

    def _words(self, at: int, kind: str) -> Iterator[Event]:
        if at in self._numbers:
            return
        mark = mark_of(self._item, 0 if not self._numbers else 1)
        start = PartStart(index=self._number(at), kind="refusal" if kind == "refusal" else "text", extra=mark)
        yield from self._start(at, start)

    def _number(self, at: int) -> int:
        """The number of part `at` of a message: its own, the one kept for the first to come, or a new one."""
        if at not in self._numbers:
            self._numbers[at], self._kept = self._take() if self._kept is None else self._kept, None
        return self._numbers[at]

    def _start(self, at: int, start: PartStart) -> Iterator[Event]:
        self._open.add(at)
        yield start

    def _end_part(self, at: int) -> Iterator[Event]:
        if at in self._open:
            self._open.discard(at)
            yield PartEnd(self._numbers[at])
