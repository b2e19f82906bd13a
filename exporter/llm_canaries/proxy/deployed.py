"""A deployed gateway: one base URL, one key, no retry, no breaker."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from msgspec import Struct

from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.headers import STANDING_HEADERS
from llm_canaries.proxy.signature import Sign, unsigned
from llm_canaries.proxy.transport import HttpAnswer, Transport
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Attempt, Look, Loss, Request, Send
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Thinking


class DeployedAnswer(Struct, frozen=True):
    """What a deployed gateway answers; it tells nothing of attempts, losses or the reasoning it asked for."""

    sent: bytes
    answer: HttpAnswer
    attempts: tuple[Attempt, ...] = ()
    losses: tuple[Loss, ...] = ()
    translated: Thinking | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    @property
    def headers(self) -> Headers:
        """The headers as received."""
        return self.answer.headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Unanswered."""
        return self.answer.chunks()


class Deployed:
    """Any gateway over HTTP, spoken to as its clients do; `sign` marks what is sent as ours."""

    def __init__(
        self, transport: Transport, key: str, headers: Mapping[str, str], sign: Sign = unsigned
    ) -> None:
        self._sign = sign
        self._transport = transport
        self._key = key
        self._headers: Headers = tuple(headers.items())
        self.limits: Limits = transport.limits

    @asynccontextmanager
    async def open(self, send: Send) -> AsyncIterator[DeployedAnswer]:
        """Sends one ask in its client's dialect."""
        dialect = DIALECTS[send.dialect]
        if isinstance(send.ask, bytes):
            json: Headers = (("content-type", "application/json"),)
            headers = (*json, *STANDING_HEADERS.get(dialect.name, ()))
            request = Request(path=send.path or dialect.path, headers=headers, body=send.ask)
        else:
            request = dialect.write_ask(send.ask, send.profile)
        headers = (*request.headers, *self._auth(send.dialect), *self._headers, *send.headers.items())
        sign = partial(self._signed, "POST", request.body, send.mark)
        async with self._transport.request("POST", request.path, headers, request.body, sign) as answer:
            yield DeployedAnswer(request.body, answer, losses=request.losses)

    @asynccontextmanager
    async def look(self, look: Look) -> AsyncIterator[DeployedAnswer]:
        """Reads a page with a bearer key: other headers would change the form of a model list (cliproxyapi.md 1.2)."""
        headers = (*self._auth("openai_chat"), *self._headers)
        sign = partial(self._signed, "GET", b"", "")
        async with self._transport.request("GET", look.path, headers, None, sign) as answer:
            yield DeployedAnswer(b"", answer)

    def _signed(self, method: str, body: bytes, mark: str, target: str) -> Headers:
        return self._sign(method, target, body, mark)

    def _auth(self, dialect: str) -> Headers:
        return DIALECTS[dialect].auth(self._key) if self._key else ()
