"""Onboards a provider block: looks at the list, asks gently, one thing at a time, then watches."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Run
from llm_canaries.canary.holds import HoldReason, Holds, holds_after, listing, may_confirm
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.onboarding import MOST_MODELS, Seen, Tick, one_of_each, prefixed, under
from llm_canaries.config.schema import CanaryConfig, Config, ModelConfig
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.beside import Beside
from llm_canaries.service.playing import Order, Playing, playing
from llm_canaries.service.settings import Settings
from llm_canaries.wire.fault import bracketed
from llm_canaries.wire.nonce import Draw

_PATIENCE = 60.0  # seconds that a canary waits for a hold to end; for a longer one it is left out


class Block(Struct, frozen=True, kw_only=True):
    """What to onboard: the models that are wanted (none: those configured, else those listed), how long to watch."""

    gateway: str
    prefix: str
    models: tuple[str, ...] = ()
    watch: float
    every: float


class Onboard:
    """One onboarding at work; `seen` is what is known so far, whenever it ends."""

    def __init__(
        self, settings: Settings, block: Block, budget: Beside, clock: Clock, draw: Draw, say: Callable[[str], None]
    ) -> None:
        self._settings, self._block, self._budget = settings, block, budget
        self._clock, self._draw, self._say = clock, draw, say
        self._holds = Holds()
        self._closed: dict[str, str] = {}
        own = settings.config.gateways[block.gateway]
        self._configured = under(block.prefix, [model.id for model in own.models])
        wanted = prefixed(block.prefix, block.models) or self._configured
        self.seen = Seen(expected=wanted, listed=None, planned=block.watch)

    async def run(self) -> None:
        """The list, a canary of each kind, the watch."""
        redact = self._settings.redactor
        first = self._cases(self.seen.expected or (f"{self._block.prefix}/any",))
        config, paid = self._settings.config, self._budget.paid
        order = Order(config=config, cases=first, concurrency=1, paid=paid, attribution=True)
        async with playing(order, clock=self._clock, redact=redact, learn=redact.learn) as play:
            await self._look(play, first)
            wanted = one_of_each(self._cases(self._asked()))
            for case in wanted:
                await self._ask(play, case)
            if wanted:
                await self._watch(play, first, wanted)
            else:
                self._say("there is no model to ask, so there is nothing to watch")
                self.seen = replace(self.seen, planned=0.0)

    async def _look(self, play: Playing, found: Sequence[Case]) -> None:
        ids = await self._list(play, found)
        if ids is None:
            self._say("the model list did not come")
            return
        listed = under(self._block.prefix, ids)
        expected = self.seen.expected or listed[:MOST_MODELS]
        self.seen = replace(self.seen, listed=listed, expected=expected)
        self._say(f"{len(listed)} of {len(ids)} listed models are under {self._block.prefix}/")
        if not self._block.models and not self._configured and len(listed) > MOST_MODELS:
            self._say(f"none is configured: the first {MOST_MODELS} are taken; name others with --models")
        for each in expected:
            self._say(f"{each}: {'listed' if each in listed else 'not listed, and not asked'}")

    def _asked(self) -> tuple[str, ...]:
        """The models to ask: a model that is not listed is not asked (cliproxyapi.md 4.6)."""
        listed = self.seen.listed
        return tuple(each for each in self.seen.expected if listed is None or each in listed)

    async def _list(self, play: Playing, found: Sequence[Case]) -> frozenset[str] | None:
        case = next((each for each in found if each.scenario == "catalog"), None)
        if case is None:
            return None
        ids = listing(await play.run(case, self._draw, None))
        return None if ids is None else frozenset(ids)

    def _spare(self, case: Case, why: str) -> None:
        told = f"{case.scenario} at {case.model} was left out: {why}"
        self._say(told)
        self.seen = replace(self.seen, spared=(*self.seen.spared, told))

    async def _ask(self, play: Playing, case: Case) -> None:
        """One run of a case, unless something forbids it; it is told."""
        if (why := await self._forbidden(case)) is not None:
            self._spare(case, why)
            return
        run = await self._play(play, case)
        finding = run.finding
        if isinstance(finding.reason, HoldReason):
            self._spare(case, f"{finding.reason}: {finding.detail}")
            return
        self.seen = replace(self.seen, runs=(*self.seen.runs, run))
        domain = bracketed(finding.fault_domain)
        reason = finding.reason and f"{finding.reason}{domain}:"
        said = " ".join(filter(None, (finding.outcome.value, reason, finding.detail)))
        self._say(f"{case.scenario} at {case.model}: {said}")

    async def _play(self, play: Playing, case: Case) -> Run:
        run = await play.run(case, self._draw, None)
        for hold in holds_after(run, self._clock.wall()):
            self._holds.add(hold)
        if not may_confirm(run) and not self._holds.of(case.gateway, case.model, self._clock.wall()):
            self._closed[case.model] = f"it answered {run.finding.reason}, and asking again would harm"
        return run

    async def _forbidden(self, case: Case) -> str | None:
        """Why a case may not be run now; a short hold is waited for."""
        if over := await self._budget.over(case):
            return over
        if case.model in self._closed:
            return self._closed[case.model]
        now = self._clock.wall()
        held = self._holds.of(case.gateway, case.model, now)
        wait = max(held.values(), default=now) - now
        if wait > _PATIENCE:
            return f"{next(iter(held)).value} for {wait:.0f} s"
        await asyncio.sleep(max(0.0, wait))
        return None

    async def _watch(self, play: Playing, first: Sequence[Case], wanted: Sequence[Case]) -> None:
        """The list and one ask in turn, until the time is up; a refusal ends the asks."""
        block, begun = self._block, self._clock.monotonic()
        plain = [case for case in wanted if case.scenario == "known-good"]
        turn = 0
        while (spent := self._clock.monotonic() - begun) < block.watch:
            await asyncio.sleep(min(block.every, block.watch - spent))
            ids = await self._list(play, first)
            case = plain[turn % len(plain)] if plain else None
            turn += 1
            allowed = case is not None and await self._forbidden(case) is None
            run = await self._play(play, case) if case is not None and allowed else None
            at = self._clock.monotonic() - begun
            tick = Tick(at=at, ids=ids, run=run)
            self.seen = replace(self.seen, ticks=(*self.seen.ticks, tick), watched=min(at, block.watch))
            self._say(self._told(tick))

    def _told(self, tick: Tick) -> str:
        listed = "no list" if tick.ids is None else f"{len(under(self._block.prefix, tick.ids))} listed"
        head = f"watched {tick.at:.0f} s of {self._block.watch:.0f} s: {listed}"
        if tick.run is None:
            return f"{head}, nothing asked"
        run = tick.run
        answered = f"answered in {run.latency * 1000:.0f} ms" if run.latency is not None else "no answer"
        return f"{head}, {run.case.model} {answered} {run.finding.reason}".rstrip()

    def _cases(self, models: Sequence[str]) -> list[Case]:
        """The cases of every shipped definition for `models`, with what is configured of them."""
        config, name = self._settings.config, self._block.gateway
        own = config.gateways[name]
        known = {model.id: model for model in own.models}
        wanted = tuple(known.get(each, ModelConfig(id=each)) for each in models)
        if not wanted:
            return []
        gateway = own.model_copy(update={"models": wanted})
        used = tuple(CanaryConfig(use=each, gateway=name) for each in self._settings.binding.definitions)
        aimed: Config = config.model_copy(update={"gateways": {**config.gateways, name: gateway}, "canaries": used})
        return cases(aimed, self._settings.binding, Wanted())
