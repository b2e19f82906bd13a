"""Covers wire/gemini/ask.py, tools.py and schema.py by example."""

import json
from typing import Any

import pytest

from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
)
from llm_canaries.wire.profile import ModelFacts, Profile

GEMINI, CHAT, MESSAGES = DIALECTS["gemini"], "openai_chat", "anthropic_messages"
PATH = "/v1beta/models/m:generateContent"
ASKED = Message("user", (Text("look"),))
NEW = Profile(models={"*": ModelFacts(result_parts=True)})


def read(path: str = PATH, **said: Any) -> Ask:
    return GEMINI.read_ask(json.dumps({"contents": [{"parts": [{"text": "x"}]}]} | said).encode(), path)


def ask_of(source: str, *messages: Message, **more: Any) -> Ask:
    return Ask(dialect=source, model="m", messages=messages or (ASKED,), **more)


def written(ask: Ask, profile: Profile | None = None) -> tuple[dict[str, Any], list[str]]:
    request = GEMINI.write_ask(ask, profile or Profile())
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


def test_both_spellings_are_read() -> None:
    ask = read(
        system_instruction={"parts": [{"text": "s"}]},
        generation_config={"max_output_tokens": 5, "top_p": 0.5, "stop_sequences": ["x"], "top_k": 3},
        tools=[{"function_declarations": [{"name": "f", "parameters_json_schema": {"type": "object"}}]}],
        tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        safety_settings=[],
    )
    assert ask.messages[0] == Message("system", (Text("s"),))
    assert (ask.max_tokens, ask.top_p, ask.stop) == (5, 0.5, ("x",))
    assert ask.tools == (Tool("f", schema={"type": "object"}),)
    assert ask.tool_choice == ToolChoice("tool", "f")
    assert dict(ask.extra) == {"safetySettings": [], "generationConfig.topK": 3}
    body, losses = written(ask)
    assert body["generationConfig"] == {"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"], "topK": 3}
    assert losses == []
    _, losses = written_in(CHAT, ask)
    assert losses == ["ask: field safetySettings", "ask: field generationConfig.topK"]


def written_in(target: str, ask: Ask) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile())
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


@pytest.mark.parametrize(
    ("config", "choice", "lost"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto"), []),
        ({"mode": "NONE"}, ToolChoice("none"), []),
        ({"mode": "ANY"}, ToolChoice("required"), []),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("tool", "f"), []),
        (
            {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
            ToolChoice("required", extra={"allowedFunctionNames": ["f", "g"]}),
            ["tool_choice: field allowedFunctionNames"],
        ),
        ({"mode": "VALIDATED"}, ToolChoice("auto", extra={"mode": "VALIDATED"}), ["tool_choice: field mode"]),
        ({"mode": "NEW"}, None, ["ask: field toolConfig.functionCallingConfig"]),
    ],
)
def test_choices(config: dict[str, Any], choice: ToolChoice | None, lost: list[str]) -> None:
    tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
    ask = read(toolConfig={"functionCallingConfig": config, "retrievalConfig": {"languageCode": "de"}}, tools=tools)
    assert ask.tool_choice == choice
    body, losses = written(ask)
    assert body["toolConfig"] == {"functionCallingConfig": config, "retrievalConfig": {"languageCode": "de"}}
    assert losses == []
    found = written_in(CHAT, ask)[1]
    assert sorted(found) == sorted([*lost, "ask: field toolConfig.retrievalConfig"])


def test_tools_keep_their_order_and_kind() -> None:
    tools = [
        {"googleSearch": {}},
        {"functionDeclarations": [{"name": "f", "description": ""}, {"name": "g", "behavior": "NON_BLOCKING"}]},
        {"codeExecution": {}, "functionDeclarations": [{"name": "h"}]},
        {},
    ]
    ask = read(tools=tools)
    assert [tool.name if isinstance(tool, Tool) else tool.block for tool in ask.tools] == [
        {"googleSearch": {}}, "f", "g", "h", {"codeExecution": {}}, {},
    ]  # fmt: skip
    body, losses = written(ask)
    functions = [*tools[1]["functionDeclarations"], {"name": "h"}]  # type: ignore[list-item]
    assert body["tools"] == [tools[0], {"functionDeclarations": functions}, {"codeExecution": {}}, {}]
    assert losses == []


