"""What stands inside the items of Responses, both ways, and the marks by which parts find back into items."""

from collections.abc import Mapping
from typing import Any

from llm_canaries.wire import data_url
from llm_canaries.wire.json import Object, WireError, decode, encode_text, fits, kind, want
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import Document, Extra, Image, Opaque, Part, Refusal, Text, Thought

NAME = "openai_responses"
CHAT = "openai_chat"  # its nearest kin: some fields bear the same name and meaning in both
ABOUT = "about"  # marks an Opaque that says more of the part before it: what a stream tells only at that part's end
PART = "content_part"  # marks an Opaque that stood inside an assistant message, not beside it
JOINED = "joined"  # with None, which is no loss: stands in the same message as the part before it
STRINGIFIED = "stringified"  # with None, which is no loss: a result whose parts came as JSON text
SEPARATOR = "\n\n"  # between the pieces of one reasoning item, where they are read as one text
_REDACTED = "redacted#"  # no base64 holds it; a thought sealed whole must come back as one
_MARKS = (AROUND, JOINED, STRINGIFIED)


def read_content(content: Any, where: str) -> tuple[Part, ...]:
    """The parts of what is not the model's: a string, an array of parts, or null. Raises WireError."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    want(isinstance(content, list), f"{where}: expected a string or an array, got {kind(content)}")
    return tuple(_read_part(part, where) for part in content)


def write_content(parts: tuple[Part, ...], where: str, losses: Losses) -> str | list[Object]:
    """`parts` as content: a plain string where that says it all, an empty array where nothing can be said."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(only := parts[0], Text) and not only.extra:
        return only.text
    return [said for part in parts if (said := _write_part(part, where, losses)) is not None]


def read_output(part: Any, mark: Object) -> tuple[Part, ...]:
    """One part of an assistant message with `mark`, and what else is said of it; what nobody knows stays opaque."""
    match part:
        case {"type": "output_text", "text": str(text)}:
            return Text(text, mark), *about_part(without(part, "type", "text"))
        case {"type": "refusal", "refusal": str(text)}:
            return Refusal(text, mark), *about_part(without(part, "type", "refusal"))
        case {"type": "input_text" | "text", "text": str(text)}:
            return (Text(text, without(part, "text") | mark),)
        case _:
            return (Opaque(NAME, {PART: part} | mark),)


def write_output(part: Text | Refusal, extra: Object, about: Extra) -> Object:
    """One part of an assistant message; official types want annotations, even where there are none."""
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text} | extra | dict(about)
    if "type" in extra:
        return {"text": part.text} | extra
    return {"type": "output_text", "text": part.text, "annotations": []} | extra | dict(about)


def about_part(said: Object) -> tuple[Opaque, ...]:
    """What `said` says of the part before it; nulls and empty arrays say nothing."""
    told = {key: value for key, value in said.items() if value is not None and value != []}
    return (Opaque(NAME, {ABOUT: told}),) if told else ()


def about_of(part: Part | None) -> Object | None:
    """What `part` says of the part before it, None where it stands for itself."""
    if isinstance(part, Opaque) and part.dialect == NAME and part.block.keys() == {ABOUT}:
        told = part.block[ABOUT]
        return told if isinstance(told, dict) else None
    return None


def inner_of(part: Opaque) -> object:
    """What stood inside an assistant message and the hub has no word for; None where `part` is an item."""
    return part.block.get(PART) if part.dialect == NAME and part.block.keys() <= {PART, *_MARKS} else None


def read_seal(said: str | None) -> tuple[str | None, str | None]:
    """The signature and the sealed form that an `encrypted_content` holds; one of no letters counts as none."""
    if said and said.startswith(_REDACTED):
        return None, said.removeprefix(_REDACTED)
    return said or None, None


def write_seal(thought: Thought, seal: str) -> str:
    """`seal` as an `encrypted_content` from which `read_seal` tells which of the two it is."""
    return seal if thought.redacted is None else _REDACTED + seal


