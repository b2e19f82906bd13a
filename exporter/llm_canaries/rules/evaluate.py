"""Rules over a source at one time: inactive, pending, firing, resolved. The state goes in and comes out as a value.

An alert is pending from the first evaluation that returns its series, fires once that has held for `for`, and goes
on firing for `keep_firing_for` after the last. A rule that fails, or returns more than its group's limit, changes
nothing: what it said before stays.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.matcher import Matcher, Matchers, Source, matching_rows
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import EMPTY, NAME, Vector, frame_of, joined, vector_of
from llm_canaries.rules.window import LOOKBACK

ALERTS = "ALERTS"
Identity = tuple[tuple[str, str], ...]


class Alert(Struct, frozen=True, kw_only=True):
    """One series of an alerting rule, `labels` with `alertname`; times are Unix time.

    `kept_since`: when its series was first missing, while `keep_firing_for` keeps it firing.
    """

    state: Literal["pending", "firing"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float
    active_at: float
    fired_at: float | None = None
    kept_since: float | None = None


class RuleState(Struct, frozen=True, kw_only=True):
    """What one rule left behind at `at`: its alerts, and the series that other rules can select."""

    at: float = -np.inf
    alerts: Mapping[Identity, Alert] = {}
    output: Vector = EMPTY


_QUIET = RuleState()


class RuleProblem(Struct, frozen=True, kw_only=True):
    """A rule that could not be evaluated: what it said before is still all that is known."""

    group: str
    rule: str
    message: str


class Evaluation(Struct, frozen=True, kw_only=True):
    """What came of a group: its state, a rule's each; the rules that have no answer."""

    states: tuple[RuleState, ...]
    problems: tuple[RuleProblem, ...] = ()

    @property
    def alerts(self) -> list[Alert]:
        """All alerts, pending and firing."""
        return [alert for state in self.states for alert in state.alerts.values()]

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire."""
        return [alert for alert in self.alerts if alert.state == "firing"]


def evaluate(
    group: RuleGroup,
    source: Source,
    now: float,
    states: Sequence[RuleState] = (),
    others: Sequence[RuleState] = (),
) -> Evaluation:
    """The group at `now` (Unix time) after `states`, those of its own last evaluation; it also sees `others`."""
    current = list(states) if len(states) == len(group.rules) else [RuleState()] * len(group.rules)
    problems: list[RuleProblem] = []
    own = made_names(others) | {rule.name for rule in group.rules if rule.kind == "record"}
    tick = Tick(source, now)
    for position, rule in enumerate(group.rules):
        seen = tick
        if rule.names is None or rule.names & own:
            seen = Tick(WithOutputs(source, [*others, *current], own), now)  # earlier rules may have changed it
        try:
            state = _next(rule, seen.vector(rule.plan), current[position], now)
            size = len(state.alerts) if rule.kind == "alert" else state.output.frame.size
            if group.limit and size > group.limit:
                raise EvaluationError(f"{size} series, and the group's limit is {group.limit}")
            current[position] = state
        except EvaluationError as error:
            problems.append(RuleProblem(group=group.name, rule=rule.name, message=str(error)))
    return Evaluation(states=tuple(current), problems=tuple(problems))


def made_names(states: Sequence[RuleState]) -> frozenset[str]:
    """The metric names of what rules have said."""
    return frozenset({ALERTS, *(key[0] for state in states for key in state.output.frame.key_set((NAME,)))})


def outputs(states: Sequence[RuleState], matchers: Matchers, at: float) -> Vector:
    """The recorded series and `ALERTS` that meet all `matchers` at `at`."""
    found = []
    for state in states:
        if at - LOOKBACK < state.at <= at and state.output.frame.size:
            rows = matching_rows(state.output.frame, matchers)
            mask = np.zeros(state.output.frame.size, dtype=np.bool_)
            mask[rows] = True
            found.append(state.output.filtered(mask))
    return joined(found) if found else EMPTY


class WithOutputs:
    """A source and what rules have said, whose series have the names `made`."""

    def __init__(self, source: Source, states: Sequence[RuleState], made: frozenset[str]) -> None:
        self._source, self._states, self._made = source, states, made

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`."""
        vector = self._source.select(matchers, at)
        if not _may_meet(matchers, self._made):
            return vector
        return joined([vector, outputs(self._states, matchers, at)])


