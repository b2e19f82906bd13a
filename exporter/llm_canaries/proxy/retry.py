"""Whether to ask again, whom, and when."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.nonce import Draw

R = FaultReason
_GRAIN = 1_000_000
_TICK = 0.01  # seconds by which a timer may come before its time


class Next(Enum):
    """Who may be asked after a fault: the same one again, only another credential or provider, or nobody."""

    SAME = 1
    OTHER = 2
    NOBODY = 3


# Statuses as the official SDKs retry them (protocols.md A6: 408, 429, 5xx). What is said of one credential, or of one
# provider's models, never goes to the same one twice; what is said of the ask goes to nobody.
RETRIED: Mapping[FaultReason, Next] = {
    R.CONNECT: Next.SAME,
    R.CONNECT_TIMEOUT: Next.SAME,
    R.CONNECTION_LOST: Next.SAME,
    R.UPSTREAM_TIMEOUT: Next.SAME,  # 408, 504
    R.RATE_LIMITED: Next.SAME,  # 429
    R.COOLDOWN: Next.SAME,
    R.UPSTREAM_ERROR: Next.SAME,  # 5xx
    R.OVERLOADED: Next.SAME,  # 503, 529
    R.STREAM_ERROR: Next.SAME,  # said before any of the answer
    R.NO_CREDENTIAL: Next.SAME,  # a gateway behind us, 503
    R.FIRST_BYTE_TIMEOUT: Next.OTHER,
    R.TLS: Next.OTHER,
    R.HTML: Next.OTHER,
    R.MALFORMED_BODY: Next.OTHER,
    R.ERROR_IN_200: Next.OTHER,
    R.BUSINESS_ERROR: Next.OTHER,
    R.EMPTY_BODY: Next.OTHER,
    R.TRUNCATED_STREAM: Next.OTHER,
    R.AUTH: Next.OTHER,  # 401
    R.BILLING: Next.OTHER,  # 402
    R.PERMISSION: Next.OTHER,  # 403
    R.QUOTA_EXHAUSTED: Next.OTHER,  # insufficient_quota: no use in asking here again
    R.MODEL_NOT_FOUND: Next.OTHER,  # 404
    R.MODEL_NOT_SUPPORTED: Next.OTHER,
    R.NO_ROUTE: Next.OTHER,
}


class Retries(Struct, frozen=True, kw_only=True):
    """At most `attempts` in all; waits lie below `base` seconds, doubled each round, at most `cap`."""

    attempts: int = 3
    base: float = 0.5
    cap: float = 8.0

    def wait(self, rounds: int, hint: float, draw: Draw) -> float:
        """Seconds before round number `rounds` (1 is the first retry): full jitter, but not before `hint` is over."""
        bound = min(self.cap, self.base * 2.0 ** min(rounds - 1, 16))
        jitter: float = bound * draw(_GRAIN) / _GRAIN
        return max(jitter, hint + _TICK) if hint > 0 else jitter


def follows(fault: Fault) -> Next:
    """Who may be asked after `fault`; the provider's own word on retries counts for itself (`x-should-retry`)."""
    found = RETRIED.get(fault.reason, Next.NOBODY)
    if fault.should_retry is True:
        return Next.SAME
    return Next.OTHER if fault.should_retry is False and found is Next.SAME else found
