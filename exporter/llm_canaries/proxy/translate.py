"""One ask and one whole answer between a client's dialect and a provider's; equal ends touch no byte."""

from collections import defaultdict, deque
from collections.abc import AsyncIterator

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.headers import STANDING_HEADERS
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.envelope import read_envelope
from llm_canaries.wire.event import End, Event, Finished, Head, Liveness, fold, unfold
from llm_canaries.wire.exchange import Loss, Request, Written
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Message, Part, Reply, Thinking, ToolCall, ToolResult, Usage
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder

JSON: Headers = (("content-type", "application/json"),)


class Pair(Struct, frozen=True):
    """The client's dialect and the provider's."""

    client: str
    provider: str

    @property
    def same(self) -> bool:
        """Whether nothing needs translating."""
        return self.client == self.provider


class Order(Struct, frozen=True, kw_only=True):
    """What a client wants: its body and path, the model it `asked` for, and the one to ask, `thinking` as its suffix
    says (None: as its body does).
    """

    body: bytes
    path: str
    asked: str
    model: str
    thinking: Thinking | None = None


def translate_ask(pair: Pair, order: Order, profile: Profile) -> Request:
    """The order for the provider. Raises WireError for a body that is not an ask.

    Same dialect and model: the same bytes. Another model id: every other top-level value keeps its bytes.
    """
    dialect = DIALECTS[pair.client]
    if pair.same and order.thinking is None:
        body, path = order.body, order.path
        if order.model != order.asked:
            body, path = dialect.with_model(body, path, order.model)
        return Request(path=path, headers=(*JSON, *STANDING_HEADERS.get(dialect.name, ())), body=body)
    ask = replace(dialect.read_ask(order.body, order.path), model=order.model)
    if order.thinking is not None:
        ask = replace(ask, thinking=order.thinking)
    if pair.same:
        return DIALECTS[pair.provider].write_ask(ask, profile)
    ask, losses = own_ids(ask)
    request = DIALECTS[pair.provider].write_ask(ask, profile)
    return replace(request, losses=(*request.losses, *losses)) if losses else request


def asked_thinking(dialect: str, request: Request) -> Thinking | None:
    """The reasoning that a request asks a provider for, None where it leaves that to the model."""
    try:
        return DIALECTS[dialect].read_ask(request.body, request.path).thinking
    except WireError:
        return None


def answer_losses(pair: Pair) -> tuple[Loss, ...]:
    """What the client cannot learn from a translated answer."""
    return () if pair.same else (Loss("headers", "the provider's own"),)


def translate_raw(pair: Pair, status: int, headers: Headers, body: bytes, now: float) -> Written:
    """A whole body for the client; what cannot be read travels as it came, to be judged by whoever asked."""
    client, provider = DIALECTS[pair.client], DIALECTS[pair.provider]
    is_error = read_envelope(body, now) is not None
    if status >= 400:
        return Written(client.write_fault(read_fault(status, headers, body, now))[1] if is_error else body)
    try:
        return Written(body) if is_error else client.write_reply(provider.read_reply(body))
    except WireError:
        return Written(body)


def read_whole(dialect: str, body: bytes) -> Reply:
    """The reply that a body is, be it JSON or a stream that nobody asked for. Raises WireError."""
    if not is_stream(body):
        return DIALECTS[dialect].read_reply(body)
    decoder, reader = Decoder(), DIALECTS[dialect].reader()
    frames = [*decoder.feed(body), *decoder.close()]
    events = [*(event for frame in frames for event in reader.feed(frame)), *reader.close()]
    reply = fold(dialect, events)
    if reply is None or not any(isinstance(event, Finished) for event in events):
        raise WireError("a stream that did not end")
    return reply


