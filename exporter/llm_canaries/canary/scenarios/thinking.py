"""thinking: the level of reasoning that was asked for is the level that was spent.

Three asks of one prompt: off, low, high. Hard rules decide on one sample; low against high is a sequential
test whose memory lasts over runs, and undetermined is not a failure (protocols.md C4 to C6).
"""

import math
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.growth import Counts, growth
from llm_canaries.canary.thinking_table import Certainty, Expected, expected
from llm_canaries.canary.verdict import failed, faulted, passed, starved, undecided, usage_of
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.thinking import MESSAGES_MINIMUM, level_of, split_suffix
from llm_canaries.wire.usage_laws import unexplained_output

ANSWER_SLACK = 16  # tokens of an answer's frame that are no bytes of its text


Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]


class Reason(StrEnum):
    """Why a thinking canary fails, and when it cannot tell."""

    NONE_IGNORED = "none_ignored"
    NO_REASONING = "no_reasoning"
    OVER_BUDGET = "over_budget"
    EFFORT_CHANGED = "effort_changed"
    ORDER_FLAT = "order_flat"
    REASONING_ESTIMATED = "reasoning_estimated"
    EFFORT_UNKNOWN = "effort_unknown"
    COUNTS_ABSENT = "counts_absent"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """Budgets where dialect and model take them (else levels), the answer's room, the tolerance over a budget.

    The token limit of an ask is its budget and the `room`, or `chat_cap` where it asks for a level.
    """

    low_budget: Tokens = 1024
    high_budget: Tokens = 4096
    room: Tokens = 1024
    chat_cap: Tokens = 4096
    budget_tolerance: Annotated[float, Meta(ge=0, le=10)] = 0.25

    def __post_init__(self) -> None:
        if self.low_budget >= self.high_budget:
            raise ValueError(f"a low budget of {self.low_budget} is not below a high one of {self.high_budget}")


class Memory(Struct, frozen=True):
    """The sequential test of low against high: pairs seen, log-likelihood ratio, and the model they came from.

    `high` are the counts at high, for growth; another model begins anew.
    """

    model: str = ""
    pairs: int = 0
    llr: float = 0.0
    high: Counts = Counts()


class Arm(Struct, frozen=True):
    """One of the three asks."""

    name: str
    control: Thinking
    exchange: Exchange
    expected: Expected
    cap: int | None = None

    @property
    def reasoning(self) -> int | None:
        """Reasoning tokens as billed; where they are not told apart, the output that no visible word explains.

        That is a lower bound: no text is more tokens than bytes. None where nothing is counted, or more than the cap:
        such a count is wrong, and nothing follows from it.
        """
        usage, reply = usage_of(self.exchange), self.exchange.reply
        if usage is None or reply is None or usage.reasoning is not None or not usage.output:
            return usage.reasoning if usage is not None else None
        if self.cap is not None and usage.output > self.cap:
            return None
        return max(0, usage.output - len(reply.text.encode()) - ANSWER_SLACK)

    @property
    def counted(self) -> bool:
        """Whether the answer itself counts its reasoning."""
        usage = usage_of(self.exchange)
        return usage is not None and usage.reasoning is not None

    @property
    def thought(self) -> bool:
        """Whether reasoning shows in the answer itself."""
        reply = self.exchange.reply
        return reply is not None and bool(reply.thoughts)


def play(case: Case, params: Params, draw: Draw, memory: Memory | None) -> Play[Finding]:
    """Off where the model can be switched off, then low, then high."""
    prompt = f"What is {nonce.digits(draw, 4)} times {nonce.digits(draw, 4)}? Reply with only the result."
    arms: list[Arm] = []
    for name, control in controls(case, params):
        mark = nonce.mark(draw)
        cap = _cap(control, params)
        ask = text_ask(case, f"[{mark}] {prompt}", cap=cap, thinking=control)
        exchange = yield from send(sending(case, ask, mark))
        if exchange.fault is not None:
            return faulted(exchange.fault)
        if exchange.reply is not None and (finding := starved(exchange.reply)) is not None:
            return replace(finding, memory=memory)
        arms.append(Arm(name, control, exchange, expected(case, control), cap))
    return judge({arm.name: arm for arm in arms}, params, memory or Memory())


