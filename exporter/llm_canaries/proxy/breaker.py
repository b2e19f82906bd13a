"""A circuit breaker as a value: what happened goes in, a new breaker comes out; time is an argument.

closed --n failures in a row--> open --timeout has passed--> half_open --success--> closed
                                  ^----------- failure ---------'
Open turns half-open when it is read, not by a timer. A probe that never comes back holds its place for `timeout` only.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class State(StrEnum):
    """Whether asks may pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Threshold(Struct, frozen=True):
    """The policy: `failures` in a row open it for `timeout` seconds, then `probes` may pass at a time."""

    failures: int = 5
    timeout: float = 30.0
    probes: int = 1


class Breaker(Struct, frozen=True):
    """One breaker: consecutive failures, until when it is open (None: closed), half-open probes under way and how long
    they may be.
    """

    policy: Threshold = Threshold()
    failures: int = 0
    open_until: float | None = None
    probing: int = 0
    probing_until: float = 0.0

    def state(self, now: float) -> State:
        """The state at `now` (monotonic seconds)."""
        if self.open_until is None:
            return State.CLOSED
        return State.OPEN if now < self.open_until else State.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether one more ask may pass at `now`."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and self._probing(now) < self.policy.probes)

    def started(self, now: float) -> "Breaker":
        """The breaker after an ask set out at `now`."""
        if self.state(now) is not State.HALF_OPEN:
            return self
        return replace(self, probing=self._probing(now) + 1, probing_until=now + self.policy.timeout)

    def after(self, *, success: bool, now: float) -> "Breaker":
        """The breaker after an ask came back at `now`."""
        if success:
            return Breaker(self.policy)
        failures = self.failures + 1
        opens = failures >= self.policy.failures or self.state(now) is State.HALF_OPEN
        return Breaker(self.policy, failures, now + self.policy.timeout if opens else self.open_until)

    def _probing(self, now: float) -> int:
        return self.probing if now < self.probing_until else 0
