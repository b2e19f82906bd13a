"""Rules over a source at one time: inactive, pending, firing, resolved. The state goes in and comes out as a value.

An alert is pending from the first evaluation that returns its series, fires once that has held for `for`, and goes
on firing for `keep_firing_for` after the last. A rule that fails changes nothing: what it said before stays. One that
returns more than its group's limit fails as well, and its alerts begin anew, as in Prometheus.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.matcher import Source
from llm_canaries.rules.outputs import ALERTS, FOR_STATE, Labels, Outputs, Together
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.template import Ask
from llm_canaries.rules.vector import NAME, Frame, Vector

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
    """What one rule left behind at `at`: its alerts, and the series that other rules can select.

    `frame` is that of the vector which a recording rule recorded last, so that the same rows are not named again.
    """

    at: float = -np.inf
    alerts: Mapping[Identity, Alert] = {}
    series: tuple[Labels, ...] = ()
    frame: Frame | None = None


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
    outputs: Outputs | None = None,
    tick: Tick | None = None,
) -> Evaluation:
    """The group at `now` (Unix time) after `states`, those of its own last evaluation.

    It sees what rules have written to `outputs`, and writes there; `tick` is one of `source` at `now` that other
    groups share.
    """
    current = list(states) if len(states) == len(group.rules) else [RuleState()] * len(group.rules)
    outputs = Outputs() if outputs is None else outputs
    tick = Tick(source, now) if tick is None else tick
    made = outputs.names | {rule.name for rule in group.rules if rule.kind == "record"}
    problems: list[RuleProblem] = []
    for position, rule in enumerate(group.rules):
        seen = tick
        if rule.names is None or rule.names & made:
            outputs.flush(now)  # an earlier rule may have said something about it
            seen = Tick(Together(source, outputs), now)
        try:
            vector = seen.vector(rule.plan)
            if rule.kind == "record":
                current[position] = _recorded(rule, vector, current[position], now, group.limit, outputs)
            else:
                ask = Tick(Together(source, outputs), now).vector
                current[position] = _alerting(rule, vector, current[position], now, group.limit, outputs, ask)
        except OverLimit as error:
            problems.append(RuleProblem(group=group.name, rule=rule.name, message=str(error)))
            current[position] = replace(current[position], alerts={})
        except EvaluationError as error:
            problems.append(RuleProblem(group=group.name, rule=rule.name, message=str(error)))
    outputs.flush(now)
    return Evaluation(states=tuple(current), problems=tuple(problems))


class OverLimit(EvaluationError):
    """A rule that returned more series than its group allows."""


def _alerting(
    rule: Rule, vector: Vector, before: RuleState, now: float, limit: int, outputs: Outputs, ask: Ask
) -> RuleState:
    if not vector.frame.size and not before.alerts and not before.series:
        return before
    alerts = _fresh(rule, vector, before.alerts, now, ask)
    for identity, alert in before.alerts.items():
        if identity not in alerts and (kept := _kept(rule, alert, now)) is not None:
            alerts[identity] = kept
    alerts = {identity: _fired(rule, alert, now) for identity, alert in alerts.items()}
    _check_limit(len(alerts), limit)
    series = _as_series(alerts, before)
    values = [value for alert in alerts.values() for value in (1.0, float(math.floor(alert.active_at)))]
    _write(outputs, series, values, before.series)
    return RuleState(at=now, alerts=alerts, series=series)


def _fresh(
    rule: Rule, vector: Vector, before: Mapping[Identity, Alert], now: float, ask: Ask
) -> dict[Identity, Alert]:
    """The alerts of the series there are."""
    queries = any(template.queries for _, template in rule.annotations)  # they change while the value does not
    alerts: dict[Identity, Alert] = {}
    for series, value in zip(vector.labels, vector.values.tolist(), strict=True):
        written = {name: template.render(series, value, ask) for name, template in rule.labels}
        labels = {**series, **written, "alertname": rule.name}
        labels.pop(NAME, None)
        identity = tuple(sorted((name, text) for name, text in labels.items() if text))
        if identity in alerts:
            raise EvaluationError("two series have the same labels once the rule's own are applied")
        known = before.get(identity)
        same = known is not None and known.value == value and known.kept_since is None and known.active_at <= now
        if same and known is not None and not queries:
            alerts[identity] = known
            continue
        annotations = {name: template.render(series, value, ask) for name, template in rule.annotations}
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


def _as_series(alerts: Mapping[Identity, Alert], before: RuleState) -> tuple[Labels, ...]:
    """`ALERTS` and `ALERTS_FOR_STATE` of each alert; the same objects as before where nothing changed."""
    same = len(before.series) == 2 * len(alerts) and list(before.alerts) == list(alerts)
    if same and all(before.alerts[identity].state == alert.state for identity, alert in alerts.items()):
        return before.series
    found: list[Labels] = []
    for alert in alerts.values():
        found.append({**alert.labels, NAME: ALERTS, "alertstate": alert.state})
        found.append({**alert.labels, NAME: FOR_STATE})
    return tuple(found)


def _recorded(
    rule: Rule, vector: Vector, before: RuleState, now: float, limit: int, outputs: Outputs
) -> RuleState:
    _check_limit(vector.frame.size, limit)
    if before.frame is not None and vector.frame.same(before.frame):
        series = before.series
    else:
        series = _named(rule, vector)
    _write(outputs, series, vector.values.tolist(), before.series)
    return RuleState(at=now, series=series, frame=vector.frame)


def _named(rule: Rule, vector: Vector) -> tuple[Labels, ...]:
    """The series under which `vector` is recorded."""
    own = {name: template.fixed or "" for name, template in rule.labels} | {NAME: rule.name}
    found = [{name: text for name, text in {**each, **own}.items() if text} for each in vector.labels]
    if len({frozenset(each.items()) for each in found}) < len(found):
        raise EvaluationError("two series have the same labels once the rule's own are applied")
    return tuple(found)


def _write(outputs: Outputs, series: Sequence[Labels], values: Sequence[float], before: Sequence[Labels]) -> None:
    if series is before:
        outputs.write(series, values)
        return
    # ended first: a series with the labels of one of before, in another mapping, is the same series and goes on
    now = {frozenset(each.items()) for each in series} if before else frozenset[frozenset[tuple[str, str]]]()
    outputs.write(series, values, [each for each in before if frozenset(each.items()) not in now])


def _check_limit(size: int, limit: int) -> None:
    if limit and size > limit:
        raise OverLimit(f"{size} series, and the group's limit is {limit}")
