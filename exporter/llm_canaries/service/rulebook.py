"""The rules in force: what the shipped pack and the user's files say, evaluated over the board's last minutes."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.alerts.incident import Firing
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.config.schema import RulesConfig
from llm_canaries.content import content
from llm_canaries.rules.evaluate import Alert, Evaluation, RuleState, evaluate
from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.load import load
from llm_canaries.rules.window import Window, slots_needed
from llm_canaries.service.board import Board


class Evaluated(Struct, frozen=True):
    """One evaluation: what fires, and the alerts whose state is not known because their rule failed."""

    firings: list[Firing]
    unknown: frozenset[str]


class Rulebook:
    """Groups of rules with their clocks; `monotonic` measures how long they take."""

    def __init__(self, groups: tuple[RuleGroup, ...], interval: float, monotonic: Callable[[], float]) -> None:
        self._groups = groups
        self._monotonic = monotonic
        self._window = Window(slots_needed(interval))
        self._version = -1
        self._states: dict[int, tuple[RuleState, ...]] = {}
        self._shown: set[tuple[str, str, str]] = set()
        self._since: float | None = None

    def evaluate(self, board: Board, now: float) -> Evaluated:
        """One sample of the board and one evaluation of every group, at `now` (Unix time)."""
        if board.version != self._version:
            self._window.align(board.names())
            self._version = board.version
        self._window.append(now, board.values)
        board.set_named("llm_sidecar_window_series", self._window.series, source="board")
        board.set_named("llm_sidecar_window_dropped_series", 0, source="board")
        board.set_named("llm_sidecar_window_samples", self._window.samples, source="board")
        self._since = now if self._since is None else min(now, self._since)
        # until its `for` has had time to pass again, a rule cannot say that an incident from before is over
        unknown = {
            rule.name for group in self._groups for rule in group.rules if rule.hold and now - self._since <= rule.hold
        }
        for number, group in enumerate(self._groups):
            found = self._evaluate_one(number, group, now, board)
            unknown |= {problem.rule for problem in found.problems}
        self._count(board)
        return Evaluated([_firing(alert) for alert in self._alerts() if alert.state == "firing"], frozenset(unknown))

    def take_over(self, before: "Rulebook") -> None:
        """Keeps the history, and the clocks of rules that did not change."""
        self._window, self._version, self._since = before._window, before._version, before._since
        self._shown = before._shown
        known = {
            _identity(group, rule): state
            for number, group in enumerate(before._groups)
            for rule, state in zip(group.rules, before._states.get(number, ()), strict=False)
        }
        for number, group in enumerate(self._groups):
            self._states[number] = tuple(known.get(_identity(group, rule), RuleState()) for rule in group.rules)

    def shown(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing, firing ones first."""
        found = sorted(self._alerts(), key=lambda alert: (alert.state, alert.labels.get("severity", "")))
        return [
            {
                "alertname": alert.labels.get("alertname", ""),
                "severity": alert.labels.get("severity", ""),
                "state": alert.state,
                "active_at": alert.active_at,
                "summary": alert.annotations.get("summary", ""),
                "labels": dict(alert.labels),
            }
            for alert in found
        ]

    def _evaluate_one(self, number: int, group: RuleGroup, now: float, board: Board) -> Evaluation:
        started = self._monotonic()
        others = [state for each, states in self._states.items() if each != number for state in states]
        found = evaluate(group, self._window, now, self._states.get(number, ()), others)
        self._states[number] = found.states
        board.set_named("llm_sidecar_rule_group_last_duration_seconds", self._monotonic() - started, group=group.name)
        failures = board.slot("llm_sidecar_rule_evaluation_failures_total", group=group.name)
        board.add(failures, len(found.problems))
        board.add(board.slot("llm_sidecar_rule_group_iterations_missed_total", group=group.name), 0)
        return found

    def _alerts(self) -> list[Alert]:
        return [alert for states in self._states.values() for state in states for alert in state.alerts.values()]

    def _count(self, board: Board) -> None:
        """How many alerts there are of each name, severity and state; one that is over counts 0."""
        found = Counter(
            (alert.labels.get("alertname", ""), alert.labels.get("severity", ""), alert.state)
            for alert in self._alerts()
        )
        self._shown |= set(found)
        for name, severity, state in self._shown:
            count = sum(n for key, n in found.items() if key == (name, severity, state))
            board.set_named("llm_sidecar_alerts", count, alertname=name, severity=severity, state=state)


def read_rulebook(config: RulesConfig, interval: float, monotonic: Callable[[], float]) -> Rulebook:
    """The shipped pack and the files of `config`, without what it disables. Raises ConfigError with every problem."""
    problems: list[Problem] = []
    texts = {f"rules/{name}": text for name, text in content("rules").items() if name.endswith(".yml")}
    for path in config.files or ():
        try:
            texts[path] = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(path, 1, f"cannot be read: {error}"))
    try:
        groups = load(texts)
    except ConfigError as error:
        raise ConfigError((*problems, *error.problems)) from None
    names = {rule.name for group in groups for rule in group.rules}
    problems += [
        Problem("rules.disable", 1, f"`{name}` is not an alert; there are: {', '.join(sorted(names))}")
        for name in config.disable
        if name not in names
    ]
    if problems:
        raise ConfigError(problems)
    kept = tuple(
        replace(group, rules=tuple(rule for rule in group.rules if rule.name not in config.disable))
        for group in groups
    )
    return Rulebook(kept, interval, monotonic)


def _firing(alert: Alert) -> Firing:
    labels: Mapping[str, str] = alert.labels
    return Firing(
        alertname=labels.get("alertname", ""),
        labels=labels,
        severity=labels.get("severity", ""),
        value=alert.value,
        annotations=alert.annotations,
        active_at=alert.active_at,
    )


def _identity(group: RuleGroup, rule: Rule) -> tuple[str, str, str, str, str, float]:
    return (group.file, group.name, rule.name, rule.severity, rule.expression, rule.hold)
