"""A reply on its way out: one JSON body, or the frames of a stream, bent where a fault model bends them."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from llm_canaries.mirror.frames import split
from llm_canaries.mirror.misbehaviour import Misbehaviour, Service
from llm_canaries.wire.event import Broken, Delta, Event, Head, UsageSeen, unfold
from llm_canaries.wire.exchange import Dialect
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError, decode_object, encode
from llm_canaries.wire.message import Reply
from llm_canaries.wire.script import Script
from llm_canaries.wire.sse import Decoder, encode_frame

_PIECE = 4  # characters of one delta
_OVERLOADED = Fault(reason=FaultReason.OVERLOADED, message="Overloaded", code="overloaded_error")


def whole_body(dialect: Dialect, reply: Reply, row: Misbehaviour | None = None) -> bytes:
    """`reply` as one body."""
    body = dialect.write_reply(replace(reply, dialect=dialect.name)).body
    return encode(row.body(decode_object(body), False)) if row is not None and row.body is not None else body


def scripted_frames(dialect: Dialect, script: Script, *, usage: bool) -> list[bytes]:
    """The reply of `script` as the frames of a stream, ended early where it says so."""
    assert script.reply is not None
    events: Sequence[Event] = list(_events(replace(script.reply, dialect="mirror")))
    if not usage:
        events = [event for event in events if not isinstance(event, UsageSeen)]
    if script.after is not None:
        events = [*events[: script.after], *([Broken(script.fault)] if script.fault is not None else [])]
    head = events[0] if events else None
    if not isinstance(head, Head):
        return []
    writer = dialect.writer(replace(head, dialect=dialect.name))
    return _lines(dialect, [frame for event in events if (frame := writer.feed(event))])


def answer_frames(dialect: Dialect, reply: Reply, row: Misbehaviour, *, usage: bool) -> list[bytes]:
    """`reply` as the frames of a stream; without `usage` a chat stream says none."""
    events: Sequence[Event] = list(_events(reply))
    if not usage:
        events = [event for event in events if not isinstance(event, UsageSeen)]
    if row.stream is not None:
        events = row.stream(events)
    if row.service is Service.STREAM_ERROR:
        events = [*events[: len(events) // 2], Broken(_OVERLOADED)]
    head = events[0]
    assert isinstance(head, Head)
    writer = dialect.writer(replace(head, dialect=dialect.name))
    written = [frame for event in events if (frame := writer.feed(event))]
    bent = [_bent(frame, row) for frame in written] if row.body is not None else written
    return _lines(dialect, list(row.frames(split(b"".join(bent)))) if row.frames is not None else bent)


def _lines(dialect: Dialect, frames: list[bytes]) -> list[bytes]:
    """The frames with lines that end as the provider's own: Google's in CRLF (recordings), which Portkey needs."""
    return [frame.replace(b"\n", b"\r\n") for frame in frames] if dialect.name == "gemini" else frames


def _events(reply: Reply) -> Iterator[Event]:
    """The reply word by word, with the input counted at once as Messages does."""
    for event in unfold(reply):
        if isinstance(event, Delta):
            for at in range(0, len(event.text), _PIECE):
                yield Delta(event.index, event.text[at : at + _PIECE])
            continue
        yield event
        if isinstance(event, Head) and reply.usage is not None and reply.dialect == "mirror":
            first = min(1, reply.usage.output or 0)
            yield UsageSeen(type(reply.usage)(input=reply.usage.input, output=first))


def _bent(frame: bytes, row: Misbehaviour) -> bytes:
    out = b""
    for each in Decoder().feed(frame):
        try:
            said = decode_object(each.data)
        except WireError:
            out += encode_frame(each.data, each.event)
            continue
        out += encode_frame(encode(row.body(said, True) if row.body is not None else said), each.event)
    return out
