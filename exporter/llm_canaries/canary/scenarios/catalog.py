"""catalog: the ids that should be in the model list are there, and those that were there stay.

A list is read as a set: gateways change its order from call to call, and hide a model for a while after a failure
(cliproxyapi.md 1.2), so an id is gone only when it was missing several times in a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.verdict import failed, passed, skipped, undecided, unlisted
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look, Page, Play, look
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.json import Object, WireError, decode_object, items, mapping, string
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.thinking import split_suffix

MOST_PAGES = 50
_MOST_NAMED = 5  # ids in a message
_NO_LIST = frozenset({404, 405, 501})


class Reason(StrEnum):
    """Why the list is not as it should be, and when it cannot tell."""

    NEVER_EXPOSED = "never_exposed"
    VANISHED = "vanished"
    UNSETTLED = "unsettled"
    EMPTY_LIST = "empty_list"
    NO_LIST = "no_list"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """What belongs into the list beside the model itself: it under `prefixes`, its `aliases`, any other `ids`.

    `debounce`: the runs in a row after which a difference is believed.
    """

    prefixes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    debounce: Annotated[int, Meta(ge=1, le=20)] = 2


class Memory(Struct, frozen=True):
    """The ids believed to be listed, those that once were, and for how many runs in a row others have differed."""

    known: tuple[str, ...] = ()
    differing: Mapping[str, int] = {}
    gone: tuple[str, ...] = ()


def play(case: Case, params: Params, draw: Draw, memory: Memory | None) -> Play[Finding]:
    """The list, page by page."""
    start = DIALECTS[case.dialect].models_path
    path, ids = start, list[str]()
    for _ in range(MOST_PAGES):
        page = yield from look(Look(path=path))
        if page.fault is not None:
            return _unread(case, page, memory)
        try:
            said = decode_object(page.body)
            ids += listed(said)
        except WireError as error:
            fault = Fault(reason=FaultReason.MALFORMED_BODY, status=page.status, message=f"model list: {error}")
            return replace(unlisted(case, fault), memory=memory)
        following = more(said)
        if not following or start + following == path:
            break
        path = start + following
    return judge(expected(case, params, ids), ids, params, memory)


def listed(said: Object) -> Sequence[str]:
    """The ids of a list in the form of OpenAI, Anthropic or Google, whoever was asked for it. Raises WireError."""
    if isinstance(said.get("models"), list):
        names = (string(mapping(each).get("name") or mapping(each).get("id")) for each in said["models"])
        return [name.removeprefix("models/") for name in names if name]
    if not isinstance(said.get("data"), list):
        raise WireError("expected a list under `data` or `models`")
    return [name for each in items(said["data"]) if (name := string(mapping(each).get("id")))]


def more(said: Object) -> str:
    """What to add to the path for the next page, empty where this one is the last."""
    if said.get("has_more") is True and (last := string(said.get("last_id"))):
        return f"?limit=1000&after_id={quote(last, safe='')}"
    if token := string(said.get("nextPageToken")):
        return f"?pageToken={quote(token, safe='')}"
    return ""


def expected(case: Case, params: Params, ids: Sequence[str] = ()) -> tuple[str, ...]:
    """The names that belong into the list `ids`, each once; `model(high)` may stand there without its suffix."""
    model = case.model if case.model in ids else split_suffix(case.model)[0]
    prefixed = (f"{prefix.rstrip('/')}/{model}" for prefix in params.prefixes)
    return tuple(dict.fromkeys((model, *prefixed, *params.aliases, *params.ids)))


def judge(wanted: Sequence[str], ids: Iterable[str], params: Params, memory: Memory | None) -> Finding:
    """The finding of one whole list, and what to remember of it."""
    there = set(ids)
    now, added, removed = settle(there, params.debounce, memory)
    missing = [each for each in wanted if each not in there]
    measures = {"models_listed": float(len(there)), "models_missing": float(len(missing))}
    before = memory or Memory()
    vanished = [each for each in missing if each in now.gone]
    seen = {*now.gone, *before.known, *before.differing}
    never = [each for each in missing if each not in seen]
    if not there:
        finding = failed(Reason.EMPTY_LIST, Domain.DEPLOYMENT, "the list holds no model at all")
    elif never:
        finding = failed(Reason.NEVER_EXPOSED, Domain.ROUTING, f"not in the list, and never seen there: {_few(never)}")
    elif vanished:
        finding = failed(Reason.VANISHED, Domain.ROUTING, f"once listed, and gone: {_few(vanished)}")
    elif missing:
        runs = max(now.differing.get(each, 0) for each in missing)
        detail = f"not listed this time: {_few(missing)}; {runs} of {params.debounce} runs before it counts as gone"
        finding = undecided(Reason.UNSETTLED, detail)
    else:
        finding = passed(_changes(added, removed))
    return replace(finding, measures=measures, memory=now)


def settle(there: set[str], debounce: int, memory: Memory | None) -> tuple[Memory, list[str], list[str]]:
    """What is believed after a list, and which ids were added to it and taken from it by now.

    The first list is believed at once; an empty one is a fault, and teaches nothing.
    """
    if memory is None or not memory.known:
        return Memory(known=tuple(sorted(there))), [], []
    if not there:
        return memory, [], []
    known = set(memory.known)
    runs = {each: memory.differing.get(each, 0) + 1 for each in known ^ there}
    settled = {each for each, count in runs.items() if count >= debounce}
    added, removed = sorted(settled - known), sorted(settled & known)
    now = Memory(
        known=tuple(sorted(known ^ settled)),
        differing={each: count for each, count in sorted(runs.items()) if each not in settled},
        gone=tuple(sorted({*memory.gone, *removed} - (known ^ settled))),
    )
    return now, added, removed


def _unread(case: Case, page: Page, memory: Memory | None) -> Finding:
    """The finding of a list that did not come."""
    fault = page.fault
    assert fault is not None
    if not is_absent(fault):
        return replace(unlisted(case, fault), memory=memory)
    if memory is None:
        return skipped(Reason.NO_LIST, f"HTTP {fault.status}: the gateway has no model list at {page.look.path}")
    return undecided(Reason.NO_LIST, f"HTTP {fault.status}: there was a model list, and now there is none", memory)


def is_absent(fault: Fault) -> bool:
    """Whether a list did not come because nobody has one: the gateway, or a provider behind the embedded core."""
    return fault.reason is FaultReason.NO_ROUTE or fault.status in _NO_LIST


def _changes(added: Sequence[str], removed: Sequence[str]) -> str:
    kinds = (("new in the list", added), ("gone from the list", removed))
    return "; ".join(f"{kind}: {_few(ids)}" for kind, ids in kinds if ids)


def _few(ids: Sequence[str]) -> str:
    rest = len(ids) - _MOST_NAMED
    return ", ".join(ids[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def cost(case: Case, params: Params) -> Cost:
    """One page, which costs no tokens."""
    return Cost(requests=1, input_tokens=0, output_tokens=0)


SCENARIO = Scenario(
    name="catalog",
    reasons=Reason,
    params=Params,
    memory=Memory,
    play=play,
    cost=cost,
    ways="whole",
    compared=frozenset({"direct"}),  # our mirror's list is of other models
    alone=frozenset(Reason),  # what is in a list is the gateway's own; that none comes may be its providers'
)
