"""Pictures and files: `inlineData` and `fileData`, both ways."""

from collections.abc import Mapping
from typing import Any

from llm_canaries.wire import data_url, splice
from llm_canaries.wire.gemini.names import camel
from llm_canaries.wire.json import Object, fits, mapping, string
from llm_canaries.wire.loss import AROUND, Losses
from llm_canaries.wire.message import Document, Image

KEYS = ("inlineData", "fileData")

# Gemini passes over a file without a media type (protocols.md A4) and no other dialect says one beside a URL.
_SUFFIXES: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
}
_URL_SAFE = str.maketrans("-_", "+/")
_STORE = "https://generativelanguage.googleapis.com/"


def read_media(part: Object) -> Image | Document | None:
    """The picture or file that a part is; None for what no other dialect could take: sound, video, Google's storage."""
    key = next((key for key in KEYS if key in part), "")
    if not isinstance(part.get(key), dict):
        return None
    held = camel(part[key])
    if not fits(held, str, "mimeType", "data", "fileUri", "displayName"):
        return None
    data, url = _standard(held.pop("data", None)), held.pop("fileUri", None)
    if (data is None) == (url is None) or (url is not None and not _is_public(url)):
        return None
    said, guessed = held.pop("mimeType", None), _guess(url)
    kind, media = said or guessed or "", said if said != guessed else None
    around = {name: value for name, value in part.items() if name != key}
    if kind.startswith("image/"):
        return Image(data=data, media_type=media, url=url, extra=_extra(held, around))
    if kind.startswith(("application/", "text/")):
        name = held.pop("displayName", None)
        return Document(data=data, media_type=media, url=url, name=name, extra=_extra(held, around))
    return None


def _standard(data: str | None) -> str | None:
    """Base64 in the standard alphabet: Google's own SDK writes the URL-safe one, which no other dialect reads."""
    if data is None or ("-" not in data and "_" not in data):
        return data
    return data.translate(_URL_SAFE)


def write_media(part: Image | Document, where: str, losses: Losses) -> Object:
    """`part` as a part."""
    extra = losses.extra(where, part.extra)
    around = mapping(extra.pop(AROUND, None))
    if isinstance(part, Document) and part.name is not None:
        if losses.same:
            extra["displayName"] = part.name
        else:  # the Developer API refuses displayName as an unknown field
            losses.add(where, f"name of the document {part.name}")
    url, media, data = part.url, part.media_type, part.data
    if url is not None and (split := data_url.split(url)) is not None:
        url, media, data = None, *split
    if url is None:
        held = {"mimeType": media or "application/octet-stream", "data": splice.string("", data or "")}
        return {"inlineData": held | extra} | around
    media = media or _guess(url)
    if media is None and not losses.same:
        losses.add(where, "media type of a file by url, without which Gemini may pass it over")
    return {"fileData": ({"mimeType": media} if media else {}) | {"fileUri": url} | extra} | around


def _guess(url: str | None) -> str | None:
    """The media type that the end of a URL's path suggests."""
    path = string(url).partition("?")[0].partition("#")[0]
    return _SUFFIXES.get(path.rpartition(".")[2].lower())


def _is_public(url: str) -> bool:
    return url.startswith(("https://", "http://")) and not url.startswith(_STORE)


def _extra(held: Object, around: Object) -> Mapping[str, Any]:
    return held | ({AROUND: around} if around else {})
