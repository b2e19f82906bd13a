"""stale-cooldown: a gateway refuses by itself although the same provider answers directly (peers.md E.2).

Gateways keep credentials cooling for hours or days after the quota came back, and answer a 429 of their own within
milliseconds (cliproxyapi.md 4.5). Only a look from outside tells: the gateway is asked, and where it refuses by itself,
the provider is asked once, directly, unless it wants to be left alone.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.holds import FAR
from llm_canaries.canary.signs import too_fast
from llm_canaries.canary.verdict import failed, passed, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, Send, send
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.nonce import Draw

PATIENCE = 60.0  # seconds that a provider is left alone which refuses without saying for how long

_OWN = frozenset({FaultReason.COOLDOWN, FaultReason.NO_CREDENTIAL})  # no provider says these
_REFUSALS = _OWN | {FaultReason.RATE_LIMITED, FaultReason.QUOTA_EXHAUSTED, FaultReason.OVERLOADED}


class Reason(StrEnum):
    """Why the cooldown is stale, and when it cannot be told."""

    STALE_COOLDOWN = "stale_cooldown"
    COOLDOWN_JUSTIFIED = "cooldown_justified"
    PROVIDERS_REFUSAL = "providers_refusal"
    DIRECT_FAILED = "direct_failed"
    NO_COOLDOWN = "no_cooldown"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`cap` on tokens."""

    cap: int = 512


class Memory(Struct, frozen=True):
    """The quickest answer so far in seconds; since when the cooldown is seen stale, when last, and until when the
    provider wants to be left alone (Unix times, 0: not).
    """

    quickest: float | None = None
    since: float = 0.0
    last: float = 0.0
    alone_until: float = 0.0


def play(case: Case, params: Params, draw: Draw, memory: Memory | None) -> Play[Finding]:
    """The gateway first, the provider only after a refusal of the gateway's own."""
    before = memory or Memory()
    answer = yield from send(_step(case, params, draw))
    if answer.fault is None:
        return passed("it answers", memory=Memory(quickest=_quicker(before, answer), alone_until=before.alone_until))
    own = _of_its_own(answer, answer.fault, before)
    kept = replace(before, since=0.0, last=0.0)
    if answer.fault.reason not in _REFUSALS:
        return undecided(Reason.NO_COOLDOWN, f"it fails, and not by a cooldown: {_said(answer.fault)}", kept)
    if not own:
        return undecided(Reason.PROVIDERS_REFUSAL, f"it may be the provider's own word: {_said(answer.fault)}", kept)
    if before.alone_until > answer.at:
        wait = f"the provider refused as well, and wants {before.alone_until - answer.at:.0f} s more"
        return undecided(Reason.COOLDOWN_JUSTIFIED, f"{own}; {wait}", kept)
    direct = yield from send(replace(_step(case, params, draw), via="direct"))
    return judge(answer, direct, own, before)


def judge(answer: Exchange, direct: Exchange, own: str, before: Memory) -> Finding:
    """The finding of a refusal of the gateway's own (`own` says how that is known) and of the provider's answer."""
    if direct.fault is None:
        return _stale(direct, own, before)
    kept = Memory(quickest=before.quickest)
    said = f"{own}; directly: {_said(direct.fault)}"
    if direct.fault.reason in _REFUSALS:
        wait = PATIENCE if direct.fault.retry_after is None else direct.fault.retry_after
        return passed(f"{said}: the cooldown has its cause", memory=replace(kept, alone_until=direct.at + wait))
    return undecided(Reason.DIRECT_FAILED, said, kept)


def _stale(direct: Exchange, own: str, before: Memory) -> Finding:
    now, provider = direct.at, direct.attempts[-1].provider if direct.attempts else ""
    since = before.since or now
    lost = max(0.0, now - before.last) if before.last else 0.0
    detail = f"{own}; {provider or 'the provider'} answers directly"
    detail += f", and has for {(now - since) / 3600:.1f} h" if now > since else ""
    measures = {f"cooldown_lost:{provider}": lost, "cooldown_lost_hours": (now - since) / 3600}
    finding = failed(Reason.STALE_COOLDOWN, Domain.POLICY, detail, measures)
    return replace(finding, memory=Memory(quickest=_quicker(before, direct), since=since, last=now))


def _of_its_own(answer: Exchange, fault: Fault, before: Memory) -> str:
    """How it is known that the gateway refused by itself, empty where it is not."""
    took = f"{answer.duration * 1000:.0f} ms"
    if fault.reason in _OWN:
        return f"the gateway refuses by itself, in {took}: {_said(fault)}"
    if too_fast(answer, before.quickest):
        return f"the gateway refuses too fast to have asked anybody, in {took}: {_said(fault)}"
    if fault.reason in _REFUSALS and (fault.retry_after or 0.0) >= FAR:
        return f"the gateway puts off for {(fault.retry_after or 0.0) / 3600:.1f} h: {_said(fault)}"
    return ""


def _step(case: Case, params: Params, draw: Draw) -> Send:
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    return sending(case, text_ask(case, echo_prompt(mark, number), cap=params.cap), mark)


def _quicker(before: Memory, answer: Exchange) -> float:
    return min(answer.duration, before.quickest if before.quickest is not None else answer.duration)


def _said(fault: Fault) -> str:
    status = f"HTTP {fault.status} " if fault.status else ""
    return f"{status}{fault.reason}: {fault.message}"


def objection(case: Case) -> str:
    """Without a twin nobody can be asked directly."""
    return "" if case.twin else f"gateway {case.gateway} has no `twin` by which its provider could be asked directly"


def cost(case: Case, params: Params) -> Cost:
    """One short ask at the gateway, and one directly."""
    return Cost(requests=2, input_tokens=80, output_tokens=40, limit=2 * params.cap)


SCENARIO = Scenario(
    name="stale-cooldown",
    reasons=Reason,
    params=Params,
    memory=Memory,
    play=play,
    cost=cost,
    needs=frozenset({"direct"}),
    objection=objection,
    least_every=300.0,
    compared=frozenset(),  # it has compared already
)