def controls(case: Case, params: Params) -> list[tuple[str, Thinking]]:
    """The arms in the words of the case's dialect."""
    off, low, high = (Thinking(effort=level) for level in ("none", "low", "high"))
    if case.dialect in ("anthropic_messages", "gemini"):
        off = Thinking(mode="disabled")
        if _takes_budgets(case):
            low, high = (Thinking(mode="enabled", budget=each) for each in (params.low_budget, params.high_budget))
        elif case.dialect == "anthropic_messages":
            low, high = (Thinking(mode="adaptive", effort=level) for level in ("low", "high"))
    arms = [("low", low), ("high", high)]
    return arms if case.facts.thinking_off is False else [("none", off), *arms]


def _takes_budgets(case: Case) -> bool:
    if case.dialect == "gemini":  # before 3; a level is for later ones, and never both (C1)
        return case.facts.budget is not None and not case.facts.levels
    return case.profile.form_for(case.facts) == "budget"


def judge(arms: dict[str, Arm], params: Params, memory: Memory) -> Finding:
    """The finding of the arms: each hard rule that can be told, then the order."""
    measures = {f"thinking_checks:{name}": 1.0 for name in arms}
    for arm in arms.values():
        if (finding := _hard_rules(arm, params)) is not None:
            return replace(finding, measures=measures | {f"thinking_mismatches:{arm.name}": 1.0})
    if odd := [arm for arm in arms.values() if _deviates(arm)]:
        detail = f"{_told(odd[0])}; what this model should be given is not known"
        return replace(undecided(Reason.EFFORT_UNKNOWN, detail, memory), measures=measures)
    silent = [arm.name for arm in arms.values() if arm.reasoning is None]
    high = arms["high"]
    if not silent and not high.reasoning and not high.thought:
        silent = ["high"]
    if silent:
        detail = f"no count of reasoning tokens in: {', '.join(silent)}"
        return undecided(Reason.COUNTS_ABSENT, detail, memory)
    finding = _order(arms["low"], arms["high"], memory)
    return replace(finding, measures=measures | dict(finding.measures))


def _hard_rules(arm: Arm, params: Params) -> Finding | None:
    count = arm.reasoning
    if arm.expected.certainty is not Certainty.UNKNOWN and _deviates(arm):
        return failed(Reason.EFFORT_CHANGED, Domain.TRANSLATION, _told(arm))
    if arm.name == "none" and (count or arm.thought):
        detail = f"reasoning was switched off, and {count or 'some'} tokens of it came"
        return failed(Reason.NONE_IGNORED, Domain.TRANSLATION, detail)
    if arm.name == "high" and count == 0 and arm.counted and not arm.thought:
        return failed(Reason.NO_REASONING, Domain.TRANSLATION, "high was asked for, and no reasoning came")
    budget = arm.control.budget
    if budget is not None and count is not None and count > budget * (1 + params.budget_tolerance):
        return failed(Reason.OVER_BUDGET, Domain.PROVIDER, f"{count} reasoning tokens for a budget of {budget}")
    reply = arm.exchange.reply
    if reply is not None and (left := unexplained_output(reply)) is not None:
        detail = f"{arm.name}: {count} reasoning tokens, as the thought shows, and {left} of output are unexplained"
        return failed(Reason.REASONING_ESTIMATED, Domain.TRANSLATION, detail)
    return None


def _deviates(arm: Arm) -> bool:
    """Whether the answer tells of another level than the one asked for, and than the one that it is clamped to.

    Tables of budgets differ (C3), and what our own core could not say is declared.
    """
    reply, asked = arm.exchange.reply, level_of(arm.control)
    if reply is None or reply.effort is None or asked is None or arm.control.budget is not None:
        return False
    declared = any(loss.where == "thinking" for loss in arm.exchange.losses)
    return not declared and reply.effort not in (asked, arm.expected.level)


