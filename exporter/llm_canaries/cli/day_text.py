"""A day's forecast in words."""

from collections.abc import Iterator, Mapping

from llm_canaries.canary.budget import NANO, Caps
from llm_canaries.canary.canary import Priority
from llm_canaries.canary.forecast import Load, Outlook


def load_text(load: Load, *, free: bool = False) -> str:
    """What a day comes to."""
    asked = f"{load.requests:,.0f} requests"
    if free:
        return f"{asked} and {load.tokens:,.0f} tokens"
    return f"{asked}, {load.tokens:,.0f} tokens and ${load.dollars:,.2f}"


def caps_text(caps: Caps) -> str:
    """What a day may cost."""
    said = []
    if caps.requests is not None:
        said.append(f"{caps.requests:,} requests")
    if caps.tokens is not None:
        said.append(f"{caps.tokens:,} tokens")
    if caps.nanodollars is not None:
        said.append(f"${caps.nanodollars / NANO:,.2f}")
    return f"capped at {', '.join(said)}" if said else "no cap"


def day_text(name: str, outlook: Outlook, most: Outlook) -> str:
    """A day at one gateway, or at all: what it comes to, and what it comes to at most."""
    longest = ""
    if most.load != outlook.load:
        up_to = f"{most.load.tokens:,.0f} tokens and ${most.load.dollars:,.2f}"
        longest = f", at most {up_to} where reasoning takes every answer to its limit"
    return f"{name}: {load_text(outlook.load)} a day{longest}; {caps_text(outlook.caps)}."


def ahead(name: str, outlook: Outlook, most: Outlook) -> Iterator[str]:
    """What the caps will do to a day that costs more than they allow; nothing where it does not.

    `most` is the day with every answer as long as its limit allows, which is told where it alone comes to a cap.
    """
    if sooner := {kind: at for kind, at in most.spent_at.items() if kind not in outlook.spent_at}:
        yield f"{name}: where reasoning takes every answer to its limit, {_spent(sooner)}"
    if not outlook.spent_at and not outlook.stretched and outlook.stopped_at is None:
        return
    parts = [f"if it comes to that, {_spent(outlook.spent_at)}"] if outlook.spent_at else []
    for priority in (Priority.LOW, Priority.NORMAL):
        if (each := outlook.stretched.get(priority)) is not None:
            how_far = "and then wait" if each.times == float("inf") else f"up to ×{each.times:g}"
            parts.append(f"{priority}-priority canaries will stretch from {_time(each.start)}, {how_far}")
    if outlook.stopped_at is not None:
        parts.append(f"even high-priority canaries stand still from {_time(outlook.stopped_at)}")
    elif outlook.stretched:
        parts.append("high-priority canaries keep their intervals")
    yield f"{name}: {'; '.join(parts)}; to go on, raise `budget`, lengthen `every`, or take models out"


def _spent(at: Mapping[str, float]) -> str:
    """When each cap is reached, the first one first."""
    first = sorted(at.items(), key=lambda each: each[1])
    said = [f"the {kind} {'at' if index else 'are spent at'} {_time(at)}" for index, (kind, at) in enumerate(first)]
    return f"{', '.join(said)} UTC"


def _time(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
