"""`for` clocks over a restart, by Prometheus' own rule: down for less than an hour, ten minutes of grace.

What was kept is by the labels of the alert, as `ALERTS_FOR_STATE` is. After the first evaluation that returns an alert:
one that had held long enough fires at the next; one that would have fired within ten minutes waits those ten minutes,
so that what went wrong while nothing was seen can go right again; any other goes on where it stood. Rules with a
shorter `for` than the grace wait it once more.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.rules.evaluate import Alert, Identity, RuleState
from llm_canaries.rules.group import Rule, RuleGroup

OUTAGE_TOLERANCE = 3600.0
GRACE = 600.0


class Clock(Struct, frozen=True):
    """An alert as it was last seen: its labels with `alertname`, since when it was active, and when that was."""

    labels: Mapping[str, str]
    active_at: float
    seen_at: float


def clocks(groups: Iterable[tuple[RuleGroup, Sequence[RuleState]]]) -> list[Clock]:
    """The clocks worth keeping."""
    return [
        Clock(alert.labels, alert.active_at, state.at)
        for group, states in groups
        for rule, state in zip(group.rules, states, strict=False)
        if rule.hold >= GRACE
        for alert in state.alerts.values()
    ]


def by_identity(kept: Iterable[Clock], now: float) -> dict[Identity, Clock]:
    """The clocks that may go on at `now`: what is older than an hour, or from the future, is not believed."""
    return {
        tuple(sorted(clock.labels.items())): clock
        for clock in kept
        if now - OUTAGE_TOLERANCE <= clock.seen_at <= now
    }


def restored(
    group: RuleGroup, states: Sequence[RuleState], kept: Mapping[Identity, Clock], now: float
) -> tuple[RuleState, ...]:
    """The states after the first evaluation at `now`, with the clocks of before where there were any."""
    return tuple(
        replace(state, alerts=_alerts(rule, state, kept, now)) if rule.hold >= GRACE and state.alerts else state
        for rule, state in zip(group.rules, states, strict=True)
    )


def _alerts(rule: Rule, state: RuleState, kept: Mapping[Identity, Clock], now: float) -> dict[Identity, Alert]:
    return {
        identity: replace(alert, active_at=_active_at(rule, clock, now)) if (clock := kept.get(identity)) else alert
        for identity, alert in state.alerts.items()
    }


def _active_at(rule: Rule, clock: Clock, now: float) -> float:
    active_at = math.floor(clock.active_at)  # whole seconds, as ALERTS_FOR_STATE has them
    remaining = rule.hold - (clock.seen_at - active_at)
    if remaining <= 0:
        return active_at
    if remaining < GRACE:
        return now + GRACE - rule.hold
    return active_at + (now - clock.seen_at)
