"""A provider's answer made into the core's: as it came for canaries, whole and in its own words for clients."""

from collections.abc import AsyncGenerator, AsyncIterator

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.proxy.answer import CoreAnswer, Streaming, Trial, client_headers, json_headers, once
from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.peek import fault_of
from llm_canaries.proxy.streams import Crossing, Guarded
from llm_canaries.proxy.translate import (
    answer_losses,
    gather,
    is_event_stream,
    is_stream,
    read_whole,
    translate_raw,
    write_whole,
)
from llm_canaries.proxy.transport import HttpAnswer
from llm_canaries.proxy.usage_tail import UsageTail
from llm_canaries.proxy.witness import Witness, early_fault
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.json import WireError, decode, mapping
from llm_canaries.wire.message import Usage

R = FaultReason
ERROR_LIMIT = 1024 * 1024  # bytes of an error

# Statuses of what happens between us and a provider, where the dialects' own tables say no more than 502.
_STATUSES = {
    R.CONNECT_TIMEOUT: 504,
    R.FIRST_BYTE_TIMEOUT: 504,
    R.IDLE_TIMEOUT: 504,
    R.TOTAL_TIMEOUT: 504,
    R.COOLDOWN: 429,
    R.NO_CREDENTIAL: 503,
}


class Wish(Struct, frozen=True, kw_only=True):
    """What the client sent, whether it wants a stream, whether somebody counts tokens, and the time (Unix)."""

    sent: bytes
    stream: bool
    counted: bool
    now: float


def refuse(dialect: str, sent: bytes, fault: Fault, status: int | None = None) -> CoreAnswer:
    """`fault` as an answer in `dialect`; `status` is the provider's, where it said one."""
    if status is None or status < 400:
        status = _STATUSES.get(fault.reason)
    own, body = DIALECTS[dialect].write_fault(fault if status is None else replace(fault, status=status))
    status = status or own
    return CoreAnswer(sent, status, json_headers(fault.retry_after), body)


def hear_raw(trial: Trial, answer: HttpAnswer, wish: Wish) -> CoreAnswer:
    """The answer as it comes, translated as far as it can be read."""
    pair, limit = trial.pair, trial.way.provider.limits.body
    stream = wish.stream and answer.status < 400 and is_event_stream(answer.headers)
    if pair.same:
        body = _pass(trial, answer, Witness(pair.provider, answer.status, answer.headers, limit), wish)
    elif stream:
        body = _cross(trial, answer, Crossing(pair, limit, raw=True), wish)
    else:
        body = _translate(trial, answer, limit, wish)
    heard = CoreAnswer(wish.sent, answer.status, answer.headers, body)
    trial.losses = (*trial.losses, *answer_losses(pair))
    return heard


async def hear(trial: Trial, answer: HttpAnswer, wish: Wish) -> CoreAnswer:
    """The answer for a client, an error in its own dialect where it is none; `trial.fault` says why. Raises Unanswered.

    A stream is passed on from its first bytes, anything else whole.
    """
    pair, limit = trial.pair, trial.way.provider.limits.body
    if answer.status >= 300:
        return await _hear_error(trial, answer, wish)
    if wish.stream and is_event_stream(answer.headers):
        return await _hear_stream(trial, answer, wish, limit)
    body = answer.at_hand()
    if body is None or len(body) > limit:
        body = await gather(answer.chunks() if body is None else once(body), limit)
    trial.heard = True
    business = trial.way.provider.profile.business_errors
    streamed = is_stream(body)
    trial.fault = None if streamed else fault_of(answer.status, answer.headers, body, wish.now, business)
    if trial.fault is None and pair.same and not streamed and not wish.stream:
        trial.unread = body if wish.counted else None
        return CoreAnswer(wish.sent, answer.status, client_headers(answer.headers), body)
    if trial.fault is None:
        try:
            return _rewrite(trial, answer, wish, body)
        except WireError as error:
            trial.fault = Fault(reason=R.MALFORMED_BODY, status=answer.status, message=str(error))
    return refuse(pair.client, wish.sent, trial.fault)


def _rewrite(trial: Trial, answer: HttpAnswer, wish: Wish, body: bytes) -> CoreAnswer:
    """A whole reply in the client's dialect and form, a stream or not. Raises WireError."""
    reply = read_whole(trial.pair.provider, body)
    written = write_whole(trial.pair.client, reply, stream=wish.stream)
    trial.usage = reply.usage
    trial.losses = (*trial.losses, *written.losses)
    kind = "text/event-stream" if wish.stream else "application/json"
    return CoreAnswer(wish.sent, answer.status, client_headers(answer.headers, kind), written.body)


