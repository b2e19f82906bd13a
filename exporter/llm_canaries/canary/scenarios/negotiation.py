"""negotiation: which way leads to a model, and how far, before anybody builds on it.

Health and the model list come first, then one short ask, and only then what is special: tools, reasoning, streams. The
embedded core goes first where the gateway has a twin, HTTP through the gateway is the fallback. What one stage does
not show is not tried in the next: a model that is not listed is not asked (cliproxyapi.md 4.6).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Outcome, Scenario
from llm_canaries.canary.scenarios import known_good, stream_conformance, tool_round_trip
from llm_canaries.canary.scenarios.catalog import is_absent, listed
from llm_canaries.canary.verdict import failed, faulted, page_domain, passed, skipped
from llm_canaries.wire import nonce
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Answer, Exchange, Look, Page, Play, Send, Via, look, send
from llm_canaries.wire.fault import Domain, FaultReason
from llm_canaries.wire.json import WireError, decode_object
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.nonce import Draw

Flow = Literal["tools", "thinking", "stream"]
_LIMITS = frozenset({FaultReason.RATE_LIMITED, FaultReason.QUOTA_EXHAUSTED})  # of the credential, whichever the way
_WAYS: dict[Via, str] = {"direct": "directly", "gateway": "through the gateway"}


class Reason(StrEnum):
    """The stage that was not reached, or that it took the fallback to reach it."""

    NOT_ALIVE = "not_alive"
    NOT_LISTED = "not_listed"
    NOT_CALLABLE = "not_callable"
    ADVANCED_FAILED = "advanced_failed"
    FALLBACK_USED = "fallback_used"
    NO_LIST = "no_list"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`health`: pages that tell of life, the first that there is counts. `flows`: what is special. `cap` on tokens."""

    health: tuple[str, ...] = ("/healthz", "/health")
    flows: tuple[Flow, ...] = ("tools", "thinking", "stream")
    cap: int = 512

    def __post_init__(self) -> None:
        if wrong := [path for path in self.health if not path.startswith("/")]:
            raise ValueError(f"`{wrong[0]}` is not a page; it begins with `/`")


class Stage(Struct, frozen=True):
    """One stage with what was wrong with it, None where nothing was; `cause` is the reason in its own words."""

    name: str
    finding: Finding | None = None
    cause: str = ""


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """The embedded way where there is one, and the gateway where that fails or there is none."""
    if not case.twin:
        return told("gateway", (yield from _stages(case, params, draw, "gateway")))
    stages = yield from _stages(case, params, draw, "direct")
    first = told("direct", stages)
    if first.outcome is Outcome.PASS or stages[-1].cause in _LIMITS:
        return first
    second = told("gateway", (yield from _stages(case, params, draw, "gateway")))
    return judge_both(first, second)


def told(via: Via, stages: Sequence[Stage]) -> Finding:
    """The finding of one way: its last stage's, and in the detail what was reached before."""
    last = stages[-1].finding
    reached = ", ".join(stage.name for stage in stages if stage.finding is None)
    if last is None:
        return passed(f"{_WAYS[via]}: {reached}")
    before = f" (reached: {reached})" if reached else ""
    return replace(last, detail=f"{_WAYS[via]}: {stages[-1].name}: {last.detail}{before}")


def judge_both(first: Finding, second: Finding) -> Finding:
    """The finding of the embedded way, which did not lead there, and of its fallback."""
    detail = f"{first.detail}; {second.detail}"
    if second.outcome is not Outcome.PASS or first.outcome is Outcome.SKIP:
        return replace(second, detail=detail)
    if first.outcome is Outcome.INCONCLUSIVE:
        return replace(first, detail=detail)
    assert first.fault_domain is not None, "a failure has a domain"
    return failed(Reason.FALLBACK_USED, first.fault_domain, detail)


def _stages(case: Case, params: Params, draw: Draw, via: Via) -> Play[Sequence[Stage]]:
    """The stages of one way, up to the first that fails."""
    page = yield from _alive(params, via)
    ids = yield from look(Look(path=DIALECTS["openai_chat"].models_path, via=via))
    own = case.deployed and via == "gateway"
    done = [Stage("alive", judge_alive(page, ids, deployed=own))]
    if done[-1].finding is None:
        done.append(Stage("listed", judge_listed(ids, case.model, deployed=own)))
    if done[-1].finding is None:
        plain = known_good.play(case, known_good.Params(cap=params.cap), draw, None)
        done.append(_stage("callable", (yield from _on(plain, via)), Reason.NOT_CALLABLE))
    for flow in params.flows:
        if done[-1].finding is None and not (flow == "thinking" and case.facts.thinking is False):
            special = yield from _on(_flow(flow, case, params, draw), via)
            done.append(_stage(flow, special, Reason.ADVANCED_FAILED))
    return done