def _may_meet(matchers: Sequence[Matcher], names: frozenset[str]) -> bool:
    """Whether a series of one of these names could be selected."""
    wanted = [matcher for matcher in matchers if matcher.name == NAME]
    return any(all(matcher.holds(name) for matcher in wanted) for name in names)


def _next(rule: Rule, vector: Vector, before: RuleState, now: float) -> RuleState:
    if rule.kind == "record":
        return _recorded(rule, vector, now)
    if not vector.frame.size and not before.alerts:
        return _QUIET
    alerts = _fresh(rule, vector, before.alerts, now)
    for identity, alert in before.alerts.items():
        if identity not in alerts and (kept := _kept(rule, alert, now)) is not None:
            alerts[identity] = kept
    alerts = {identity: _fired(rule, alert, now) for identity, alert in alerts.items()}
    return RuleState(at=now, alerts=alerts, output=_as_series(alerts, before))


def _fresh(rule: Rule, vector: Vector, before: Mapping[Identity, Alert], now: float) -> dict[Identity, Alert]:
    """The alerts of the series there are."""
    alerts: dict[Identity, Alert] = {}
    for series, value in zip(vector.labels, vector.values.tolist(), strict=True):
        written = {name: template.render(series, value) for name, template in rule.labels}
        labels = {**series, **written, "alertname": rule.name}
        labels.pop(NAME, None)
        identity = tuple(sorted((name, text) for name, text in labels.items() if text))
        if identity in alerts:
            raise EvaluationError("two series have the same labels once the rule's own are applied")
        known = before.get(identity)
        if known is not None and known.value == value and known.kept_since is None and known.active_at <= now:
            alerts[identity] = known
            continue
        annotations = {name: template.render(series, value) for name, template in rule.annotations}
        alerts[identity] = Alert(
            state=known.state if known else "pending",
            labels=dict(identity),
            annotations=annotations,
            value=value,
            active_at=min(known.active_at, now) if known else now,
            fired_at=known.fired_at if known else None,
        )
    return alerts


def _kept(rule: Rule, alert: Alert, now: float) -> Alert | None:
    """An alert whose series is missing, while `keep_firing_for` keeps it."""
    if alert.state == "pending" or not rule.keep:
        return None
    since = now if alert.kept_since is None else min(alert.kept_since, now)
    return replace(alert, kept_since=since) if now - since < rule.keep else None


def _fired(rule: Rule, alert: Alert, now: float) -> Alert:
    if alert.state == "pending" and now - alert.active_at >= rule.hold:
        return replace(alert, state="firing", fired_at=now)
    return alert


def _as_series(alerts: Mapping[Identity, Alert], before: RuleState) -> Vector:
    """`ALERTS`; the same object as before where nothing changed."""
    if not alerts:
        return EMPTY
    if len(alerts) == len(before.alerts) and all(
        identity in before.alerts and before.alerts[identity].state == alert.state
        for identity, alert in alerts.items()
    ):
        return before.output
    labels = [{**alert.labels, NAME: ALERTS, "alertstate": alert.state} for alert in alerts.values()]
    return vector_of(labels, [1.0] * len(labels))


def _recorded(rule: Rule, vector: Vector, now: float) -> RuleState:
    if not vector.frame.size:
        return RuleState(at=now)
    labels = []
    for series, value in zip(vector.labels, vector.values.tolist(), strict=True):
        written = {name: template.render(series, value) for name, template in rule.labels}
        merged = {**series, **written, NAME: rule.name}
        labels.append({name: text for name, text in merged.items() if text})
    frame = frame_of(labels)
    if not frame.distinct():
        raise EvaluationError("two series have the same labels once the rule's own are applied")
    return RuleState(at=now, output=Vector(frame, vector.values))
