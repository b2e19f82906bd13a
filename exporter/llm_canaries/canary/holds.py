"""When runs are withheld, and until when: a canary must not cause the outage it looks for (DESIGN 5.6, 5.13)."""

from collections.abc import Mapping, Set
from enum import StrEnum

from msgspec import Struct

from llm_canaries.canary.canary import Run
from llm_canaries.canary.scenarios.catalog import listed, more
from llm_canaries.proxy.credentials import DEFAULT
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Page
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError, decode_object
from llm_canaries.wire.quota_reading import LITELLM
from llm_canaries.wire.quota_windows import UNIFIED, rejection


class HoldReason(StrEnum):
    """Why a run is withheld; a withheld run is a skip with this reason."""

    RETRY_AFTER = "held_retry_after"
    SUPPORT_ERROR = "held_support_error"
    BUDGET = "held_budget"
    STRETCHED = "held_stretched"


class Hold(Struct, frozen=True):
    """Runs at `gateway` (of one `model`, or of all: "") are withheld until `until` (Unix time).

    `own`: the gateway asked for it by itself, or for longer than anybody believes.
    """

    gateway: str
    model: str
    reason: HoldReason
    until: float
    own: bool = False


WITHOUT_HINT = 60.0  # a 429 that names no time
LONGEST = 24 * 3600.0
FAR = 3600.0  # seconds of a wait above which a canary looks whether it is still due (peers.md E.2)
SUPPORT_HOLD = 3600.0  # CLIProxyAPI suspends such a model for 12 hours anyway (cliproxyapi.md 4.5)

_WAITS = {FaultReason.RATE_LIMITED, FaultReason.COOLDOWN, FaultReason.QUOTA_EXHAUSTED}

_OWN = {FaultReason.COOLDOWN, FaultReason.NO_CREDENTIAL}  # what gateways say, and no provider

_LISTS = frozenset(dialect.models_path for dialect in DIALECTS.values())

_OVERDRAWN = frozenset({"overage", "premium_interactions", "premium_models", "chat", "completions"})

# after these another ask at once would change the gateway's own state (DESIGN 5.5)
_UNCONFIRMED = _WAITS | {
    FaultReason.AUTH,
    FaultReason.BILLING,
    FaultReason.PERMISSION,
    FaultReason.NO_ROUTE,
    FaultReason.MODEL_NOT_FOUND,
    FaultReason.MODEL_NOT_SUPPORTED,
    FaultReason.NO_CREDENTIAL,
}


def holds_after(run: Run, now: float, *, refusals: bool = True) -> list[Hold]:
    """The holds that the answers of `run` ask for: by refusing, or by telling that nothing is left until a time.

    `refusals` False leaves out what asks by refusing: where that was meant.
    """
    found: list[Hold] = []
    for answer in _unordered(run):
        direct = isinstance(answer, Exchange) and answer.send.via == "direct"
        gateway = run.case.twin if direct else run.case.gateway
        renewed = renewal(answer, now) if isinstance(answer, Exchange) else None
        if (fault := answer.fault) is None:
            if renewed is not None:
                found.append(Hold(gateway, run.case.model, HoldReason.RETRY_AFTER, min(renewed, now + LONGEST)))
            continue
        if not refusals:
            continue
        if fault.reason in _WAITS or (fault.retry_after or 0) > 0:
            hint = WITHOUT_HINT if renewed is None else renewed - now
            wait = min(hint if fault.retry_after is None else fault.retry_after, LONGEST)
            # a cooldown is of one model; a rate limit or a quota is of the credential
            model = run.case.model if fault.reason is FaultReason.COOLDOWN else ""
            own = fault.reason in _OWN or wait >= FAR
            found.append(Hold(gateway, model, HoldReason.RETRY_AFTER, now + wait, own))
        if fault.reason is FaultReason.MODEL_NOT_SUPPORTED:
            found.append(Hold(gateway, run.case.model, HoldReason.SUPPORT_ERROR, now + SUPPORT_HOLD))
    return found


def renewal(exchange: Exchange, now: float) -> float | None:
    """When all quotas that an answer says are used up are renewed (Unix time); None where it says so of none.

    Which other models share a quota is not told. One of several credentials is the core's own matter: it takes another.
    """
    if exchange.attempts and exchange.attempts[-1].credential != DEFAULT:
        return None
    headers = tuple((name.lower().removeprefix(LITELLM), value) for name, value in exchange.headers)
    refused, wait = rejection(headers, now)
    resets = [now + wait] if refused and wait is not None else []
    plan = any(name.startswith(UNIFIED) for name, _ in headers)
    for quota in exchange.quota:
        overdrawn = quota.scope in _OVERDRAWN or (plan and quota.unit == "ratio")  # served all the same, for money
        if quota.exhausted and quota.limit != 0 and quota.reset_at is not None and not overdrawn:
            resets.append(quota.reset_at)
    return max((each for each in resets if each > now), default=None)


def may_confirm(run: Run) -> bool:
    """Whether asking again at once is harmless."""
    return not any(fault.reason in _UNCONFIRMED for fault in faults(run))


def faults(run: Run) -> list[Fault]:
    """Every fault that an answer of `run` had, but for those that the canary ordered."""
    return [each.fault for each in _unordered(run) if each.fault is not None]


def _unordered(run: Run) -> list[Exchange | Page]:
    """The answers that our mirror was not told to give."""
    ordered = {id(each) for each in run.exchanges if each.send.rehearsed and each.upstream}
    return [each for each in run.answers if id(each) not in ordered]


def listing(run: Run) -> Set[str] | None:
    """The ids of the model list that `run` read, None where it read none, or not the whole of it."""
    pages = [each for each in run.answers if isinstance(each, Page) and each.look.path.partition("?")[0] in _LISTS]
    if not pages or any(page.fault is not None for page in pages):
        return None
    try:
        said = [decode_object(page.body) for page in pages]
        return None if more(said[-1]) else {each for page in said for each in listed(page)}
    except WireError:
        return None


class Holds:
    """The holds in force: the longest of each gateway, model and reason."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, HoldReason, bool], float] = {}
        self._hidden: set[tuple[str, str]] = set()

    def add(self, hold: Hold) -> None:
        """Puts `hold` in force, unless a longer one of its kind is."""
        key = (hold.gateway, hold.model, hold.reason, hold.own)
        if hold.reason is HoldReason.SUPPORT_ERROR:
            self._hidden.discard((hold.gateway, hold.model))
        self._until[key] = max(hold.until, self._until.get(key, 0.0))

    def saw(self, gateway: str, ids: Set[str]) -> None:
        """Lifts the hold of a model that was refused once it is back in the list that had lost it.

        To go out of the list is no news: a gateway hides what was refused (cliproxyapi.md 4.5).
        """
        for key in [key for key in self._until if key[0] == gateway and key[2] is HoldReason.SUPPORT_ERROR]:
            model = key[:2]
            if key[1] not in ids:
                self._hidden.add(model)
            elif model in self._hidden:
                del self._until[key]
                self._hidden.discard(model)

    def of(self, gateway: str, model: str, now: float, *, own: bool = True) -> Mapping[HoldReason, float]:
        """The reasons to withhold a run of `model` at `gateway`, each with its end.

        `own` False leaves out what the gateway asked for by itself: somebody has to look whether that is still due.
        """
        self._until = {key: until for key, until in self._until.items() if until > now}
        found: dict[HoldReason, float] = {}
        for (its_gateway, its_model, reason, its_own), until in self._until.items():
            if its_gateway == gateway and its_model in ("", model) and (own or not its_own):
                found[reason] = max(until, found.get(reason, 0.0))
        return found
