"""What a gateway made of tools' results, and of pictures and documents wherever they stood."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import floor

from msgspec.structs import replace

from llm_canaries.canary.scenarios.loopback.reasons import MISSING, NOTHING, Difference, Reason, parted, shown
from llm_canaries.canary.scenarios.loopback.turns import Placed, Returned, Turn, squeezed
from llm_canaries.wire.json import WireError, decode_object
from llm_canaries.wire.message import Image

Differences = Iterator[Difference]


def results_differ(before: Turn, due: Turn, after: Turn, renamed: Mapping[str, str]) -> Differences:
    """Each result answers its own call, in its own words; `renamed` are calls under the names that came."""
    came = [replace(each, call=renamed.get(each.call, each.call)) for each in after.results]
    ids = [each.call for each in came]
    by_id = {each.call: each for each in came}
    spare = [each for each in came if each.call not in {own.call for own in before.results}]
    due_error = {each.call: each.is_error for each in due.results}
    for own in before.results:
        if (its := by_id.get(own.call)) is not None:
            yield from _result_differs(own, its, before, due_error.get(own.call))
        elif spare:
            yield _unbound(own, spare.pop(0))
        else:
            yield Difference(Reason.RESULT_LOST, own.where, shown(own.words) or "a result", MISSING)
    wanted = [each.call for each in before.results if each.call in by_id]
    if [each for each in ids if each in set(wanted)] != wanted:
        yield Difference(Reason.ORDER_CHANGED, f"{before.where}.results", ", ".join(wanted), ", ".join(ids))


def _unbound(own: Returned, its: Returned) -> Difference:
    """A result that answers another call than its own; where there are no ids a name is all that binds it."""
    if its.name not in ("", own.name):
        return Difference(Reason.ID_CHANGED, f"{own.where}.name", own.name, its.name)
    return Difference(Reason.ID_CHANGED, f"{own.where}.id", own.call, its.call or NOTHING)


def _result_differs(own: Returned, its: Returned, turn: Turn, due_error: bool | None) -> Differences:
    wanted, came = squeezed(own.words), squeezed(its.words)
    # Gemini's results are objects under a name of the gateway's choice; one without its picture may say where it is
    if wanted != came and not (wanted and wanted in came):
        others = [squeezed(each.words) for each in turn.results if each.call != own.call]
        if came and came in others:
            reason = Reason.MISBOUND
        else:
            reason = Reason.TEXT_CHANGED if came else Reason.RESULT_LOST
        yield Difference(reason, own.where, *parted(own.words, its.words))
    if bool(due_error) != bool(its.is_error) and not (due_error and _says_error(its.words)):
        words = ("an error" if flag else "no error" for flag in (due_error, its.is_error))
        yield Difference(Reason.ERROR_FLAG_LOST, f"{own.where}.is_error", *words)


def _says_error(words: str) -> bool:
    """Whether a result is a JSON object that tells an error itself, as Gemini's own are."""
    try:
        return decode_object(words).get("error") is not None
    except WireError:
        return False


def media_differ(before: Turn, due: Turn, after: Turn, renamed: Mapping[str, str]) -> Differences:
    """Every picture and document is there, in order, and in no other call's result."""
    sayable = {each.same for each in due.media}
    wanted = [each for each in before.media if each.same in sayable]
    came = {each.same: each for each in after.media}
    strange = [each for each in after.media if each.same not in {own.same for own in before.media}]
    calls = {each.call for each in before.results}
    for own in wanted:
        lost = Reason.IMAGE_LOST if isinstance(own.part, Image) else Reason.DOCUMENT_LOST
        its = came.get(own.same)
        if its is None:
            yield Difference(lost, own.where, *_lost(own, after, strange))
        elif its.part.media_type != own.part.media_type:
            yield Difference(lost, own.where, *told_apart(own, its))
        elif own.call and (its_call := renamed.get(its.call, its.call)) != own.call and its_call in calls:
            yield Difference(Reason.MISBOUND, own.where, f"with {own.call}", f"with {its_call}")
    for extra in strange:
        yield Difference(Reason.ORDER_CHANGED, extra.where, NOTHING, described(extra))
    order = [each.same for each in wanted if each.same in came]
    if [each.same for each in after.media if each.same in set(order)] != order:
        yield Difference(Reason.ORDER_CHANGED, before.where, "pictures in one order", "in another, or twice")


def _lost(own: Placed, after: Turn, strange: list[Placed]) -> tuple[str, str]:
    """What was, and what became of it: a block that cannot be read, words, one of the `strange`, or nothing."""
    data = own.part.data
    if data is not None:
        for block in after.unread:
            if data in block.text:
                return described(own), f"its base64 in a block `{block.kind}` that cannot be read"
        if data in "".join((*after.words, *(each.words for each in after.results))):
            return described(own), "its base64 as text"
    return told_apart(own, strange.pop(0)) if strange else (described(own), MISSING)


def told_apart(own: Placed, its: Placed) -> tuple[str, str]:
    """What differs, in words that differ: by a hash of the bytes where kind and size are the same."""
    told = described(own), described(its)
    if told[0] != told[1]:
        return told
    return f"{told[0]} ({_print(own)})", f"{told[1]} ({_print(its)})"


def _print(placed: Placed) -> str:
    try:
        return f"sha256 {sha256(b64decode(placed.part.data or '', validate=True)).hexdigest()[:12]}"
    except ValueError:
        return "no base64"


def described(placed: Placed) -> str:
    """`image/png 8432 bytes`; what is said to be a picture and is none, or the other way round, is told as such."""
    part = placed.part
    if part.data is None:
        return shown(part.url)
    pictured, kind = isinstance(part, Image), part.media_type or "unknown type"
    odd = "" if pictured == kind.startswith("image/") else "an image of " if pictured else "a document of "
    return f"{odd}{kind} {floor(len(part.data.rstrip('=')) * 3 / 4)} bytes"
