"""A circuit breaker as a value: what happened goes in, a new breaker comes out; time is an argument.

closed --failures in a row--> open --its time has passed--> half_open --success--> closed
                                ^----------- failure ------------'
Open turns half-open when it is read, not by a timer. The policy says how many failures open it, for how long, and how
many asks may try it half-open. A probe that never comes back holds its place for one `timeout` only.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace


class State(StrEnum):
    """Whether asks may pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Threshold(Struct, frozen=True, tag="threshold"):
    """`failures` in a row open it for `timeout` seconds, then `probes` may pass at a time."""

    failures: int = 5
    timeout: float = 30.0
    probes: int = 1

    valve = False

    def pause(self, failures: int, *, probed: bool) -> float:
        """Seconds to stay open after so many failures in a row; `probed`: the last was that of a probe."""
        return self.timeout if probed or failures >= self.failures else 0.0


class Tiered(Struct, frozen=True, tag="tiered"):
    """The longer the run of failures the longer it is open: `tiers` of (failures, seconds), each at most `cap`.

    Half-open lets everybody pass, and where every way is open the one due first is tried (the safety valve): a tier
    too long can delay, never shut out (claude-code-fallback's tiers, watched-systems.md).
    """

    tiers: tuple[tuple[int, float], ...] = ((3, 30.0), (5, 60.0), (10, 300.0))
    cap: float = 300.0

    valve = True
    probes = 0  # no bound

    def pause(self, failures: int, *, probed: bool) -> float:
        """Seconds to stay open after so many failures in a row, whoever made the last of them."""
        reached = [seconds for count, seconds in self.tiers if failures >= count]
        return min(max(reached, default=0.0), self.cap)


Policy: TypeAlias = Threshold | Tiered


class Breaker(Struct, frozen=True):
    """One breaker: consecutive failures, until when it is open (None: closed), half-open probes under way and how long
    they may be.
    """

    policy: Policy = Threshold()
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
        if self.open_until is None:
            return True
        if now < self.open_until:
            return False
        return self.policy.probes == 0 or self._probing(now) < self.policy.probes

    def started(self, now: float) -> "Breaker":
        """The breaker after an ask set out at `now`."""
        if self.state(now) is not State.HALF_OPEN or not isinstance(self.policy, Threshold):
            return self
        return replace(self, probing=self._probing(now) + 1, probing_until=now + self.policy.timeout)

    def released(self, now: float) -> "Breaker":
        """The breaker after an ask came back at `now` that proves nothing: the fault was the client's."""
        return replace(self, probing=self._probing(now) - 1) if self._probing(now) else self

    def after(self, *, success: bool, now: float) -> "Breaker":
        """The breaker after an ask came back at `now`."""
        if success:
            return self if self.failures == 0 and self.open_until is None else Breaker(self.policy)
        failures = self.failures + 1
        pause = self.policy.pause(failures, probed=self.state(now) is State.HALF_OPEN)
        return Breaker(self.policy, failures, now + pause if pause > 0 else self.open_until)

    def _probing(self, now: float) -> int:
        return self.probing if now < self.probing_until else 0
