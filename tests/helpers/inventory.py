"""What an ask or answer holds, counted in its raw JSON without our readers: words, thoughts, calls, results, files.

`unknown` are the blocks that no two dialects share; each must be told as a loss when it is translated.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

SEAM = "\n\n"  # between the pieces of one reasoning item
PUBLIC = ("https://", "http://")
STORE = "https://generativelanguage.googleapis.com/"


class Call(NamedTuple):
    """A call; its arguments as sorted JSON."""

    id: str
    name: str
    arguments: str


class Held(Struct):
    """The inventory of one body."""

    words: str = ""
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def add(self, kind: str, value: Any) -> None:
        """One thing more."""
        if kind in ("words", "thoughts"):
            setattr(self, kind, getattr(self, kind) + value)
        else:
            setattr(self, kind, (*getattr(self, kind), value))


Found = Iterator[tuple[str, Any]]


def inventory(dialect: str, body: Mapping[str, Any]) -> Held:
    """What `body`, an ask or an answer of `dialect`, holds."""
    held = Held()
    for kind, value in _WALKS[dialect](body):
        held.add(kind, value)
    return held


def same_json(text: Any) -> str:
    """`text` as sorted JSON where it is JSON, numbers digit by digit; itself where it is not."""
    try:
        value = json.loads(text, parse_float=str) if isinstance(text, str) else text
    except ValueError:
        return str(text)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(text)


def _file(data: str) -> str:
    """The fingerprint of the bytes that base64 of either alphabet holds."""
    plain = data.replace("-", "+").replace("_", "/")
    return hashlib.sha256(base64.b64decode(plain + "=" * (-len(plain) % 4))).hexdigest()[:16]


def _url(url: str) -> str:
    head, comma, data = url.partition(",")
    return _file(data) if comma and head.startswith("data:") and head.endswith(";base64") else url


def _result(id: Any, parts: Found) -> Found:
    """A result with its words; files and unknown blocks inside it count with all others."""
    texts = []
    for kind, value in parts:
        if kind == "words":
            texts.append(value)
        else:
            yield kind, value
    yield "results", (id or "", same_json("".join(texts)) if len(texts) == 1 else "".join(texts))


def _chat(body: Mapping[str, Any]) -> Found:
    for message in body.get("messages") or [choice["message"] for choice in body.get("choices", [])[:1]]:
        if message["role"] == "tool":
            yield from _result(message.get("tool_call_id"), _chat_parts(message.get("content")))
        elif message["role"] in ("system", "developer", "user", "assistant"):
            yield from _chat_message(message)
        else:
            yield "unknown", message["role"]


def _chat_message(message: Mapping[str, Any]) -> Found:
    if thought := message.get("reasoning_content") or message.get("reasoning"):
        yield "thoughts", thought
    yield from _chat_parts(message.get("content"))
    if message.get("refusal"):
        yield "words", message["refusal"]
    for call in message.get("tool_calls") or []:
        function = call.get("function")
        if function is None:
            yield "unknown", call.get("type")
        else:
            yield "calls", Call(call.get("id") or "", function["name"], same_json(function.get("arguments") or "{}"))
    for note in message.get("annotations") or []:
        yield "unknown", note.get("type")


def _chat_parts(content: Any) -> Found:
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
        match part:
            case {"type": "text", "text": text} | {"type": "refusal", "refusal": text}:
                yield "words", text
            case {"type": "image_url", "image_url": {"url": url}} | {"type": "file", "file": {"file_data": url}}:
                yield "files", _url(url)
            case {"type": "thinking", "thinking": pieces}:
                yield "thoughts", "".join(piece["text"] for piece in pieces)
            case {"type": kind}:
                yield "unknown", kind


def _responses(body: Mapping[str, Any]) -> Found:
    asked, items = body.get("input"), body.get("output")
    if isinstance(instructions := body.get("instructions"), str) and items is None:
        yield "words", instructions
    if isinstance(asked, str):
        yield "words", asked
        return
    for item in asked or items or []:
        match item:
            case {"type": "function_call"}:
                yield "calls", Call(item["call_id"], item["name"], same_json(item["arguments"] or "{}"))
            case {"type": "function_call_output"}:
                yield from _result(item["call_id"], _responses_parts(item["output"]))
            case {"type": "reasoning"}:
                pieces = [*(item.get("summary") or []), *(item.get("content") or [])]
                yield "thoughts", SEAM.join(piece["text"] for piece in pieces)
            case {"role": _} if item.get("type", "message") == "message":
                yield from _responses_parts(item.get("content"))
            case _:
                yield "unknown", item["type"]


def _responses_parts(content: Any) -> Found:
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
        match part:
            case {"type": "input_text" | "output_text" | "text", "text": text} | {"type": "refusal", "refusal": text}:
                yield "words", text
                if part.get("annotations"):
                    yield "unknown", "annotations"
            case (
                {"type": "input_image", "image_url": str(url)}
                | {"type": "input_file", "file_data": str(url)}
                | {"type": "input_file", "file_url": str(url)}
            ):
                yield "files", _url(url)
            case {"type": kind}:
                yield "unknown", kind


def _messages(body: Mapping[str, Any]) -> Found:
    yield from _blocks(body.get("system"))
    if "messages" not in body:
        yield from _blocks(body.get("content"))
    for message in body.get("messages", []):
        yield from _blocks(message["content"])


def _blocks(content: Any) -> Found:
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
        match block:
            case {"type": "text", "text": text}:
                yield "words", text
            case {"type": "thinking", "thinking": text}:
                yield "thoughts", text
            case {"type": "redacted_thinking"}:
                pass
            case {"type": "tool_use"}:
                yield "calls", Call(block["id"], block["name"], same_json(block["input"]))
            case {"type": "tool_result"}:
                yield from _result(block["tool_use_id"], _blocks(block.get("content")))
            case {"type": "image" | "document", "source": {"type": "base64", "data": data}}:
                yield "files", _file(data)
            case {"type": "image" | "document", "source": {"type": "url", "url": url}}:
                yield "files", url
            case {"type": kind}:
                yield "unknown", kind


def _gemini(body: Mapping[str, Any]) -> Found:
    contents = [candidate.get("content", {}) for candidate in body.get("candidates", [])[:1]]
    answer = "contents" not in body
    for content in (body.get("systemInstruction") or {}, *(body.get("contents") or contents)):
        for part in content.get("parts") or []:
            yield from _gemini_part(part, answer)


def _gemini_part(part: Mapping[str, Any], answer: bool) -> Found:
    match {_camel(key): value for key, value in part.items() if value is not None}:
        case {"text": text}:
            yield ("thoughts" if part.get("thought") else "words"), text
        case {"functionCall": call}:
            yield "calls", Call(call.get("id") or "", call["name"], same_json(call.get("args", {})))
        case {"functionResponse": result} if not answer:
            response = result.get("response", {})
            said = next(iter(response.values())) if response.keys() in ({"output"}, {"error"}) else response
            texts = said if isinstance(said, list) and all(isinstance(each, str) for each in said) else [said]
            parts = [("words", each if isinstance(each, str) else json.dumps(response)) for each in texts]
            yield from _result(result.get("id"), iter(parts if response else []))
            for inner in result.get("parts", []):
                yield from _gemini_part(inner, answer)
        case {"inlineData": held} if not answer and _kind(held).startswith(("image/", "application/", "text/")):
            yield "files", _file(held["data"])
        case {"fileData": held} if not answer and _is_shared(held):
            yield "files", held.get("fileUri") or held.get("file_uri")
        case _:
            yield "unknown", next(iter(part), "nothing")


def _is_shared(held: Mapping[str, Any]) -> bool:
    """Whether a file is of a kind and at a place that other providers could read."""
    url = held.get("fileUri") or held.get("file_uri") or ""
    kind = _kind(held) or "image/"  # where none is said, the URL may tell
    return url.startswith(PUBLIC) and not url.startswith(STORE) and kind.startswith(("image/", "application/", "text/"))


def _kind(held: Mapping[str, Any]) -> str:
    said: str = held.get("mimeType") or held.get("mime_type") or ""
    return said


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(each.title() for each in others)


_WALKS: Mapping[str, Callable[[Mapping[str, Any]], Found]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic_messages": _messages,
    "gemini": _gemini,
}
