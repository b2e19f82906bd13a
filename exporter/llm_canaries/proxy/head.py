"""The head of an HTTP message as bytes."""

from collections.abc import Mapping

JOINED = 64 * 1024  # bytes of a body up to which it is copied, to leave in one piece with its head


def head(first: str, fields: Mapping[str, str]) -> bytes:
    """The first line and the fields. Raises ValueError where one of them would be two."""
    text = "\r\n".join([first, *[f"{name}: {value}" for name, value in fields.items()], "", ""])
    ends = len(fields) + 2
    if text.count("\n") != ends or text.count("\r") != ends or "\0" in text:
        raise ValueError("a line end in a header")
    return text.encode("utf-8", "surrogateescape")  # as it was read
