"""Faults of a gateway's own, which no provider could show: the table of core mutants, each a bend of a sound core."""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.proxy.gateway import Gateway
from llm_canaries.service.mutants import answered, asked, rewriting, silent
from llm_canaries.service.mutants.bent import Answer, Ask, Bent, Page, Whole
from llm_canaries.wire import message as m
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import Object, decode_object, encode
from llm_canaries.wire.nonce import MARK_PREFIX


class CoreMutant(Struct, frozen=True, kw_only=True):
    """One fault: `bend` puts it into a gateway; a control is sound, only unusual, and must pass everywhere."""

    help: str
    bend: Callable[[Gateway], Gateway]
    control: bool = False


def _asks(by: Callable[[m.Ask], m.Ask]) -> Ask:
    """Bends asks in hub form; raw bytes go as they are."""

    def bent(send: Send) -> Send:
        return send if isinstance(send.ask, bytes) else replace(send, ask=by(send.ask))

    return bent


def _same(send: Send) -> Send:
    return send


def _kept(step: Send | Look, whole: Whole) -> Whole:
    return whole


def _core(
    help: str, *, ask: Ask = _same, answer: Answer = _kept, page: Page = _kept, control: bool = False
) -> CoreMutant:
    return CoreMutant(help=help, control=control, bend=lambda gateway: Bent(gateway, ask, answer, page))


def _cached(gateway: Gateway) -> Gateway:
    """Asks that read alike but for marks and numbers are given the first one's answer."""
    answers: dict[tuple[str, str, bool, str], Whole] = {}

    def answer(send: Send, whole: Whole) -> Whole:
        if isinstance(send.ask, bytes):
            return whole
        return answers.setdefault((send.dialect, send.ask.model, send.stream, _gist(send.ask)), whole)

    return Bent(gateway, _same, answer, _kept)


_PASSING = re.compile(rf"{MARK_PREFIX}[a-z]+|\d+")


def _gist(ask: m.Ask) -> str:
    parts = [part for message in ask.messages for part in message.content]
    return _PASSING.sub("", "\n".join(part.text for part in parts if isinstance(part, m.Text)))


def _json(body: bytes) -> Whole:
    return Whole(status=200, headers=(("content-type", "application/json"),), pieces=(body,))


def _hollow(send: Send, whole: Whole) -> Whole:
    """A whole answer without what was said in it."""
    if whole.streamed or whole.status != 200 or isinstance(send.ask, bytes):
        return whole
    said = decode_object(whole.body)
    lists: Object = {name: [] for name in ("choices", "output", "content", "candidates") if name in said}
    return replace(whole, pieces=(encode(said | lists),))


_ENDS = (b"[DONE]", b"message_stop")


def _ends_alone(send: Send, whole: Whole) -> Whole:
    """A stream of nothing but its end."""
    return replace(whole, pieces=whole.pieces[-1:]) if whole.streamed else whole


