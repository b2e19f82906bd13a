"""Covers wire/gemini/results.py, media.py and calls.py by example: no result and no picture finds another call."""

import json
from typing import Any

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import Ask, Document, Image, Message, Opaque, Part, Text, ToolCall, ToolResult
from llm_canaries.wire.profile import ModelFacts, Profile

GEMINI, CHAT, MESSAGES = DIALECTS["gemini"], "openai_chat", "anthropic_messages"
PATH = "/v1beta/models/m:generateContent"
ASKED = Message("user", (Text("look"),))
PNG = Image(data="QUJD", media_type="image/png")
PDF = Document(data="REVG", media_type="application/pdf")
PNG_SAID = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
PDF_SAID = {"inlineData": {"mimeType": "application/pdf", "data": "REVG"}}
TWO = Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")))
RESULTS = Message("tool", (ToolResult("a", (Text("one"), PNG)), ToolResult("b", (PDF,), True)))
OLD = Profile(models={"*": ModelFacts(result_parts=False)})


def read(**said: Any) -> Ask:
    return GEMINI.read_ask(json.dumps({"contents": [{"parts": [{"text": "x"}]}]} | said).encode(), PATH)


def ask_of(source: str, *messages: Message) -> Ask:
    return Ask(dialect=source, model="m", messages=messages)


def written(ask: Ask, profile: Profile | None = None) -> tuple[dict[str, Any], list[str]]:
    request = GEMINI.write_ask(ask, profile or Profile())
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


def written_in(target: str, ask: Ask) -> tuple[dict[str, Any], list[str]]:
    request = DIALECTS[target].write_ask(ask, Profile())
    return json.loads(request.body), [f"{loss.where}: {loss.what}" for loss in request.losses]


def response(id: str, name: str, said: object, **more: object) -> dict[str, Any]:
    return {"functionResponse": {"id": id, "name": name, "response": said} | more}


@pytest.mark.parametrize("result_parts", [True, None])
def test_files_of_results_stand_inside_them(result_parts: bool | None) -> None:
    profile = Profile(models={"*": ModelFacts(result_parts=result_parts)})
    body, losses = written(ask_of(CHAT, ASKED, TWO, RESULTS, Message("user", (Text("well?"),))), profile)
    assert body["contents"][2:] == [
        {"role": "user", "parts": [response("a", "f", {"output": "one"}, parts=[PNG_SAID]),
                                   response("b", "g", {"error": ""}, parts=[PDF_SAID])]},
        {"role": "user", "parts": [{"text": "well?"}]},
    ]  # fmt: skip
    assert losses == []


def test_older_models_take_the_files_of_one_result_beside_it() -> None:
    call, result = ToolCall("a", "f", "{}"), ToolResult("a", (Text("one"), PNG, PDF))
    body, losses = written(ask_of(CHAT, ASKED, Message("assistant", (call,)), Message("tool", (result,))), OLD)
    parts = [response("a", "f", {"output": "one"}), PNG_SAID, PDF_SAID]
    assert body["contents"][2:] == [{"role": "user", "parts": parts}]
    assert losses == ["tool result a: 2 file(s) moved beside the result"]


def test_older_models_take_the_files_of_parallel_results_after_all_of_them() -> None:
    body, losses = written(ask_of(CHAT, ASKED, TWO, RESULTS, Message("user", (Text("well?"),))), OLD)
    assert body["contents"][2:] == [
        {"role": "user", "parts": [response("a", "f", {"output": "one"}), response("b", "g", {"error": ""})]},
        {"role": "user", "parts": [{"text": "Returned by tool call a (f):"}, PNG_SAID,
                                   {"text": "Returned by tool call b (g):"}, PDF_SAID]},
        {"role": "user", "parts": [{"text": "well?"}]},
    ]  # fmt: skip
    assert losses == [
        "tool result a: 1 file(s) moved to a user content", "tool result b: 1 file(s) moved to a user content",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "failed", "said"),
    [
        ((), None, {}),
        (("",), None, {"output": ""}),
        (("30 degrees",), None, {"output": "30 degrees"}),
        (("30", "degrees"), None, {"output": ["30", "degrees"]}),
        (('{"a":[1,2]}',), None, {"a": [1, 2]}),
        (('{"output":[{},"x"]}',), None, {"output": [{}, "x"]}),
        (('{"result":"x"}',), None, {"result": "x"}),
        (('{"output":"x"}',), None, {"output": '{"output":"x"}'}),
        (('{"error":"x"}',), None, {"output": '{"error":"x"}'}),
        (("[1]",), None, {"output": "[1]"}),
        (("{}",), None, {"output": "{}"}),
        (("{broken",), None, {"output": "{broken"}),
        (("no such city",), True, {"error": "no such city"}),
        (("no", "city"), True, {"error": ["no", "city"]}),
        (('{"error":{"code":5}}',), True, {"error": {"code": 5}}),
        (('{"code":5}',), True, {"error": '{"code":5}'}),
    ],
)
def test_words_become_an_object_and_come_back(texts: tuple[str, ...], failed: bool | None, said: object) -> None:
    result = ToolResult("a", tuple(Text(text) for text in texts), failed)
    body, losses = written(ask_of(CHAT, ASKED, TWO, Message("tool", (result,))))
    assert body["contents"][2]["parts"] == [response("a", "f", said)]
    assert losses == []
    ask = read(contents=body["contents"])
    assert ask.messages[2] == Message("tool", (result,))
    assert written(ask)[0]["contents"] == body["contents"]


