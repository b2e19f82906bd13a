"""generateContent requests, both ways (protocols.md A4)."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from llm_canaries.wire.exchange import Request
from llm_canaries.wire.gemini.calls import Calls
from llm_canaries.wire.gemini.names import NAME, camel
from llm_canaries.wire.gemini.parts import read_parts, write_parts
from llm_canaries.wire.gemini.path import read_path, write_path
from llm_canaries.wire.gemini.results import write_results
from llm_canaries.wire.gemini.seals import SKIP, held_by
from llm_canaries.wire.gemini.thinking import read_thinking, write_thinking
from llm_canaries.wire.gemini.tools import read_choice, read_tools, write_choice, write_tools
from llm_canaries.wire.json import Object, decode_object, encode, kind, take, take_count, take_number, want
from llm_canaries.wire.loss import Losses, back_under, under
from llm_canaries.wire.message import Ask, Message, Refusal, Role, Text, Thought, ToolCall, ToolResult
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.seal import brought_back

_CONFIG = "generationConfig"
_ROLES: Mapping[str, Role] = {"user": "user", "model": "assistant", "function": "user"}  # `function` is of old


def read_ask(body: bytes, path: str) -> Ask:
    """The Ask that a request is. Raises WireError."""
    called = read_path(path)
    said = camel(decode_object(body))
    contents = take(said, "contents", list)
    want(bool(contents), "contents: expected, and not empty")
    system, calls = _read_system(said), Calls()
    turns = tuple(turn for at, each in enumerate(contents or ()) for turn in _read_content(each, at, calls))
    config = camel(take(said, _CONFIG, dict) or {})
    choice, tool_config = read_choice(said)
    return Ask(
        dialect=NAME,
        model=called.model,
        messages=system + turns,
        stream=called.stream,
        include_usage=True,
        max_tokens=take_count(config, "maxOutputTokens", f"{_CONFIG}."),
        temperature=take_number(config, "temperature"),
        top_p=take_number(config, "topP"),
        stop=_read_stop(config),
        tools=read_tools(said),
        tool_choice=choice,
        thinking=read_thinking(config),
        extra=said | tool_config | under(_CONFIG, config),
    )


def write_ask(ask: Ask, profile: Profile) -> Request:
    """`ask` as a request; where files of tool results go is a fact of the model (`result_parts`)."""
    losses = Losses(ask.dialect, NAME)
    facts = profile.facts(ask.model)
    system, turns = _split_system(ask.messages, losses)
    body: Object = {"contents": list(_Contents(losses, facts.result_parts).write(turns))}
    if system:
        body["systemInstruction"] = {"parts": system}
    tools = write_tools(ask.tools, losses)
    if tools:
        body["tools"] = tools
    config: Object = {
        "maxOutputTokens": ask.max_tokens,
        "temperature": ask.temperature,
        "topP": ask.top_p,
        "stopSequences": list(ask.stop) or None,
        "thinkingConfig": write_thinking(ask, profile, losses),
    }
    choice = write_choice(ask, bool(tools), losses)
    if ask.user is not None:
        losses.add("ask", "field user")
    extra = losses.extra("ask", ask.extra)
    for name, held in ((_CONFIG, config), ("toolConfig", choice)):
        if whole := camel(held) | back_under(name, extra):
            body[name] = whole
    headers = (("content-type", "application/json"),)
    return Request(
        path=write_path(ask.model, ask.stream), headers=headers, body=encode(body | extra), losses=losses.found
    )


def _read_system(said: Object) -> tuple[Message, ...]:
    """The instruction, whose role says nothing."""
    held = take(said, "systemInstruction", dict)
    if held is None:
        return ()
    parts = read_parts(camel(held).get("parts"), "systemInstruction.parts", Calls())
    return (Message("system", parts),) if parts else ()


def _read_content(said: Any, at: int, calls: Calls) -> Iterator[Message]:
    want(isinstance(said, dict), f"contents[{at}]: expected an object, got {kind(said)}")
    held = camel(said)
    name = held.pop("role", "user")
    role = _ROLES.get(name) if isinstance(name, str) else None
    want(role is not None, f"contents[{at}].role: expected user or model")
    if role == "assistant":
        calls.turn()
    parts = read_parts(held.pop("parts", None), f"contents[{at}].parts", calls)
    if role == "assistant":
        yield Message("assistant", parts, held)
        return
    for is_result, run in groupby(parts, key=lambda part: isinstance(part, ToolResult)):
        yield Message("tool" if is_result else "user", tuple(run), held)
    if not parts:
        yield Message("user", (), held)


def _read_stop(config: Object) -> tuple[str, ...]:
    stops = take(config, "stopSequences", list, f"{_CONFIG}.") or []
    want(all(isinstance(each, str) for each in stops), f"{_CONFIG}.stopSequences: expected strings")
    return tuple(stops)


def _split_system(messages: tuple[Message, ...], losses: Losses) -> tuple[list[Object], tuple[Message, ...]]:
    """The words of the leading system messages, and the turns after them; Gemini's instruction is text only."""
    count = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    words: list[Object] = []
    for message in messages[:count]:
        losses.extra("system", message.extra)
        for part in message.content:
            if isinstance(part, Text | Refusal):
                words.append({"text": part.text} | losses.extra("system", part.extra))
                if isinstance(part, Refusal):
                    losses.plain("system")
            else:
                losses.part("system", part)
    return words, messages[count:]


