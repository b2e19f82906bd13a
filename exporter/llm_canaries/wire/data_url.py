"""`data:` URLs with base64, as chat keeps its images and files."""

from llm_canaries.wire import splice
from llm_canaries.wire.message import Document, Image


def split(url: str) -> tuple[str, str] | None:
    """(media type, base64) of a base64 data URL, None for any other URL."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    return head[5:-7].partition(";")[0], data


def join(part: Image | Document) -> str:
    """The URL of `part`: its own, or a data URL of what it holds."""
    return part.url if part.url is not None else _head(part) + (part.data or "")


def spliced(part: Image | Document) -> str | splice.Large:
    """`join(part)` for an encoder, which does not look into large ones (splice.string)."""
    return part.url if part.url is not None else splice.string(_head(part), part.data or "")


def _head(part: Image | Document) -> str:
    return f"data:{part.media_type or 'application/octet-stream'};base64,"
