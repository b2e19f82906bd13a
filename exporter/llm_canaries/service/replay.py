"""History replayed: what rules would have said over stored runs, at the times of those runs.

The state keeps runs, not samples. From them the ledger's gauges, counters and timestamps of every case are made again,
tick by tick, as the board showed them. Breakers, quotas, pages and the sidecar itself left no history.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.ledger import WINDOWS, Availability, Ledger
from llm_canaries.config.schema import LevelName
from llm_canaries.rules.evaluate import RuleState, evaluate
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.outputs import Outputs
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.window import LOOKBACK, Window, slots_needed
from llm_canaries.service.board import Board
from llm_canaries.state.runs import RunRow
from llm_canaries.wire.fault import FaultReason

COVERED = frozenset(
    f"llm_canary_{name}"
    for name in (
        "runs_total", "failures_total", "success", "consecutive_failures", "error_ratio", "error_ratio_lower",
        "error_ratio_runs", "failure_ratio", "failure_ratio_lower", "failure_ratio_runs", "availability_ratio",
        "interval_seconds", "threshold", "last_run_timestamp_seconds", "last_decided_timestamp_seconds",
        "last_success_timestamp_seconds", "last_duration_seconds", "tokens_total",
    )
)  # fmt: skip
"""The families that a replay fills."""


class Spell(Struct, frozen=True):
    """An alert that would have fired: from when, until when (None where it still does), in Unix time."""

    alertname: str
    severity: str
    labels: Mapping[str, str]
    began: float
    ended: float | None


class CaseFacts(Struct, frozen=True):
    """What the configuration says of a case: seconds between runs, thresholds by kind and severity."""

    every: float
    thresholds: Mapping[str, Mapping[LevelName, float]]


def covered(groups: Sequence[RuleGroup]) -> tuple[tuple[RuleGroup, ...], list[str]]:
    """The groups with the rules that a replay can judge, and the names of the alerts that it cannot."""
    known = set(COVERED)
    while more := {
        rule.name
        for group in groups
        for rule in group.rules
        if rule.kind == "record" and rule.names is not None and rule.names <= known
    } - known:
        known |= more
    judged, left = [], set()
    for group in groups:
        kept = tuple(rule for rule in group.rules if rule.names is not None and rule.names <= known)
        left |= {rule.name for rule in group.rules if rule.kind == "alert" and rule not in kept}
        judged.append(group.only(kept))
    return tuple(group for group in judged if group.rules), sorted(left)


class Replay:
    """The board of the past: `runs` in their order, `facts` by case key."""

    def __init__(self, runs: Sequence[RunRow], facts: Mapping[str, CaseFacts]) -> None:
        self._runs, self._facts = runs, facts
        self._board = Board()
        self._ledgers: dict[str, Ledger] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._gateways: dict[str, tuple[Availability, Ledger]] = {}
        self._next = 0

    def spells(self, groups: Sequence[RuleGroup], start: float, end: float, step: float) -> list[Spell]:
        """What would have fired between `start` and `end`, looked at every `step` seconds."""
        span = max([LOOKBACK, *(group.reach for group in groups)])
        window, outputs = Window(slots_needed(step, span), span), Outputs(step, span)
        states: list[Sequence[RuleState]] = [()] * len(groups)
        open_: dict[tuple[tuple[str, str], ...], float] = {}
        found: list[Spell] = []
        version, at = -1, start
        while True:
            self._advance(at)
            if self._board.version != version:
                window.align(self._board.names())
                version = self._board.version
            window.append(at, self._board.values)
            tick, firing = Tick(window, at), set()
            for number, group in enumerate(groups):
                states[number] = evaluate(group, window, at, states[number], outputs, tick).states
                firing |= {
                    identity
                    for state in states[number]
                    for identity, alert in state.alerts.items()
                    if alert.state == "firing"
                }
            found += [_spell(each, open_.pop(each), at) for each in [*open_] if each not in firing]
            open_ |= {each: at for each in firing if each not in open_}
            if at >= end:
                break
            at = min(at + step, end)
        found += [_spell(identity, began, None) for identity, began in open_.items()]
        return sorted(found, key=lambda spell: (spell.began, spell.alertname))

    def _advance(self, now: float) -> None:
        while self._next < len(self._runs) and self._runs[self._next].started <= now:
            self._ran(self._runs[self._next])
            self._next += 1
        for key, ledger in self._ledgers.items():
            self._stands(self._labels[key], ledger, now)
        for name, (availability, limited) in self._gateways.items():
            for window in availability.WINDOWS:
                self._put("availability_ratio", availability.ratio(window, now), gateway=name, window=window)
            for window in WINDOWS:
                self._tally("failure_ratio", limited, window, now, gateway=name, reason=FaultReason.RATE_LIMITED.value)

    def _ran(self, run: RunRow) -> None:
        labels = self._labels.setdefault(run.case, _labels(run))
        ledger = self._ledgers.get(run.case)
        if ledger is None:
            ledger = self._ledgers[run.case] = Ledger()
            self._introduce(run, labels)
        decided, failed = run.outcome in (Outcome.PASS, Outcome.FAIL), run.outcome == Outcome.FAIL
        if decided:
            ledger.add(run.started, failed=failed, confirmation=run.confirmation)
        if run.confirmation:
            return
        availability, limited = self._gateways.setdefault(run.gateway, (Availability(), Ledger()))
        if decided:
            availability.add(run.started, failed=failed)
            limited.add(run.started, failed=failed and run.reason == FaultReason.RATE_LIMITED)
        self._count("runs_total", 1, **labels, outcome=run.outcome)
        if failed:
            self._count("failures_total", 1, **labels, reason=run.reason)
        for kind, number in run.tokens.items():
            self._count("tokens_total", number, **labels, kind=kind)
        self._put("last_run_timestamp_seconds", run.started, **labels)
        self._put("last_duration_seconds", run.latency, **labels)

    def _introduce(self, run: RunRow, labels: dict[str, str]) -> None:
        for outcome in Outcome:
            self._count("runs_total", 0, **labels, outcome=outcome.value)
        facts = self._facts.get(run.case)
        for family in ("last_decided", "last_success"):
            self._put(f"{family}_timestamp_seconds", run.started, **labels)
        if facts is not None:
            self._put("interval_seconds", facts.every, **labels)
            for kind, levels in facts.thresholds.items():
                for severity, value in levels.items():
                    self._put("threshold", value, canary=run.canary, kind=kind, severity=severity)

    def _stands(self, labels: dict[str, str], ledger: Ledger, now: float) -> None:
        self._put("success", None if ledger.success is None else float(ledger.success), **labels)
        self._put("consecutive_failures", ledger.failures_in_a_row, **labels)
        self._put("last_decided_timestamp_seconds", ledger.last_decided, **labels)
        self._put("last_success_timestamp_seconds", ledger.last_success, **labels)
        for window in WINDOWS:
            self._tally("error_ratio", ledger, window, now, **labels)

    def _tally(self, family: str, ledger: Ledger, window: str, now: float, **labels: str) -> None:
        tally = ledger.tally(window, now)
        self._put(f"{family}_runs", tally.runs, **labels, window=window)
        for name, value in ((family, tally.ratio), (f"{family}_lower", tally.lower)):
            slot = self._board.slot(f"llm_canary_{name}", **labels, window=window)
            if value is not None:
                self._board.set(slot, value)
            else:
                self._board.clear(slot)

    def _put(self, family: str, value: float | None, **labels: str) -> None:
        if value is not None:
            self._board.set_named(f"llm_canary_{family}", value, **labels)

    def _count(self, family: str, amount: float, **labels: str) -> None:
        self._board.add(self._board.slot(f"llm_canary_{family}", **labels), amount)


def _labels(run: RunRow) -> dict[str, str]:
    return {
        "canary": run.canary, "scenario": run.scenario, "gateway": run.gateway, "model_id": run.model,
        "client_protocol": run.dialect, "stream": run.stream,
    }  # fmt: skip


def _spell(identity: tuple[tuple[str, str], ...], began: float, ended: float | None) -> Spell:
    labels = dict(identity)
    return Spell(labels.pop("alertname", ""), labels.pop("severity", ""), labels, began, ended)