def test_long_numbers_of_results_and_arguments_keep_their_digits() -> None:
    text = '{"n": 12345678901234567890123, "m": 1.00000000000000000001}'
    calls = Message("assistant", (ToolCall("a", "f", text),)), Message("tool", (ToolResult("a", (Text(text),)),))
    assert GEMINI.write_ask(ask_of(CHAT, ASKED, *calls), Profile()).body.count(text.encode()) == 2


def test_what_a_result_cannot_say_is_declared() -> None:
    odd: tuple[Part, ...] = (PNG, Text("late", {"cache_control": {}}), Opaque(CHAT, {"type": "odd"}))
    body, losses = written(ask_of(CHAT, ASKED, TWO, Message("tool", (ToolResult("z", odd, extra={"name": "n"}),))))
    assert body["contents"][2]["parts"] == [response("z", "z", {"output": "late"}, parts=[PNG_SAID])]
    assert losses == [
        "tool result z: field cache_control", "tool result z: opaque odd", "tool result z: order of words and files",
        "tool result z: field name", "tool result z: name of the function: no call has this id",
    ]  # fmt: skip


def test_arguments_that_are_no_object_are_declared() -> None:
    for arguments, lost in (("", 0), (" ", 0), ("[1]", 1), ("{broken", 1)):
        body, losses = written(ask_of(CHAT, ASKED, Message("assistant", (ToolCall("a", "f", arguments),))))
        assert body["contents"][1]["parts"] == [{"functionCall": {"id": "a", "name": "f", "args": {}}}]
        assert len(losses) == lost


def test_a_picture_beside_a_result_is_the_users() -> None:
    call = {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "f", "args": {}}}]}
    parts = [{"text": "before"}, response("a", "f", {"output": "one"}), PNG_SAID]
    ask = read(contents=[call, {"role": "user", "parts": parts}])
    assert ask.messages[1:] == (
        Message("user", (Text("before"),)),
        Message("tool", (ToolResult("a", (Text("one"),)),)),
        Message("user", (PNG,)),
    )


def test_fields_beside_what_is_known_come_back() -> None:
    call = {"functionCall": {"id": "a", "name": "f", "args": {}, "more": 1}, "partMetadata": {"x": 1}}
    result = response("a", "f2", {}, scheduling="SILENT", parts=[PNG_SAID | {"mediaResolution": {"level": "LOW"}}])
    contents = [
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result | {"partMetadata": {"y": 1}}]},
        {"role": "user", "parts": [PNG_SAID | {"videoMetadata": {"fps": 1}}, {"text": "x", "speechMetadata": {}}]},
    ]
    ask = read(contents=contents)
    assert written(ask) == ({"contents": contents}, [])
    lost = " | ".join(written_in(MESSAGES, ask)[1])
    for field in ("more", "partMetadata", "scheduling", "name", "mediaResolution", "videoMetadata", "speechMetadata"):
        assert f"field {field}" in lost


