"""Covers write_ask and read_ask of every dialect: what one says, another says too, up to declared losses."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import level_of

CHAT, RESPONSES, MESSAGES, GEMINI = "openai_chat", "openai_responses", "anthropic_messages", "gemini"
ARROWS = [(source, target) for source in DIALECTS for target in DIALECTS]
NONE_GIVEN = {"type": "object", "properties": {}}

WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=10)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
BASE64 = st.from_regex(r"[A-Za-z0-9+/]{4,12}", fullmatch=True)
IMAGES = st.builds(Image, data=BASE64, media_type=st.sampled_from(["image/png", "image/webp"])) | st.builds(
    Image, url=st.just("https://example.test/a.png")
)
DOCUMENTS = st.builds(Document, data=BASE64, media_type=st.just("application/pdf"), name=NAMES)
ARGUMENTS = st.dictionaries(NAMES, st.integers(-(2**90), 2**90) | WORDS | st.lists(st.booleans()), max_size=3).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
)
ERRORS = st.sampled_from([None, True])
TOOLS = st.builds(Tool, NAMES, st.none() | WORDS, st.none() | st.just({"type": "object", "properties": {"a": {}}}))


@st.composite
def rounds(draw: st.DrawFn) -> list[Message]:
    """A user turn, the calls it led to, and the results of all of them."""
    user = Message("user", tuple(draw(st.lists(WORDS.map(Text) | IMAGES | DOCUMENTS, min_size=1, max_size=3))))
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    words = tuple(Text(text) for text in draw(st.lists(WORDS, min_size=0 if names else 1, max_size=1)))
    calls = tuple(ToolCall(f"call_{name}", name, draw(ARGUMENTS)) for name in names)
    results = tuple(
        ToolResult(call.id, tuple(draw(st.lists(WORDS.map(Text) | IMAGES, max_size=3))), draw(ERRORS))
        for call in calls
    )
    return [user, Message("assistant", words + calls), *([Message("tool", results)] if results else [])]


@st.composite
def asks(draw: st.DrawFn, speaker: str) -> Ask:
    system = [Message("system", (Text(text),)) for text in draw(st.lists(WORDS, max_size=2))]
    turns = [message for each in draw(st.lists(rounds(), min_size=1, max_size=3)) for message in each]
    tools = tuple(draw(st.lists(TOOLS, max_size=2)))
    choices = [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("tool", "f")]
    efforts = ["none", "minimal", "low", "medium", "high", "xhigh"]
    return Ask(
        dialect=speaker,
        model=draw(NAMES),
        messages=(*system, *turns),
        stream=draw(st.booleans()),
        max_tokens=draw(st.none() | st.integers(1, 10_000)),
        temperature=draw(st.sampled_from([None, 0.0, 0.5, 1])),
        top_p=draw(st.sampled_from([None, 0.9])),
        stop=tuple(draw(st.lists(WORDS, max_size=2))),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)) if tools else None,
        parallel_tool_calls=draw(st.sampled_from([None, False])) if tools else None,
        thinking=draw(st.none() | st.sampled_from(efforts).map(lambda effort: Thinking(effort=effort))),
        user=draw(st.none() | NAMES),
    )


def gist(ask: Ask) -> dict[str, Any]:
    """What an ask means in every dialect, and nothing that one of them has no word for."""
    results = {part.id: part for message in ask.messages for part in message.content if isinstance(part, ToolResult)}
    said = [(message.role, part) for message in ask.messages for part in message.content]
    return {
        "model": ask.model,
        "system": [part for role, part in said if role == "system"],
        "user": [part for role, part in said if role == "user"],
        "answers": [part for role, part in said if role == "assistant"],
        "results": {each: [part for part in result.content if part != Text("")] for each, result in results.items()},
        "tools": [
            (tool.name, tool.description, tool.schema or NONE_GIVEN) for tool in ask.tools if isinstance(tool, Tool)
        ],
        "choice": ask.tool_choice,
        "alone": ask.parallel_tool_calls is False and (ask.tool_choice is None or ask.tool_choice.mode != "none"),
        "stop": ask.stop,
        "stream": ask.stream,
        "level": level_of(ask.thinking) if ask.thinking else None,
        "numbers": (ask.temperature, ask.top_p, ask.user),
    }


def without_what_gemini_lacks(ask: Ask) -> Ask:
    """`ask` as Gemini can say it: no user, no calls one by one, no names of files, words of a result first."""

    def said(part: Part) -> Part:
        match part:
            case Document():
                return replace(part, name=None)
            case ToolResult(content=content):
                return replace(part, content=tuple(sorted(content, key=lambda each: isinstance(each, Image))))
            case _:
                return part

    turns = tuple(replace(turn, content=tuple(map(said, turn.content))) for turn in ask.messages)
    return replace(ask, messages=turns, user=None, parallel_tool_calls=None)


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_an_ask_means_the_same_in_every_dialect(source: str, target: str) -> None:
    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(asks(source))
    def check(ask: Ask) -> None:
        request = DIALECTS[target].write_ask(ask, Profile(tool_images=True))
        said = DIALECTS[target].read_ask(request.body, request.path)
        losses = [loss.what for loss in request.losses]
        if target == GEMINI:
            assert ("field user" in losses) == (ask.user is not None)
            ask = without_what_gemini_lacks(ask)
            said = without_what_gemini_lacks(said)
        expected, found = gist(ask), gist(said)
        if ask.tool_choice is None and found["choice"] == ToolChoice("auto"):
            found["choice"] = None  # Messages has no other place to say that calls come alone
        if any(what.startswith("budget ") for what in losses):
            found["level"] = expected["level"]  # Messages takes no budget below 1024, nor one over the cap
        if target == RESPONSES:
            assert any("stop sequence(s)" in what for what in losses) == bool(ask.stop)
            expected["stop"] = ()
        assert found == expected
        raised = any("raised to" in what for what in losses)
        assert said.max_tokens == ask.max_tokens or raised or (ask.max_tokens is None and "none given" in losses[0])
        errors = [part.is_error for turn in ask.messages for part in turn.content if isinstance(part, ToolResult)]
        kept = [part.is_error for turn in said.messages for part in turn.content if isinstance(part, ToolResult)]
        assert kept == errors or (target in (CHAT, RESPONSES) and losses.count("is_error") == errors.count(True))

    check()


@pytest.mark.parametrize("name", DIALECTS)
def test_within_a_dialect_nothing_changes(name: str) -> None:
    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(asks(name))
    def check(ask: Ask) -> None:
        first = DIALECTS[name].write_ask(ask, Profile(tool_images=True))
        read = DIALECTS[name].read_ask(first.body, first.path)
        again = DIALECTS[name].write_ask(read, Profile(tool_images=True))
        assert DIALECTS[name].read_ask(again.body, again.path) == read
        assert again.losses == ()

    check()
