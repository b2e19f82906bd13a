"""Reads what came back for an ask: reply, events, fault, objections; a 200 proves nothing (cliproxyapi.md 11)."""

from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import is_html, read_envelope
from llm_canaries.wire.event import Broken, Delta, End, Event, Finished, Liveness, OpaquePart, PartStart, fold
from llm_canaries.wire.exchange import Attempt, Exchange, Look, Loss, Page, Reasoning, Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.headers import Headers, header
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Reply, Text, Thinking
from llm_canaries.wire.quota_reading import read_quota
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.thinking import requested


class Received(Struct, frozen=True, kw_only=True):
    """What a transport brought: the body as it came, and why it broke off if it did."""

    sent: bytes
    status: int | None
    headers: Headers = ()
    body: bytes = b""
    cut: bool = False
    arrivals: tuple[tuple[float, int], ...] = ()
    duration: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    losses: tuple[Loss, ...] = ()
    translated: Thinking | None = None
    fault: Fault | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """What the body says."""

    reply: Reply | None = None
    events: tuple[Event, ...] = ()
    fault: Fault | None = None
    first_content: float | None = None


def read_answer(send: Send, got: Received, now: float) -> Exchange:
    """The Exchange of `send` and what came back; `now` is Unix time."""
    reading = _read(send, got, now)
    return Exchange(
        send=send,
        sent=got.sent,
        status=got.status,
        headers=got.headers,
        body=got.body,
        cut=got.cut,
        arrivals=got.arrivals,
        duration=got.duration,
        first_content=reading.first_content,
        reply=reading.reply,
        events=reading.events,
        objections=_irregular(send, got, reading),
        fault=reading.fault,
        quota=read_quota(got.headers, now, got.body if (got.status or 0) >= 400 else b""),
        attempts=got.attempts,
        losses=got.losses,
        thinking=_reasoning(send, got, reading.reply),
        broke=got.fault,
        at=now,
    )


def read_page(look: Look, got: Received, now: float) -> Page:
    """The Page that came for `look`; `fault` is set where it is not the page that was asked for."""
    fault, status = got.fault, got.status
    if fault is None and status is not None and status >= 400:
        fault = read_fault(status, got.headers, got.body, now)
    elif fault is None and status is not None and status >= 300:
        fault = Fault(reason=FaultReason.NO_ROUTE, status=status, message="redirects elsewhere")
    elif fault is None and is_html(got.body):
        fault = Fault(reason=FaultReason.HTML, status=status, message="an HTML page instead of the API")
    return Page(
        look=look,
        status=status,
        headers=got.headers,
        body=got.body,
        fault=fault,
        duration=got.duration,
        broke=got.fault,
        at=now,
    )


def objections(events: Sequence[Event]) -> tuple[str, ...]:
    """What is irregular about a stream that nonetheless answered: no end said, or something said after it."""
    said = [event for event in events if not isinstance(event, Liveness)]
    ends = [at for at, event in enumerate(said) if isinstance(event, End)]
    found = []
    if any(isinstance(event, Finished) for event in said) and not ends:
        found.append("no_end")
    if ends and ends[0] != len(said) - 1:
        found.append("event_after_end")
    return tuple(found)


def _irregular(send: Send, got: Received, reading: Reading) -> tuple[str, ...]:
    """What is irregular about an answer: its order, its letters, ids that name two calls, counts that are none."""
    found = list(objections(reading.events)) if send.stream else []
    reply = reading.reply
    if send.stream and reading.events and not got.cut and not _is_utf8(got.body):
        found.append("not_utf8")  # a whole answer with such bytes is no JSON
    ids = [call.id for call in reply.calls if call.id] if reply is not None else []
    if len(set(ids)) != len(ids):
        found.append("duplicate_tool_id")
    if reply is not None and reply.usage is not None and reply.usage.broken:
        found.append("invalid_usage")
    return tuple(found)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _reasoning(send: Send, got: Received, reply: Reply | None) -> Reasoning:
    """What became of the reasoning asked for; of raw bytes nothing is known to have been asked."""
    asked = None if isinstance(send.ask, bytes) else requested(send.ask)
    return Reasoning(requested=asked, translated=got.translated, applied=reply.effort if reply else None)


