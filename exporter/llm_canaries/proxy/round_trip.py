"""One HTTP/1.1 request on a connection of aiohttp's pool, and the head of its answer.

Pool, protocol and parser are aiohttp's own. What its session does between them (redirects, cookies, tracing, a task
to write each body) is nothing that is wanted here, and takes longer than all of the core: half of the instructions of
a bare pass-through (aiohttp 3.14, CPython 3.11).
"""

import asyncio

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection
from aiohttp.http import RawResponseMessage
from yarl import URL

from llm_canaries.proxy.head import JOINED, head
from llm_canaries.wire.headers import Headers

_OWN = {"accept": "*/*", "accept-encoding": "identity"}


class Peer:
    """Whoever is at the host and port of a URL, reached over `session`'s connections."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, timeout: aiohttp.ClientTimeout, agent: str) -> None:
        """Raises ValueError for what is no URL over http or https."""
        if url.scheme not in ("http", "https"):
            raise aiohttp.NonHttpUrlClientError(url)
        connector = session.connector
        assert connector is not None, "the session is closed"
        self._connector: BaseConnector = connector
        self._address = aiohttp.ClientRequest("POST", url.origin(), session=session, loop=asyncio.get_running_loop())
        self._timeout = timeout
        self._fields = {"host": url.host_port_subcomponent or "", "user-agent": agent} | _OWN
        if connector.force_close:
            self._fields["connection"] = "close"

    async def connect(self) -> Connection:
        """A connection, kept alive or new. Raises aiohttp.ClientError, OSError."""
        try:
            return await self._connector.connect(self._address, [], self._timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None


    def head(self, method: str, url: URL, fields: Headers, body: bytes | None) -> bytes:
        """The head of a request to `url`; each field once, the last one winning. Raises ValueError for a broken one."""
        own = self._fields | {name.lower(): value for name, value in fields}
        if body is not None:
            own["content-length"] = str(len(body))
        return head(f"{method} {url.raw_path_qs} HTTP/1.1", own)


async def round_trip(
    connection: Connection, protocol: ResponseHandler, first: bytes, body: bytes | None
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Sends a request; the head of its answer has come. At the body's end the connection goes back to its pool.

    Raises aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError; the connection is then closed.
    """
    transport = protocol.transport
    try:
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(read_until_eof=True)
        if body is None or len(body) <= JOINED:
            transport.write(first + body if body else first)
        else:
            transport.writelines((first, body))
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:  # more is to come
            message, content = await protocol.read()
    except BaseException:
        connection.close()
        raise

    def release() -> None:
        if transport.get_write_buffer_size():  # answered before the request was there: nobody else can use it
            connection.close()
        connection.release()

    content.on_eof(release)
    return message, content
