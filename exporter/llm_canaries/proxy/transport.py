"""HTTP with four limits, over aiohttp: no retries, no redirects, no environment proxies."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct

from llm_canaries.proxy.gateway import Limits, Unanswered
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers

USER_AGENT = "llm-canaries"


class HttpAnswer(Struct, frozen=True):
    """An HTTP answer that is arriving: first the first-byte limit holds, then the idle limit."""

    response: aiohttp.ClientResponse
    limits: Limits

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
        limit, reason = self.limits.first_byte, FaultReason.FIRST_BYTE_TIMEOUT
        while True:
            try:
                async with asyncio.timeout(limit):
                    chunk = await self.response.content.readany()
            except TimeoutError:
                raise Unanswered(_timeout(reason, limit)) from None
            except (aiohttp.ClientError, OSError) as error:
                raise Unanswered(_fault(error)) from None
            if not chunk:
                return
            yield chunk
            limit, reason = self.limits.idle, FaultReason.IDLE_TIMEOUT


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
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect)
        try:
            async with asyncio.timeout(self.limits.first_byte):
                response = await self._session.request(
                    method,
                    self._url + path,
                    headers=[*own, *headers],
                    data=body,
                    timeout=timeout,
                    allow_redirects=False,
                )
        except aiohttp.ConnectionTimeoutError:
            raise Unanswered(_timeout(FaultReason.CONNECT_TIMEOUT, self.limits.connect)) from None
        except TimeoutError:
            raise Unanswered(_timeout(FaultReason.FIRST_BYTE_TIMEOUT, self.limits.first_byte)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered(_fault(error)) from None
        try:
            yield HttpAnswer(response, self.limits)
        finally:
            response.close()


def new_session() -> aiohttp.ClientSession:
    """A session for any number of transports: unbounded connections (callers bound), no cookies kept."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _timeout(reason: FaultReason, seconds: float) -> Fault:
    return Fault(reason=reason, message=f"nothing within {seconds:g} s")


def _fault(error: aiohttp.ClientError | OSError) -> Fault:
    """The fault that a client error is; the order matters, for aiohttp's errors inherit from each other."""
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | aiohttp.ServerFingerprintMismatch):
        return Fault(reason=FaultReason.TLS, message=_words(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return Fault(reason=FaultReason.CONNECT, message=_words(error))
    if isinstance(error, aiohttp.ClientResponseError):
        return Fault(reason=FaultReason.MALFORMED_BODY, message=f"not HTTP: {error.message}"[:200])
    if isinstance(error, aiohttp.InvalidURL):
        return Fault(reason=FaultReason.CONNECT, message="not a URL that can be asked")
    return Fault(reason=FaultReason.CONNECTION_LOST, message=_words(error))


def _words(error: Exception) -> str:
    """The error's own words without the object addresses aiohttp puts into them."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or error.os_error}"[:200]
    return (str(error) or type(error).__name__)[:200]