def _told(arm: Arm) -> str:
    reply, wanted = arm.exchange.reply, arm.expected
    clamped = f", which this model takes as {wanted.level}" if wanted.certainty is Certainty.CLAMPED else ""
    return f"asked for {level_of(arm.control)}{clamped}, the answer says {reply.effort if reply else ''} was applied"


# Paired sequential test on log(high/low): a threefold difference against none, with the wider of the two spreads
# measured on recorded answers (C6). To call a good model flat is the false alarm: .01; to call a flat one good, .05.
_STEP, _SD = math.log(3), 0.75
_ORDERED, _FLAT = math.log(0.99 / 0.05), math.log(0.01 / 0.95)


def _order(low: Arm, high: Arm, memory: Memory) -> Finding:
    reply = high.exchange.reply
    model = reply.model if reply else ""
    before = memory if memory.model == model else Memory(model)
    ratio = math.log(max(high.reasoning or 0, 1) / max(low.reasoning or 0, 1))
    llr = before.llr + _STEP / _SD**2 * (ratio - _STEP / 2)
    counts = before.high.add(high.reasoning or 0)
    now = Memory(model, before.pairs + 1, llr, counts)
    measures = {"low_reasoning_tokens": float(low.reasoning or 0), "high_reasoning_tokens": float(high.reasoning or 0)}
    if (grown := growth(counts)) is not None:
        measures |= {"reasoning_growth_ratio": grown.ratio, "reasoning_growth_ratio_lower": grown.lower}
    if llr <= _FLAT:
        detail = f"high spends no more than low, over {now.pairs} pairs"
        finding = failed(Reason.ORDER_FLAT, Domain.TRANSLATION, detail, measures)
        return replace(finding, memory=replace(now, llr=_FLAT))  # stays failed until the order comes back
    if llr >= _ORDERED:
        return passed("high spends more than low", measures, Memory(model, high=counts))
    return passed(f"low against high undetermined after {now.pairs} pairs", measures, now)


def objection(case: Case) -> str:
    """A model whose id does not say its reasoning, and budgets within its bounds where the dialect asks for budgets.

    A suffix such as `(high)` wins over what an ask says (C2); Messages takes no budget below 1024 (C1).
    """
    if split_suffix(case.model)[1] is not None:
        return f"{case.model} says its reasoning itself, whatever is asked; name it without what is in brackets"
    if not (case.dialect in ("anthropic_messages", "gemini") and _takes_budgets(case)):
        return ""
    least, most = case.facts.budget or (0, None)
    if case.dialect == "anthropic_messages":
        least = max(least, MESSAGES_MINIMUM)
    if case.params.low_budget < least:
        return f"a budget of {case.params.low_budget} is below {least}, the least that {case.model} takes"
    if most is not None and case.params.high_budget > most:
        return f"a budget of {case.params.high_budget} is above {most}, the most that {case.model} takes"
    return ""


def cost(case: Case, params: Params) -> Cost:
    """Every arm once, its budget spent; a level is not a number, so half of the cap is taken for low and high."""
    arms = controls(case, params)
    spent = sum(
        params.chat_cap // 2 if control.budget is None and name != "none" else control.budget or 0
        for name, control in arms
    )
    limit = sum(_cap(control, params) for _, control in arms)
    return Cost(len(arms), input_tokens=60 * len(arms), output_tokens=spent + 20 * len(arms), limit=limit)


def _cap(control: Thinking, params: Params) -> int:
    """The token limit of an ask: its budget and the room, or what is set for levels."""
    return params.chat_cap if control.budget is None else control.budget + params.room


SCENARIO = Scenario(
    name="thinking",
    reasons=Reason,
    params=Params,
    memory=Memory,
    play=play,
    cost=cost,
    needs=frozenset({"thinking"}),
    objection=objection,
    slow=frozenset({Reason.ORDER_FLAT}),
)