def read_stringified(output: Any) -> list[Any] | None:
    """The parts that a result holds as JSON text, as Codex sends pictures; None for any other text (D1)."""
    if not isinstance(output, str) or '"input_' not in output or not output.lstrip().startswith("["):
        return None
    try:
        value = decode(output)
    except WireError:
        return None
    held = [each.get("type") for each in value if isinstance(each, dict)]
    pictured = "input_image" in held or "input_file" in held
    known = all(type in ("input_text", "input_image", "input_file") for type in held)
    return value if pictured and known and len(held) == len(value) else None


def write_result(content: tuple[Part, ...], extra: Extra, where: str, losses: Losses) -> str | list[Object]:
    """The `output` of a result, as JSON text where it came so."""
    said = write_content(content, where, losses)
    return encode_text(said) if losses.same and STRINGIFIED in extra and isinstance(said, list) else said or ""


def kin(extra: Extra, losses: Losses, where: str, *shared: str) -> Object:
    """`extra` in this dialect's words: `shared` fields mean the same in chat; marks are not said."""
    kept = {key: extra[key] for key in shared if key in extra and losses.source == CHAT}
    return unmarked(losses.extra(where, without(extra, *kept)) | kept)


def unmarked(extra: Extra) -> Object:
    """`extra` without the marks that only this dialect's writers read."""
    return without(extra, *_MARKS)


def without(said: Extra, *known: str) -> Object:
    """The fields of `said` that are not `known`."""
    return {key: value for key, value in said.items() if key not in known}


def around(extra: Extra) -> Object:
    """The fields of the message in which a part stood."""
    beside = extra.get(AROUND)
    return dict(beside) if isinstance(beside, Mapping) else {}


def _read_part(part: Any, where: str) -> Part:
    want(isinstance(part, dict), f"{where}: expected objects, got {kind(part)}")
    match part:
        case {"type": "input_text", "text": str(text)}:
            return Text(text, without(part, "type", "text"))
        case {"type": "output_text" | "text", "text": str(text)}:
            return Text(text, without(part, "text"))
        case {"type": "input_image", "image_url": str(url)}:
            extra = without(part, "type", "image_url", *(("detail",) if part.get("detail") == "auto" else ()))
            if (held := data_url.split(url)) is not None:
                return Image(data=held[1], media_type=held[0], extra=extra)
            return Image(url=url, extra=extra)
        case {"type": "input_file", "file_data": str(url)} if fits(part, str, "filename") and (
            held := data_url.split(url)
        ):
            extra = without(part, "type", "file_data", "filename")
            return Document(data=held[1], media_type=held[0], name=part.get("filename"), extra=extra)
        case {"type": "input_file", "file_url": str(url)} if fits(part, str, "filename") and not part.get("file_data"):
            return Document(url=url, name=part.get("filename"), extra=without(part, "type", "file_url", "filename"))
        case _:
            return Opaque(NAME, part)


def _write_part(part: Part, where: str, losses: Losses) -> Object | None:
    match part:
        case Text(text, extra) | Refusal(text, extra):
            if isinstance(part, Refusal):
                losses.plain(where)
            return {"type": "input_text", "text": text} | unmarked(losses.extra(where, extra))
        case Image(extra=extra):
            said: Object = {"type": "input_image", "image_url": data_url.spliced(part), "detail": "auto"}
            return said | kin(extra, losses, where, "detail")
        case Document():
            return _write_document(part, where, losses)
        case Opaque(dialect, block) if dialect == NAME:
            return dict(block)
        case _:
            losses.part(where, part)
            return None


def _write_document(part: Document, where: str, losses: Losses) -> Object:
    """A file by its URL must have no name beside it: the API refuses both (0xPlaygrounds/rig#2166)."""
    extra = losses.extra(where, part.extra)
    named = {} if part.name is None else {"filename": part.name}
    if part.url is not None and data_url.split(part.url) is None:
        if named and not losses.same:
            losses.add(where, "name of a document by URL")
            named = {}
        return {"type": "input_file", "file_url": part.url} | named | extra
    if not named and not losses.same:
        named = {"filename": "document"}
    return {"type": "input_file", "file_data": data_url.spliced(part)} | named | extra
