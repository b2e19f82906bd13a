"""How the core treats an ask: a canary's is judged as it comes, a client's is to be answered."""

from msgspec import Struct

from llm_canaries.proxy.retry import Retries
from llm_canaries.wire.fault import FaultReason

R = FaultReason


class Conduct(Struct, frozen=True, kw_only=True):
    """`raw`: one attempt, never refused by a breaker or for a credential set aside, and what cannot be read travels as
    it came (DESIGN 5.7). Otherwise `retries` hold, and the client gets an error or an end in its own dialect.
    """

    raw: bool = True
    retries: Retries = Retries(attempts=1)


CANARY = Conduct()
CLIENT = Conduct(raw=False, retries=Retries())


# What a breaker counts: faults of whoever answers or should. Errors of the ask (400, 404, 413, 422) or of one
# credential (401, 402, 403) say that somebody is well enough to complain.
COUNTED: frozenset[FaultReason] = frozenset(
    {
        R.CONNECT,
        R.TLS,
        R.CONNECT_TIMEOUT,
        R.FIRST_BYTE_TIMEOUT,
        R.IDLE_TIMEOUT,
        R.TOTAL_TIMEOUT,
        R.CONNECTION_LOST,
        R.BODY_TOO_LARGE,
        R.HTML,
        R.MALFORMED_BODY,
        R.TRUNCATED_STREAM,
        R.STREAM_ERROR,
        R.EMPTY_BODY,
        R.ERROR_IN_200,
        R.BUSINESS_ERROR,
        R.OVERLOADED,
        R.UPSTREAM_ERROR,
        R.UPSTREAM_TIMEOUT,
        R.NO_CREDENTIAL,
    }
)

# ... and these unless told not to: a limit is no illness, but whoever is limited answers nothing either.
LIMITED: frozenset[FaultReason] = frozenset({R.RATE_LIMITED, R.QUOTA_EXHAUSTED, R.COOLDOWN})