def test_files_by_url_say_their_type() -> None:
    files: tuple[Part, ...] = (
        Image(url="https://x.test/a.PNG?x=1"), Document(url="https://x.test/a.pdf", name="n"),
        Image(url="https://x.test/picture"), Image(url="data:image/gif;base64,QQ=="),
        Document(data="QQ==", media_type="application/pdf"),
    )  # fmt: skip
    body, losses = written(ask_of(CHAT, Message("user", files)))
    assert body["contents"][0]["parts"] == [
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.PNG?x=1"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.test/a.pdf"}},
        {"fileData": {"fileUri": "https://x.test/picture"}},
        {"inlineData": {"mimeType": "image/gif", "data": "QQ=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QQ=="}},
    ]
    assert losses == [
        "user: name of the document n",
        "user: media type of a file by url, without which Gemini may pass it over",
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"fileData": {"fileUri": "gs://bucket/a.png", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://youtu.be/x"}},
        {"inlineData": {"data": "QQ==", "mimeType": "audio/wav"}},
        {"inlineData": {"data": "QQ=="}},
        {"text": "x", "inlineData": {"data": "QQ==", "mimeType": "image/png"}},
        {"functionCall": {"name": "f", "partialArgs": [], "willContinue": True}},
        {"newData": 1},
    ],
)
def test_what_only_google_can_take_stays_opaque(part: dict[str, Any]) -> None:
    ask = read(contents=[{"parts": [part]}])
    assert ask.messages == (Message("user", (Opaque("gemini", part),)),)
    assert written(ask)[0]["contents"] == [{"role": "user", "parts": [part]}]
    held = "text, inlineData" if "text" in part else next(iter(part))
    assert f"user: opaque {held}" in written_in(MESSAGES, ask)[1]


def test_results_without_an_id_answer_calls_by_name_and_order() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"n": 1}}}, {"functionCall": {"name": "g"}},
                                    {"functionCall": {"name": "f", "args": {"n": 2}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"output": name}}}
                                   for name in ("g", "f", "f", "h")]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"parts": [{"functionResponse": {"name": "f", "response": {}}}]},
    ]  # fmt: skip
    ask = read(contents=contents)
    calls = [part for turn in ask.messages for part in turn.content if isinstance(part, ToolCall)]
    results = [part for turn in ask.messages for part in turn.content if isinstance(part, ToolResult)]
    assert len({call.id for call in calls}) == 4
    first, second, third, last = (call.id for call in calls)
    assert [result.id for result in results][:3] == [second, first, third]
    assert results[3].id not in {call.id for call in calls}
    assert results[4].id == last
    assert read(contents=contents) == ask
    assert [turn["parts"] for turn in written(ask)[0]["contents"]] == [
        [{"functionCall": {"args": {}} | part["functionCall"]} if "functionCall" in part else part
         for part in content["parts"]] for content in contents  # type: ignore[attr-defined]
    ]  # fmt: skip
    assert not any("field" in loss for loss in written_in(MESSAGES, ask)[1] if "name" not in loss)


def test_calls_without_an_id_from_elsewhere_have_none_here() -> None:
    turns = Message("assistant", (ToolCall("", "f", "{}"),)), Message("tool", (ToolResult("", (Text("x"),)),))
    body, losses = written(ask_of(CHAT, ASKED, *turns))
    assert [content["parts"] for content in body["contents"][1:]] == [
        [{"functionCall": {"name": "f", "args": {}}}],
        [{"functionResponse": {"name": "f", "response": {"output": "x"}}}],
    ]
    assert losses == []
    call, result = (part for turn in read(contents=body["contents"]).messages[1:] for part in turn.content)
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.id != ""


def test_the_result_of_a_call_without_an_id_has_none_either() -> None:
    """The caller knows the id that the reader made; the provider does not."""
    said = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}}], "responseId": "r"}
    reply = GEMINI.read_reply(json.dumps(said).encode())
    (call,) = reply.calls
    ask = ask_of("gemini", ASKED, Message("assistant", reply.content), Message("tool", (ToolResult(call.id, (PNG,)),)))
    body, losses = written(ask)
    assert "id" not in body["contents"][1]["parts"][0]["functionCall"]
    assert "id" not in body["contents"][2]["parts"][0]["functionResponse"]
    assert losses == []
    back = GEMINI.read_ask(json.dumps(body).encode(), PATH)
    assert back.messages[1].content[0].id == back.messages[2].content[0].id  # type: ignore[union-attr]


def test_the_url_safe_alphabet_of_googles_sdk_is_read_as_the_standard_one() -> None:
    ask = read(contents=[{"parts": [{"inlineData": {"mimeType": "image/png", "data": "QUJ-_w=="}}]}])
    assert ask.messages[0].content == (Image(data="QUJ+/w==", media_type="image/png"),)
