"""The mirror in another process: told, and asked, over HTTP."""

from typing import Any

import aiohttp

from llm_canaries.mirror.desk import RECORDS, SCRIPTS
from llm_canaries.mirror.scripts import write_script
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Seen
from llm_canaries.wire.json import WireError, decode_object, items, mapping, string
from llm_canaries.wire.script import MirrorGone, Script

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
_MOST = 64 * 1024 * 1024  # bytes of one answer: sixteen asks with their pictures


class RemoteMirror:
    """A mirror at `url` that wants `key`; `session` is shared and closed by whoever made it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {"authorization": f"Bearer {key}"}

    async def tell(self, mark: str, script: Script) -> None:
        """The ask that carries `mark` is answered with `script`. Raises MirrorGone."""
        await self._ask("PUT", SCRIPTS + mark, 204, write_script(script))

    async def seen(self, mark: str) -> tuple[Seen, ...]:
        """What came under `mark`, in order of arrival. Raises MirrorGone."""
        body = await self._ask("GET", RECORDS + mark, 200)
        try:
            said = decode_object(body)["seen"]
            return tuple(_read(mapping(each)) for each in items(said))
        except (WireError, KeyError):
            raise MirrorGone(f"{self._url} is no mirror, or one of another version") from None

    async def _ask(self, method: str, path: str, wanted: int, body: bytes | None = None) -> bytes:
        try:
            async with self._session.request(
                method, self._url + path, headers=self._headers, data=body, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                said = await _read_at_most(response, _MOST)
                if response.status == wanted:
                    return said
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise MirrorGone(f"the mirror at {self._url} does not answer ({type(error).__name__})") from None
        if status in (401, 403):
            raise MirrorGone(f"the mirror at {self._url} does not take the key of `mirror.key` (HTTP {status})")
        raise MirrorGone(f"what listens at {self._url} is no mirror (HTTP {status} for {method} {path})")


async def _read_at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > most:
            raise aiohttp.ClientPayloadError("too much")
    return bytes(body)


def _read(row: dict[str, Any]) -> Seen:
    """One record. Raises WireError."""
    body, dialect = string(row.get("body")).encode(), string(row.get("dialect"))
    if dialect not in DIALECTS:
        raise WireError(f"no dialect {dialect!r}")
    path = string(row.get("path"))
    ask = DIALECTS[dialect].read_ask(body, path)
    return Seen(
        dialect=dialect, model=string(row.get("model")), stream=row.get("stream") is True, ask=ask, body=body, path=path
    )
