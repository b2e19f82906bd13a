"""An ask's conversation in the form in which it is compared: what a lawful writing may arrange otherwise is arranged.

Turns of one role that follow each other are one. What tools returned, and the user's words right after them, are one
turn: a dialect whose results hold no pictures has them stand there, with a line of its own about whose they are
(protocols.md A1 and D; H1, row "images").
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from llm_canaries.wire.json import encode_text
from llm_canaries.wire.message import Ask, Document, Image, Message, Opaque, Part, Text, Thought, ToolCall, ToolResult


class Placed(Struct, frozen=True):
    """A picture or a document, where it stands, and the call whose result holds it (empty: none's)."""

    where: str
    part: Image | Document
    call: str = ""

    @property
    def same(self) -> tuple[type, str | None, str | None]:
        """What tells it from others: its bytes, or where they are to be had; names may change."""
        return type(self.part), self.part.data, self.part.url


class Unread(Struct, frozen=True):
    """A block that our reader makes nothing of: its type, and all of it as JSON."""

    kind: str
    text: str


class Returned(Struct, frozen=True):
    """The result of a call: its words, whether it is an error, and where it stands.

    `name` is the function's: the one that the result says, else that of its call.
    """

    where: str
    call: str
    name: str
    words: str
    is_error: bool | None


class Turn(Struct, frozen=True, kw_only=True):
    """One turn: of the user, of the assistant, or what tools returned."""

    where: str
    role: str
    words: tuple[str, ...] = ()
    media: tuple[Placed, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Thought, ...] = ()
    results: tuple[Returned, ...] = ()
    unread: tuple[Unread, ...] = ()


def system_of(ask: Ask) -> tuple[str, ...]:
    """The words of every system message, one each."""
    return tuple(_words(message.content) for message in ask.messages if message.role == "system")


def turns_of(ask: Ask) -> list[Turn]:
    """The turns of `ask` without its system messages."""
    turns: list[Turn] = []
    names = {part.id: part.name for each in ask.messages for part in each.content if isinstance(part, ToolCall)}
    for at, message in enumerate(ask.messages):
        if message.role == "system":
            continue
        turn = _turn(message, f"messages[{at}]", names)
        before = turns[-1] if turns else None
        if before is not None and (before.role == turn.role or (before.role, turn.role) == ("tool", "user")):
            turns[-1] = _joined(before, turn)
        else:
            turns.append(turn)
    return turns


def squeezed(text: str) -> str:
    """The text without white space: how pieces are joined is the writer's own affair."""
    return "".join(text.split())


def _turn(message: Message, where: str, names: Mapping[str, str]) -> Turn:
    results, media, words = list[Returned](), list[Placed](), list[str]()
    number = 0
    for at, part in enumerate(message.content):
        place = f"{where}.content[{at}]"
        if isinstance(part, ToolResult):
            place, number = f"{where}.results[{number}]", number + 1
            own = [Placed(f"{place}.parts[{n}]", each, part.id) for n, each in _media(part.content)]
            media += own
            name = str(part.extra.get("name", names.get(part.id, "")))
            results.append(Returned(place, part.id, name, _words(part.content), part.is_error))
        elif isinstance(part, Image | Document):
            media.append(Placed(place, part))
        elif isinstance(part, Text):
            words.append(part.text)
    return Turn(
        where=where,
        role=message.role,
        words=tuple(words),
        media=tuple(media),
        calls=tuple(part for part in message.content if isinstance(part, ToolCall)),
        thoughts=tuple(part for part in message.content if isinstance(part, Thought)),
        results=tuple(results),
        unread=tuple(_unread(message.content)),
    )


def _unread(parts: Sequence[Part]) -> Iterator[Unread]:
    for part in parts:
        if isinstance(part, Opaque):
            yield Unread(str(part.block.get("type", "unnamed")), encode_text(part.block))
        elif isinstance(part, ToolResult):
            yield from _unread(part.content)


def _joined(one: Turn, two: Turn) -> Turn:
    return Turn(
        where=one.where,
        role=one.role,
        words=one.words + two.words,
        media=one.media + two.media,
        calls=one.calls + two.calls,
        thoughts=one.thoughts + two.thoughts,
        results=one.results + two.results,
        unread=one.unread + two.unread,
    )


def _media(parts: Sequence[Part]) -> list[tuple[int, Image | Document]]:
    return [(at, part) for at, part in enumerate(parts) if isinstance(part, Image | Document)]


def _words(parts: Sequence[Part]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, Text))
