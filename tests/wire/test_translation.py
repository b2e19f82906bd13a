"""Covers write_ask and read_ask of every dialect: what one says, another says too, up to declared losses."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import level_of

CHAT, MESSAGES = "openai_chat", "anthropic_messages"
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


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_an_ask_means_the_same_in_every_dialect(source: str, target: str) -> None:
    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(asks(source))
    def check(ask: Ask) -> None:
        request = DIALECTS[target].write_ask(ask, Profile(tool_images=True))
        said = DIALECTS[target].read_ask(request.body, request.path)
        expected, found = gist(ask), gist(said)
        losses = [loss.what for loss in request.losses]
        if ask.tool_choice is None and found["choice"] == ToolChoice("auto"):
            found["choice"] = None  # Messages has no other place to say that calls come alone
        if any(what.startswith(("budget 0", "budget 512")) for what in losses):
            found["level"] = expected["level"]  # Messages takes no budget below 1024
        assert found == expected
        raised = any("raised to hold" in what for what in losses)
        assert said.max_tokens == ask.max_tokens or raised or (ask.max_tokens is None and "none given" in losses[0])
        errors = [part.is_error for turn in ask.messages for part in turn.content if isinstance(part, ToolResult)]
        kept = [part.is_error for turn in said.messages for part in turn.content if isinstance(part, ToolResult)]
        assert kept == errors or (target == CHAT and losses.count("is_error") == errors.count(True))

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


def ask_of(source: str, *messages: Message, **more: Any) -> Ask:
    return Ask(dialect=source, model="m", messages=messages, **({"max_tokens": 100} | more))


def written(target: str, ask: Ask, **profile: Any) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile(**profile))
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


ASKED = Message("user", (Text("look"),))
PNG = Image(data="QUJD", media_type="image/png")
WEBP = Image(data="REVG", media_type="image/webp")
PNG_URL, WEBP_URL = "data:image/png;base64,QUJD", "data:image/webp;base64,REVG"
TWO = Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")))
RESULTS = Message("tool", (ToolResult("a", (Text("one"), PNG)), ToolResult("b", (WEBP,), True)))


def test_images_in_results_are_hoisted_after_the_whole_run() -> None:
    ask = ask_of(MESSAGES, ASKED, TWO, RESULTS, Message("user", (Text("well?"),)))
    body, losses = written(CHAT, ask)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "a", "content": "one"}
    assert body["messages"][3] == {"role": "tool", "tool_call_id": "b", "content": ""}
    assert body["messages"][4]["content"] == [
        {"type": "text", "text": "Returned by tool call a:"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "text", "text": "Returned by tool call b:"},
        {"type": "image_url", "image_url": {"url": WEBP_URL}},
    ]
    assert losses == [
        "tool result a: 1 image(s) moved to a user message",
        "tool result b: is_error",
        "tool result b: 1 image(s) moved to a user message",
    ]


def test_images_stay_in_tool_messages_where_the_profile_says_so() -> None:
    body, losses = written(CHAT, ask_of(MESSAGES, ASKED, TWO, RESULTS), tool_images=True)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "tool", "tool"]
    assert body["messages"][2]["content"] == [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
    ]
    assert body["messages"][3]["content"] == [{"type": "image_url", "image_url": {"url": WEBP_URL}}]
    assert losses == ["tool result b: is_error"]


def test_results_open_the_user_turn_of_messages() -> None:
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, TWO, RESULTS, Message("user", (Text("well?"),))))
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    first, second, text = body["messages"][2]["content"]
    assert first == {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "one"}, image]}
    assert (second["tool_use_id"], second["is_error"], second["content"][0]["type"]) == ("b", True, "image")
    assert text == {"type": "text", "text": "well?"}
    assert losses == []


def test_results_before_an_assistant_turn_are_a_turn_of_their_own() -> None:
    ask = ask_of(CHAT, ASKED, TWO, RESULTS, Message("assistant", (Text("fine"),)), ASKED)
    body, _ = written(MESSAGES, ask)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("document", "target", "said"),
    [
        (
            Document(data="QQ==", media_type="application/pdf", name="a.pdf"),
            CHAT,
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        ),
        (
            Document(data="QQ==", media_type="application/pdf", name="a.pdf"),
            MESSAGES,
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
            },
        ),
        (
            Document(url="https://example.test/a.pdf"),
            MESSAGES,
            {"type": "document", "source": {"type": "url", "url": "https://example.test/a.pdf"}},
        ),
    ],
)
def test_documents(document: Document, target: str, said: dict[str, Any]) -> None:
    body, losses = written(target, ask_of("other", Message("user", (Text("read"), document))))
    assert body["messages"][0]["content"][1] == said
    assert losses == []


def test_chat_has_no_document_by_url() -> None:
    body, losses = written(CHAT, ask_of(MESSAGES, Message("user", (Text("read"), Document(url="https://x.test/a")))))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "read"}]}]
    assert losses == ["user: document"]


THOUGHTS = Message("assistant", (Thought("hm", "sig"), Thought(redacted="sealed"), Text("so")))


def test_seals_stay_at_home() -> None:
    body, losses = written(MESSAGES, ask_of(MESSAGES, ASKED, THOUGHTS))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "so"},
    ]
    assert losses == []
    body, losses = written(CHAT, ask_of(MESSAGES, ASKED, THOUGHTS))
    assert body["messages"][1] == {"role": "assistant", "content": "so"}
    assert losses == ["assistant: thinking", "assistant: thinking"]


def test_chat_reasoning_has_no_seal_to_show_to_messages() -> None:
    ask = ask_of(CHAT, ASKED, Message("assistant", (Thought("hm"), Text("so"))))
    assert written(CHAT, ask)[0]["messages"][1] == {"role": "assistant", "content": "so", "reasoning_content": "hm"}
    body, losses = written(MESSAGES, ask)
    assert body["messages"][1] == {"role": "assistant", "content": [{"type": "text", "text": "so"}]}
    assert losses == ["assistant: thinking without a signature"]


@pytest.mark.parametrize(
    ("thinking", "effort", "losses"),
    [
        (Thinking("enabled", budget=8192), "medium", []),
        (Thinking("enabled", budget=5000), "medium", ["thinking: budget 5000, said as level medium"]),
        (Thinking("enabled", budget=60000), "xhigh", ["thinking: budget 60000, said as level xhigh"]),
        (Thinking("disabled"), "none", []),
        (Thinking("adaptive", "high"), "high", []),
        (Thinking("adaptive"), None, ["thinking: mode adaptive"]),
        (Thinking(effort="max"), "max", []),
        (Thinking("enabled", budget=1024, extra={"display": "omitted"}), "low", ["thinking: field display"]),
    ],
)
def test_messages_thinking_becomes_a_level(thinking: Thinking, effort: str | None, losses: list[str]) -> None:
    body, found = written(CHAT, ask_of(MESSAGES, ASKED, thinking=thinking))
    assert (body.get("reasoning_effort"), found) == (effort, losses)


@pytest.mark.parametrize(
    ("effort", "cap", "thinking", "raised", "losses"),
    [
        ("low", 4096, {"type": "enabled", "budget_tokens": 1024}, 4096, []),
        ("minimal", 4096, {"type": "enabled", "budget_tokens": 1024}, 4096, ["thinking: budget 512, raised to 1024"]),
        ("none", 50, {"type": "disabled"}, 50, []),
        (
            "high",
            1000,
            {"type": "enabled", "budget_tokens": 24576},
            25576,
            ["max_tokens: 1000, raised to hold the thinking budget"],
        ),
        ("ultra", 50, None, 50, ["thinking: level ultra, which has no budget"]),
    ],
)
def test_a_level_becomes_a_budget(
    effort: str, cap: int, thinking: object, raised: int, losses: list[str]
) -> None:
    body, found = written(MESSAGES, ask_of(CHAT, ASKED, max_tokens=cap, thinking=Thinking(effort=effort)))
    assert (body.get("thinking"), body["max_tokens"], found) == (thinking, raised, losses)


def test_a_level_becomes_an_effort_where_the_profile_says_so() -> None:
    for effort, said, lost in (("high", "high", 0), ("minimal", "low", 1)):
        ask = ask_of(CHAT, ASKED, thinking=Thinking(effort=effort))
        body, losses = written(MESSAGES, ask, thinking_form="adaptive")
        assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": said})
        assert body["max_tokens"] == 100
        assert len(losses) == lost
    off, _ = written(MESSAGES, ask_of(CHAT, ASKED, thinking=Thinking(effort="none")), thinking_form="adaptive")
    assert off["thinking"] == {"type": "disabled"}
    nothing, losses = written(MESSAGES, ask_of(CHAT, ASKED, thinking=Thinking()), thinking_form="adaptive")
    assert "thinking" not in nothing
    assert losses == []


@pytest.mark.parametrize(("source", "target"), [(CHAT, MESSAGES), (MESSAGES, CHAT)])
def test_opaque_tools_stay_at_home(source: str, target: str) -> None:
    native = Opaque(source, {"type": "web_search", "name": "web_search"})
    ask = ask_of(source, ASKED, tools=(native,), tool_choice=ToolChoice("required"))
    body, losses = written(target, ask)
    assert "tools" not in body
    assert "tool_choice" not in body
    assert losses[0] == "tools: tool of type web_search"
    assert losses[1].startswith("tool_choice: ")
    body, losses = written(source, ask)
    assert (body["tools"], losses) == ([dict(native.block)], [])
    body, _ = written(target, ask_of(source, ASKED, tools=(native, Tool("f")), tool_choice=ToolChoice("required")))
    assert len(body["tools"]) == 1
    assert "tool_choice" in body


def test_the_developer_role() -> None:
    developer = Message("system", (Text("be brief"),), {"role": "developer"})
    body, losses = written(CHAT, ask_of(CHAT, developer, ASKED))
    assert body["messages"][0] == {"role": "developer", "content": "be brief"}
    assert losses == []
    body, losses = written(MESSAGES, ask_of(CHAT, developer, ASKED))
    assert body["system"] == "be brief"
    assert losses == ["system: field role"]


def test_a_system_message_in_mid_conversation_stays_where_it_is() -> None:
    late = Message("system", (Text("now in French"),))
    ask = ask_of(CHAT, Message("system", (Text("a"),)), Message("system", (Text("b"),)), ASKED, late, ASKED)
    body, losses = written(MESSAGES, ask)
    assert body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [turn["role"] for turn in body["messages"]] == ["user", "system", "user"]
    assert losses == []
    _, losses = written(MESSAGES, ask_of(CHAT, ASKED, Message("system", (PNG,)), ASKED))
    assert losses == ["system: a part that is not text, in mid-conversation"]


@pytest.mark.parametrize(
    ("arguments", "said", "lost"),
    [
        ("", {}, False),
        ("  ", {}, False),
        ("{}", {}, False),
        ('{"n":12345678901234567890123}', {"n": 12345678901234567890123}, False),
        ("{broken", {}, True),
        ("[1]", {}, True),
        ('"text"', {}, True),
    ],
)
def test_arguments_become_an_object(arguments: str, said: dict[str, Any], lost: bool) -> None:
    call = Message("assistant", (ToolCall("a", "f", arguments),))
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, call))
    assert body["messages"][1]["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": said}]
    assert losses == (["assistant: tool arguments that are not a JSON object"] if lost else [])
    body, _ = written(CHAT, ask_of(CHAT, ASKED, call))
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments


def test_arguments_are_spliced_in_as_text() -> None:
    text = '{"n": 1.00000000000000000001, "e": 1e2}'
    ask = ask_of(CHAT, ASKED, Message("assistant", (ToolCall("a", "f", text),)))
    assert text.encode() in DIALECTS[MESSAGES].write_ask(ask, Profile()).body


def test_numbers_beyond_a_double_survive_there_and_back() -> None:
    text = '{"n":9007199254740993,"m":-123456789012345678901234567890}'
    call = Message("assistant", (ToolCall("a", "f", text),))
    there = DIALECTS[MESSAGES].write_ask(ask_of(CHAT, ASKED, call), Profile())
    back = DIALECTS[CHAT].write_ask(DIALECTS[MESSAGES].read_ask(there.body, there.path), Profile())
    ask = DIALECTS[CHAT].read_ask(back.body, back.path)
    assert ask.messages[1].content == (ToolCall("a", "f", text),)


def test_a_cap_that_nobody_gave_is_declared() -> None:
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, max_tokens=None))
    assert body["max_tokens"] == 4096
    assert losses == ["max_tokens: none given, 4096 said"]
    assert "max_completion_tokens" not in written(CHAT, ask_of(CHAT, ASKED, max_tokens=None))[0]


def test_the_name_of_the_cap_is_the_profiles() -> None:
    assert written(CHAT, ask_of(CHAT, ASKED))[0]["max_completion_tokens"] == 100
    assert written(CHAT, ask_of(CHAT, ASKED), max_tokens_field="max_tokens")[0]["max_tokens"] == 100


def test_usage_is_asked_for_in_streams() -> None:
    assert written(CHAT, ask_of(MESSAGES, ASKED, stream=True))[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(CHAT, ask_of(MESSAGES, ASKED, stream=True), stream_usage=False)[0]
    assert "stream_options" not in written(CHAT, ask_of(MESSAGES, ASKED))[0]
    assert "stream_options" not in written(CHAT, ask_of(CHAT, ASKED, stream=True))[0]
    assert "stream_options" in written(CHAT, ask_of(CHAT, ASKED, stream=True, include_usage=True))[0]


@pytest.mark.parametrize(("source", "target"), [(CHAT, MESSAGES), (MESSAGES, CHAT)])
def test_every_unknown_field_and_block_is_declared(source: str, target: str) -> None:
    odd: tuple[Part, ...] = (Text("x", {"cache_control": {}}), Opaque(source, {"type": "odd"}), Refusal("no"))
    ask = ask_of(
        source,
        Message("user", odd, {"name": "n"}),
        Message("assistant", (ToolCall("a", "f", "{}", {"caller": 1}),)),
        Message("tool", (ToolResult("a", (Text("t"), Opaque(source, {"type": "odd"})), extra={"note": 1}),)),
        tools=(Tool("f", extra={"strict": True}),),
        tool_choice=ToolChoice("auto", extra={"more": 1}),
        extra={"seed": 1, "nothing": None},
    )
    _, losses = written(target, ask)
    said = " | ".join(losses)
    for what in ("cache_control", "name", "caller", "note", "strict", "seed", "more"):
        assert f"field {what}" in said
    assert said.count(": opaque") == 2
    assert "nothing" not in said
    body, losses = written(source, ask)
    assert losses == []
    assert body["seed"] == 1
    assert {"type": "odd"} in body["messages"][0]["content"]


def test_a_whole_message_that_messages_has_no_word_for_is_left_out() -> None:
    legacy = Message("user", (Opaque(CHAT, {"role": "function", "name": "f", "content": "x"}),))
    body, losses = written(MESSAGES, ask_of(CHAT, ASKED, legacy))
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert losses == ["user: opaque", "user: a message without content"]
    body, losses = written(CHAT, ask_of(CHAT, ASKED, legacy))
    assert body["messages"][1] == {"role": "function", "name": "f", "content": "x"}
