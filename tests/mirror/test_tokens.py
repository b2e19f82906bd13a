"""Covers mirror/tokens.py: one count for one meaning, whatever dialect it came in."""

from base64 import b64encode

import pytest

from llm_canaries.mirror.tokens import count_input, count_part, count_text
from llm_canaries.wire import png
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
)
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.profile import Profile

TABLE: list[tuple[Part, int]] = [
    (Text(""), 0),
    (Text("abcd"), 1),
    (Text("abcde"), 2),
    (Text("ééé"), 2),
    (Refusal("no"), 1),
    (Thought("abcd", "efgh"), 2),
    (Thought(redacted="abcdefgh"), 2),
    (Image(url="https://x/y.png"), 1000),
    (Image(data="aGVsbG8=", media_type="image/png"), 1000),
    (Image(data="!", media_type="image/png"), 1000),
    (Document(data="x" * 160, media_type="application/pdf"), 10),
    (Document(url="https://x/y.pdf"), 1000),
    (ToolCall("id", "name", '{"a":1}'), 3),
    (ToolResult("id", (Text("abcd"), Text("abcd"))), 2),
    (Opaque("openai_chat", {"a": 1}), 2),
]


@pytest.mark.parametrize(("part", "tokens"), TABLE)
def test_parts(part: Part, tokens: int) -> None:
    assert count_part(part) == tokens


def test_picture_by_its_size(draw: Draw) -> None:
    data = b64encode(png.draw_number("123456", draw)).decode()
    assert count_part(Image(data=data, media_type="image/png")) == 67  # 224 x 224 / 750, rounded up
    assert count_text(data) > 30 * 67, "as text it is a different matter"


def test_messages_and_tools_cost() -> None:
    ask = Ask(dialect="openai_chat", model="m", messages=(Message("user", (Text("abcd"),)),))
    assert count_input(ask) == 5
    with_tool = Ask(dialect="openai_chat", model="m", messages=ask.messages, tools=(Tool("abcd", "efgh"),))
    assert count_input(with_tool) == 5 + 2 + 1


def test_same_in_every_dialect(draw: Draw) -> None:
    data = b64encode(png.draw_number("42", draw)).decode()
    turns = (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("hello"), Image(data=data, media_type="image/png"))),
        Message("assistant", (ToolCall("c1", "red", '{"a":1}'),)),
        Message("tool", (ToolResult("c1", (Text("done"), Image(data=data, media_type="image/png"))),)),
    )
    tools = (Tool("red", "Red.", {"type": "object", "properties": {}}),)
    ask = Ask(dialect="openai_chat", model="m", messages=turns, tools=tools, max_tokens=9)
    profile = Profile(tool_images=True)
    counts = set()
    for dialect in DIALECTS.values():
        request = dialect.write_ask(ask, profile)
        counts.add(count_input(dialect.read_ask(request.body, request.path)))
    assert counts == {count_input(ask)}