async def _hear_error(trial: Trial, answer: HttpAnswer, wish: Wish) -> CoreAnswer:
    """An error: the provider's own bytes where they are one in the client's dialect."""
    body = await gather(answer.chunks(), min(trial.way.provider.limits.body, ERROR_LIMIT))
    trial.heard = True
    if answer.status < 400:
        trial.fault = Fault(reason=R.NO_ROUTE, status=answer.status, message="redirects elsewhere")
        return refuse(trial.pair.client, wish.sent, trial.fault)
    business = trial.way.provider.profile.business_errors
    trial.fault = read_fault(answer.status, answer.headers, body, wish.now, business=business)
    if trial.pair.same and _is_error(body):
        return CoreAnswer(wish.sent, answer.status, client_headers(answer.headers), body)
    return refuse(trial.pair.client, wish.sent, trial.fault, answer.status)


async def _hear_stream(trial: Trial, answer: HttpAnswer, wish: Wish, limit: int) -> CoreAnswer:
    """A stream from its first bytes on; one that begins with an error, or not at all, is an error with a status."""
    pair, chunks = trial.pair, answer.chunks()
    first = await anext(chunks, b"")
    fault = early_fault(pair.provider, first)
    if not first:
        fault = Fault(reason=R.EMPTY_BODY, status=answer.status, message="an empty body")
    if fault is not None:
        trial.fault, trial.heard = fault, True
        return refuse(pair.client, wish.sent, fault)
    streaming: Streaming = Crossing(pair, limit, raw=False)
    headers = client_headers(answer.headers, "text/event-stream")
    if pair.same:
        streaming = Guarded(pair.provider, answer.status, answer.headers, limit, counted=wish.counted)
        headers = client_headers(answer.headers)
    return CoreAnswer(wish.sent, answer.status, headers, _pump(trial, streaming, first, chunks, wish))


async def _pump(
    trial: Trial, streaming: Streaming, first: bytes, chunks: AsyncIterator[bytes], wish: Wish
) -> AsyncGenerator[bytes, None]:
    """The client's bytes, which never end without an end."""
    try:
        if out := streaming.feed(first):
            yield out
        async for chunk in chunks:
            if out := streaming.feed(chunk):
                yield out
    except Unanswered as error:
        last = streaming.abort(error.fault)
    else:
        last = streaming.close(wish.now)
    _heard(trial, streaming)
    if last:
        yield last


async def _pass(trial: Trial, answer: HttpAnswer, witness: Witness, wish: Wish) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.chunks():
            witness.feed(chunk)
            if witness.too_large:  # whoever reads may stop here
                trial.fault, trial.heard = witness.fault(wish.now, {}), True
            yield chunk
    except Unanswered as error:
        trial.fault, trial.heard = error.fault, True
        raise
    trial.fault, trial.heard = witness.fault(wish.now, trial.way.provider.profile.business_errors), True


async def _cross(trial: Trial, answer: HttpAnswer, crossing: Crossing, wish: Wish) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.chunks():
            if out := crossing.feed(chunk):
                yield out
    except Unanswered as error:
        crossing.fault = error.fault
        _heard(trial, crossing)
        raise
    last = crossing.close(wish.now)
    _heard(trial, crossing)
    if last:
        yield last


async def _translate(trial: Trial, answer: HttpAnswer, limit: int, wish: Wish) -> AsyncGenerator[bytes, None]:
    try:
        body = await gather(answer.chunks(), limit)
    except Unanswered as error:
        trial.fault, trial.heard = error.fault, True
        raise
    witness = Witness(trial.pair.provider, answer.status, answer.headers, limit)
    witness.feed(body)
    trial.fault, trial.heard = witness.fault(wish.now, trial.way.provider.profile.business_errors), True
    written = translate_raw(trial.pair, answer.status, answer.headers, body, wish.now)
    trial.losses = (*trial.losses, *written.losses)
    yield written.body


def _heard(trial: Trial, streaming: Streaming) -> None:
    trial.fault, trial.heard = streaming.fault, True
    trial.usage = streaming.usage
    trial.losses = (*trial.losses, *streaming.losses)


def usage_of(trial: Trial) -> Usage | None:
    """What an answer that was passed on unread said of usage."""
    if trial.unread is None:
        return None
    tail = UsageTail(trial.pair.provider)
    tail.feed(trial.unread)
    return tail.close()


def _is_error(body: bytes) -> bool:
    """Whether a body is an error as all dialects write it: an object `error` with a message."""
    try:
        error = mapping(decode(body)).get("error")
    except WireError:
        return False
    return isinstance(error, dict) and isinstance(error.get("message"), str)
