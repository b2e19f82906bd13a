"""One ask and its answer between a client's dialect and a provider's; equal ends touch no byte."""

from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import Struct

from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Event, Head, Liveness
from llm_canaries.wire.exchange import Loss, Reader, Request, Writer
from llm_canaries.wire.fault import Fault, FaultReason, read_envelope, read_fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError, encode
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder, Frame


class Pair(Struct, frozen=True):
    """The client's dialect and the provider's."""

    client: str
    provider: str

    @property
    def same(self) -> bool:
        """Whether nothing needs translating."""
        return self.client == self.provider


def translate_ask(pair: Pair, body: bytes, model: str, profile: Profile) -> Request:
    """`body` for the provider, asking for `model`. Raises WireError for a body that is not an ask.

    Same dialect and model: the same bytes. Another model id: every other top-level value keeps its bytes.
    """
    dialect = DIALECTS[pair.client]
    ask = dialect.read_ask(body, dialect.path)
    if not pair.same:
        asked = msgspec.structs.replace(ask, model=model)
        return DIALECTS[pair.provider].write_ask(asked, profile)
    headers = dialect.write_ask(ask, profile).headers
    if ask.model != model:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        body = encode(raw | {"model": msgspec.Raw(encode(model))})
    return Request(path=dialect.path, headers=headers, body=body)


async def translate_answer(
    pair: Pair,
    status: int,
    headers: Headers,
    chunks: AsyncIterator[bytes],
    *,
    stream: bool,
    limit: int,
    now: float,
) -> AsyncIterator[bytes]:
    """The client's body for a provider's; what cannot be read travels as it came, to be judged by whoever asked."""
    if pair.same:
        async for chunk in chunks:
            yield chunk
    elif stream and status < 400 and _is_sse(headers):
        async for chunk in _translate_stream(pair, chunks, limit):
            yield chunk
    else:
        yield _translate_whole(pair, status, headers, await gather(chunks, limit), now)


async def gather(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """The whole body. Raises Unanswered where it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> Unanswered:
    return Unanswered(Fault(reason=FaultReason.BODY_TOO_LARGE, message=f"more than {limit} bytes"))


def answer_losses(pair: Pair) -> tuple[Loss, ...]:
    """What the client cannot learn from a translated answer."""
    return () if pair.same else (Loss("headers", "the provider's own"),)


def _translate_whole(pair: Pair, status: int, headers: Headers, body: bytes, now: float) -> bytes:
    client, provider = DIALECTS[pair.client], DIALECTS[pair.provider]
    is_error = read_envelope(body, now) is not None
    if status >= 400:
        return client.write_fault(read_fault(status, headers, body, now))[1] if is_error else body
    try:
        return body if is_error else client.write_reply(provider.read_reply(body)).body
    except WireError:
        return body


async def _translate_stream(pair: Pair, chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The client's stream; the limit holds here too, for not all that comes becomes something to send on."""
    decoder, reader = Decoder(), DIALECTS[pair.provider].reader()
    writer, size = None, 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        events = _read(reader, decoder.feed(chunk))
        writer = writer or _writer(pair, events)
        if writer is not None and (out := b"".join(writer.feed(event) for event in events)):
            yield out
    tail = [*_read_last(reader, decoder.close()), *reader.close()]
    writer = writer or _writer(pair, tail)
    if writer is not None:
        yield b"".join(writer.feed(event) for event in tail) + writer.close()


def _read(reader: Reader, frames: Sequence[Frame]) -> list[Event]:
    try:
        return [event for frame in frames for event in reader.feed(frame)]
    except WireError as error:
        raise Unanswered(Fault(reason=FaultReason.MALFORMED_BODY, message=str(error))) from None


def _read_last(reader: Reader, frames: Sequence[Frame]) -> list[Event]:
    """A last frame without its end may be cut anywhere; the answer then stays cut, which says it all."""
    try:
        return _read(reader, frames)
    except Unanswered:
        return []


def _writer(pair: Pair, events: Sequence[Event]) -> Writer | None:
    """A writer as soon as it is known who answers; a keep-alive before that tells nothing."""
    head = next((event for event in events if isinstance(event, Head)), None)
    if head is None and any(not isinstance(event, Liveness) for event in events):
        head = Head(id="", model="")
    return DIALECTS[pair.client].writer(head) if head is not None else None


def _is_sse(headers: Headers) -> bool:
    return any(name.lower() == "content-type" and "event-stream" in value for name, value in headers)