class _Contents:
    """Turns into contents, in order; the calls so far name the functions of the results that follow."""

    def __init__(self, losses: Losses, result_parts: bool | None) -> None:
        self._losses = losses
        self._result_parts = result_parts
        self._calls: dict[str, ToolCall] = {}

    def write(self, turns: tuple[Message, ...]) -> Iterator[Object]:
        empty = True
        for turn in turns:
            for content in self._write(turn):
                empty = False
                yield content
        if empty:  # contents must not be empty; the provider refuses what no turn is left of
            self._losses.add("contents", "nothing is left, an empty text said")
            yield {"role": "user", "parts": [{"text": ""}]}

    def _write(self, turn: Message) -> Iterator[Object]:
        for part in turn.content:
            if isinstance(part, ToolCall):
                self._calls[part.id] = part
        if turn.role == "tool":
            yield from write_results(turn, self._calls, self._result_parts is not False, self._losses)
            return
        if turn.role == "system":
            self._losses.add("system", "a message in mid-conversation, said as user")
        parts = write_parts(turn.content, turn.role, self._losses, self._seal_of)
        extra = self._losses.extra(turn.role, turn.extra)
        if not parts and not self._losses.same:
            self._losses.add(turn.role, "a message without content")
            return
        if turn.role == "assistant" and self._result_parts:
            self._sign(parts)
        yield {"role": "model" if turn.role == "assistant" else "user", "parts": parts} | extra

    def _seal_of(self, part: Thought) -> tuple[str | None, bool]:
        """A thought goes back only with its own seal: another maker's would be refused (H1)."""
        held = held_by(part)
        seal = brought_back(held, self._losses.source, NAME) if held else None
        if seal is not None or (self._losses.same and not held):
            return seal, True
        self._losses.add("assistant", f"thinking {'with a foreign' if held else 'without a'} signature")
        return None, False

    def _sign(self, parts: list[Object]) -> None:
        """Puts the documented word on the first of calls that Gemini did not make: 3 refuses calls without a seal (A4).

        Models that take `result_parts` are those of 3 and later. A client of Gemini's own keeps its seals by itself.
        """
        calls = [part for part in parts if "functionCall" in part]
        if calls and not self._losses.same and not any("thoughtSignature" in part for part in calls):
            calls[0]["thoughtSignature"] = SKIP
