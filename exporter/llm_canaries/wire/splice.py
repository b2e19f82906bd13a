"""Large strings in JSON (images, above all) that are the same inside JSON and out: taken out and put in whole.

A JSON parser or writer looks at every byte of a string. A search for a quote and a backslash and the least of all
bytes tell six times as fast that a string is plain: printable ASCII without either.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from llm_canaries.wire.digits import Digits, number

LARGE = 64 * 1024  # bytes; a smaller string is not worth the look
_STEP = LARGE // 2
_SEEN_FREED = 8 * 1024 * 1024  # bytes
_AFTER_A_STRING = frozenset(b" \t\r\n,:]}")
HOLE = msgspec.Raw(b"\0")
"""A place in JSON for what comes later: no JSON holds this byte."""
_DECODER = msgspec.json.Decoder(float_hook=number)
_ENCODER = msgspec.json.Encoder()


def decode(body: bytes) -> Any:
    """The JSON value of `body`, the very same that msgspec makes of it with `number`. Raises what msgspec raises."""
    found = _plain_strings(body)
    if not found:
        return _DECODER.decode(body)
    pieces: list[bytes] = []
    texts: dict[str, str] = {}
    last = 0
    for start, end in found:  # a number that stands where the string stood is not looked into
        literal = f"{len(texts)}.7e-4242"
        texts[literal] = str(memoryview(body)[start:end], "ascii")
        pieces += (body[last : start - 1], literal.encode())
        last = end + 1
    asked = []

    def put_back(literal: str) -> Any:
        if literal not in texts:
            return number(literal)
        asked.append(literal)
        return texts[literal]

    try:
        value = msgspec.json.Decoder(float_hook=put_back).decode(b"".join((*pieces, body[last:])))
    except (msgspec.DecodeError, UnicodeError):  # wrong somewhere, or such a string is a key: it is told of the body
        return _DECODER.decode(body)
    # one asked for twice is a number of the body that happens to look the same
    return value if len(asked) == len(texts) else _DECODER.decode(body)


class Large:
    """A string for `encode`: `head`, then `body`, which is plain; no Struct, which msgspec would write as an object."""

    __slots__ = ("body", "head")

    def __init__(self, head: str, body: bytes) -> None:
        self.head = head
        self.body = body


def string(head: str, data: str) -> str | Large:
    """The string `head + data` for `encode`, whether large or not."""
    if len(data) >= LARGE and data.isascii():
        raw = data.encode()
        if raw.find(b'"') < 0 and _is_plain(raw, 0, len(raw)):
            return Large(head, raw)
    return head + data


def encode(value: object) -> bytes:
    """`value`, which may hold Large and Digits, as compact JSON. Raises what msgspec raises."""
    large: list[Large] = []

    def put_off(found: object) -> msgspec.Raw:
        if isinstance(found, Digits):
            return msgspec.Raw(found.literal.encode())
        if not isinstance(found, Large):
            raise TypeError(f"not JSON: {type(found).__name__}")
        large.append(found)
        return HOLE

    around = msgspec.json.Encoder(enc_hook=put_off).encode(value).split(bytes(HOLE))
    pieces = [around[0]]
    for found, after in zip(large, around[1:], strict=True):
        pieces += (_ENCODER.encode(found.head)[:-1], found.body, b'"', after)
    return b"".join(pieces)


def _plain_strings(body: bytes) -> list[tuple[int, int]]:
    """Where the contents of the large plain strings are; one that looks like more than a whole string is left out."""
    found = []
    at = _STEP
    while at < len(body) and (end := body.find(b'"', at)) >= 0:
        if end - at >= _STEP:  # else no string that is large spans `at`
            start = body.rfind(b'"', 0, at) + 1
            if start and _is_opening(body, start) and end - start >= LARGE and _is_plain(body, start, end):
                found.append((start, end))
        at = end + _STEP
    return found


def _is_opening(body: bytes, start: int) -> bool:
    """Whether the quote before `start` opens a string, in a body that is JSON: it is not escaped, and closes none."""
    return body[start] not in _AFTER_A_STRING and body[start - 2 : start - 1] != b"\\"


def _is_plain(body: bytes, start: int, end: int) -> bool:
    """Whether all of these bytes, none of which is a quote, are printable ASCII without a backslash."""
    return body.find(b"\\", start, end) < 0 and _least()(body, start, end) >= 0x20


@cache
def _least() -> Callable[[bytes, int, int], int]:
    """The least of some bytes as signed numbers, where those that are not ASCII are negative.

    What makes large strings fast is made ready when the first one comes: most programs never see one.
    """
    import numpy as np  # a tenth of a second

    # glibc gives freed memory back beyond twice the largest block it has seen freed; taking it again costs more
    # than all that is done with the string
    bytes(_SEEN_FREED)
    return lambda body, start, end: int(np.frombuffer(body, np.int8, end - start, start).min())
