"""Evidence as bytes: compressed JSON; a quarter of it is left, a seventh of a stream."""

import zlib

import msgspec

from llm_canaries.canary.evidence.value import Evidence

MOST_UNPACKED = 64 * 1024 * 1024  # bytes; what is larger was not packed here

_DECODER = msgspec.json.Decoder(Evidence)


class Unreadable(Exception):
    """Stored bytes that are no evidence, or not of this version; the text says why."""


def pack(evidence: Evidence) -> bytes:
    """`evidence` as it is stored."""
    return zlib.compress(msgspec.json.encode(evidence))


def unpack(data: bytes) -> Evidence:
    """The evidence that was packed. Raises Unreadable."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MOST_UNPACKED)
    except zlib.error as error:
        raise Unreadable(f"not what was stored: {error}") from None
    if not unpacker.eof:
        raise Unreadable("not whole")
    return read_json(text)


def read_json(text: bytes) -> Evidence:
    """The evidence that JSON says. Raises Unreadable."""
    try:
        evidence = _DECODER.decode(text)
        for each in (evidence, *(twin.run for twin in evidence.twins)):
            for answer in each.answers:
                _ = answer.body.data
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as error:
        raise Unreadable(f"not evidence of this version: {error}") from None
    return evidence