def _read(send: Send, got: Received, now: float) -> Reading:
    if got.status is None or (got.fault is not None and not (send.stream and _is_sse(got))):
        return Reading(fault=got.fault)
    if got.status >= 300:
        return Reading(fault=_refused(send, got, now))
    if not got.body.strip():
        return Reading(fault=got.fault or _fault(got, FaultReason.EMPTY_BODY, "an empty body"))
    if is_html(got.body):
        return Reading(fault=_fault(got, FaultReason.HTML, "an HTML page instead of an answer"))
    if _is_sse(got):
        return _read_sse(send, got)
    if read_envelope(got.body, now) is not None:
        return Reading(fault=read_fault(got.status, got.headers, got.body, now, business=send.profile.business_errors))
    return _read_whole(send, got)


def _refused(send: Send, got: Received, now: float) -> Fault:
    status = got.status or 0
    if status < 400:
        target = (header(got.headers, "location") or "nowhere").partition("?")[0]
        return _fault(got, FaultReason.NO_ROUTE, f"redirects to {target}")
    return read_fault(status, got.headers, got.body, now, business=send.profile.business_errors)


def _read_whole(send: Send, got: Received) -> Reading:
    try:
        reply = DIALECTS[send.dialect].read_reply(got.body)
    except WireError as error:
        return Reading(fault=_fault(got, FaultReason.MALFORMED_BODY, str(error)))
    if send.stream:
        message = "one JSON body, where a stream was asked for"
        return Reading(reply=reply, fault=_fault(got, FaultReason.NOT_A_STREAM, message))
    first = got.arrivals[0][0] if got.arrivals else None
    return Reading(reply=reply, first_content=first, fault=_empty(got, reply))


def _read_sse(send: Send, got: Received) -> Reading:
    if not send.stream:
        message = "a stream, where one JSON body was asked for"
        return Reading(fault=_fault(got, FaultReason.UNEXPECTED_STREAM, message))
    try:
        events, first = _events(send.dialect, got)
    except WireError as error:
        return Reading(fault=_fault(got, FaultReason.MALFORMED_BODY, str(error)))
    reply = fold(send.dialect, events)
    return Reading(
        reply=reply, events=tuple(events), first_content=first, fault=_stream_fault(got, events, reply)
    )


def _stream_fault(got: Received, events: Sequence[Event], reply: Reply | None) -> Fault | None:
    for event in events:
        if isinstance(event, Broken):
            return event.fault
    whole = any(isinstance(event, Finished) for event in events)
    if got.fault is not None:
        lost = got.fault.reason is FaultReason.CONNECTION_LOST
        return _fault(got, FaultReason.TRUNCATED_STREAM, got.fault.message) if lost and not whole else got.fault
    if reply is None:
        return _fault(got, FaultReason.EMPTY_BODY, "a stream without an answer")
    if not whole:
        return _fault(got, FaultReason.TRUNCATED_STREAM, "the stream ended before the answer did")
    return _empty(got, reply)


def _empty(got: Received, reply: Reply) -> Fault | None:
    """A 200 that says nothing; one that was cut by a limit or a filter has said why."""
    if any(part != Text("") for part in reply.content) or reply.finish in (Finish.LENGTH, Finish.FILTER):
        return None
    return _fault(got, FaultReason.EMPTY_ANSWER, "an answer without any content")


def _events(dialect: str, got: Received) -> tuple[list[Event], float | None]:
    """The events, and when the first of content arrived: chunk by chunk, as they came."""
    decoder, reader = Decoder(), DIALECTS[dialect].reader()
    events: list[Event] = []
    first, start = None, 0
    for moment, end in got.arrivals:
        fresh = [event for frame in decoder.feed(got.body[start:end]) for event in reader.feed(frame)]
        events += fresh
        start = end
        if first is None and any(isinstance(event, Delta | OpaquePart | PartStart) for event in fresh):
            first = moment
    for frame in decoder.feed(got.body[start:]):
        events += reader.feed(frame)
    with suppress(WireError):  # a last frame without its end was cut; what cut it is the fault
        for frame in decoder.close():
            events += reader.feed(frame)
    events += reader.close()
    return events, first


def _is_sse(got: Received) -> bool:
    """By its content type, or, where that lies, by its first line."""
    kind = header(got.headers, "content-type") or ""
    return "event-stream" in kind or got.body.lstrip()[:6] in (b"data: ", b"event:")


def _fault(got: Received, reason: FaultReason, message: str) -> Fault:
    return Fault(reason=reason, status=got.status, message=message)
