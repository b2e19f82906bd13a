"""What went wrong with an answer: one closed reason, whose fault it is, and what the other side said of it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Domain(StrEnum):
    """Whose fault it is."""

    PROVIDER = "provider"
    TRANSLATION = "translation"
    ROUTING = "routing"
    POLICY = "policy"
    DEPLOYMENT = "deployment"
    NETWORK = "network"
    CLIENT = "client"
    CANARY = "canary"


def bracketed(domain: str | None) -> str:
    """` (translation)`, to stand behind a reason; empty where nobody is to blame."""
    return f" ({domain})" if domain else ""


class FaultReason(StrEnum):
    """Why no usable answer came; any scenario can end with one of these."""

    CONNECT = "connect"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CONNECTION_LOST = "connection_lost"
    BODY_TOO_LARGE = "body_too_large"
    HTML = "html"
    MALFORMED_BODY = "malformed_body"
    NOT_A_STREAM = "not_a_stream"
    UNEXPECTED_STREAM = "unexpected_stream"
    TRUNCATED_STREAM = "truncated_stream"
    STREAM_ERROR = "stream_error"
    EMPTY_BODY = "empty_body"
    EMPTY_ANSWER = "empty_answer"
    ANSWER_CUT = "answer_cut"
    ERROR_IN_200 = "error_in_200"
    BUSINESS_ERROR = "business_error"
    AUTH = "auth"
    PERMISSION = "permission"
    BILLING = "billing"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    COOLDOWN = "cooldown"
    NO_CREDENTIAL = "no_credential"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_NOT_SUPPORTED = "model_not_supported"
    NO_ROUTE = "no_route"
    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"


R, D = FaultReason, Domain

DOMAINS: Mapping[FaultReason, Domain] = {
    R.CONNECT: D.DEPLOYMENT,
    R.TLS: D.DEPLOYMENT,
    R.CONNECT_TIMEOUT: D.NETWORK,
    R.FIRST_BYTE_TIMEOUT: D.PROVIDER,
    R.IDLE_TIMEOUT: D.PROVIDER,
    R.TOTAL_TIMEOUT: D.PROVIDER,
    R.CONNECTION_LOST: D.NETWORK,
    R.BODY_TOO_LARGE: D.DEPLOYMENT,
    R.HTML: D.DEPLOYMENT,
    R.MALFORMED_BODY: D.TRANSLATION,
    R.NOT_A_STREAM: D.TRANSLATION,
    R.UNEXPECTED_STREAM: D.TRANSLATION,
    R.TRUNCATED_STREAM: D.PROVIDER,
    R.STREAM_ERROR: D.PROVIDER,
    R.EMPTY_BODY: D.TRANSLATION,
    R.EMPTY_ANSWER: D.TRANSLATION,
    R.ANSWER_CUT: D.TRANSLATION,
    R.ERROR_IN_200: D.TRANSLATION,
    R.BUSINESS_ERROR: D.PROVIDER,
    R.AUTH: D.CLIENT,
    R.PERMISSION: D.POLICY,
    R.BILLING: D.POLICY,
    R.RATE_LIMITED: D.PROVIDER,
    R.QUOTA_EXHAUSTED: D.PROVIDER,
    R.COOLDOWN: D.POLICY,
    R.NO_CREDENTIAL: D.DEPLOYMENT,
    R.MODEL_NOT_FOUND: D.ROUTING,
    R.MODEL_NOT_SUPPORTED: D.POLICY,
    R.NO_ROUTE: D.DEPLOYMENT,
    R.BAD_REQUEST: D.TRANSLATION,
    R.TOO_LARGE: D.TRANSLATION,
    R.OVERLOADED: D.PROVIDER,
    R.UPSTREAM_ERROR: D.PROVIDER,
    R.UPSTREAM_TIMEOUT: D.PROVIDER,
}


class Fault(Struct, frozen=True, kw_only=True):
    """One failure: `code` and `message` are the other side's own words, `retry_after` is in seconds.

    `should_retry` is its word on trying again, None where it has none. `levels` and `budget` are what it says that
    the model takes of reasoning, where that was the refusal.
    """

    reason: FaultReason
    status: int | None = None
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    should_retry: bool | None = None
    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None

    @property
    def domain(self) -> Domain:
        """Whose fault this reason is, as far as one exchange can tell."""
        return DOMAINS[self.reason]
