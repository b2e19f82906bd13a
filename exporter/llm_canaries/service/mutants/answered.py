"""Faults of a gateway in what it answers: one way of answering refused, counts at the wrong place or in other words."""

import re

from msgspec.structs import replace

from llm_canaries.service.mutants.bent import Whole
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.json import encode

_JSON = (("content-type", "application/json"),)


def whole_refused(send: Send, whole: Whole) -> Whole:
    """429 for whatever is not streamed (protocols.md B5, `mode_broken`)."""
    if send.stream or isinstance(send.ask, bytes):
        return whole
    error = {"error": {"message": "Rate limit reached", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    return Whole(status=429, headers=_JSON, pieces=(encode(error),))


def stream_refused(send: Send, whole: Whole) -> Whole:
    """502 for whatever is streamed (protocols.md B5, `mode_broken`)."""
    if not send.stream or isinstance(send.ask, bytes):
        return whole
    error = {"error": {"message": "upstream stream failed", "type": "server_error", "code": None}}
    return Whole(status=502, headers=_JSON, pieces=(encode(error),))


def usage_after_done(send: Send, whole: Whole) -> Whole:
    """The usage of a chat stream comes after its end (B5)."""
    if not whole.streamed or send.dialect != "openai_chat":
        return whole
    *before, usage, done = whole.pieces
    return replace(whole, pieces=(*before, done, usage))


def chat_words(send: Send, whole: Whole) -> Whole:
    """Responses with usage in the words of chat (B5, `format_leak`)."""
    if send.dialect != "openai_responses":
        return whole
    return replace(whole, pieces=tuple(_RESPONSES_COUNT.sub(_in_chat, piece) for piece in whole.pieces))


_RESPONSES_COUNT = re.compile(rb'"(input|output)_tokens(_details)?"')


def _in_chat(found: re.Match[bytes]) -> bytes:
    return b'"%s_tokens%s"' % (b"prompt" if found[1] == b"input" else b"completion", found[2] or b"")


def zero_start(send: Send, whole: Whole) -> Whole:
    """Messages streams open with counts of zero, and end with the right ones (B5, `start_zero`)."""
    if not whole.streamed or send.dialect != "anthropic_messages":
        return whole
    opening, *others = whole.pieces
    return replace(whole, pieces=(_COUNT.sub(rb'"\1":0', opening), *others))


_COUNT = re.compile(rb'"((?:input|output)_tokens)":\d+')


def blank_lines(send: Send, whole: Whole) -> Whole:
    """Blank lines keep a whole answer's connection alive until it comes (cliproxyapi.md, `nonstream-keepalive`)."""
    return whole if whole.streamed else replace(whole, pieces=(b"\n", b"\n", *whole.pieces))
