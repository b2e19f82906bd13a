"""The core behind HTTP: asks in four dialects, model lists, and the pages that operators' commands read.

One callable without router, middleware or log: the path of an ask is one look into a table, its body is handed on
unread, and an answer that came whole leaves whole.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import StreamReader, web

from llm_canaries.proxy.core import Core, CoreAnswer
from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.server.arrays import as_array
from llm_canaries.proxy.server.keys import ClientKeys, shown_keys
from llm_canaries.proxy.server.listening import listening
from llm_canaries.proxy.server.log import server_log
from llm_canaries.proxy.server.pages import Pages
from llm_canaries.proxy.server.passed import to_client, to_provider
from llm_canaries.proxy.server.paths import METHOD, AskPaths, own_path
from llm_canaries.proxy.server.refusal import GARBLED, WRONG_KEY, refusal, too_large, too_slow
from llm_canaries.proxy.server.whole import Whole
from llm_canaries.proxy.translate import gather
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Broken, Head
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError

MOST_REQUEST_BYTES = 32 * 1024 * 1024
PATIENCE = 300.0  # seconds for a request to come whole (32 MiB at 1 Mbit/s), and for a connection without one


class Door:
    """The callable of a server; `redact` takes the provider's keys out of what providers say of errors."""

    def __init__(
        self,
        core: Core,
        pages: Pages,
        keys: ClientKeys,
        *,
        redact: Callable[[str], str],
        limit: int = MOST_REQUEST_BYTES,
        within: float = PATIENCE,
    ) -> None:
        self._core, self._pages, self._keys = core, pages, keys
        self._redact = redact
        self._limit, self._within = limit, within
        self._paths = AskPaths()
        self._later = asyncio.get_running_loop().call_soon

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request; a client that hangs up cancels it."""
        path = request.path
        dialect = self._paths.dialect(path)
        if dialect is None or request.method != "POST":
            return await self._pages.answer(request, path, self._keys)
        if self._keys and not self._keys.admit(shown_keys(request.headers, request.query)):
            return refusal(dialect, WRONG_KEY)
        try:
            body = await read_body(request, self._limit, self._within)
        except web.RequestPayloadError:
            return _unread(refusal(dialect, GARBLED))
        except TimeoutError:
            return _unread(refusal(dialect, too_slow(self._within)))
        if body is None:
            return _unread(refusal(dialect, too_large(self._limit)))
        headers, asked = to_provider(dialect, request.headers), own_path(dialect, request.rel_url.raw_path)
        return await self._ask(request, Send(ask=body, dialect=dialect, headers=headers, path=asked))

    async def _ask(self, request: web.BaseRequest, send: Send) -> web.StreamResponse:
        try:
            async with self._core.open(send, later=self._later) as answer:
                headers, body = to_client(answer.headers), answer.whole
                if "event-stream" in headers.get("content-type", ""):
                    as_events = METHOD not in send.path or request.query.get("alt") == "sse"
                    if body is None or not as_events:
                        return await self._stream(request, send, answer, headers, as_events=as_events)
                if body is None:
                    body = await gather(answer.chunks(), self._core.limits.body)
        except Unanswered as error:
            return refusal(send.dialect, self._safe(error.fault))
        except WireError as error:
            return refusal(send.dialect, Fault(reason=FaultReason.BAD_REQUEST, status=400, message=str(error)))
        if answer.status >= 400:
            body = self._redact(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return Whole(answer.status, headers, body)

    async def _stream(
        self, request: web.BaseRequest, send: Send, answer: CoreAnswer, headers: dict[str, str], *, as_events: bool
    ) -> web.StreamResponse:
        """Events as they come; what breaks off before the first is an error with a status. Raises Unanswered."""
        chunks = answer.chunks()
        if not as_events:
            chunks, headers["content-type"] = as_array(chunks), "application/json"
        first = await anext(chunks, b"")
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        try:
            await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
        except ConnectionResetError:  # nobody listens any more, which is nobody's fault
            return response
        except Unanswered as error:
            writer = DIALECTS[send.dialect].writer(Head(id="", model=""))
            await response.write(writer.feed(Broken(self._safe(error.fault))))
        return response

    def _safe(self, fault: Fault) -> Fault:
        return Fault(
            reason=fault.reason,
            status=fault.status,
            code=fault.code,
            message=self._redact(fault.message),
            retry_after=fault.retry_after,
        )


async def read_body(request: web.BaseRequest, limit: int, within: float) -> bytes | None:
    """The request's body, None where it is longer than `limit`; the rest of it is then left unread.

    Raises web.RequestPayloadError where it is not in the encoding that the request names, TimeoutError where it is not
    whole `within` seconds: nothing in aiohttp says how long a client may take for a body.
    """
    if (request.content_length or 0) > limit:
        return None
    if "expect" in request.headers and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # curl waits a second for it before a large body
    content = request.content
    if content.is_eof():  # a small body came with its head
        body = content.read_nowait()
        return body if len(body) <= limit else None
    async with asyncio.timeout(within):
        return await _read_rest(content, limit)


async def _read_rest(content: StreamReader, limit: int) -> bytes | None:
    body, more = b"", bytearray()
    while not content.at_eof():
        chunk = await content.readany()
        if not body:
            body = chunk
        else:
            more += chunk
        if len(body) + len(more) > limit:
            return None
    return body + more if more else body


def _unread(answer: web.Response) -> web.Response:
    """The answer to a body that was not read to its end: nothing else can come on this connection."""
    answer.force_close()
    return answer


@asynccontextmanager
async def serving(door: Door, host: str, port: int, patience: float = PATIENCE) -> AsyncIterator[str]:
    """The door listening; the value is its base URL. Raises OSError where the address is taken.

    A connection whose client says no whole head for `patience` seconds is closed.
    """
    server = web.Server(
        door, access_log=None, logger=server_log(), handler_cancellation=True, keepalive_timeout=patience
    )
    # aiohttp waits that long twice: for answers under way, then for those it cancelled
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    async with listening(runner, host, port) as url:
        yield url
