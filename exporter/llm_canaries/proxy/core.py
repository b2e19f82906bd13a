"""The embedded proxy core: a client's ask in, a provider's answer out, both in the client's dialect.

How an ask is treated is its conduct: a canary's is one attempt that nobody refuses, and feeds the breakers, so that
what is judged is the provider (DESIGN 5.7); a client's is retried and answered in its own dialect whatever happens.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from llm_canaries.proxy.answer import CoreAnswer
from llm_canaries.proxy.asking import Asking, Means
from llm_canaries.proxy.circuits import Circuits
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import CANARY, Conduct
from llm_canaries.proxy.credentials import Credential
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.listing import listed
from llm_canaries.proxy.routes import Found, Provider, find
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.translate import JSON
from llm_canaries.proxy.transport import Transport
from llm_canaries.proxy.ways import PLAIN, Settings, Standing, Ways
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Models
from llm_canaries.wire.nonce import Draw

__all__ = ["Core", "CoreAnswer"]

_MOST_FOUND = 4096  # model ids whose routes are kept in mind


class Core:
    """Providers behind one door; `keys` by provider name, `transports` likewise.

    `credentials` are several keys of a provider, in place of its one. `pins` name the provider of a workload. `draw`
    makes the jitter of retries; without it each wait is as long as it may be.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        transports: Mapping[str, Transport],
        keys: Mapping[str, str],
        clock: Clock,
        *,
        credentials: Mapping[str, Sequence[Credential]] | None = None,
        settings: Settings = PLAIN,
        conduct: Conduct = CANARY,
        pins: Mapping[str, str] | None = None,
        traffic: Traffic | None = None,
        draw: Draw = lambda below: below - 1,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.providers = tuple(providers)
        self.conduct = conduct
        self.limits = max((provider.limits for provider in providers), key=lambda each: each.total, default=Limits())
        several = credentials or {}
        own = {each.name: several.get(each.name) or (Credential(key=keys.get(each.name, "")),) for each in providers}
        self.ways = Ways(own, settings)
        self._pins = pins or {}
        self._found: dict[tuple[str, str], Found] = {}
        self._means = Means(
            ways=self.ways,
            transports=transports,
            limits=self.limits,
            clock=clock,
            draw=draw,
            sleep=sleep,
            traffic=traffic,
        )

    @property
    def breakers(self) -> Circuits:
        """The breakers, by the name of what each stands for."""
        return self.ways.circuits

    def standings(self) -> list[Standing]:
        """How every credential stands now."""
        clock = self._means.clock
        return self.ways.standings(clock.monotonic(), clock.wall())

    def open(
        self, send: Send, conduct: Conduct | None = None, *, later: Callable[[Callable[[], None]], object] | None = None
    ) -> Asking:
        """Sends one ask to whoever its model leads to; no provider is the client's 404.

        `later` runs the account of an answer that came whole (breakers, traffic, usage) once it is on its way.
        """
        return Asking(self._means, self._find, send, conduct or self.conduct, later)

    @asynccontextmanager
    async def look(self, look: Look) -> AsyncIterator[CoreAnswer]:
        """The core's own model list; it has no other pages. Raises Unanswered where a provider has no list.

        Clients get the others' models all the same; a canary must not take half a list for a whole one.
        """
        dialect = DIALECTS["openai_chat"]
        if look.path != dialect.models_path:
            status, error = dialect.write_fault(Fault(reason=FaultReason.MODEL_NOT_FOUND, message="no such page"))
            yield CoreAnswer(b"", status, (), error)
            return
        means, whole = self._means, self.conduct.raw
        ids = await listed(self.providers, means.transports, self.ways, means.clock, whole=whole)
        yield CoreAnswer(b"", 200, JSON, dialect.write_models(Models(ids)))

    def _find(self, model: str, workload: str) -> Found:
        found = self._found.get((model, workload))
        if found is None:
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            found = find(self.providers, model, self._pins.get(workload) if workload else None)
            self._found[model, workload] = found
        return found
