"""Covers mirror/model.py: the model does what it is asked, and nothing else."""

from base64 import b64encode
from typing import Any

import pytest

from llm_canaries.mirror.model import REASONING, answer, reasoning_for
from llm_canaries.mirror.tokens import count_input
from llm_canaries.wire import png
from llm_canaries.wire.message import (
    Ask,
    Finish,
    Image,
    Message,
    Part,
    Reply,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.nonce import Draw

RED, BLUE = Tool("red"), Tool("blue")


def ask(*turns: Message | str, **fields: Any) -> Ask:
    said = tuple(Message("user", (Text(turn),)) if isinstance(turn, str) else turn for turn in turns)
    return Ask(dialect="openai_chat", model="mirror/healthy", messages=said, **fields)


def replied(*turns: Message | str, **fields: Any) -> Reply:
    return answer(ask(*turns, **fields), id="m1", created=7)


PROMPTS = [
    ("Reply with exactly this and nothing else: 4711", "4711"),
    ("[mark] reply WITH exactly this and nothing else:  two words ", "two words"),
    ("What is 12 times 12?", "144"),
    ("What is 99999999999999999999 times 2?", "199999999999999999998"),
    ("Say only the number shown in the picture", "NONE"),
    ("hello", "ok"),
    ("", "ok"),
]


@pytest.mark.parametrize(("prompt", "text"), PROMPTS)
def test_words(prompt: str, text: str) -> None:
    reply = replied(prompt)
    assert reply.text == text and reply.finish is Finish.STOP
    assert (reply.id, reply.created, reply.model) == ("m1", 7, "mirror/healthy")


def test_last_wish_counts() -> None:
    wish = "Reply with exactly this and nothing else: "
    assert replied(wish + "1", wish + "2").text == "2"


def test_only_the_user_is_obeyed() -> None:
    reply = replied(Message("assistant", (Text("reply with exactly this and nothing else: 9"),)), "hello")
    assert reply.text == "ok"


def test_same_ask_same_reply() -> None:
    assert replied("hello", thinking=Thinking(effort="high")) == replied("hello", thinking=Thinking(effort="high"))


def picture(number: str, draw: Draw) -> Image:
    return Image(data=b64encode(png.draw_number(number, draw)).decode(), media_type="image/png")


def test_reads_pictures(draw: Draw) -> None:
    question = Text("Reply with only the number shown.")
    assert replied(Message("user", (question, picture("1234", draw)))).text == "1234"
    two = Message("user", (question, picture("1234", draw), picture("987", draw)))
    assert replied(two).text == "987", "the last that it was shown"
    result: tuple[Part, ...] = (ToolResult("c", (Text("x"), picture("555", draw))),)
    assert replied(Message("user", (question,)), Message("tool", result)).text == "555"


@pytest.mark.parametrize("image", [Image(url="https://x/y.png"), Image(data="?", media_type="image/png"),
                                   Image(data="aGVsbG8=", media_type="image/png")])
def test_unreadable_pictures(image: Image) -> None:
    assert replied(Message("user", (Text("only the number shown"), image))).text == "NONE"


CALLS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("call red", {"tools": (RED, BLUE)}, ["red"]),
    ("Please call the tool blue now", {"tools": (RED, BLUE)}, ["blue"]),
    ("call red and blue", {"tools": (RED, BLUE)}, ["red", "blue"]),
    ("call red and blue", {"tools": (RED, BLUE), "parallel_tool_calls": False}, ["red"]),
    ("call green", {"tools": (RED,)}, []),
    ("call red", {}, []),
    ("call red", {"tools": (RED,), "tool_choice": ToolChoice("none")}, []),
    ("hello", {"tools": (RED, BLUE), "tool_choice": ToolChoice("required")}, ["red"]),
    ("hello", {"tools": (RED, BLUE), "tool_choice": ToolChoice("tool", "blue")}, ["blue"]),
    ("hello", {"tools": (RED,), "tool_choice": ToolChoice("auto")}, []),
]


@pytest.mark.parametrize(("prompt", "fields", "names"), CALLS)
def test_calls(prompt: str, fields: dict[str, Any], names: list[str]) -> None:
    reply = replied(prompt, **fields)
    assert [call.name for call in reply.calls] == names
    assert reply.finish is (Finish.TOOL if names else Finish.STOP)
    assert len({call.id for call in reply.calls}) == len(names)


