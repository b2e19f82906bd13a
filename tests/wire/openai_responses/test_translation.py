"""Covers wire/openai_responses/ask.py and inputs.py: what other dialects ask, in words of this one, and back."""

import json
from typing import Any

from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Opaque,
    Refusal,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from llm_canaries.wire.profile import ModelFacts, Profile

CHAT, NAME, MESSAGES = "openai_chat", "openai_responses", "anthropic_messages"
DIALECT = DIALECTS[NAME]
ASKED = Message("user", (Text("look"),))
URL = "data:image/png;base64,QUJD"
PNG = Image(data="QUJD", media_type="image/png")
PICTURE = {"type": "input_image", "image_url": URL}
ASKED_ITEM = {"role": "user", "content": "look"}


def read(*items: object, **more: Any) -> Ask:
    return DIALECT.read_ask(json.dumps({"model": "m", "input": list(items)} | more).encode(), "/")


def written(ask: Ask, target: str = NAME, **profile: Any) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile(**profile))
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


def foreign(*messages: Message, source: str = MESSAGES, **more: Any) -> Ask:
    return Ask(dialect=source, model="m", messages=messages, **more)


def test_a_stateless_client_is_not_stored_and_its_reasoning_comes_sealed() -> None:
    body, _ = written(foreign(ASKED, thinking=Thinking(effort="high")))
    assert (body["store"], body["include"], body["reasoning"]) == (
        False, ["reasoning.encrypted_content"], {"effort": "high"}
    )  # fmt: skip
    for thinking in (None, Thinking("disabled"), Thinking(effort="none")):
        body, _ = written(foreign(ASKED, thinking=thinking))
        assert (body["store"], "include" in body) == (False, False)


def test_seals_find_their_way_back() -> None:
    own, theirs = Thought("hm", "openai_responses#g"), Thought("ha", "sealed by Claude")
    body, losses = written(foreign(ASKED, Message("assistant", (own, theirs, Text("so")))))
    assert body["input"][1:] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "g"},
        {"role": "assistant", "content": "so"},
    ]
    assert losses == ["assistant: thinking with a foreign signature"]
    _, losses = written(foreign(Message("assistant", (Thought("hm"),)), source=CHAT))
    assert losses == ["assistant: thinking without a signature", "input: nothing that can be said is left"]


def test_seals_of_others_go_through_clients_of_this_dialect() -> None:
    for seal, block in (
        ("anthropic_messages#sig", {"type": "thinking", "thinking": "hm", "signature": "sig"}),
        ("redacted#anthropic_messages#data", {"type": "redacted_thinking", "data": "data"}),
    ):
        summary = [{"type": "summary_text", "text": "hm"}] if block["type"] == "thinking" else []
        ask = read(ASKED_ITEM, {"type": "reasoning", "id": "rs", "summary": summary, "encrypted_content": seal})
        assert written(ask, MESSAGES)[0]["messages"][1]["content"] == [block]
        assert written(ask)[1] == ["assistant: thinking with a foreign signature"]


def test_losses_of_other_dialects() -> None:
    result = ToolResult("c", (PNG,), True)
    ask = foreign(
        Message("system", (Text("s", {"cache_control": {}}),)), ASKED,
        Message("assistant", (Text("a"), Text("b"), Refusal("no"), ToolCall("c", "f", "{}"))),
        Message("tool", (result,)), Message("user", (Document(url="https://x.test/a", name="a.pdf"),)),
        stop=("x", "y"), max_tokens=5, tools=(Tool("f"), Opaque(MESSAGES, {"type": "bash"})),
        thinking=Thinking("enabled", budget=5000),
    )  # fmt: skip
    body, losses = written(ask)
    assert losses == [
        "system: field cache_control",
        "tool result c: is_error",
        "user: name of a document by URL",
        "max_tokens: 5, raised to 16",
        "stop: 2 stop sequence(s), which Responses does not have",
        "tools: tool of type bash",
        "thinking: budget 5000, said as level medium",
    ]
    assert body["max_output_tokens"] == 16
    assert body["tools"] == [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}},
                              "strict": False}]  # fmt: skip
    assert body["input"][2:5] == [
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ]
    assert body["input"][6]["output"] == [PICTURE | {"detail": "auto"}]


def test_what_chat_shares_is_not_lost() -> None:
    image = Image(data="QUJD", media_type="image/png", extra={"detail": "low"})
    developer = Message("system", (Text("d"),), {"role": "developer"})
    body, losses = written(foreign(developer, Message("user", (image,)), tools=(Tool("f", extra={"strict": True}),),
                                   source=CHAT))  # fmt: skip
    assert body["input"] == [{"role": "developer", "content": "d"},
                             {"role": "user", "content": [PICTURE | {"detail": "low"}]}]  # fmt: skip
    assert body["tools"][0]["strict"] is True
    assert losses == []


def test_a_level_that_the_model_does_not_take() -> None:
    models = {"m": ModelFacts(thinking=True, levels=("low", "high"))}
    body, losses = written(foreign(ASKED, thinking=Thinking(effort="xhigh")), models=models)
    assert (body["reasoning"], losses) == ({"effort": "high"}, ["thinking: level xhigh, said as high"])


def test_official_types_accept_what_is_written_for_others() -> None:
    turns = (Message("system", (Text("s"),)), Message("user", (Text("u"), PNG, Image(url="https://x.test/a.png"))),
             Message("assistant", (Text("a"), Text("b"), ToolCall("c", "f", "{}"))),
             Message("tool", (ToolResult("c", (Text("r"), PNG)),)))  # fmt: skip
    ask = foreign(*turns, tools=(Tool("f", "d"),), tool_choice=ToolChoice("tool", "f"), max_tokens=20,
                  thinking=Thinking(effort="low"), parallel_tool_calls=False)  # fmt: skip
    TypeAdapter(ResponseCreateParamsNonStreaming).validate_python(written(ask)[0], strict=False)


def test_a_large_picture_is_spliced_in() -> None:
    data = "QUJD" * 100_000
    ask = foreign(Message("user", (Image(data=data, media_type="image/png"),)))
    assert written(ask)[0]["input"][0]["content"][0]["image_url"] == f"data:image/png;base64,{data}"
