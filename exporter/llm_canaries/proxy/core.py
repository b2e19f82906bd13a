"""The embedded proxy core: a client's ask in, a provider's answer out, both in the client's dialect.

It makes one attempt per ask. Canary asks feed the breakers and are never refused by them, so that what
is judged is the provider (DESIGN 5.7).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from llm_canaries.proxy.breaker import Breaker
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.gateway import Limits, Unanswered
from llm_canaries.proxy.headers import STANDING_HEADERS
from llm_canaries.proxy.routes import Provider, Route, exposed, find_route
from llm_canaries.proxy.translate import Pair, answer_losses, gather, translate_answer, translate_ask
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Attempt, Look, Loss, Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Models

LISTING_LIMIT = 4 * 1024 * 1024  # bytes of one provider's model list


class CoreAnswer(Struct, frozen=True):
    """An answer of the core, arriving: `body` yields the client's bytes."""

    sent: bytes
    status: int
    headers: Headers
    attempts: tuple[Attempt, ...]
    losses: tuple[Loss, ...]
    body: AsyncIterator[bytes]

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Unanswered."""
        return self.body


class Core:
    """Providers behind one door; `keys` by provider name, `transports` likewise."""

    def __init__(
        self,
        providers: Sequence[Provider],
        transports: Mapping[str, Transport],
        keys: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._providers = tuple(providers)
        self._transports = transports
        self._keys = keys
        self._clock = clock
        self.breakers: dict[str, Breaker] = {provider.name: Breaker() for provider in providers}
        self.limits = max((provider.limits for provider in providers), key=lambda each: each.total, default=Limits())

    @asynccontextmanager
    async def open(self, send: Send) -> AsyncIterator[CoreAnswer]:
        """Sends one ask to the provider that its model leads to; no provider is the client's 404."""
        dialect = DIALECTS[send.dialect]
        body = send.ask if isinstance(send.ask, bytes) else dialect.write_ask(send.ask, send.profile).body
        ask = dialect.read_ask(body, send.path or dialect.path)
        route = find_route(self._providers, ask.model)
        if route is None:
            message = f"no provider serves the model {ask.model}"
            status, error = dialect.write_fault(Fault(reason=FaultReason.MODEL_NOT_FOUND, message=message))
            yield CoreAnswer(body, status, (("content-type", "application/json"),), (), (), _once(error))
            return
        async with self._attempt(route, send, body, stream=ask.stream) as answer:
            yield answer

    @asynccontextmanager
    async def look(self, look: Look) -> AsyncIterator[CoreAnswer]:
        """The core's own model list; it has no other pages."""
        dialect = DIALECTS["openai_chat"]
        if look.path != dialect.models_path:
            status, error = dialect.write_fault(Fault(reason=FaultReason.MODEL_NOT_FOUND, message="no such page"))
            yield CoreAnswer(b"", status, (), (), (), _once(error))
            return
        ids = [model for provider in self._providers for model in await self._listed(provider)]
        page = dialect.write_models(Models(tuple(dict.fromkeys(ids))))
        yield CoreAnswer(b"", 200, (("content-type", "application/json"),), (), (), _once(page))

    @asynccontextmanager
    async def _attempt(self, route: Route, send: Send, body: bytes, *, stream: bool) -> AsyncIterator[CoreAnswer]:
        provider = route.provider
        pair = Pair(send.dialect, send.dialect if send.dialect in provider.dialects else provider.dialects[0])
        request = translate_ask(pair, body, route.model, provider.profile)
        headers = (*request.headers, *self._auth(provider, pair.provider), *send.headers.items())
        started = self._clock.monotonic()
        self._started(provider)
        success = False  # until the answer has been read without a break
        try:
            async with self._transports[provider.name].request("POST", request.path, headers, request.body) as answer:
                attempt = self._attempted(provider, started, answer.status)
                now = self._clock.wall()
                limit = provider.limits.body
                chunks = translate_answer(
                    pair, answer.status, answer.headers, answer.chunks(), stream=stream, limit=limit, now=now
                )
                losses = (*request.losses, *answer_losses(pair))
                yield CoreAnswer(body, answer.status, answer.headers, (attempt,), losses, chunks)
                success = answer.status < 500 and answer.status != 429
        except Unanswered as error:
            attempt = self._attempted(provider, started, None, error.fault.reason)
            raise Unanswered(error.fault, (attempt,)) from None
        finally:
            self._finished(provider, success=success)

    async def _listed(self, provider: Provider) -> list[str]:
        dialect = DIALECTS[provider.dialects[0]]
        headers = (*STANDING_HEADERS.get(dialect.name, ()), *self._auth(provider, dialect.name))
        async with self._transports[provider.name].request("GET", dialect.models_path, headers, None) as answer:
            body = await gather(answer.chunks(), LISTING_LIMIT)
        if answer.status >= 400:
            message = f"{provider.name}: no model list"
            raise Unanswered(Fault(reason=FaultReason.UPSTREAM_ERROR, status=answer.status, message=message))
        try:
            return exposed(provider, dialect.read_models(body).ids)
        except WireError as error:
            raise Unanswered(Fault(reason=FaultReason.MALFORMED_BODY, message=f"{provider.name}: {error}")) from None

    def _auth(self, provider: Provider, dialect: str) -> Headers:
        key = self._keys.get(provider.name, "")
        return DIALECTS[dialect].auth(key) if key else ()

    def _started(self, provider: Provider) -> None:
        name = provider.name
        self.breakers[name] = self.breakers[name].started(self._clock.monotonic())

    def _finished(self, provider: Provider, *, success: bool) -> None:
        name = provider.name
        self.breakers[name] = self.breakers[name].after(success=success, now=self._clock.monotonic())

    def _attempted(self, provider: Provider, started: float, status: int | None, reason: str = "") -> Attempt:
        duration = self._clock.monotonic() - started
        return Attempt(provider=provider.name, credential="default", status=status, duration=duration, reason=reason)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body

