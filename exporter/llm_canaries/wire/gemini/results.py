"""Results of tools: `functionResponse`, both ways. Its `response` must be an object (protocols.md A4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from llm_canaries.wire.gemini.calls import NO_ID, Calls
from llm_canaries.wire.gemini.media import KEYS, read_media, write_media
from llm_canaries.wire.gemini.names import NAME, camel
from llm_canaries.wire.json import Object, WireError, decode, encode_text, fits, mapping
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import Document, Image, Message, Opaque, Part, Refusal, Text, ToolCall, ToolResult


def read_result(said: Object, around: Object, calls: Calls) -> ToolResult | None:
    """The result that a functionResponse is, None where a field has another type."""
    held = camel(said)
    files = held.pop("parts", [])
    if not (fits(held, str, "id", "name") and fits(held, dict, "response") and isinstance(files, list)):
        return None
    if not all(isinstance(each, dict) for each in files):
        return None
    given, name = held.pop("id", ""), held.pop("name", "")
    texts, failed = _read_response(held.pop("response", {}))
    media = tuple(read_media(camel(each)) or Opaque(NAME, each) for each in files)
    id = calls.answered(given, name)
    extra: Object = held | ({} if given else dict(NO_ID)) | ({AROUND: around} if around else {})
    if calls.names.get(id) != name:
        extra["name"] = name
    return ToolResult(id, (*texts, *media), failed, extra)


def write_results(turn: Message, calls: Mapping[str, ToolCall], in_parts: bool, losses: Losses) -> Iterator[Object]:
    """A run of results as one content; files that cannot be `in_parts` stand beside a lone result, else after all."""
    alone = len(turn.content) == 1
    said: list[Object] = []
    after: list[Object] = []
    for result in turn.content:
        if not isinstance(result, ToolResult):
            losses.part("tool", result)
            continue
        where = f"tool result {result.id}"
        files = _files(result.content, where, losses)
        said.append(_write_result(result, calls.get(result.id), files if in_parts else [], losses))
        if not files or in_parts:
            continue
        if alone:
            losses.add(where, f"{len(files)} file(s) moved beside the result")
            said += files
        else:  # beside parallel results they are refused, and could be taken for another call's (protocols.md A4)
            losses.add(where, f"{len(files)} file(s) moved to a user content")
            name = calls[result.id].name if result.id in calls else ""
            after += [{"text": f"Returned by tool call {result.id} ({name}):" if name else f"{result.id}:"}, *files]
    if said:
        yield {"role": "user", "parts": said} | losses.extra("tool", turn.extra)
    if after:
        yield {"role": "user", "parts": after}


def _write_result(result: ToolResult, call: ToolCall | None, files: list[Object], losses: Losses) -> Object:
    """One functionResponse; it has an id only where its call is written with one, for they are bound by both."""
    where = f"tool result {result.id}"
    extra = losses.extra(where, result.extra)
    around = mapping(extra.pop(AROUND, None))
    name = extra.pop("name", call.name if call is not None else None)
    if name is None:
        losses.add(where, "name of the function: no call has this id")
        name = result.id
    texts = [part.text for part in result.content if isinstance(part, Text | Refusal)]
    nameless = losses.same and call is not None and call.extra.get("id", "") is None
    response = _write_response(texts, result.is_error is True)
    said: Object = {"id": None if nameless else result.id or None, "name": name, "response": response}
    if files:
        said["parts"] = files
    return {"functionResponse": camel(said | extra)} | around


def _files(content: Sequence[Part], where: str, losses: Losses) -> list[Object]:
    """What of `content` is not words, as parts; words before a picture come before it in any case."""
    files: list[Object] = []
    moved = False
    for part in content:
        match part:
            case Image() | Document():
                files.append(write_media(part, where, losses))
            case Opaque(dialect, block) if dialect == NAME and not camel(block).keys().isdisjoint(KEYS):
                files.append(dict(block))
            case Text(extra=extra) | Refusal(extra=extra):
                losses.extra(where, extra)
                if isinstance(part, Refusal):
                    losses.plain(where)
                moved = moved or bool(files)
            case _:
                losses.part(where, part)
    if moved:
        losses.add(where, "order of words and files")
    return files


def _read_response(said: Object) -> tuple[tuple[Text, ...], bool | None]:
    """The words of a response and whether it is an error; an object in nobody's words is its own JSON."""
    for key, failed in (("output", None), ("error", True)):
        if said.keys() == {key} and (texts := _texts(said[key])):
            return texts, failed
    failed = True if said.get("error") is not None else None
    return ((Text(encode_text(said)),) if said else ()), failed


def _texts(value: object) -> tuple[Text, ...]:
    if isinstance(value, str):
        return (Text(value),)
    if isinstance(value, list) and len(value) > 1 and all(isinstance(each, str) for each in value):
        return tuple(Text(each) for each in value)
    return ()


def _write_response(texts: list[str], failed: bool) -> Object | msgspec.Raw:
    """The object that reads as `texts` again: JSON objects stay objects, words go under Google's documented keys."""
    key = "error" if failed else "output"
    match texts:
        case []:
            return {key: ""} if failed else {}
        case [text]:
            return msgspec.Raw(text.encode()) if _is_object(text, failed) else {key: text}
        case _:
            return {key: texts}


def _is_object(text: str, failed: bool) -> bool:
    """Whether `text` is a JSON object that reads as itself when it is the whole response."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        value: Any = decode(text)
        whole = ((Text(encode_text(value)),), True if failed else None)
        return isinstance(value, dict) and bool(value) and _read_response(value) == whole
    except WireError:
        return False
