"""Turns of a conversation as messages of Chat Completions (protocols.md A1, H1).

An assistant message has a place for each kind: reasoning, words, a refusal, calls. Parts in another order come out in
this one, and that is a loss.
"""

from collections.abc import Mapping, Sequence

from llm_canaries.wire.json import Object
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import (
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llm_canaries.wire.openai_chat.parts import NAME, is_call, write_call, write_content
from llm_canaries.wire.profile import Profile

_PICTURES = (Image, Document)
_PLACES: Mapping[type, int] = {Thought: 1, Text: 2, Image: 2, Document: 2, Refusal: 3, ToolCall: 4}


def write_turns(turns: Sequence[Message], profile: Profile, losses: Losses) -> list[Object]:
    """`turns` as messages; of another dialect's turn that has nothing left to say none is made."""
    said: list[Object] = []
    for turn in turns:
        if turn.role == "tool":
            said += _write_results(turn, profile, losses)
        elif (message := _write_assistant(turn, losses) if turn.role == "assistant" else _write(turn, losses)) is None:
            losses.add(turn.role, "a message without content")
        else:
            said.append(message)
    if not said and not losses.same:  # without a message the ask would be refused
        losses.add("messages", "nothing is left, an empty text said")
        said.append({"role": "user", "content": ""})
    return said


def out_of_place(parts: Sequence[Part]) -> bool:
    """Whether `parts` stand in another order than chat's: reasoning, words, a refusal, calls."""
    last = 0
    for part in parts:
        place = _PLACES.get(type(part)) or _place(part)
        if 0 < place < last:
            return True
        last = place or last
    return False


def _has_words(parts: Sequence[Part]) -> bool:
    return any(isinstance(part, Text) for part in parts)


def _place(part: Part) -> int:
    """The place of an opaque call; what stands beside an answer has none."""
    return _PLACES[ToolCall] if isinstance(part, Opaque) and is_call(part) else 0


def _write(message: Message, losses: Losses) -> Object | None:
    first = message.content[0] if message.content else None
    if isinstance(first, Opaque) and first.dialect == NAME and len(message.content) == 1 and "role" in first.block:
        return dict(first.block)
    content = write_content(message.content, message.role, losses)
    extra = losses.extra(message.role, message.extra) if message.extra else None
    if not content and not losses.same and not any(isinstance(part, Text) for part in message.content):
        return None
    said: Object = {"role": message.role, "content": content}
    return said | extra if extra else said


def _write_assistant(message: Message, losses: Losses) -> Object | None:
    words: list[Part] = []
    said: Object = {"role": "assistant", "content": None}
    spoken: list[Part] = []
    for at, part in enumerate(message.content):
        match part:
            case Text():
                words.append(part)
            case ToolCall():
                said.setdefault("tool_calls", []).append(write_call(part, losses))
            case Opaque() if is_call(part):
                said.setdefault("tool_calls", []).append(write_call(part, losses))
            case Thought(text) if losses.same and text:
                said["reasoning_content"] = said.get("reasoning_content", "") + text
            case Thought():
                losses.add("assistant", "thinking")
                continue
            case Refusal(text, extra) if not losses.same or not _has_words(message.content[at:]):
                said["refusal"] = said.get("refusal", "") + text
                losses.unsaid("assistant", extra)
            case _:
                words.append(part)
                part = Text("") if isinstance(part, Refusal) else part  # chat's own client said it among the words
        spoken.append(part)
    content = write_content(words, "assistant", losses)
    if content or _has_words(words):
        said["content"] = content
    if out_of_place(spoken):
        losses.add("assistant", "order of parts")
    if len(said) == 2 and said["content"] is None and not losses.same:
        return None
    return said | losses.extra("assistant", message.extra) if message.extra else said


def _write_results(message: Message, profile: Profile, losses: Losses) -> list[Object]:
    """Every tool message of a run, then one user message with what the tool role cannot hold."""
    messages: list[Object] = []
    hoisted: list[Part] = []
    for result in message.content:
        if not isinstance(result, ToolResult):
            losses.part("tool", result)
            continue
        kept: list[Part] = []
        pictures: list[Part] = []
        for part in result.content:
            (pictures if isinstance(part, _PICTURES) and not profile.tool_images else kept).append(part)
        if result.is_error:
            losses.add(f"tool result {result.id}", "is_error")
        if pictures:
            losses.add(f"tool result {result.id}", f"{len(pictures)} image(s) moved to a user message")
            # a label binds each picture to its call where there are several (protocols.md D1: misbound)
            label = [Text(f"Returned by tool call {result.id}:")] if len(message.content) > 1 else []
            hoisted += [*label, *pictures]
        said: Object = {"role": "tool", "tool_call_id": result.id, "content": write_content(kept, "tool", losses)}
        messages.append(said | losses.extra("tool result", result.extra) if result.extra else said)
    if hoisted and (content := write_content(hoisted, "user", losses)):
        messages.append({"role": "user", "content": content})
    return messages