def write_whole(dialect: str, reply: Reply, *, stream: bool) -> Written:
    """A reply for a client of `dialect`, as one body or as a stream; ids are unique, broken counts are told as lost."""
    mended, losses = mend(reply)
    if not stream:
        written = DIALECTS[dialect].write_reply(mended)
        return Written(written.body, (*written.losses, *losses))
    head, *rest = unfold(mended)
    assert isinstance(head, Head)
    writer = DIALECTS[dialect].writer(head)
    body = b"".join(writer.feed(event) for event in (head, *rest)) + writer.close()
    return Written(body, (*writer.losses, *losses))


def mend(reply: Reply) -> tuple[Reply, tuple[Loss, ...]]:
    """The reply with every tool call under an id of its own, and what that and its usage lost."""
    ids, content, losses = Ids(), list[Part](), list(usage_losses(reply.usage))
    for part in reply.content:
        if isinstance(part, ToolCall):
            part = replace(part, id=ids.unique(part.id))
        content.append(part)
    return replace(reply, content=tuple(content)), (*losses, *ids.losses)


class Ids:
    """The ids of one answer's tool calls: a second call under a used id gets another, and that is told."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self.losses: list[Loss] = []

    def unique(self, id: str) -> str:
        """`id`, or one like it that no call has had."""
        own, number = id, 2
        while own in self._used:
            own, number = f"{id}_{number}", number + 1
        if own != id:
            self.losses.append(Loss("tool call", f"id {id[:60]} used twice, {own[:70]} said"))
        self._used.add(own)
        return own


def own_ids(ask: Ask) -> tuple[Ask, tuple[Loss, ...]]:
    """The ask with every tool call under an id of its own, and what that lost.

    Results under an id used twice belong to the calls of their turn in order: Gemini binds them by name as well.
    """
    used = [part.id for message in ask.messages for part in message.content if isinstance(part, ToolCall)]
    if len(used) == len(set(used)):
        return ask, ()
    ids, waiting, answered = Ids(), defaultdict[str, deque[str]](deque), dict[str, str]()

    def own(part: Part) -> Part:
        if isinstance(part, ToolCall):
            waiting[part.id].append(ids.unique(part.id))
            return replace(part, id=waiting[part.id][-1])
        if isinstance(part, ToolResult):
            if waiting[part.id]:
                answered[part.id] = waiting[part.id].popleft()
            return replace(part, id=answered.get(part.id, part.id))
        return part

    messages, role = list[Message](), ""
    for message in ask.messages:
        if message.role == "assistant" != role:
            waiting.clear()  # what an earlier turn called and nobody answered
        role = message.role
        messages.append(replace(message, content=tuple(own(part) for part in message.content)))
    return replace(ask, messages=tuple(messages)), tuple(ids.losses)


def usage_losses(usage: Usage | None) -> tuple[Loss, ...]:
    """The counts of a usage that are no numbers of tokens."""
    return tuple(Loss("usage", f"{name}, no number of tokens") for name in usage.broken) if usage else ()


def last_word(dialect: str, event: Event) -> bytes:
    """What ends a stream of `dialect` that others began: an error, or the terminal event."""
    head = Head(dialect=dialect, id="", model="")
    writer = DIALECTS[dialect].writer(head)
    writer.feed(head)
    writer.feed(Liveness())  # all that opens a stream has been said now
    if isinstance(event, End):
        return writer.feed(event)
    return writer.feed(event) + writer.close()


def is_stream(body: bytes) -> bool:
    """Whether a body's first line is one of a stream's, whatever its content type says."""
    return body[:64].lstrip().startswith((b"data:", b"event:", b": "))


def is_event_stream(headers: Headers) -> bool:
    """Whether the content type says stream."""
    return any(name.lower() == "content-type" and "event-stream" in value for name, value in headers)


async def gather(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """The whole body. Raises Unanswered where it is longer than `limit` bytes."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        pieces.append(chunk)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def too_large(limit: int) -> Unanswered:
    """The end of an answer longer than `limit` bytes."""
    return Unanswered(Fault(reason=FaultReason.BODY_TOO_LARGE, message=f"more than {limit} bytes"))


