"""How much to reason: `thinkingConfig`, both ways (protocols.md C1)."""

from llm_canaries.wire.gemini.names import camel
from llm_canaries.wire.json import Object, take, take_count
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Ask, Thinking
from llm_canaries.wire.profile import ModelFacts, Profile
from llm_canaries.wire.thinking import Form, fit

_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh"})
_WHERE = "generationConfig."


def read_thinking(config: Object) -> Thinking | None:
    """The thinking that `generationConfig` asks for; a budget of 0 is off, of -1 the model's own choice."""
    said = take(config, "thinkingConfig", dict, _WHERE)
    if said is None:
        return None
    held = camel(said)
    level, budget = take(held, "thinkingLevel", str, _WHERE), take_count(held, "thinkingBudget", _WHERE)
    effort = None if level is None else level.lower()
    match budget:
        case 0:
            return Thinking("disabled", effort, extra=held)
        case -1:
            return Thinking("adaptive", effort, extra=held)
        case _:
            return Thinking(None, effort, budget, held)


def write_thinking(ask: Ask, profile: Profile, losses: Losses) -> Object | None:
    """`thinkingConfig` as it was said, or what of it the model takes where another dialect's client asks."""
    if ask.thinking is None:
        return None
    thinking, extra = ask.thinking, losses.extra("thinking", ask.thinking.extra)
    if not losses.same:
        facts = profile.facts(ask.model)
        thinking, lost = fit(thinking, facts, profile, None, _form(thinking, facts))
        losses.take(lost)
        if thinking.effort is not None and thinking.effort not in _LEVELS:
            known = "xhigh" if thinking.effort == "max" else None
            losses.add("thinking", f"level {thinking.effort}, {f'said as {known}' if known else 'which has no name'}")
            thinking = Thinking(effort=known)
        if thinking == Thinking():
            return None
        if thinking.mode != "disabled":
            extra["includeThoughts"] = True  # elsewhere reasoning is shown unasked; here it is hidden unless asked for
    said: Object = {} if thinking.effort is None else {"thinkingLevel": thinking.effort.upper()}
    budget = {"disabled": 0, "adaptive": -1}.get(thinking.mode or "", thinking.budget)
    return said | ({} if budget is None else {"thinkingBudget": budget}) | extra


def _form(thinking: Thinking, facts: ModelFacts) -> Form:
    """A level or a budget, never both (a 400): by what the model takes, else by what was asked for."""
    if facts.levels or facts.budget:
        return "level" if facts.levels else "budget"
    return "budget" if thinking.effort is None else "level"
