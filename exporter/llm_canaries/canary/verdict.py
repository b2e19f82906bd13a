"""Findings in a few words, as scenarios say them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Finding, Outcome, SharedReason
from llm_canaries.wire.exchange import Exchange
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.message import Finish, Reply, Usage


def passed(detail: str = "", measures: Mapping[str, float] | None = None, memory: Any = None) -> Finding:
    """All is well."""
    return Finding(outcome=Outcome.PASS, detail=detail, measures=measures or {}, memory=memory)


def failed(reason: StrEnum, domain: Domain, detail: str = "", measures: Mapping[str, float] | None = None) -> Finding:
    """Something is wrong, and whose fault it is."""
    return Finding(
        outcome=Outcome.FAIL, reason=reason, fault_domain=domain, detail=detail, measures=measures or {}
    )


def undecided(reason: StrEnum, detail: str = "", memory: Any = None) -> Finding:
    """The answer does not tell."""
    return Finding(outcome=Outcome.INCONCLUSIVE, reason=reason, detail=detail, memory=memory)


def skipped(reason: StrEnum, detail: str = "") -> Finding:
    """There is nothing to ask."""
    return Finding(outcome=Outcome.SKIP, reason=reason, detail=detail)


def faulted(fault: Fault) -> Finding:
    """No usable answer came."""
    status = f"HTTP {fault.status}: " if fault.status else ""
    return failed(fault.reason, fault.domain, status + fault.message)


def page_domain(fault: Fault, *, deployed: bool) -> Domain:
    """Whose fault it is that a page of a gateway, its model list among them, did not come: a deployed one makes its
    pages itself, and nobody behind it spoils them. The embedded core's list is its providers'.
    """
    if not deployed or fault.domain not in _BEHIND:
        return fault.domain
    return Domain.POLICY if fault.reason in _BUSY else Domain.DEPLOYMENT


_BEHIND = frozenset({Domain.PROVIDER, Domain.TRANSLATION})
_BUSY = frozenset({FaultReason.RATE_LIMITED, FaultReason.QUOTA_EXHAUSTED})


def unlisted(case: Case, fault: Fault) -> Finding:
    """No usable model list came."""
    return replace(faulted(fault), fault_domain=page_domain(fault, deployed=case.deployed))


def cut(wanted: str, reply: Reply) -> Finding | None:
    """The finding of an answer that begins right and ends early, though it is said to be finished.

    Gateways pass a cut stream on as a whole one (cliproxyapi.md 11; LiteLLM 1.106 does).
    """
    said = reply.text.strip()
    if not said or said == wanted or not wanted.startswith(said):
        return None
    if reply.finish is Finish.LENGTH:
        return undecided(SharedReason.CAP_TOO_SMALL, f"the token limit cut the answer to {said!r}")
    return failed(
        FaultReason.ANSWER_CUT,
        Domain.TRANSLATION,
        f"said {said!r} of {wanted!r}, and finished with {reply.finish_native!r}",
    )


def starved(reply: Reply) -> Finding | None:
    """The finding of an answer whose limit was eaten by reasoning: the canary's own fault (protocols.md E)."""
    if reply.finish is not Finish.LENGTH or reply.text or reply.calls:
        return None
    return undecided(SharedReason.CAP_TOO_SMALL, "the token limit was used up before the first word")


def usage_of(exchange: Exchange) -> Usage | None:
    """The usage of an answer, None where none came or all that came is zero."""
    usage = exchange.reply.usage if exchange.reply else None
    return usage if usage is not None and (usage.input or usage.output) else None
