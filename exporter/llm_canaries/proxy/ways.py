"""The ways to a model: which provider and credential may be asked now, and what answers have taught about them.

Time is an argument; only token files are read here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from llm_canaries.proxy.breaker import Policy, Threshold
from llm_canaries.proxy.circuits import Change, Circuits, Scope
from llm_canaries.proxy.conduct import COUNTED, LIMITED
from llm_canaries.proxy.credentials import Credential, Strategy, Turns
from llm_canaries.proxy.routes import Provider, Route
from llm_canaries.proxy.sidelined import Sidelined
from llm_canaries.proxy.tokens import Refresh, Token, TokenFile
from llm_canaries.wire.fault import Fault, FaultReason


class Settings(Struct, frozen=True, kw_only=True):
    """How a core picks and spares: breakers, their scope, whether a 429 counts, and each provider's strategy."""

    policy: Policy = Threshold()
    scope: Scope = Scope.PROVIDER
    count_limits: bool = True
    strategies: Mapping[str, Strategy] = {}


PLAIN = Settings()


class Way(Struct, frozen=True):
    """One credential at one provider, and the model id to ask for."""

    provider: Provider
    model: str
    credential: Credential

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other ways of one ask."""
        return self.provider.name, self.credential.alias


class Standing(Struct, frozen=True, kw_only=True):
    """How one credential stands: set aside until when (monotonic), and its token's state where it has a file."""

    provider: str
    credential: str
    sidelined_until: float | None
    refresh: Refresh | None
    expires_at: float | None


class _Block(Struct, frozen=True):
    """What keeps a way closed; a firm one is never tried before its time."""

    reason: FaultReason
    until: float
    firm: bool


