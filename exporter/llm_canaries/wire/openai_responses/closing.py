"""Items of a Responses stream while they are written: what each event adds, and what they are in the end."""

from abc import ABC, abstractmethod

from llm_canaries.wire.event import PartStart
from llm_canaries.wire.json import Object
from llm_canaries.wire.message import Extra, Opaque, Refusal, Text, Thought, ToolCall
from llm_canaries.wire.openai_responses.items import finished, write_call, write_thought
from llm_canaries.wire.openai_responses.parts import NAME, around, inner_of, write_output, write_seal
from llm_canaries.wire.seal import carried

_TEXT = "response.output_text"
_REFUSAL = "response.refusal"
_CALL = "response.function_call_arguments"
_SUMMARY = "response.reasoning_summary"


class Item(ABC):
    """Item number `at` of the answer with id `answer`; `done` may come long after its last part has ended."""

    def __init__(self, at: int, answer: str) -> None:
        self._at = at
        self._answer = answer
        self._open = 0
        self.settled = False

    @property
    def idle(self) -> bool:
        """Whether no part is open."""
        return self._open == 0

    def added(self) -> list[Object]:
        """The item begins."""
        item = self.whole()
        status = {"status": "in_progress"} if item.get("type") in ("message", "function_call") else {}
        return [{"type": "response.output_item.added", "output_index": self._at, "item": item | status}]

    def done(self) -> list[Object]:
        """The item is complete, and so are parts that nobody ended."""
        ends, self.settled = self.end_all(), True
        return [*ends, {"type": "response.output_item.done", "output_index": self._at, "item": self.whole()}]

    def whole(self) -> Object:
        """The item as it is so far."""
        return finished(self.said(), self._at, self._answer)

    @abstractmethod
    def said(self) -> Object:
        """The item so far, with an id only where it was given one."""

    def grow(self, at: int, text: str) -> list[Object]:
        """More of part `at`."""
        return []

    def end(self, at: int) -> list[Object]:
        """Part `at` is complete."""
        return []

    def end_all(self) -> list[Object]:
        """Every part is complete."""
        return self.end(0)

    def tell(self, at: int, about: Object) -> list[Object]:
        """What else is said of part `at`."""
        return []

    def _event(self, kind: str, **said: object) -> Object:
        return {"type": kind, "item_id": self.whole().get("id", ""), "output_index": self._at} | said


class Whole(Item):
    """An item that only this dialect knows and that comes in one piece."""

    def __init__(self, at: int, answer: str, block: Extra) -> None:
        super().__init__(at, answer)
        self._block = block

    def said(self) -> Object:
        """The item so far."""
        return dict(self._block)


class Call(Item):
    """A call with its arguments."""

    def __init__(self, at: int, answer: str, start: PartStart, extra: Object) -> None:
        super().__init__(at, answer)
        self._start, self._extra, self._open = start, extra, 1
        self._pieces: list[str] = []

    def said(self) -> Object:
        """The item so far."""
        return write_call(ToolCall(self._start.id, self._start.name, "".join(self._pieces)), self._extra)

    def grow(self, at: int, text: str) -> list[Object]:
        """More of part `at`."""
        self._pieces.append(text)
        return [self._event(f"{_CALL}.delta", delta=text)]

    def end(self, at: int) -> list[Object]:
        """Part `at` is complete."""
        ended, self._open = self.idle, 0
        return [] if ended else [self._event(f"{_CALL}.done", arguments="".join(self._pieces))]


