"""Tool calls held against each other: ids, names, order, and arguments digit by digit."""

from collections import Counter
from collections.abc import Iterator, Sequence

from llm_canaries.canary.scenarios.loopback.reasons import MISSING, NOTHING, Difference, Reason, shown
from llm_canaries.wire.json import WireError, decode, encode
from llm_canaries.wire.message import ToolCall

Differences = Iterator[Difference]


def calls_differ(where: str, before: Sequence[ToolCall], after: Sequence[ToolCall], *, ids: bool = True) -> Differences:
    """The differences of the calls of one turn; without `ids` the dialect may leave them out, or make its own."""
    if not ids and Counter(map(_said, after)) <= Counter(map(_said, before)):
        yield from _rearranged(where, before, after)
        return
    ours, theirs = [call.id for call in before], [call.id for call in after]
    if ids and ours != theirs and sorted(ours) == sorted(theirs):
        yield Difference(Reason.ORDER_CHANGED, f"{where}.calls", ", ".join(ours), ", ".join(theirs))
        found = {call.id: call for call in after}
        after = [found[id] for id in ours]
    for at, call in enumerate(before):
        place = f"{where}.calls[{at}]"
        if at >= len(after):
            yield Difference(Reason.CALL_LOST, place, f"{call.name} ({call.id})", MISSING)
            continue
        other = after[at]
        if other.name != call.name:
            yield Difference(Reason.CALL_LOST, f"{place}.name", call.name, other.name or NOTHING)
        if ids and other.id != call.id:
            yield Difference(Reason.ID_CHANGED, f"{place}.id", call.id, other.id or NOTHING)
        if arguments_differ(call.arguments, other.arguments):
            yield Difference(
                Reason.ARGUMENTS_CHANGED, f"{place}.arguments", shown(call.arguments), shown(other.arguments)
            )
    for at in range(len(before), len(after)):
        yield Difference(Reason.CALL_LOST, f"{where}.calls[{at}]", NOTHING, f"{after[at].name} ({after[at].id})")


def _rearranged(where: str, before: Sequence[ToolCall], after: Sequence[ToolCall]) -> Differences:
    """The differences of calls that nothing tells apart but what they say, where all that came had been made."""
    ours, theirs = list(map(_said, before)), list(map(_said, after))
    for at, call in enumerate(before):
        if ours[at] not in theirs:
            yield Difference(Reason.CALL_LOST, f"{where}.calls[{at}]", f"{call.name} {shown(call.arguments)}", MISSING)
    if [each for each in ours if each in theirs] != theirs:
        told = ["; ".join(f"{call.name} {shown(call.arguments)}" for call in calls) for calls in (before, after)]
        yield Difference(Reason.ORDER_CHANGED, f"{where}.calls", *told)


def _said(call: ToolCall) -> tuple[str, bytes | str]:
    return call.name, _canonical(call.arguments)


def arguments_differ(before: str, after: str) -> bool:
    """Whether two JSON texts of arguments say different things; none at all is an empty object."""
    return _canonical(before) != _canonical(after)


def _canonical(arguments: str) -> bytes | str:
    """The JSON with its keys in order and every digit as it stands, the text itself where it is none."""
    try:
        return encode(_sorted(decode(arguments.strip() or "{}")))
    except WireError:
        return arguments


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
