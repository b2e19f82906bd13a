"""The breakers of one core: one for each provider, credential or model, and how often they changed their state."""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from llm_canaries.proxy.breaker import Breaker, Policy, State, Threshold

DEFAULT = Threshold()
MOST_MODELS = 512  # breakers of single models; further models share their provider's


class Scope(StrEnum):
    """What one breaker stands for."""

    PROVIDER = "provider"
    CREDENTIAL = "credential"
    MODEL = "model"


class Circuit(Struct, frozen=True, order=True):
    """Whose breaker it is; what lies below the scope is empty."""

    provider: str
    credential: str = ""
    model: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.provider, self.credential, self.model) if part)


class Change(StrEnum):
    """What an answer tells of whoever gave it; NOTHING: the fault was the client's, or nobody waited for the end."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


class Circuits(Mapping[str, Breaker]):
    """Breakers by the name of what they stand for: `openai`, `openai/team-a` or `openai/gpt-5`.

    `transitions` counts the changes by (provider, new state); a breaker's opening half by time alone counts when it is
    noticed, by an ask or by `note`.
    """

    def __init__(
        self, credentials: Mapping[str, tuple[str, ...]], policy: Policy = DEFAULT, scope: Scope = Scope.PROVIDER
    ) -> None:
        self.policy, self.scope = policy, scope
        self._fresh = Breaker(policy)
        self._breakers: dict[Circuit, Breaker] = {}
        self._noted: dict[Circuit, State] = {}
        self.transitions: Counter[tuple[str, State]] = Counter()
        for provider, aliases in credentials.items():
            for alias in aliases if scope is Scope.CREDENTIAL else ("",):
                self._breakers[Circuit(provider, alias)] = self._fresh

    def __getitem__(self, name: str) -> Breaker:
        return {str(circuit): breaker for circuit, breaker in self._breakers.items()}[name]

    def __iter__(self) -> Iterator[str]:
        return (str(circuit) for circuit in self._breakers)

    def __len__(self) -> int:
        return len(self._breakers)

    def each(self) -> Mapping[Circuit, Breaker]:
        """Every breaker by what it stands for."""
        return self._breakers

    def of(self, provider: str, credential: str, model: str) -> Breaker:
        """The breaker of one way to a provider."""
        return self._breakers.get(self._circuit(provider, credential, model), self._fresh)

    def started(self, provider: str, credential: str, model: str, now: float) -> None:
        """An ask set out at `now` (monotonic seconds)."""
        circuit = self._circuit(provider, credential, model)
        breaker = self._breakers.get(circuit)
        if breaker is not None and breaker.open_until is not None:
            self._note(circuit, now)
            self._breakers[circuit] = breaker.started(now)

    def finished(self, provider: str, credential: str, model: str, change: Change, now: float) -> None:
        """An ask came back at `now`."""
        circuit = self._circuit(provider, credential, model)
        breaker = self._breakers.get(circuit, self._fresh)
        if change is not Change.FAILURE and breaker is self._fresh:
            return
        self._note(circuit, now)
        if change is Change.NOTHING:
            self._breakers[circuit] = breaker.released(now)
        else:
            after = breaker.after(success=change is Change.SUCCESS, now=now)
            self._breakers[circuit] = self._fresh if after == self._fresh else after
        self._note(circuit, now)

    def note(self, now: float) -> None:
        """Counts what time alone has changed."""
        for circuit in self._breakers:
            self._note(circuit, now)

    def _note(self, circuit: Circuit, now: float) -> None:
        breaker = self._breakers.get(circuit)
        if breaker is None:
            return
        state = breaker.state(now)
        before = self._noted.get(circuit, State.CLOSED)
        if state is not before:
            self._noted[circuit] = state
            self.transitions[circuit.provider, state] += 1

    def _circuit(self, provider: str, credential: str, model: str) -> Circuit:
        if self.scope is Scope.PROVIDER:
            return Circuit(provider)
        if self.scope is Scope.CREDENTIAL:
            return Circuit(provider, credential)
        own = Circuit(provider, model=model)
        return own if own in self._breakers or len(self._breakers) < MOST_MODELS else Circuit(provider)
