"""An answer whose body is at hand."""

from collections.abc import Mapping

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from llm_canaries.proxy.head import JOINED, head


class Whole(web.StreamResponse):
    """`body` with `fields`, leaving in one piece; `fields` say nothing of length, date or connection.

    `web.Response` finds out each time that it has neither cookies nor compression nor chunks: that is a tenth of the
    way of an ask through the proxy.
    """

    def __init__(self, status: int, fields: Mapping[str, str], body: bytes) -> None:
        super().__init__(status=status)
        self._fields, self._whole = fields, body
        self._stays = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection is there for another request."""
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Sends it."""
        version, self._stays = request.version, request.keep_alive
        fields = {
            **self._fields,
            "content-length": str(len(self._whole)),
            "date": rfc822_formatted_time(),
            "server": SERVER_SOFTWARE,
        }
        if version == HttpVersion10 and self._stays:
            fields["connection"] = "keep-alive"
        elif version == HttpVersion11 and not self._stays:
            fields["connection"] = "close"
        first = head(f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}", fields)
        writer = request.writer
        if len(self._whole) <= JOINED:
            await writer.write(first + self._whole)
        else:
            await writer.write(first)
            await writer.write(self._whole)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""
