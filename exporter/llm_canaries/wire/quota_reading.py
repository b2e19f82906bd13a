"""Reads what an answer says about remaining quota: headers, and the bodies of refusals (protocols.md A7)."""

import re
from collections.abc import Iterable, Iterator

from llm_canaries.wire.envelope import body_wait, error_value, google_details
from llm_canaries.wire.headers import Headers, instant, number
from llm_canaries.wire.json import Object, items, mapping, string
from llm_canaries.wire.quota import Quota
from llm_canaries.wire.quota_counts import counted, drafted
from llm_canaries.wire.quota_windows import claude, codex, copilot

LITELLM = "llm_provider-"
"""What LiteLLM puts before the headers of its upstream; it says some of them again without."""


def read_quota(headers: Headers, now: float, refusal: bytes = b"") -> tuple[Quota, ...]:
    """Every scope that an answer speaks of, by name; `now` is Unix time, `refusal` the body of one of 400 and above.

    Of two words on one scope the fuller counts: counts are never mixed, nor compared over units.
    """
    plain: Headers = tuple((name.lower().removeprefix(LITELLM), value) for name, value in headers)
    found: dict[str, Quota] = {}
    for quota in _all(plain, now, refusal):
        before = found.get(quota.scope)
        if before is None or quota.known > before.known:
            found[quota.scope] = quota
    return tuple(quota for _, quota in sorted(found.items()))


def _all(headers: Headers, now: float, refusal: bytes) -> Iterable[Quota]:
    for source in (counted, claude, codex, copilot, drafted):
        yield from source(headers, now)
    error = mapping((error_value(refusal) or {}).get("error")) if refusal else {}
    yield from _used_up(error, now)


def _used_up(error: Object, now: float) -> Iterator[Quota]:
    """The limits that a refusal names: Codex' plan, or each of Gemini's violations."""
    wait = body_wait(error, now)
    reset = None if wait is None else instant(str(now + wait), now)
    details = google_details(error)
    violations = [mapping(each) for each in items(details.get("QuotaFailure", {}).get("violations"))]
    for violation in violations:
        identity = string(violation.get("quotaId")) or string(violation.get("quotaMetric"))
        if identity:
            limit = number(string(violation.get("quotaValue")))
            unit = "tokens" if "token" in identity.lower() else "requests"
            scope = f"{unit}{_period(identity)}"
            yield Quota(scope=scope, unit=unit, limit=limit, used_ratio=1.0, reset_at=reset)
    exhausted = details.get("ErrorInfo", {}).get("reason") == "QUOTA_EXHAUSTED" and not violations
    if exhausted or error.get("type") == "usage_limit_reached":
        yield Quota(scope="plan", unit="ratio", used_ratio=1.0, reset_at=reset)


def _period(identity: str) -> str:
    """`-per-day` out of GenerateRequestsPerDayPerProjectPerModel-FreeTier; empty where it names none."""
    found = re.search(r"Per(Day|Hour|Minute|Second)", identity)
    return f"-per-{found[1].lower()}" if found else ""
