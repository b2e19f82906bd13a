"""HTTP with four limits, over aiohttp: no retries, no redirects, no environment proxies."""

import asyncio
import math
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError
from msgspec import Struct
from yarl import URL

from llm_canaries.proxy.agent import agent
from llm_canaries.proxy.gateway import Limits, Unanswered
from llm_canaries.proxy.round_trip import Peer, round_trip
from llm_canaries.wire.clip import clipped
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers


class Stale(Unanswered):
    """A connection kept alive was closed under the ask, before a byte of an answer: nobody's fault."""


class HttpAnswer(Struct, frozen=True):
    """An HTTP answer that is arriving: the first byte is due `first_by` (loop time), then the idle limit holds.

    All of it is due `whole_by`. `headers` are as received, repeated ones repeated.
    """

    status: int
    headers: Headers
    content: aiohttp.StreamReader
    connection: Connection
    limits: Limits
    first_by: float
    whole_by: float = math.inf

    def close(self) -> None:
        """Ends it; the connection lives on where the body came to its end and the session keeps it."""
        self.connection.close()

    def at_hand(self) -> bytes | None:
        """The whole body where all of it has come with the head, None where it is still to come."""
        content = self.content
        return content.read_nowait() if content.is_eof() and content.exception() is None else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Unanswered."""
        loop, content = asyncio.get_running_loop(), self.content
        due, limit, reason = self.first_by, self.limits.first_byte, FaultReason.FIRST_BYTE_TIMEOUT
        while True:
            try:
                chunk = content.read_nowait()  # what has come, its end too, needs no timer
                if not chunk and not content.at_eof():
                    async with asyncio.timeout_at(min(due, self.whole_by)):
                        chunk = await content.readany()
            except TimeoutError:
                if self.whole_by <= due:
                    raise Unanswered(_too_long(self.limits)) from None
                raise Unanswered(self._silence(reason, limit)) from None
            except (aiohttp.ClientError, OSError) as error:
                raise Unanswered(_fault(error)) from None
            if not chunk:
                return
            yield chunk
            limit, reason = self.limits.idle, FaultReason.IDLE_TIMEOUT
            due = loop.time() + limit

    def _silence(self, reason: FaultReason, limit: float) -> Fault:
        """Why nothing came: aiohttp hangs up over broken framing and lets whoever reads the body wait."""
        protocol = self.connection.protocol
        if protocol is not None and protocol.transport is None:
            return Fault(reason=FaultReason.MALFORMED_BODY, message="not HTTP: broken framing of the body")
        return _timeout(reason, limit)


class Transport:
    """Requests to one base URL; `session` lends its connections, and is closed by whoever made it.

    `user_agent` is said where a request has none of its own.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, limits: Limits, user_agent: str | None = None
    ) -> None:
        self._session = session
        self._user_agent = user_agent or agent("canary")
        self._url = url.rstrip("/").removesuffix("/v1")
        self._timeout = aiohttp.ClientTimeout(total=None, connect=limits.connect)  # resolving and TLS included
        self._peer: Peer | None = None
        self._known: WeakSet[ResponseHandler] = WeakSet()  # connections that have carried an ask
        self.limits = limits

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Headers, body: bytes | None, sign: Callable[[str], Headers] | None = None
    ) -> AsyncIterator[HttpAnswer]:
        """Sends one request; the answer's head has arrived. Raises Unanswered.

        `sign` makes more headers of the target, as it stands in the request line.
        """
        answer = await self.send(method, path, headers, body, sign=sign)
        try:
            yield answer
        finally:
            answer.close()

    async def send(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | None,
        within: float = math.inf,
        sign: Callable[[str], Headers] | None = None,
    ) -> HttpAnswer:
        """The answer to one request, its head arrived, to be closed; all of it is due `within` seconds.

        Raises Unanswered; Stale where it was no answer but the end of a connection kept alive.
        """
        start = asyncio.get_running_loop().time()
        first_by, whole_by = start + self.limits.first_byte, start + within
        known = False
        try:
            async with asyncio.timeout_at(min(first_by, whole_by)):
                url = URL(self._url + path)
                peer = self._peer = self._peer or Peer(self._session, url, self._timeout, self._user_agent)
                fields = headers if sign is None else (*headers, *sign(url.raw_path_qs))
                first = peer.head(method, url, fields, body)
                connection = await peer.connect()
                protocol = connection.protocol
                assert protocol is not None, "a connection has one until it is released"
                known = protocol in self._known
                message, content = await round_trip(connection, protocol, first, body)
        except aiohttp.ConnectionTimeoutError:
            raise Unanswered(_timeout(FaultReason.CONNECT_TIMEOUT, self.limits.connect)) from None
        except TimeoutError:
            if whole_by <= first_by:
                raise Unanswered(_too_long(self.limits)) from None
            raise Unanswered(_timeout(FaultReason.FIRST_BYTE_TIMEOUT, self.limits.first_byte)) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            fault = _fault(error)
            stale = known and fault.reason is FaultReason.CONNECTION_LOST
            raise (Stale if stale else Unanswered)(fault) from None
        if not known:
            self._known.add(protocol)
        received = tuple(message.headers.items())
        return HttpAnswer(message.code, received, content, connection, self.limits, first_by, whole_by)


def new_session(*, keep_alive: bool = False) -> aiohttp.ClientSession:
    """A session for any number of transports: unbounded connections (callers bound), no cookies kept.

    Every ask has a connection of its own: one kept alive may be closed under it, which looks like a fault. With
    `keep_alive` connections are used again, and such an end is told apart as Stale.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def _too_long(limits: Limits) -> Fault:
    return Fault(reason=FaultReason.TOTAL_TIMEOUT, message=f"not whole within {limits.total:g} s")


def _timeout(reason: FaultReason, seconds: float) -> Fault:
    return Fault(reason=reason, message=f"nothing within {seconds:g} s")


def _fault(error: aiohttp.ClientError | HttpProcessingError | OSError | ValueError) -> Fault:
    """The fault that a client error is; the order matters, for aiohttp's errors inherit from each other."""
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | aiohttp.ServerFingerprintMismatch):
        return Fault(reason=FaultReason.TLS, message=_words(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return Fault(reason=FaultReason.CONNECT, message=_words(error))
    if isinstance(error, HttpProcessingError):
        return Fault(reason=FaultReason.MALFORMED_BODY, message=clipped(f"not HTTP: {error.message}", 200))
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return Fault(reason=FaultReason.MALFORMED_BODY, message=_words(error))
    if isinstance(error, aiohttp.NonHttpUrlClientError | ValueError):
        # whatever else: a host name that IDNA refuses, or a header with a line end; its words may hold the key
        return Fault(reason=FaultReason.CONNECT, message="not a URL, or not a header, that can be sent")
    return Fault(reason=FaultReason.CONNECTION_LOST, message=_words(error))


def _words(error: Exception) -> str:
    """The error's own words without the object addresses aiohttp puts into them."""
    if isinstance(error, aiohttp.ClientConnectorError):
        number = 0 if isinstance(error.os_error, ssl.SSLError) else error.os_error.errno or 0  # TLS counts its own way
        words = os.strerror(number) if number > 0 else error.os_error.strerror or str(error.os_error)
        return clipped(f"{error.host}:{error.port}: {words}", 200)
    return clipped(" ".join(str(error).split()) or type(error).__name__, 200)
