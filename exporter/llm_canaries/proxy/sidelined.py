"""Credentials set aside by what a provider said of them, and until when; a hint of the provider's own counts first."""

from collections.abc import Mapping

from msgspec import Struct

from llm_canaries.wire.fault import Fault, FaultReason

R = FaultReason

LONGEST = 24 * 3600.0  # seconds; a hint of days (cliproxyapi.md 4.5: Codex) is looked at again once a day
MOST = 4096  # entries kept; the one due first gives way


class Rule(Struct, frozen=True, kw_only=True):
    """How long a kind of fault sets a credential aside, in seconds; a hint replaces it where there is one.

    `doubles`: twice as long each time in a row, at most `most`. `model`: for this model only. `firm`: nobody is asked
    before; what is not firm is tried all the same where there is nothing else.
    """

    seconds: float
    most: float = 0.0
    doubles: bool = False
    model: bool = False
    firm: bool = False


_HALF_HOUR = 1800.0

# Times are those of CLIProxyAPI (cliproxyapi.md 4.5, conductor_cooldown.go:760-895) but for one: 12 hours for a model
# that was not found kept healthy models away from everybody (#4410, #5477), here it is 10 minutes. A 5xx is no word
# about a credential: it feeds the breaker.
SIDELINES: Mapping[FaultReason, Rule] = {
    R.AUTH: Rule(seconds=_HALF_HOUR),  # 401
    R.BILLING: Rule(seconds=_HALF_HOUR),  # 402
    R.PERMISSION: Rule(seconds=_HALF_HOUR),  # 403
    R.MODEL_NOT_FOUND: Rule(seconds=600.0, model=True),  # 404
    R.MODEL_NOT_SUPPORTED: Rule(seconds=600.0, model=True),  # 400, 422
    R.RATE_LIMITED: Rule(seconds=1.0, doubles=True, most=_HALF_HOUR, firm=True),  # 429
    R.QUOTA_EXHAUSTED: Rule(seconds=60.0, doubles=True, most=_HALF_HOUR, firm=True),  # 429, 402
    R.COOLDOWN: Rule(seconds=1.0, doubles=True, most=_HALF_HOUR, model=True, firm=True),  # another proxy's own 429
}


class Sideline(Struct, frozen=True):
    """Why a credential waits, until when (monotonic seconds), and how many times in a row it was set aside."""

    reason: FaultReason
    until: float
    firm: bool
    times: int = 1


class Sidelined:
    """Who is set aside: by provider and credential, for one model or (empty) for all."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], Sideline] = {}

    def of(self, provider: str, credential: str, model: str, now: float) -> Sideline | None:
        """What keeps a credential from serving `model` at `now`, the longest of it."""
        if not self._entries:
            return None
        found = [
            entry
            for key in ((provider, credential, ""), (provider, credential, model))
            if (entry := self._entries.get(key)) is not None and entry.until > now
        ]
        return max(found, key=lambda entry: entry.until, default=None)

    def failed(self, provider: str, credential: str, model: str, fault: Fault, now: float) -> float:
        """Sets a credential aside where `fault` speaks of it; the value is for how many seconds."""
        rule = SIDELINES.get(fault.reason)
        if rule is None:
            return 0.0
        key = (provider, credential, model if rule.model else "")
        before = self._entries.get(key)
        times = before.times + 1 if before is not None and before.reason is fault.reason else 1
        wait = fault.retry_after
        if wait is None:
            wait = min(rule.seconds * 2 ** min(times - 1, 16), rule.most) if rule.doubles else rule.seconds
        wait = min(wait, LONGEST)
        self._entries[key] = Sideline(fault.reason, now + wait, rule.firm, times)
        if len(self._entries) > MOST:
            del self._entries[min(self._entries, key=lambda each: self._entries[each].until)]
        return wait

    def served(self, provider: str, credential: str, model: str) -> None:
        """A good answer proves that nothing keeps this credential from `model`."""
        if self._entries:
            self._entries.pop((provider, credential, ""), None)
            self._entries.pop((provider, credential, model), None)

    def renewed(self, provider: str, credential: str) -> None:
        """Forgets all about a credential: it is another one now."""
        self._entries = {key: entry for key, entry in self._entries.items() if key[:2] != (provider, credential)}
