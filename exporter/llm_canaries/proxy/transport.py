"""HTTP with four limits, over aiohttp: no retries, no redirects, no environment proxies."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from msgspec import Struct

from llm_canaries.proxy.gateway import Limits, Unanswered
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers

USER_AGENT = "llm-canaries"


class HttpAnswer(Struct, frozen=True):
    """An HTTP answer that is arriving: the first byte is due `first_by` (loop time), then the idle limit holds."""

    response: aiohttp.ClientResponse
    limits: Limits
    first_by: float

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> Headers:
        """The headers as received, repeated ones repeated."""
        return tuple((name, value) for name, value in self.response.headers.items())

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Unanswered."""
        loop = asyncio.get_running_loop()
        due, limit, reason = self.first_by, self.limits.first_byte, FaultReason.FIRST_BYTE_TIMEOUT
        while True:
            try:
                async with asyncio.timeout_at(due):
                    chunk = await self.response.content.readany()
            except TimeoutError:
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
        connection = self.response.connection
        if connection is not None and connection.transport is None:
            return Fault(reason=FaultReason.MALFORMED_BODY, message="not HTTP: broken framing of the body")
        return _timeout(reason, limit)


class Transport:
    """Requests to one base URL; `session` is shared and closed by whoever made it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, limits: Limits) -> None:
        self._session = session
        self._url = url.rstrip("/").removesuffix("/v1")
        self.limits = limits

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> AsyncIterator[HttpAnswer]:
        """Sends one request; the answer's head has arrived. Raises Unanswered."""
        own = (("user-agent", USER_AGENT), ("accept-encoding", "identity"))
        timeout = aiohttp.ClientTimeout(total=None, connect=self.limits.connect)  # resolving and TLS included
        first_by = asyncio.get_running_loop().time() + self.limits.first_byte
        try:
            async with asyncio.timeout_at(first_by):
                response = await self._session.request(
                    method,
                    self._url + path,
                    headers=_one_each((*own, *headers)),
                    data=body,
                    timeout=timeout,
                    allow_redirects=False,
                )
        except aiohttp.ConnectionTimeoutError:
            raise Unanswered(_timeout(FaultReason.CONNECT_TIMEOUT, self.limits.connect)) from None
        except TimeoutError:
            raise Unanswered(_timeout(FaultReason.FIRST_BYTE_TIMEOUT, self.limits.first_byte)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(_fault(error)) from None
        try:
            yield HttpAnswer(response, self.limits, first_by)
        finally:
            response.close()


def new_session() -> aiohttp.ClientSession:
    """A session for any number of transports: unbounded connections (callers bound), no cookies kept.

    Every ask has a connection of its own: one kept alive may be closed under it, which looks like a fault.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _one_each(headers: Headers) -> dict[str, str]:
    """Every name once, the last value winning: a configured header replaces our own."""
    return {name.lower(): value for name, value in headers}


def _timeout(reason: FaultReason, seconds: float) -> Fault:
    return Fault(reason=reason, message=f"nothing within {seconds:g} s")


def _fault(error: aiohttp.ClientError | OSError | ValueError) -> Fault:
    """The fault that a client error is; the order matters, for aiohttp's errors inherit from each other."""
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | aiohttp.ServerFingerprintMismatch):
        return Fault(reason=FaultReason.TLS, message=_words(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return Fault(reason=FaultReason.CONNECT, message=_words(error))
    if isinstance(error, aiohttp.ClientResponseError):
        return Fault(reason=FaultReason.MALFORMED_BODY, message=f"not HTTP: {error.message}"[:200])
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
        return f"{error.host}:{error.port}: {words}"[:200]
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