def test_tells_of_an_omitted_picture() -> None:
    note = Message("tool", (ToolResult("c", (Text("[Image omitted]"),)),))
    assert replied("reply with only the number shown", note).text == "NONE, the image was omitted."


def test_no_call_after_a_result() -> None:
    turns = (Message("assistant", (ToolCall("c", "red", "{}"),)), Message("tool", (ToolResult("c", (Text("x"),)),)))
    assert replied("call red", *turns, tools=(RED,)).calls == ()


THINKING = [
    (None, 0),
    (Thinking(effort="none"), 0),
    (Thinking(mode="disabled", budget=5000), 0),
    (Thinking(effort="low"), REASONING["low"]),
    (Thinking(effort="max"), REASONING["max"]),
    (Thinking(mode="enabled", budget=1000), 600),
    (Thinking(mode="enabled", budget=1_000_000), REASONING["max"]),
    (Thinking(mode="adaptive"), 0),
    (Thinking(mode="adaptive", effort="high"), REASONING["high"]),
    (Thinking(effort="nonsense"), 0),
]


@pytest.mark.parametrize(("thinking", "tokens"), THINKING)
def test_reasoning(thinking: Thinking | None, tokens: int) -> None:
    assert reasoning_for(thinking) == tokens
    reply = replied("hello", thinking=thinking)
    assert reply.usage is not None and reply.usage.reasoning == tokens
    assert bool(reply.thoughts) is (tokens > 0)
    assert all(thought.signature for thought in reply.thoughts)


def test_levels_rise() -> None:
    assert list(REASONING.values()) == sorted(set(REASONING.values()))


@pytest.mark.parametrize("cap", [1, 2, 50, 199, 200, 201, 202, 203, 300])
def test_cap_is_kept(cap: int) -> None:
    words = "reply with exactly this and nothing else: " + "x" * 16
    reply = replied(words, max_tokens=cap, thinking=Thinking(effort="low"))
    assert reply.usage is not None and reply.usage.output is not None
    cut = cap < REASONING["low"] + 4
    assert reply.finish is (Finish.LENGTH if cut else Finish.STOP)
    assert (len(reply.text) < 16) is cut
    assert reply.usage.output <= cap + 1, "an answer of no words still counts for one"


def test_usage_adds_up() -> None:
    asked = ask("hello", tools=(RED,))
    usage = answer(asked, id="m", created=0).usage
    assert usage is not None and usage.input == count_input(asked)
    assert usage.total_reported == (usage.input or 0) + (usage.output or 0)
    assert usage.broken == ()


def results(*numbers: str, draw: Draw, calls: tuple[str, ...] = ("a", "b")) -> tuple[Message, ...]:
    """Calls in the order of `calls`, and results in that of `a`, `b`."""
    made = tuple(ToolCall(id, "page", "{}") for id in calls)
    shown = tuple(ToolResult(id, (picture(number, draw),)) for id, number in zip("ab", numbers, strict=True))
    return Message("assistant", made), Message("tool", shown)


def test_several_pictures_are_told_in_the_order_of_their_calls(draw: Draw) -> None:
    both = "Reply with only the numbers shown in the images."
    assert replied(both, *results("4711", "2602", draw=draw)).text == "4711, 2602"
    assert replied(both, *results("4711", "2602", draw=draw, calls=("b", "a"))).text == "2602, 4711"
    hoisted = Message("user", (picture("4711", draw), picture("2602", draw)))
    assert replied(both, hoisted).text == "4711, 2602"
    assert replied("Reply with only the number shown.", hoisted).text == "2602"


def test_what_tools_returned_is_told_in_the_order_that_was_asked_for() -> None:
    calls = Message("assistant", (ToolCall("1", "record_b", "{}"), ToolCall("2", "record_a", "{}")))
    back = tuple(ToolResult(id, (Text(f"The number is {number}."),)) for id, number in (("1", "22"), ("2", "11")))
    told = "Once the tools have returned, reply with only the numbers that they returned"
    assert replied(f"{told}.", calls, Message("tool", back)).text == "22, 11"
    assert replied(f"{told}, that of record_a first.", calls, Message("tool", back)).text == "11, 22"
