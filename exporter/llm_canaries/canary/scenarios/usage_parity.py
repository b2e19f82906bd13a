"""usage-parity: one prompt, streamed and whole, is counted the same, and each count is possible in itself.

Input must be equal; output never is, for the two are different generations: only laws and a wide bound
hold for it (protocols.md B2 to B5).
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.scenarios.eligibility import same_model
from llm_canaries.canary.verdict import failed, faulted, passed, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, both
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.message import Ask, Usage
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.usage_laws import Law, Snapshots, broken_laws, snapshots, unexplained_output


class Reason(StrEnum):
    """Why a parity canary fails, and when it cannot tell; the laws keep their names."""

    MISSING_USAGE = "missing_usage"
    MISSING_TERMINAL_USAGE = "missing_terminal_usage"
    DUPLICATE_TERMINAL_USAGE = "duplicate_terminal_usage"
    ZERO_USAGE = "zero_usage"
    TOTAL_MISMATCH_SHORT = "total_mismatch_short"
    TOTAL_MISMATCH_HIDDEN_REASONING = "total_mismatch_hidden_reasoning"
    REASONING_OVER_OUTPUT = "reasoning_over_output"
    CACHE_OVER_INPUT = "cache_over_input"
    OUTPUT_ZERO = "output_zero"
    INPUT_ZERO = "input_zero"
    INVALID_COUNT = "invalid_count"
    OUTPUT_OVER_CAP = "output_over_cap"
    USAGE_SHRANK = "usage_shrank"
    INPUT_MISMATCH = "input_mismatch"
    REASONING_LOST = "reasoning_lost"
    REASONING_ESTIMATED = "reasoning_estimated"
    OUTPUT_RATIO = "output_ratio"
    NOT_COMPARABLE = "not_comparable"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`input_tolerance` in tokens (0: equal), `output_ratio` allowed between the visible outputs, `cap` on tokens."""

    digits: Annotated[int, Meta(ge=4, le=12)] = 6
    cap: int = 512
    input_tolerance: int = 0
    output_ratio: float = 4.0


SLACK = 16  # tokens by which visible outputs may differ whatever their ratio


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """The same bytes of prompt, both ways at once."""
    mark, number = nonce.mark(draw), nonce.digits(draw, params.digits)
    ask = text_ask(case, echo_prompt(mark, number), cap=params.cap)
    whole, streamed = yield from both(
        sending(case, ask, mark, stream=False), sending(case, ask, mark, stream=True)
    )
    return judge(whole, streamed, params)


def judge(whole: Exchange, streamed: Exchange, params: Params) -> Finding:
    """The verdict tree of B5: transport, presence, zero, laws, then the pair."""
    for exchange in (whole, streamed):
        if exchange.fault is not None:
            return faulted(exchange.fault)
    for exchange, arm in ((whole, "whole"), (streamed, "stream")):
        if (finding := _judge_one(exchange, arm)) is not None:
            return finding
    return _judge_pair(whole, streamed, params)


def _cap(exchange: Exchange) -> int | None:
    return exchange.send.ask.max_tokens if isinstance(exchange.send.ask, Ask) else None


def _judge_one(exchange: Exchange, arm: str) -> Finding | None:
    reply = exchange.reply
    assert reply is not None, "an exchange without fault has a reply"
    usage = reply.usage
    told = snapshots(exchange.events) if arm == "stream" else None
    if told is not None and not told.terminal:
        detail = "the stream ended without a usage"
        return failed(Reason.MISSING_TERMINAL_USAGE, Domain.TRANSLATION, detail)
    if usage is None or (usage.input is None and usage.output is None and not usage.broken):
        return failed(Reason.MISSING_USAGE, Domain.TRANSLATION, f"{arm}: no usage")
    if not usage.input and not usage.output and not usage.broken:
        return failed(Reason.ZERO_USAGE, Domain.TRANSLATION, f"{arm}: all counts are zero")
    said = bool(reply.text or reply.calls or reply.thoughts)
    for law in broken_laws(usage, said_something=said, cap=_cap(exchange), stream=told):
        return failed(Reason(law.value), Domain.TRANSLATION, f"{arm}: {_detail(law, usage, told)}")
    if (left := unexplained_output(reply)) is not None:
        detail = f"{arm}: {_counts(usage)}: no more reasoning than the thought shows, and {left} tokens are unexplained"
        return failed(Reason.REASONING_ESTIMATED, Domain.TRANSLATION, detail)
    return None


def _judge_pair(whole: Exchange, streamed: Exchange, params: Params) -> Finding:
    one, other = whole.reply, streamed.reply
    assert one is not None and other is not None and one.usage is not None and other.usage is not None
    if not same_model(one.model, other.model):  # LiteLLM says its own name of a model one way, the provider's the other
        return undecided(Reason.NOT_COMPARABLE, f"{one.model} answered whole, {other.model} streamed")
    a, b = one.usage, other.usage
    delta = (b.input or 0) - (a.input or 0)
    measures = {"input_delta_tokens": float(delta)}
    if abs(delta) > params.input_tolerance:
        detail = f"the same prompt is {a.input} tokens whole and {b.input} streamed"
        return failed(Reason.INPUT_MISMATCH, Domain.TRANSLATION, detail, measures)
    if (a.reasoning is None) != (b.reasoning is None):
        lost = "whole" if a.reasoning is None else "streamed"
        return failed(Reason.REASONING_LOST, Domain.TRANSLATION, f"no reasoning count when {lost}", measures)
    low, high = sorted(((a.output or 0) - (a.reasoning or 0), (b.output or 0) - (b.reasoning or 0)))
    if not _alike(low, high, params):
        less, more = sorted((a.output or 0, b.output or 0))
        if _alike(less, more, params):  # what differs is how much of it was reasoning
            told = (f"{each.reasoning} of {each.output}" for each in (a, b))
            detail = "reasoning is {} tokens whole, and {} streamed".format(*told)
            return failed(Reason.REASONING_LOST, Domain.TRANSLATION, detail, measures)
        detail = f"the same words are {low} tokens one way and {high} the other"
        return failed(Reason.OUTPUT_RATIO, Domain.TRANSLATION, detail, measures)
    return passed(measures=measures)


def _alike(low: int, high: int, params: Params) -> bool:
    return high <= params.output_ratio * low + SLACK


def _detail(law: Law, usage: Usage, told: Snapshots | None) -> str:
    if told is None or law not in (Law.USAGE_SHRANK, Law.DUPLICATE_TERMINAL_USAGE):
        return _counts(usage)
    if law is Law.USAGE_SHRANK:
        peak = max(each.output or 0 for each in told.way)
        return f"output counted {peak} on the way and {usage.output} at the end"
    return " and then ".join(_counts(each) for each in told.terminal)


def _counts(usage: Usage) -> str:
    said = {
        "input": usage.input,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "cache read": usage.cache_read,
        "total": usage.total_reported,
    }
    broken = [f"not a count: {name}" for name in usage.broken]
    return ", ".join([*(f"{name} {count}" for name, count in said.items() if count is not None), *broken])


def cost(case: Case, params: Params) -> Cost:
    """Two short asks."""
    return Cost(requests=2, input_tokens=80, output_tokens=40, limit=2 * params.cap)


SCENARIO = Scenario(name="usage-parity", reasons=Reason, params=Params, play=play, cost=cost, ways="both")
