"""Faults of an upstream as CLIProxyAPI's clients saw them, row by row: the silent-failure matrix (cliproxyapi.md 11).

A row says what becomes of each sound answer, by the client's dialect and whether it streams; what the matrix does not
show stays as it is. Its row of an answer that is cut by its limit is the mutant `low-cap`.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from llm_canaries.service.mutants.bent import Answer, Whole
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.json import Object, decode_object, encode

Bend = Callable[[Whole], Whole]
Cell = tuple[str, bool]
CHAT, RESPONSES, MESSAGES = "openai_chat", "openai_responses", "anthropic_messages"
_JSON = (("content-type", "application/json"),)
_HTML = b"\n<html><body>Sign in</body></html>"
_DONE, _STOP = b"data: [DONE]\n\n", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_ERROR: Object = {"error": {"message": "boom", "type": "server_error", "code": "internal_server_error"}}
_TOLD: Mapping[str, bytes] = {  # an error in a stream, in each dialect's own words
    CHAT: b"data: %s\n\n" % encode(_ERROR),
    RESPONSES: b"event: error\ndata: %s\n\n"
    % encode({"type": "error", "code": "request_timeout", "message": "stream closed", "sequence_number": 0}),
    MESSAGES: b"event: error\ndata: %s\n\n"
    % encode({"type": "error", "error": {"type": "api_error", "message": "stream closed"}}),
}


def _body(body: bytes, status: int = 200) -> Bend:
    return lambda whole: Whole(status=status, headers=_JSON, pieces=(body,))


def _refused(status: int, message: str, code: str = "", type: str = "server_error") -> Bend:
    return _body(encode({"error": {"message": message, "type": type, "code": code or None}}), status)


def _with(**fields: object) -> Bend:
    """The body with other values; the ellipsis leaves one out."""

    def bent(whole: Whole) -> Whole:
        said = {name: value for name, value in (decode_object(whole.body) | fields).items() if value is not ...}
        return replace(whole, pieces=(encode(said),))

    return bent


def _half(*end: bytes) -> Bend:
    """The first half of a stream, and then `end`."""
    return lambda whole: replace(whole, pieces=(*whole.pieces[: len(whole.pieces) // 2], *end))


def _alone(end: bytes) -> Bend:
    return lambda whole: replace(whole, pieces=(end,))


_EMPTY_STREAM = _refused(500, "empty_stream: upstream stream closed before first payload", "internal_server_error")
_CUT = _refused(500, "unexpected EOF", "internal_server_error")
_COOLING = _refused(503, "auth_unavailable: no auth available (providers=codex, model=m)", "auth_unavailable")
_TIMED_OUT = _refused(408, "stream disconnected before completion", type="invalid_request_error")
_COMPLETED = _with(status="completed", output=..., usage=...)

ROWS: Mapping[str, tuple[str, Mapping[Cell, Bend]]] = {
    "silent-html": (
        "an upstream's login page, as a gateway that takes it for an answer passes it on",
        {
            (CHAT, False): _body(_HTML),
            (CHAT, True): _EMPTY_STREAM,
            (RESPONSES, False): _COMPLETED,
            (RESPONSES, True): _EMPTY_STREAM,
            (MESSAGES, True): _alone(_STOP),
        },
    ),
    "silent-error": (
        "an upstream's error under 200, passed on by one dialect and refused by the others",
        {
            (CHAT, False): _body(encode(_ERROR)),
            (CHAT, True): _refused(502, "boom", "internal_server_error"),
            (RESPONSES, False): _COOLING,
            (RESPONSES, True): _COOLING,
            (MESSAGES, True): _COOLING,
        },
    ),
    "silent-error-midway": (
        "an upstream's error in mid-stream, told by one dialect and hidden by the others",
        {
            (CHAT, False): _body(encode(_ERROR)),
            (CHAT, True): _half(_TOLD[CHAT], _DONE),
            (RESPONSES, False): _COMPLETED,
            (RESPONSES, True): _half(),
            (MESSAGES, True): _half(_STOP),
        },
    ),
    "silent-cut": (
        "an upstream's stream that is cut, ended in each dialect's own way",
        {
            (CHAT, False): _CUT,
            (CHAT, True): _half(_DONE),
            (RESPONSES, False): _CUT,
            (RESPONSES, True): _half(),
            (MESSAGES, True): _half(_STOP),
        },
    ),
    "silent-empty": (
        "an upstream's empty 200, made into an answer with nothing in it",
        {
            (CHAT, False): _with(choices=[]),
            (CHAT, True): _EMPTY_STREAM,
            (RESPONSES, False): _with(status="completed", output=[], usage=None),
            (RESPONSES, True): _EMPTY_STREAM,
            (MESSAGES, True): _alone(_STOP),
        },
    ),
    "silent-cooldown": (
        "a codex failure or an overloaded Claude: one 502, and then the credential is set aside for everybody",
        {
            (CHAT, False): _refused(502, "upstream failed", "internal_server_error"),
            (CHAT, True): _COOLING,
            (RESPONSES, False): _COOLING,
            (RESPONSES, True): _COOLING,
            (MESSAGES, False): _COOLING,
            (MESSAGES, True): _COOLING,
        },
    ),
    "silent-codex-cut": (
        "a codex stream that is cut: 408, or a 200 that turns into an error",
        {
            (CHAT, False): _TIMED_OUT,
            (CHAT, True): _half(_TOLD[CHAT]),
            (RESPONSES, False): _TIMED_OUT,
            (RESPONSES, True): _half(_TOLD[RESPONSES]),
            (MESSAGES, True): _half(_TOLD[MESSAGES]),
        },
    ),
}  # fmt: skip


def row(name: str) -> Answer:
    """What the row makes of answers; refusals, and what people send as bytes, pass as they are."""
    cells = ROWS[name][1]

    def answer(send: Send, whole: Whole) -> Whole:
        bend = cells.get((send.dialect, whole.streamed))
        sound = whole.status == 200 and not isinstance(send.ask, bytes)
        return bend(whole) if bend is not None and sound else whole

    return answer
