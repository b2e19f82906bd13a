"""What runs say for the table of attribution: the failing answer itself, and the runs made to compare it with."""

from collections.abc import Mapping

from llm_canaries.canary.attribution import Again, Direct, Loop, Sign
from llm_canaries.canary.canary import Outcome, Run, Way
from llm_canaries.wire.exchange import Exchange, Page
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.headers import Headers, header

R, S = FaultReason, Sign

_SIGNS: Mapping[FaultReason, Sign] = {
    R.CONNECT: S.UNREACHED,
    R.CONNECT_TIMEOUT: S.UNREACHED,
    R.TLS: S.TLS,
    R.HTML: S.PAGE,
    R.COOLDOWN: S.LOCAL,
    R.NO_CREDENTIAL: S.LOCAL,
    R.FIRST_BYTE_TIMEOUT: S.SILENT,
    R.IDLE_TIMEOUT: S.SILENT,
    R.TOTAL_TIMEOUT: S.SILENT,
    R.CONNECTION_LOST: S.SILENT,
}
_HEADERS = ("x-litellm-", "x-portkey-", "x-cpa-", "x-cliproxy-", "x-bf-")  # by which gateways name themselves
_BEHIND = "x-cpa-trace-id"  # names the credential that CLIProxyAPI chose, which it does once it let the client in
_BUSY = frozenset({R.RATE_LIMITED, R.QUOTA_EXHAUSTED, R.OVERLOADED})
TOO_FAST = 0.1  # of the quickest answer: a refusal that came in less has not been to the provider (peers.md 0.4)
UNREACHED = frozenset({S.UNREACHED, S.TLS})


def sign_of(run: Run, quickest: float | None = None) -> Sign:
    """What the first answer of `run` that is at fault shows; `quickest` is the quickest answer seen, in seconds."""
    answer = next((each for each in run.answers if each.fault is not None), None)
    if answer is None or answer.fault is None:
        return S.ANSWERED
    sign = _SIGNS.get(answer.fault.reason)
    if too_fast(answer, quickest):
        return S.LOCAL
    if sign in (S.PAGE, S.SILENT) and names_gateway(answer.headers):
        return S.NAMED
    if sign is not None:
        return sign
    if (answer.status or 0) < 400:
        return S.ANSWERED
    if answer.fault.reason is R.AUTH and header(answer.headers, _BEHIND):
        return S.BEHIND
    return S.NAMED if names_gateway(answer.headers) else S.REFUSED


def too_fast(answer: Exchange | Page, quickest: float | None) -> bool:
    """Whether a refusal for being busy came sooner than any provider could have given it."""
    fault = answer.fault
    return (
        quickest is not None and fault is not None and fault.reason in _BUSY and answer.duration < quickest * TOO_FAST
    )


def names_gateway(headers: Headers) -> bool:
    """Whether a gateway has put headers of its own into the answer."""
    return any(name.lower().startswith(_HEADERS) for name, _ in headers)


def direct_of(run: Run, twin: Run | None) -> Direct:
    """What the direct run says of a failure of `run`."""
    if twin is None:
        return Direct.NOT_RUN
    match twin.finding.outcome:
        case Outcome.PASS:
            return Direct.PASSED
        case Outcome.FAIL:
            return Direct.SAME if _same(run, twin) else Direct.OTHER
    return Direct.UNDECIDED


def loop_of(run: Run, loop: Run | None) -> Loop:
    """What the run to our own mirror says: a failure of another kind is of the way there, and tells nothing."""
    if loop is None:
        return Loop.NOT_RUN
    match loop.finding.outcome:
        case Outcome.PASS:
            return Loop.PASSED
        case Outcome.FAIL if _same(run, loop):
            return Loop.FAILED
    return Loop.UNDECIDED


def again_of(again: Run | None) -> Again:
    """What the repeated run says."""
    if again is None or not again.finding.outcome.decided:
        return Again.NOT_RUN
    return Again.PASSED if again.finding.outcome is Outcome.PASS else Again.FAILED


def witnessed(run: Run, twins: Mapping[Way, Run]) -> tuple[Direct, Loop, Again]:
    """What all runs made to compare a failure of `run` with say of it.

    Without one to our own mirror a control stands beside the failure itself: the mirror has answered that already.
    """
    loop = loop_of(run, twins.get("loop", run if "control" in twins else None))
    if loop is Loop.FAILED and loop_of(run, twins.get("control")) is not Loop.PASSED:
        loop = Loop.VOID
    return direct_of(run, twins.get("direct")), loop, again_of(twins.get("again"))


def _same(one: Run, other: Run) -> bool:
    """Whether two failures are of one kind: who is not reached is not reached, however that is told."""
    if one.finding.reason == other.finding.reason:
        return True
    return {sign_of(one), sign_of(other)} <= UNREACHED