def _alive(params: Params, via: Via) -> Play[Page | None]:
    """The first page of life that there is, None where the gateway has none of them.

    HTML is a front end that answers on every path.
    """
    for path in params.health:
        page = yield from look(Look(path=path, via=via))
        if page.fault is None or not (is_absent(page.fault) or page.fault.reason is FaultReason.HTML):
            return page
    return None


def judge_alive(page: Page | None, ids: Page, *, deployed: bool) -> Finding | None:
    """What is wrong with the page of life; without one, whatever the model list answers is a sign of life."""
    dead = page if page is not None else ids if ids.status is None else None
    if dead is None or dead.fault is None or dead.status in (401, 403):
        return None
    domain = page_domain(dead.fault, deployed=deployed)
    return failed(Reason.NOT_ALIVE, domain, f"{dead.look.path}: {_words(faulted(dead.fault))}")


def judge_listed(ids: Page, model: str, *, deployed: bool) -> Finding | None:
    """What is wrong with the list: it is not there, it cannot be read, or the model is not in it."""
    if ids.fault is not None:
        if is_absent(ids.fault):
            return skipped(Reason.NO_LIST, "there is no model list to go by")
        return failed(Reason.NOT_LISTED, page_domain(ids.fault, deployed=deployed), _words(faulted(ids.fault)))
    try:
        names = listed(decode_object(ids.body))
    except WireError as error:
        domain = Domain.DEPLOYMENT if deployed else Domain.TRANSLATION
        return failed(Reason.NOT_LISTED, domain, f"model list: {error}")
    if model in names:
        return None
    return failed(Reason.NOT_LISTED, Domain.ROUTING, f"{model} is not among the {len(set(names))} models of the list")


def _flow(flow: Flow, case: Case, params: Params, draw: Draw) -> Play[Finding]:
    if flow == "tools":
        return (yield from tool_round_trip.play(case, tool_round_trip.Params(choices=False), draw, None))
    if flow == "stream":
        return (yield from stream_conformance.play(case, stream_conformance.Params(buffered=False), draw, None))
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    low = Thinking(effort="low")
    ask = text_ask(case, echo_prompt(mark, number), cap=4 * params.cap, thinking=low)
    exchange: Exchange = yield from send(sending(case, ask, mark))
    return known_good.judge(exchange, number, known_good.Params())


def _on(playing: Play[Finding], via: Via) -> Play[Finding]:
    """`playing` with its asks sent on the way `via`."""
    try:
        step = next(playing)
        while True:
            assert isinstance(step, Send), "the stages that are borrowed ask one thing at a time"
            answer: Answer = yield replace(step, via=via)
            step = playing.send(answer)
    except StopIteration as stop:
        finding: Finding = stop.value
        return finding


def _stage(name: str, finding: Finding, reason: Reason) -> Stage:
    """What a borrowed scenario found, under the reason of this one; what it cannot tell stays undecided."""
    if finding.outcome is Outcome.PASS or finding.reason == tool_round_trip.Reason.ONE_CALL:
        return Stage(name)
    if finding.outcome is not Outcome.FAIL:
        return Stage(name, finding, finding.reason)
    assert finding.fault_domain is not None, "a failure has a domain"
    return Stage(name, failed(reason, finding.fault_domain, _words(finding)), finding.reason)


def _words(finding: Finding) -> str:
    return f"{finding.reason}: {finding.detail}"


def cost(case: Case, params: Params) -> Cost:
    """The pages, a short ask, and for each flow what it takes; of two ways the first is enough when all is well."""
    flows = {
        "tools": (3, 660, 180, 3 * tool_round_trip.Params().cap),
        "thinking": (1, 40, 2 * params.cap, 4 * params.cap),
        "stream": (1, 60, 180, stream_conformance.Params().cap),
    }
    asks = [(len(params.health) + 2, 40, 20, params.cap), *(flows[flow] for flow in params.flows)]
    requests, tokens_in, tokens_out, limit = (sum(column) for column in zip(*asks, strict=True))
    return Cost(requests=requests, input_tokens=tokens_in, output_tokens=tokens_out, limit=limit)


SCENARIO = Scenario(
    name="negotiation",
    reasons=Reason,
    params=Params,
    play=play,
    cost=cost,
    ways="both",
    compared=frozenset(),  # it asks directly itself
)