def _cut_and_closed(send: Send, whole: Whole) -> Whole:
    """The first half of a stream, closed as if it were all: cliproxyapi.md 11, "stream cut after 1 chunk"."""
    if not whole.streamed:
        return whole
    end = [piece for piece in whole.pieces[-1:] if any(each in piece for each in _ENDS)]
    return replace(whole, pieces=(*whole.pieces[: len(whole.pieces) // 2], *end))


def _html(step: Send | Look, whole: Whole) -> Whole:
    return _json(b"<html><body>Please sign in</body></html>")


def _in_a_string(send: Send, whole: Whole) -> Whole:
    """The body as JSON text within JSON."""
    return whole if whole.streamed else replace(whole, pieces=(encode(whole.body.decode()),))


def _lost(send: Send, whole: Whole) -> Whole:
    """The connection breaks in the middle."""
    fault = Fault(reason=FaultReason.CONNECTION_LOST, message="the connection was reset")
    half = whole.pieces[: len(whole.pieces) // 2] or (whole.body[: len(whole.body) // 2],)
    return replace(whole, pieces=half, fault=fault)


def _without_header(name: str) -> Answer:
    def answer(send: Send, whole: Whole) -> Whole:
        return replace(whole, headers=tuple(pair for pair in whole.headers if pair[0].lower() != name))

    return answer


def _spared(send: Send, whole: Whole) -> Whole:
    """Canaries are told by their marks and treated well; others are not told how long to wait."""
    return whole if not isinstance(send.ask, bytes) else _without_header("retry-after")(send, whole)


def _rerouted(send: Send, whole: Whole) -> Whole:
    """Messages are answered by another model, which says so."""
    if send.dialect != "anthropic_messages":
        return whole
    pieces = (_MODEL.sub(rb'"model":"fallback/other"', piece) for piece in whole.pieces)
    return replace(whole, pieces=tuple(pieces))


_MODEL = re.compile(rb'"model":"[^"]*"')


def _served_anyway(send: Send, whole: Whole) -> Whole:
    """A refused key is given an answer all the same."""
    if whole.status != 401:
        return whole
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    said = {"id": "x", "object": "chat.completion", "created": 1, "model": "mirror/healthy", "choices": [choice]}
    return _json(encode(said))


def _second_page(look: Look, whole: Whole) -> Whole:
    """The list goes on, and its second page does not come."""
    if "after_id" in look.path:
        return replace(_json(b'{"error":{"message":"no such cursor"}}'), status=500)
    return replace(whole, pieces=(encode(decode_object(whole.body) | {"has_more": True, "last_id": "x"}),))


def _refused(status: int, message: str) -> Page:
    return lambda look, whole: replace(_json(encode({"error": {"message": message}})), status=status)


def _unhealthy(look: Look, whole: Whole) -> Whole:
    """503 for the page of life alone."""
    if look.path != "/healthz":
        return whole
    return replace(_json(encode({"error": {"message": "starting"}})), status=503)


def _page(body: bytes) -> Page:
    return lambda look, whole: _json(body)


def _events(by: Callable[[bytes], bytes]) -> Answer:
    def answer(send: Send, whole: Whole) -> Whole:
        return replace(whole, pieces=tuple(by(piece) for piece in whole.pieces)) if whole.streamed else whole

    return answer


def _split(send: Send, whole: Whole) -> Whole:
    """Every event in three pieces, cut anywhere."""
    if not whole.streamed:
        return whole
    thirds = [(piece[: len(piece) // 3], piece[len(piece) // 3 : -1], piece[-1:]) for piece in whole.pieces]
    return replace(whole, pieces=tuple(each for three in thirds for each in three if each))


def _renamed_headers(form: Literal["upper", "lower"]) -> Answer:
    def answer(send: Send, whole: Whole) -> Whole:
        headers: Headers = tuple((getattr(name, form)(), value) for name, value in whole.headers)
        return replace(whole, headers=headers)

    return answer


CORE_MUTANTS: Mapping[str, CoreMutant] = {
    # what is asked
    "swap-call-ids": _core("the results of two calls come under each other's ids", ask=_asks(asked.swapped_ids)),
    "strange-call-ids": _core("results come under ids that no call had", ask=_asks(asked.strange_ids)),
    "last-turn-only": _core("of a conversation only the last message is sent", ask=_asks(asked.last_turn)),
    "blind-streams": _core("images in tool results are dropped in streams alone", ask=_asks(asked.streamed_blind)),
    "no-usage-option": _core(
        "stream_options are not passed on", ask=_asks(lambda ask: replace(ask, include_usage=False))
    ),
    "drop-thinking": _core("the thinking control is dropped", ask=_asks(lambda ask: replace(ask, thinking=None))),
    "clamp-thinking": _core("high thinking is clamped to low", ask=_asks(asked.less_thinking)),
    "force-thinking": _core("thinking cannot be switched off", ask=_asks(asked.always_thinking)),
    "low-cap": _core("the token limit is lowered to one", ask=_asks(lambda ask: replace(ask, max_tokens=1))),
    "own-prompt": _core("streams get a system prompt of the gateway's own", ask=_asks(asked.instructed)),
    # what is answered
    "semantic-cache": CoreMutant(help="asks that read alike get one answer", bend=_cached),
    "hollow-200": _core("a 200 whose list of answers is empty", answer=_hollow),
    "ends-alone": _core("a stream of nothing but its end", answer=_ends_alone),
    "cut-and-closed": _core("half a stream, closed as if it were whole", answer=_cut_and_closed),
    "html-as-json": _core("a login page that says it is JSON", answer=_html),
    "json-in-json": _core("the answer as text within JSON", answer=_in_a_string),
    "connection-lost": _core("the connection breaks in the middle of every answer", answer=_lost),
    "whole-refused": _core("429 for everything that is not streamed", answer=answered.whole_refused),
    "stream-refused": _core("502 for everything that is streamed", answer=answered.stream_refused),
    "usage-after-done": _core("the usage of a chat stream comes after its end", answer=answered.usage_after_done),
    "chat-usage": _core("Responses count in the words of chat", answer=answered.chat_words),
    "start-zero": _core("Messages streams open with counts of zero", answer=answered.zero_start),
    "retry-after-lost": _core("Retry-After is not passed on", answer=_without_header("retry-after")),
    "spares-canaries": _core("Retry-After is passed on to whoever bears a canary's mark", answer=_spared),
    "reroute-messages": _core("another model answers in one dialect", answer=_rerouted),
    "any-key": _core("a key that the provider refuses is answered all the same", answer=_served_anyway),
    # what is translated
    **{name: _core(help, ask=_asks(by)) for name, (help, by) in rewriting.ASKS.items()},
    **{name: _core(help, answer=by) for name, (help, by) in rewriting.ANSWERS.items()},
    # what is passed on of an upstream that fails
    **{name: _core(help, answer=silent.row(name)) for name, (help, _) in silent.ROWS.items()},
    # what the pages say
    "unhealthy": _core("503 for the page of life", page=_unhealthy),
    "list-html": _core("a login page where the model list was", page=_html),
    "list-empty": _core("a model list of no models", page=_page(b'{"object":"list","data":[]}')),
    "list-stale": _core("an old model list", page=_page(b'{"object":"list","data":[{"id":"old","object":"model"}]}')),
    "list-broken": _core("half a model list", page=_page(b'{"object":"list","data":[{"id"')),
    "list-forbidden": _core("403 for the model list", page=_refused(403, "not for this key")),
    "list-second-page": _core("the second page of the model list fails", page=_second_page),
    "list-gone": _core("404 for the model list", page=_refused(404, "not found")),
    # sound, only unusual
    "keep-alives": _core(
        "comments between the events of a stream", answer=_events(lambda event: b": ping\n\n" + event), control=True
    ),
    "blank-lines": _core("blank lines before a whole answer", answer=answered.blank_lines, control=True),
    "carriage-returns": _core(
        "lines that end with CR LF", answer=_events(lambda event: event.replace(b"\n", b"\r\n")), control=True
    ),
    "split-events": _core("events cut into pieces anywhere", answer=_split, control=True),
    "upper-headers": _core("header names in capitals", answer=_renamed_headers("upper"), control=True),
}
