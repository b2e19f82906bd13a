"""A day's forecast in words."""

from collections.abc import Iterator

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


def ahead(name: str, outlook: Outlook) -> Iterator[str]:
    """What the caps will do to a day that costs more than they allow; nothing where it does not."""
    if not outlook.spent_at and not outlook.stretched and outlook.stopped_at is None:
        return
    first = sorted(outlook.spent_at.items(), key=lambda each: each[1])
    spent = [f"the {kind} {'at' if index else 'are spent at'} {_time(at)}" for index, (kind, at) in enumerate(first)]
    parts = [f"if it comes to that, {', '.join(spent)} UTC"] if spent else []
    for priority in (Priority.LOW, Priority.NORMAL):
        if (each := outlook.stretched.get(priority)) is not None:
            most = "and then wait" if each.times == float("inf") else f"up to ×{each.times:g}"
            parts.append(f"{priority}-priority canaries will stretch from {_time(each.start)}, {most}")
    if outlook.stopped_at is not None:
        parts.append(f"even high-priority canaries stand still from {_time(outlook.stopped_at)}")
    elif outlook.stretched:
        parts.append("high-priority canaries keep their intervals")
    yield f"{name}: {'; '.join(parts)}; to go on, raise `budget`, lengthen `every`, or take models out"


def _time(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
