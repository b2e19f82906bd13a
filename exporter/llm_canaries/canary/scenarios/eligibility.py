"""eligibility: a model is listed and callable, both or neither, with this key (protocols.md F).

A list is not an entitlement: gated models are listed for plans that may not call them, and callable ones
vanish from lists. Both are asked, and the answer must come from the model that was asked.
"""

import re
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.scenarios.catalog import is_absent
from llm_canaries.canary.verdict import failed, faulted, passed, undecided, unlisted
from llm_canaries.wire import nonce
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Look, Page, Play, look, send
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.json import WireError
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.thinking import split_suffix


class Reason(StrEnum):
    """Why an eligibility canary fails, and when it cannot tell."""

    INELIGIBLE_LISTED = "ineligible_listed"
    INELIGIBLE = "ineligible"
    CALLABLE_UNLISTED = "callable_unlisted"
    UNLISTED = "unlisted"
    SUSPENDED = "suspended"
    QUOTA = "quota"
    ALIASED_FALLBACK = "aliased_fallback"
    UNEXPECTEDLY_ELIGIBLE = "unexpectedly_eligible"
    LISTING_ABSENT = "listing_absent"


_ABOUT_MODEL = frozenset({FaultReason.MODEL_NOT_SUPPORTED, FaultReason.MODEL_NOT_FOUND})


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`expect` the model to be eligible or absent; `allow_alias`: another model may answer; `cap` on tokens."""

    expect: Literal["eligible", "absent"] = "eligible"
    allow_alias: bool = False
    cap: int = 512


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """The list, then one call."""
    page = yield from look(Look(path=DIALECTS["openai_chat"].models_path))
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    exchange = yield from send(sending(case, text_ask(case, echo_prompt(mark, number), cap=params.cap), mark))
    return judge(case, params, page, exchange)


def judge(case: Case, params: Params, page: Page, exchange: Exchange) -> Finding:
    """The finding of a list and a call; whether each said yes is a measure."""
    finding = _judge(case, params, page, exchange)
    measures = dict(finding.measures)
    if page.fault is None and finding.reason != FaultReason.MALFORMED_BODY:
        measures["model_listed"] = float(_listed(case, page) or False)
    if exchange.fault is None or exchange.fault.reason in _ABOUT_MODEL:
        measures["model_callable"] = float(exchange.fault is None)
    return replace(finding, measures=measures)


def _listed(case: Case, page: Page) -> bool:
    ids = DIALECTS["openai_chat"].read_models(page.body).ids
    return case.model in ids or split_suffix(case.model)[0] in ids  # `model(high)` stands there without its suffix


def _judge(case: Case, params: Params, page: Page, exchange: Exchange) -> Finding:
    listed: bool | None = None
    if page.fault is None:
        try:
            listed = _listed(case, page)
        except WireError as error:
            fault = Fault(reason=FaultReason.MALFORMED_BODY, status=page.status, message=f"model list: {error}")
            return unlisted(case, fault)
    elif not is_absent(page.fault):
        return unlisted(case, page.fault)
    if exchange.fault is not None:
        return _refused(exchange.fault, listed, params)
    if params.expect == "absent":
        return failed(Reason.UNEXPECTEDLY_ELIGIBLE, Domain.POLICY, "the model answers, and was expected not to")
    return _answered(case, params, exchange, listed)


def names(case: Case, answered: str) -> bool:
    """Whether `answered` is the model of `case`, by the name that was asked for or the upstream's, if it is known."""
    return any(same_model(name, answered) for name in (case.model, case.upstream) if name)


def same_model(asked: str, answered: str) -> bool:
    """Whether `answered` names the model `asked`: prefixes, dates and revisions aside; an empty name tells nothing."""
    if not answered:
        return True
    one, other = (_bare(name) for name in (asked, answered))
    return one == other


def _answered(case: Case, params: Params, exchange: Exchange, listed: bool | None) -> Finding:
    reply = exchange.reply
    assert reply is not None, "an exchange without fault has a reply"
    if not params.allow_alias and not names(case, reply.model):
        detail = f"asked for {case.model}, {reply.model} answered"
        return failed(Reason.ALIASED_FALLBACK, Domain.ROUTING, detail)
    if listed is None:
        return undecided(Reason.LISTING_ABSENT, "the model answers; the gateway has no model list")
    if not listed:
        return failed(Reason.CALLABLE_UNLISTED, Domain.ROUTING, "the model answers, and is not in the list")
    return passed()


def _refused(fault: Fault, listed: bool | None, params: Params) -> Finding:
    about_model = fault.reason in _ABOUT_MODEL
    detail = f"HTTP {fault.status}: {fault.message}"
    if about_model and params.expect == "absent" and not listed:
        return passed("absent, as expected")
    if about_model and listed:
        return failed(Reason.INELIGIBLE_LISTED, Domain.POLICY, f"listed, but {detail}")
    if about_model and listed is None:
        return faulted(fault)
    if fault.reason is FaultReason.MODEL_NOT_FOUND:
        return failed(Reason.UNLISTED, Domain.ROUTING, detail)
    if about_model:
        return failed(Reason.INELIGIBLE, Domain.POLICY, detail)
    if fault.reason in (FaultReason.NO_CREDENTIAL, FaultReason.COOLDOWN):
        return failed(Reason.SUSPENDED, Domain.DEPLOYMENT, detail)
    if fault.reason is FaultReason.QUOTA_EXHAUSTED:
        return failed(Reason.QUOTA, Domain.PROVIDER, detail)
    return faulted(fault)


_DATE = re.compile(r"[-@]?(\d{4}-?\d{2}-?\d{2}|latest|\d{3})$")


def _bare(name: str) -> str:
    last = name.lower().rpartition("/")[2].partition("(")[0].partition(":")[0]
    return _DATE.sub("", last)


def cost(case: Case, params: Params) -> Cost:
    """One page and one short ask."""
    return Cost(requests=2, input_tokens=40, output_tokens=20, limit=params.cap)


# a refusal hides the model from everybody for 12 hours (cliproxyapi.md 4.5)
SCENARIO = Scenario(
    name="eligibility", reasons=Reason, params=Params, play=play, cost=cost, least_every=1800.0,
    compared=frozenset({"direct"}),  # our mirror's list is of other models
)  # fmt: skip