class Ways:
    """The credentials of every provider, whose turn it is, who is set aside, and the breakers."""

    def __init__(self, credentials: Mapping[str, Sequence[Credential]], settings: Settings = PLAIN) -> None:
        self._settings = settings
        self._turns = {
            name: Turns(own or (Credential(),), settings.strategies.get(name, Strategy.ROUND_ROBIN))
            for name, own in credentials.items()
        }
        self._files = {
            (name, each.alias): TokenFile(each.token_file)
            for name, turns in self._turns.items()
            for each in turns.credentials
            if each.token_file
        }
        aliases = {name: tuple(each.alias for each in turns.credentials) for name, turns in self._turns.items()}
        self.circuits = Circuits(aliases, settings.policy, settings.scope)
        self.sidelined = Sidelined()
        self.learn: Callable[[str], None] = lambda secret: None  # told of every token that a file brings

    def choose(
        self, routes: Sequence[Route], now: float, wall: float, spent: Collection[tuple[str, str]] = ()
    ) -> Way | None:
        """The next way that is open, by the order of `routes` and the strategy; None where there is none."""
        for route in routes:
            name = route.provider.name
            turns = self._turns[name]
            free = [
                each
                for each in turns.credentials
                if (name, each.alias) not in spent and self._block(name, each, route.model, now, wall) is None
            ]
            if (credential := turns.next(free)) is not None:
                return Way(route.provider, route.model, credential)
        return None

    def due_first(self, routes: Sequence[Route], now: float, wall: float, *, firm: bool = False) -> Way | None:
        """The way that opens first where all are closed: what is not firm, or all, is tried before its time."""
        closed = [
            (block.until, order, Way(route.provider, route.model, each))
            for order, route in enumerate(routes)
            for each in self._turns[route.provider.name].credentials
            if (block := self._block(route.provider.name, each, route.model, now, wall)) is not None
            and (firm or not block.firm)
        ]
        return min(closed, key=lambda each: each[:2])[2] if closed else None

    def probe(self, route: Route, now: float, wall: float) -> Way:
        """The way of a canary: breakers stop it never, credentials set aside only while there are others."""
        turns = self._turns[route.provider.name]
        free = [
            each for each in turns.credentials if self._aside(route.provider.name, each, route.model, now, wall) is None
        ]
        credential = turns.next(free or turns.credentials)
        assert credential is not None, "every provider has a credential, if an empty one"
        return Way(route.provider, route.model, credential)

    def refusal(self, routes: Sequence[Route], now: float, wall: float) -> Fault:
        """Why nobody is asked, and when the first way opens."""
        model, blocks = routes[0].model, list[_Block]()
        for route in routes:
            for each in self._turns[route.provider.name].credentials:
                if (block := self._block(route.provider.name, each, route.model, now, wall)) is not None:
                    blocks.append(block)
        first = min(blocks, key=lambda block: block.until, default=_Block(FaultReason.OVERLOADED, now, firm=True))
        wait = first.until - now
        message = f"no way to {model} is open"
        if wait == float("inf"):
            return Fault(reason=FaultReason.NO_CREDENTIAL, message=f"{message}: no credential can be used")
        message += f"; the first one opens in {max(1, round(wait))} s"
        return Fault(reason=first.reason, message=message, retry_after=max(0.0, wait))

    def secret(self, way: Way, now: float) -> str:
        """The key to send, empty where none is needed."""
        credential = way.credential
        return credential.key or (self._token(way.key, now).access if credential.token_file else "")

    def started(self, way: Way, now: float) -> None:
        """An ask set out."""
        self.circuits.started(way.provider.name, way.credential.alias, way.model, now)

    def finished(self, way: Way, fault: Fault | None, now: float, *, abandoned: bool = False) -> float:
        """An ask came back, with `fault` or well; of an abandoned one nobody heard the end.

        The value is for how many seconds its credential is set aside.
        """
        (name, alias), wait = way.key, 0.0
        if abandoned:
            change = Change.NOTHING
        elif fault is None:
            change = Change.SUCCESS
            self.sidelined.served(name, alias, way.model)
        else:
            counts = fault.reason in COUNTED or (self._settings.count_limits and fault.reason in LIMITED)
            change = Change.FAILURE if counts else Change.NOTHING
            wait = self.sidelined.failed(name, alias, way.model, fault, now)
        self.circuits.finished(name, alias, way.model, change, now)
        return wait

    def standings(self, now: float, wall: float) -> list[Standing]:
        """How every credential stands."""
        found = []
        for name, turns in self._turns.items():
            for each in turns.credentials:
                token = self._token((name, each.alias), now) if each.token_file else None  # a new one forgets
                aside = self.sidelined.of(name, each.alias, "", now)
                found.append(
                    Standing(
                        provider=name,
                        credential=each.alias,
                        sidelined_until=aside.until if aside else None,
                        refresh=token.state(wall) if token else None,
                        expires_at=token.expires_at if token else None,
                    )
                )
        return found

    def _block(self, name: str, credential: Credential, model: str, now: float, wall: float) -> _Block | None:
        if (aside := self._aside(name, credential, model, now, wall)) is not None:
            return aside
        breaker = self.circuits.of(name, credential.alias, model)
        if breaker.open_until is None or breaker.admits(now):
            return None
        return _Block(FaultReason.OVERLOADED, max(now, breaker.open_until), firm=not breaker.policy.valve)

    def _aside(self, name: str, credential: Credential, model: str, now: float, wall: float) -> _Block | None:
        if credential.token_file:
            token = self._token((name, credential.alias), now)
            if token.disabled or not (credential.key or token.access):
                return _Block(FaultReason.NO_CREDENTIAL, float("inf"), firm=True)
            if not credential.key and token.state(wall) is Refresh.EXPIRED:
                return _Block(FaultReason.NO_CREDENTIAL, float("inf"), firm=False)
        found = self.sidelined.of(name, credential.alias, model, now)
        if found is None:
            return None
        reason = FaultReason.NO_CREDENTIAL if found.reason in _OURS else found.reason
        return _Block(reason, found.until, found.firm)

    def _token(self, key: tuple[str, str], now: float) -> Token:
        token, changed = self._files[key].token(now)
        if changed:
            self.sidelined.renewed(*key)
            self.learn(token.access)
        return token


# Said of our credential, not of the client's: the client is not told that its own is wrong.
_OURS = frozenset({FaultReason.AUTH, FaultReason.BILLING, FaultReason.PERMISSION})
