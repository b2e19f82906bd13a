"""The severities of one alert merged into one incident: what was open, and what fires now, give what flipped.

Warning and critical are two rules of one alert name with the same labels, and critical implies warning. So an
incident has one level, and a change of level is one flip:

    (none) --fires--> warning --critical fires--> critical        opened, escalated
    critical --only warning fires--> warning                      eased
    warning, critical --nothing fires--> (none)                   resolved
    warning, critical --its case was removed--> (none)            removed, even while something fires

An alert whose rule failed or hit its limit is unknown: it may still open or escalate, for what fires does fire, but
nothing of it eases or resolves, for what does not fire may only be unseen.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace


class Level(StrEnum):
    """How bad an incident is."""

    WARNING = "warning"
    CRITICAL = "critical"


class Kind(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    ESCALATED = "escalated"
    EASED = "eased"
    RESOLVED = "resolved"
    REMOVED = "removed"


CLOSING: Final = frozenset({Kind.RESOLVED, Kind.REMOVED})
_COVERS: Final = {  # critical implies warning
    None: frozenset[str](),
    Level.WARNING: frozenset({"warning"}),
    Level.CRITICAL: frozenset({"warning", "critical"}),
}


class Firing(Struct, frozen=True, kw_only=True):
    """One firing alert of one rule; `labels` may hold the severity and the name too, `active_at` is Unix time."""

    alertname: str
    labels: Mapping[str, str]
    severity: str
    value: float
    annotations: Mapping[str, str]
    active_at: float


class Incident(Struct, frozen=True, kw_only=True):
    """One alert name and label set that is wrong; `opened` is when the condition began, `changed` the last flip."""

    key: str
    alertname: str
    labels: Mapping[str, str]
    level: Level
    opened: float
    changed: float
    annotations: Mapping[str, str] = {}


class Flip(Struct, frozen=True, kw_only=True):
    """An incident's change of level; a closing flip's incident keeps the level it had."""

    kind: Kind
    incident: Incident
    previous_level: Level | None
    at: float

    @property
    def level(self) -> Level | None:
        """The level since the flip; None where the incident is closed."""
        return None if self.kind in CLOSING else self.incident.level


def advance(
    incidents: Mapping[str, Incident],
    firings: Sequence[Firing],
    *,
    unknown: Collection[str] = frozenset(),
    removed: Callable[[Mapping[str, str]], bool] = lambda labels: False,
    now: float,
) -> tuple[dict[str, Incident], tuple[Flip, ...]]:
    """The open incidents after this evaluation, and the flips that led there, openings before closings.

    A firing that is neither warning nor critical makes no incident, and neither does one whose labels are `removed`.
    """
    worst = _worst(firing for firing in firings if not removed(firing.labels))
    after: dict[str, Incident] = {}
    flips: list[Flip] = []
    for key, (level, firing) in worst.items():
        before = incidents.get(key)
        incident = _fired(before, key, level, firing, now, held=firing.alertname in unknown)
        after[key] = incident
        if before is None or before.level != incident.level:
            flips.append(_flip(before, incident))
    for key, incident in incidents.items():
        if key in after:
            continue
        if removed(incident.labels):
            flips.append(_close(Kind.REMOVED, incident, now))
        elif incident.alertname in unknown:
            after[key] = incident
        else:
            flips.append(_close(Kind.RESOLVED, incident, now))
    return after, tuple(flips)


def hears(severities: Collection[str], flip: Flip) -> bool:
    """Whether a receiver of these severities is told: whether the flip changes what it sees.

    So each sees an opening and one end: one of critical alone hears of `escalated` and `eased`, but not of the
    warning before and after; one of warning alone hears of the first level and of the end, not of changes between.
    """
    return not _COVERS[flip.previous_level].symmetric_difference(_COVERS[flip.level]).isdisjoint(severities)


def incident_key(alertname: str, labels: Mapping[str, str]) -> str:
    """The name and the labels without the severity, in one order, as one text."""
    pairs = (f"{name}={json.dumps(value)}" for name, value in sorted(_own(labels).items()))
    return f"{alertname}{{{','.join(pairs)}}}"


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in ("severity", "alertname")}


def _worst(firings: Iterable[Firing]) -> dict[str, tuple[Level, Firing]]:
    """The worst firing of every key, with the earliest beginning of all of its key."""
    found: dict[str, tuple[Level, Firing]] = {}
    for firing in firings:
        if firing.severity not in _SEVERITIES:
            continue
        level, key = Level(firing.severity), incident_key(firing.alertname, firing.labels)
        if key not in found:
            found[key] = (level, firing)
            continue
        known, other = found[key]
        began = min(firing.active_at, other.active_at)
        if level is Level.CRITICAL and known is not Level.CRITICAL:
            known, other = level, firing
        found[key] = (known, replace(other, active_at=began))
    return found


def _fired(before: Incident | None, key: str, level: Level, firing: Firing, now: float, *, held: bool) -> Incident:
    """The incident now that `firing` is the worst of its key; a held one keeps the worse level."""
    if before is None:
        return Incident(
            key=key,
            alertname=firing.alertname,
            labels=_own(firing.labels),
            level=level,
            opened=min(firing.active_at, now),
            changed=now,
            annotations=firing.annotations,
        )
    if level is before.level:
        return replace(before, annotations=firing.annotations)
    if held and level is Level.WARNING:
        return before
    return replace(before, level=level, changed=max(now, before.changed), annotations=firing.annotations)


def _flip(before: Incident | None, incident: Incident) -> Flip:
    if before is None:
        kind, previous = Kind.OPENED, None
    else:
        kind = Kind.ESCALATED if incident.level is Level.CRITICAL else Kind.EASED
        previous = before.level
    return Flip(kind=kind, incident=incident, previous_level=previous, at=incident.changed)


def _close(kind: Kind, incident: Incident, now: float) -> Flip:
    """The end of an incident; a clock that steps back does not put it before the last change."""
    at = max(now, incident.changed)
    return Flip(kind=kind, incident=replace(incident, changed=at), previous_level=incident.level, at=at)


_SEVERITIES: Final = frozenset(Level)
