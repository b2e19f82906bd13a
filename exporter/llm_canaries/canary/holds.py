"""When runs are withheld, and until when: a canary must not cause the outage it looks for (DESIGN 5.6, 5.13)."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from llm_canaries.canary.canary import Run
from llm_canaries.wire.fault import Fault, FaultReason


class HoldReason(StrEnum):
    """Why a run is withheld; a withheld run is a skip with this reason."""

    RETRY_AFTER = "held_retry_after"
    SUPPORT_ERROR = "held_support_error"
    BUDGET = "held_budget"


class Hold(Struct, frozen=True):
    """Runs at `gateway` (of one `model`, or of all: "") are withheld until `until` (Unix time)."""

    gateway: str
    model: str
    reason: HoldReason
    until: float


WITHOUT_HINT = 60.0  # a 429 that names no time
LONGEST = 24 * 3600.0
SUPPORT_HOLD = 3600.0  # CLIProxyAPI suspends such a model for 12 hours anyway (cliproxyapi.md 4.5)

_WAITS = {FaultReason.RATE_LIMITED, FaultReason.COOLDOWN, FaultReason.QUOTA_EXHAUSTED}

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


def holds_after(run: Run, now: float) -> list[Hold]:
    """The holds that the answers of `run` ask for."""
    found: list[Hold] = []
    for fault in faults(run):
        if fault.reason in _WAITS or (fault.retry_after or 0) > 0:
            wait = min(WITHOUT_HINT if fault.retry_after is None else fault.retry_after, LONGEST)
            # a cooldown is of one model; a rate limit or a quota is of the credential
            model = run.case.model if fault.reason is FaultReason.COOLDOWN else ""
            found.append(Hold(run.case.gateway, model, HoldReason.RETRY_AFTER, now + wait))
        if fault.reason is FaultReason.MODEL_NOT_SUPPORTED:
            until = now + SUPPORT_HOLD
            found.append(Hold(run.case.gateway, run.case.model, HoldReason.SUPPORT_ERROR, until))
    return found


def may_confirm(run: Run) -> bool:
    """Whether asking again at once is harmless."""
    return not any(fault.reason in _UNCONFIRMED for fault in faults(run))


def faults(run: Run) -> list[Fault]:
    """Every fault that an answer of `run` had."""
    return [answer.fault for answer in run.answers if answer.fault is not None]


class Holds:
    """The holds in force: the longest of each gateway, model and reason."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, HoldReason], float] = {}

    def add(self, hold: Hold) -> None:
        """Puts `hold` in force, unless a longer one of its kind is."""
        key = (hold.gateway, hold.model, hold.reason)
        self._until[key] = max(hold.until, self._until.get(key, 0.0))

    def of(self, gateway: str, model: str, now: float) -> Mapping[HoldReason, float]:
        """The reasons to withhold a run of `model` at `gateway`, each with its end."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        found: dict[HoldReason, float] = {}
        for (its_gateway, its_model, reason), until in self._until.items():
            if its_gateway == gateway and its_model in ("", model):
                found[reason] = max(until, found.get(reason, 0.0))
        return found
