"""What a well-made stream obeys, dialect by dialect (protocols.md A1 to A4, H1 "stream order rules").

Readers forgive what clients can live with; these laws do not. Keep-alives and comments are always lawful.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from llm_canaries.wire.clip import clipped
from llm_canaries.wire.json import Object, decode_object, integer, items, mapping, string
from llm_canaries.wire.sse import Frame


class Law(StrEnum):
    """One law of streams, named for what is wrong when it is broken."""

    BAD_START = "bad_start"
    OUT_OF_ORDER = "out_of_order"
    NO_TERMINAL = "no_terminal"
    AFTER_TERMINAL = "after_terminal"
    NO_FINISH = "no_finish"
    FINISH_TWICE = "finish_twice"
    TEXT_MISMATCH = "text_mismatch"
    IDENTITY_CHANGED = "identity_changed"


class Breach(Struct, frozen=True):
    """One law broken, and where."""

    law: Law
    detail: str


Breaches = Iterator[Breach]


def breaches(dialect: str, frames: Sequence[Frame]) -> tuple[Breach, ...]:
    """The laws of `dialect` that a whole stream breaks, in order of appearance.

    A stream that ends in an error says nothing about order. Raises WireError for a frame that is not JSON.
    """
    said = [_said(frame) for frame in frames if not frame.comment and frame.data.strip()]
    if any("error" in each and each["error"] for each in said):
        return ()
    return tuple(_LAWS[dialect](said))


def _said(frame: Frame) -> Object:
    if frame.data.strip() == "[DONE]":
        return {"type": "[DONE]"}
    said = decode_object(frame.data)
    if "type" not in said and frame.event:
        said["type"] = frame.event
    return said


def _chat(said: Sequence[Object]) -> Breaches:
    """One id, a finish reason once, then usage, then [DONE]."""
    ends = [at for at, each in enumerate(said) if each.get("type") == "[DONE]"]
    yield from _ending(ends, len(said), "[DONE]")
    chunks = [each for each in said if each.get("type") != "[DONE]"]
    yield from _one_identity([string(each.get("id")) for each in chunks])
    finishes: list[str] = []
    for each in chunks:
        choice = mapping((items(each.get("choices")) or [{}])[0])
        delta = mapping(choice.get("delta"))
        if finishes and (delta.get("content") or delta.get("tool_calls")):
            yield Breach(Law.OUT_OF_ORDER, f"content after the finish reason {finishes[0]!r}")
        if native := string(choice.get("finish_reason")):
            finishes.append(native)
    if not finishes:
        yield Breach(Law.NO_FINISH, "no finish_reason")
    elif len(set(finishes)) > 1:  # OpenRouter repeats the same one beside the usage, which is lawful
        yield Breach(Law.FINISH_TWICE, " then ".join(finishes))


def _messages(said: Sequence[Object]) -> Breaches:
    """message_start, blocks one after the other in order of index, message_delta, message_stop."""
    ends = [at for at, each in enumerate(said) if each.get("type") == "message_stop"]
    yield from _ending(ends, len(said), "message_stop")
    kinds = [string(each.get("type")) for each in said if each.get("type") != "ping"]
    if kinds[:1] != ["message_start"] or kinds.count("message_start") != 1:
        yield Breach(Law.BAD_START, f"begins with {kinds[0] if kinds else 'nothing'}")
    finishes = [each for each in said if mapping(each.get("delta")).get("stop_reason")]
    if not finishes:
        yield Breach(Law.NO_FINISH, "no stop_reason")
    elif len(finishes) > 1:
        yield Breach(Law.FINISH_TWICE, f"{len(finishes)} message_delta with a stop_reason")
    yield from _blocks(said)


def _blocks(said: Sequence[Object]) -> Breaches:
    opened: list[int | None] = []
    following = 0
    for each in said:
        kind, index = string(each.get("type")), integer(each.get("index"))
        if kind == "content_block_start":
            if opened:
                yield Breach(Law.OUT_OF_ORDER, f"block {index} begins while block {opened[-1]} is open")
            elif index != following:
                yield Breach(Law.OUT_OF_ORDER, f"block {index} begins, {following} was due")
            opened.append(index)
            following = (index or 0) + 1
        elif kind in ("content_block_delta", "content_block_stop"):
            if index not in opened:
                yield Breach(Law.OUT_OF_ORDER, f"{kind} of block {index}, which is not open")
            elif kind == "content_block_stop":
                opened.remove(index)
        elif kind == "message_delta" and opened:
            yield Breach(Law.OUT_OF_ORDER, f"message_delta while block {opened[-1]} is open")


_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def _responses(said: Sequence[Object]) -> Breaches:
    """response.created once, items added before what is said of them, rising numbers, an end that says it all."""
    ends = [at for at, each in enumerate(said) if each.get("type") in _ENDS]
    done = bool(said) and said[-1].get("type") == "[DONE]"  # OpenRouter's, and harmless
    yield from _ending(ends, len(said) - done, "response.completed")
    kinds = [string(each.get("type")) for each in said]
    if kinds[:1] != ["response.created"] or kinds.count("response.created") != 1:
        yield Breach(Law.BAD_START, f"begins with {' and '.join(kinds[:2]) or 'nothing'}")
    numbers = [number for each in said if (number := integer(each.get("sequence_number"))) is not None]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        yield Breach(Law.OUT_OF_ORDER, "sequence_number does not rise")
    yield from _items(said)
    if len(ends) > 1:
        yield Breach(Law.FINISH_TWICE, " then ".join(string(said[at].get("type")) for at in ends))
    if ends:
        yield from _whole_text(said, mapping(said[ends[0]].get("response")))


def _items(said: Sequence[Object]) -> Breaches:
    """Whatever is said of an item or a part of it stands between its `added` and its `done`."""
    added: set[tuple[int | None, int | None]] = set()
    for each in said:
        kind, item = string(each.get("type")), integer(each.get("output_index"))
        part = integer(each.get("content_index"))
        whole = "output_item" in kind
        if item is None or not (whole or "content_part" in kind or part is not None or (item, None) not in added):
            continue
        place = (item, None if whole else part)
        if kind.endswith(("output_item.added", "content_part.added")):
            added.add(place)
        elif place not in added:
            yield Breach(Law.OUT_OF_ORDER, f"{kind} of item {item}, which is not open")
        if kind.endswith(("output_item.done", "content_part.done")):
            added.discard(place)


def _whole_text(said: Sequence[Object], response: Object) -> Breaches:
    spoken = "".join(string(each.get("delta")) for each in said if each.get("type") == "response.output_text.delta")
    parts = [mapping(part) for item in items(response.get("output")) for part in items(mapping(item).get("content"))]
    whole = "".join(string(part.get("text")) for part in parts if part.get("type") == "output_text")
    if spoken != whole:
        yield Breach(Law.TEXT_MISMATCH, f"the deltas say {clipped(spoken, 40)!r}, the end says {clipped(whole, 40)!r}")


def _gemini(said: Sequence[Object]) -> Breaches:
    """One responseId, and nothing said after the finishReason; a blocked prompt ends at once."""
    yield from _one_identity([string(each.get("responseId")) for each in said])
    finishes: list[str] = []
    for each in said:
        candidate = mapping((items(each.get("candidates")) or [{}])[0])
        if finishes and items(mapping(candidate.get("content")).get("parts")):
            yield Breach(Law.AFTER_TERMINAL, f"parts after the finishReason {finishes[0]}")
        blocked = mapping(each.get("promptFeedback")).get("blockReason")
        if native := string(candidate.get("finishReason")) or string(blocked):
            finishes.append(native)
    if not finishes:
        yield Breach(Law.NO_TERMINAL, "no finishReason")
    elif len(finishes) > 1:
        yield Breach(Law.FINISH_TWICE, " then ".join(finishes))


def _ending(ends: Sequence[int], count: int, name: str) -> Breaches:
    if not ends:
        yield Breach(Law.NO_TERMINAL, f"no {name}")
    elif ends[0] != count - 1:
        yield Breach(Law.AFTER_TERMINAL, f"{count - 1 - ends[0]} event(s) after {name}")


def _one_identity(ids: Sequence[str]) -> Breaches:
    different = [each for each in dict.fromkeys(ids) if each]
    if len(different) > 1:
        yield Breach(Law.IDENTITY_CHANGED, f"{len(different)} different ids in one answer")


_LAWS: Mapping[str, Callable[[Sequence[Object]], Breaches]] = {
    "openai_chat": _chat,
    "anthropic_messages": _messages,
    "openai_responses": _responses,
    "gemini": _gemini,
}