def test_schemas_go_out_whole_and_come_back_in_their_own_words() -> None:
    schema = {"type": "object", "$defs": {"a": {"const": 1}}, "properties": {"x": {"$ref": "#/$defs/a"}},
              "additionalProperties": False}  # fmt: skip
    body, losses = written(ask_of(CHAT, tools=(Tool("f", "d", schema), Tool("g"), Tool("h", None, {}))))
    assert body["tools"] == [{"functionDeclarations": [
        {"name": "f", "description": "d", "parametersJsonSchema": schema}, {"name": "g"}, {"name": "h"},
    ]}]  # fmt: skip
    assert losses == []
    own = {"type": "OBJECT", "nullable": True, "properties": {"type": {"type": "STRING", "nullable": True},
           "list": {"type": "ARRAY", "items": {"anyOf": [{"type": "INTEGER", "format": "int64"}]}}}}  # fmt: skip
    ask = read(tools=[{"functionDeclarations": [{"name": "f", "parameters": own}]}])
    (tool,) = ask.tools
    assert isinstance(tool, Tool)
    assert tool.schema == {
        "type": ["object", "null"],
        "properties": {
            "type": {"type": ["string", "null"]},
            "list": {"type": "array", "items": {"anyOf": [{"type": "integer", "format": "int64"}]}},
        },
    }
    assert written(ask)[0]["tools"] == [{"functionDeclarations": [{"name": "f", "parameters": own}]}]
    assert written_in(CHAT, ask)[1] == []


def test_what_gemini_has_no_word_for_is_declared() -> None:
    late = Message("system", (Text("now in French"),))
    odd: tuple[Part, ...] = (Text("x", {"cache_control": {}}), Opaque(CHAT, {"type": "odd"}), Refusal("no"))
    ask = ask_of(
        CHAT, Message("system", (Text("s", {"name": "n"}), Image(url="https://x.test/a.png"))), ASKED, late,
        Message("user", odd, {"name": "n"}), Message("user", (Opaque(CHAT, {"type": "odd"}),)),
        tools=(Tool("f", extra={"strict": True}), Opaque(CHAT, {"type": "web_search"})), user="u",
        parallel_tool_calls=False, extra={"seed": 1},
    )  # fmt: skip
    body, losses = written(ask)
    assert body["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert [content["parts"] for content in body["contents"]] == [
        [{"text": "look"}], [{"text": "now in French"}], [{"text": "x"}, {"text": "no"}],
    ]  # fmt: skip
    assert losses == [
        "system: field name", "system: image", "system: a message in mid-conversation, said as user",
        "user: field cache_control", "user: opaque odd", "user: refusal, said as text", "user: field name",
        "user: opaque odd",
        "user: a message without content", "tool f: field strict", "tools: tool of type web_search",
        "parallel_tool_calls: false: calls may come side by side", "ask: field user", "ask: field seed",
    ]  # fmt: skip


def test_a_choice_without_a_tool_is_declared() -> None:
    ask = ask_of(CHAT, tools=(Opaque(CHAT, {"type": "x"}),), tool_choice=ToolChoice("required"))
    body, losses = written(ask)
    assert "toolConfig" not in body
    assert losses == ["tools: tool of type x", "tool_choice: required, for no tool is left"]


def test_contents_are_never_empty() -> None:
    body, losses = written(ask_of(CHAT, Message("system", (Text("s"),))))
    assert body["contents"] == [{"role": "user", "parts": [{"text": ""}]}]
    assert losses == ["contents: nothing is left, an empty text said"]


def test_calls_from_elsewhere_get_the_documented_word_where_gemini_3_is_asked() -> None:
    calls = Message("assistant", (Text("so"), ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")))
    sealed = Message("assistant", (Thought("", "gemini#QUJD"), ToolCall("c", "f", "{}"), ToolCall("d", "f", "{}")))
    skip = "skip_thought_signature_validator"
    for source, profile, seal in (
        (CHAT, NEW, skip),
        (CHAT, Profile(), None),
        (CHAT, Profile(models={"*": ModelFacts(result_parts=False)}), None),
        ("gemini", NEW, None),
    ):
        body, _ = written(ask_of(source, ASKED, calls), profile)
        parts = body["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == [None, seal, None]
    body, losses = written(ask_of(MESSAGES, ASKED, sealed), NEW)
    assert [part.get("thoughtSignature") for part in body["contents"][1]["parts"]] == ["QUJD", None]
    assert losses == []


def test_the_shipped_facts() -> None:
    profile = read_profiles()["gemini"]
    assert profile.dialects == ("gemini",)
    for model, parts in (("gemini-2.5-flash", False), ("models/gemini-1.5-pro", False), ("gemini-3-pro-preview", True),
                         ("gemini-3.5-flash", True), ("gemini-flash-latest", True), ("other", None)):  # fmt: skip
        assert profile.facts(model).result_parts is parts