class Reasoning(Item):
    """A thought: its words as one summary, its seal in the end."""

    def __init__(self, at: int, answer: str, extra: Object) -> None:
        super().__init__(at, answer)
        self._extra, self._open = extra, 1
        self._pieces: list[str] = []
        self._seals: dict[bool, str] = {}
        self._maker = NAME
        self._about: Object = {}

    def said(self) -> Object:
        """The item so far."""
        held = self._seals.get(True, self._seals.get(False, ""))
        thought = Thought(redacted=self._seals.get(True))
        seal = write_seal(thought, carried(held, self._maker, NAME)) if held else ""
        return write_thought("".join(self._pieces), seal, self._extra, self._about)

    def grow(self, at: int, text: str) -> list[Object]:
        """More of part `at`."""
        first = not self._pieces
        self._pieces.append(text)
        delta = self._event(f"{_SUMMARY}_text.delta", summary_index=0, delta=text)
        part = {"type": "summary_text", "text": ""}
        return [self._event(f"{_SUMMARY}_part.added", summary_index=0, part=part), delta] if first else [delta]

    def end(self, at: int) -> list[Object]:
        """Part `at` is complete."""
        ended, self._open = self.idle, 0
        if ended or not self._pieces:
            return []
        text = "".join(self._pieces)
        return [
            self._event(f"{_SUMMARY}_text.done", summary_index=0, text=text),
            self._event(f"{_SUMMARY}_part.done", summary_index=0, part={"type": "summary_text", "text": text}),
        ]

    def seal(self, said: str, maker: str, *, redacted: bool) -> None:
        """The pieces of a signature add up."""
        self._seals[redacted] = said if redacted else self._seals.get(False, "") + said
        self._maker = maker

    def tell(self, at: int, about: Object) -> list[Object]:
        """What else is said of part `at`."""
        self._about = about
        return []


class Words(Item):
    """A message of texts, refusals, and parts that only this dialect knows; `extra` is that of its first part."""

    def __init__(self, at: int, answer: str, extra: Extra) -> None:
        super().__init__(at, answer)
        self._around = around(extra)
        self._parts: list[_Piece] = []

    def add(self, start: PartStart | Opaque, extra: Object) -> tuple[int, list[Object]]:
        """A new part, and its number."""
        piece = _Piece(start, extra)
        self._parts.append(piece)
        at = len(self._parts) - 1
        added = self._event("response.content_part.added", content_index=at, part=piece.part())
        if isinstance(start, Opaque):
            return at, [added, added | {"type": "response.content_part.done"}]
        self._open += 1
        return at, [added]

    def said(self) -> Object:
        """The item so far."""
        content = [piece.part() for piece in self._parts]
        return {"type": "message", "role": "assistant", "content": content} | self._around

    def grow(self, at: int, text: str) -> list[Object]:
        """More of part `at`."""
        piece = self._parts[at]
        piece.pieces.append(text)
        logprobs: Object = {} if piece.is_refusal else {"logprobs": []}
        kind = _REFUSAL if piece.is_refusal else _TEXT
        return [self._event(f"{kind}.delta", content_index=at, delta=text, **logprobs)]

    def end(self, at: int) -> list[Object]:
        """Part `at` is complete."""
        piece = self._parts[at]
        if piece.ended:
            return []
        piece.ended = True
        self._open -= 1
        text = "".join(piece.pieces)
        if piece.is_refusal:
            done = self._event(f"{_REFUSAL}.done", content_index=at, refusal=text)
        else:
            done = self._event(f"{_TEXT}.done", content_index=at, text=text, logprobs=[])
        return [done, self._event("response.content_part.done", content_index=at, part=piece.part())]

    def end_all(self) -> list[Object]:
        """Every part is complete."""
        return [event for at in range(len(self._parts)) for event in self.end(at)]

    def tell(self, at: int, about: Object) -> list[Object]:
        """What else is said of part `at`."""
        self._parts[at].about = about
        notes = about.get("annotations")
        return [
            self._event(f"{_TEXT}.annotation.added", content_index=at, annotation_index=number, annotation=note)
            for number, note in enumerate(notes if isinstance(notes, list) else [])
        ]


class _Piece:
    """A part of a message being collected."""

    def __init__(self, start: PartStart | Opaque, extra: Object) -> None:
        self._start, self._extra = start, extra
        self.pieces: list[str] = []
        self.about: Object = {}
        self.ended = isinstance(start, Opaque)

    @property
    def is_refusal(self) -> bool:
        return isinstance(self._start, PartStart) and self._start.kind == "refusal"

    def part(self) -> object:
        if isinstance(self._start, Opaque):
            return inner_of(self._start)
        text = "".join(self.pieces)
        return write_output(Refusal(text) if self.is_refusal else Text(text), self._extra, self.about)
