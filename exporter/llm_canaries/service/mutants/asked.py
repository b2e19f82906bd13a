"""Faults of a gateway in what it asks upstream, in hub form: ids, turns, thinking, prompts, images."""

from collections.abc import Callable

from msgspec.structs import replace

from llm_canaries.mirror.distortions import drop_images
from llm_canaries.wire import message as m


def swapped_ids(ask: m.Ask) -> m.Ask:
    """The results of a turn under each other's ids."""
    return _results(ask, lambda ids: ids[::-1])


def strange_ids(ask: m.Ask) -> m.Ask:
    """Results under ids of the gateway's own."""
    return _results(ask, lambda ids: [f"{id}-1" for id in ids])


def _results(ask: m.Ask, by: Callable[[list[str]], list[str]]) -> m.Ask:
    messages = []
    for message in ask.messages:
        ids = iter(by([part.id for part in message.content if isinstance(part, m.ToolResult)]))
        parts = [replace(part, id=next(ids)) if isinstance(part, m.ToolResult) else part for part in message.content]
        messages.append(replace(message, content=tuple(parts)))
    return replace(ask, messages=tuple(messages))


def last_turn(ask: m.Ask) -> m.Ask:
    """The prompt's beginning is gone, as where a context is cut."""
    return replace(ask, messages=ask.messages[-1:])


def less_thinking(ask: m.Ask) -> m.Ask:
    """High is clamped to low, and every budget to the least."""
    control = ask.thinking
    if control is None:
        return ask
    effort = "low" if control.effort == "high" else control.effort
    budget = control.budget and min(control.budget, 1024)
    return replace(ask, thinking=replace(control, effort=effort, budget=budget))


def always_thinking(ask: m.Ask) -> m.Ask:
    """Switched off is switched on."""
    control = ask.thinking
    if control is None or (control.mode != "disabled" and control.effort != "none"):
        return ask
    return replace(ask, thinking=m.Thinking(effort="low"))


def instructed(ask: m.Ask) -> m.Ask:
    """With a system prompt of the gateway's own where it streams."""
    own = m.Message("system", (m.Text("You are a helpful assistant of Example Gateway. Be brief."),))
    return replace(ask, messages=(own, *ask.messages)) if ask.stream else ask


def streamed_blind(ask: m.Ask) -> m.Ask:
    """Without the images of tools' results where it streams."""
    return drop_images(ask) if ask.stream else ask
