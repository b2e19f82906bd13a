"""The rules in force: what the shipped packs and the user's files say, evaluated over the board's last minutes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from llm_canaries.alerts.incident import Firing
from llm_canaries.rules.evaluate import Alert, Evaluation, Identity, RuleProblem, RuleState, evaluate
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.outputs import Outputs, Together
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.restore import Clock, by_identity, clocks, restored
from llm_canaries.rules.snapshot import History
from llm_canaries.rules.vector import NAME, Floats
from llm_canaries.rules.window import LOOKBACK, Window, slots_needed
from llm_canaries.service.board import Board

MOST_SERIES = 100_000
COUNT_EVERY = 60.0  # seconds between two counts of all samples, which reads the whole window, where that is large
COUNTED_BYTES = 16 * 2**20

Labels = Mapping[str, str]


class Evaluated(Struct, frozen=True):
    """One evaluation: what fires, the alerts whose state is not known, and the rules that failed just now."""

    firings: list[Firing]
    unknown: frozenset[str]
    problems: tuple[RuleProblem, ...] = ()


class _Sample(Struct, frozen=True):
    """The board at one time; `names` where they are others than before."""

    at: float
    names: Sequence[Labels] | None
    values: Floats


class _Turn(Struct):
    """When a group was last evaluated, by the monotonic clock, and how that went."""

    at: float
    wall: float = 0.0
    duration: float = 0.0
    failures: int = 0
    missed: int = 0
    problems: tuple[RuleProblem, ...] = ()


class Rulebook:
    """Groups of rules with their clocks; `monotonic` measures how long they take.

    `sample` and `report` belong to the thread of the board; `evaluate` may be called in another, one at a time.
    """

    def __init__(self, groups: tuple[RuleGroup, ...], interval: float, monotonic: Callable[[], float]) -> None:
        self.groups = groups
        self._interval, self._monotonic = interval, monotonic
        span = max([LOOKBACK, *(group.reach for group in groups)])  # bounded where the rules are read
        self.window = Window(slots_needed(interval, span), span, MOST_SERIES)
        self.outputs = Outputs(interval, span)
        self._span = span
        self._version = -1
        self._states: dict[int, tuple[RuleState, ...]] = {}
        self._turns: dict[int, _Turn] = {}
        self._kept: dict[Identity, Clock] | None = None
        self._shown: set[tuple[str, str, str]] = set()
        self._since: float | None = None  # of what the window holds
        self._begun: float | None = None  # of this process
        self._sample: _Sample | None = None
        self._samples = 0
        self._counted: float | None = None

    def sample(self, board: Board, now: float) -> None:
        """Takes one sample of the board at `now` (Unix time), to be seen by the next evaluation."""
        names = None if board.version == self._version else board.names()
        self._version = board.version
        self._sample = _Sample(now, names, board.values.copy())

    def evaluate(self, now: float) -> Evaluated:
        """One evaluation of every group that is due at `now` (Unix time)."""
        self._take_sample()
        self._since = now if self._since is None else min(now, self._since)
        self._begun = now if self._begun is None else min(now, self._begun)
        tick = Tick(self.window, now)
        fresh: list[RuleProblem] = []
        for number, group in enumerate(self.groups):
            if self._due(number, group):
                fresh += self._evaluate_one(number, group, now, tick).problems
        known = {problem.rule for turn in self._turns.values() for problem in turn.problems}
        firings = [_firing(alert) for alert in self._alerts() if alert.state == "firing"]
        return Evaluated(firings, frozenset(known | self._not_yet_known(now)), tuple(fresh))

    def _take_sample(self) -> None:
        sample, self._sample = self._sample, None
        if sample is None:
            return
        if sample.names is not None:
            self.window.align(sample.names)
        self.window.append(sample.at, sample.values)
        small = self.window.nbytes <= COUNTED_BYTES
        if small or self._counted is None or not 0 <= sample.at - self._counted < COUNT_EVERY:
            self._counted, self._samples = sample.at, self.window.samples

    def ask(self, source_now: float) -> Tick:
        """A moment of all that rules see, to evaluate an expression in."""
        return Tick(Together(self.window, self.outputs), source_now)

    def restore(self, kept: Iterable[Clock], now: float) -> None:
        """Takes up clocks of a former process; alerts go on with them once they are found again."""
        self._kept = by_identity(kept, now)

    def clocks(self) -> list[Clock]:
        """The clocks of now, to be taken up by the next process."""
        return clocks((group, self._states.get(number, ())) for number, group in enumerate(self.groups))

    def restore_window(self, history: History, now: float) -> None:
        """Takes up what a former process sampled before `now`; the time between is a gap."""
        times, series, values = history
        for at, row in zip(times, values, strict=True):
            if at < now:
                self.window.put(at, series, row)
                self._since = at if self._since is None else self._since

    def restore_outputs(self, history: History, now: float) -> None:
        """Takes up what rules said in a former process before `now`."""
        times, series, values = history
        for at, row in zip(times, values, strict=True):
            if at < now:
                self.outputs.window.put(at, series, row)
        self.outputs.names |= {each[NAME] for each in series}

    def take_over(self, before: "Rulebook") -> None:
        """Keeps the history, and the clocks of rules that have still their place, name and labels."""
        self.window, self.outputs, self._version = before.window, before.outputs, before._version
        self.window.widen(self._span)
        self.outputs.window.widen(self._span)
        self._shown, self._since, self._begun = before._shown, before._since, before._begun
        known: dict[Any, RuleState] = {}
        for number, group in enumerate(before.groups):
            known |= zip(group.rule_keys(), before._states.get(number, ()), strict=False)
        turns = {(group.file, group.name): before._turns.get(n) for n, group in enumerate(before.groups)}
        for number, group in enumerate(self.groups):
            self._states[number] = tuple(known.pop(key, RuleState()) for key in group.rule_keys())
            if (turn := turns.get((group.file, group.name))) is not None:
                self._turns[number] = _Turn(turn.at)
        ended = [series for state in known.values() for series in state.series]
        self.outputs.write((), (), ended)  # what no rule says any more is over with the next evaluation

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

    def report(self, board: Board) -> None:
        """What the last evaluation came to, on the board."""
        board.set_named("llm_sidecar_window_series", self.window.series, source="board")
        board.set_named("llm_sidecar_window_dropped_series", self.window.dropped, source="board")
        board.set_named("llm_sidecar_window_samples", self._samples, source="board")
        for number, group in enumerate(self.groups):
            turn = self._turns.get(number) or _Turn(0.0)
            name = group.name
            board.set_named("llm_sidecar_rule_group_last_duration_seconds", turn.duration, group=name)
            board.set_named("llm_sidecar_rule_group_last_evaluation_timestamp_seconds", turn.wall, group=name)
            board.add(board.slot("llm_sidecar_rule_evaluation_failures_total", group=name), turn.failures)
            board.add(board.slot("llm_sidecar_rule_group_iterations_missed_total", group=name), turn.missed)
            turn.failures = turn.missed = 0
        self._count(board)

    def _due(self, number: int, group: RuleGroup) -> bool:
        """Whether the group's interval is over; whole intervals in which it was not evaluated are missed.

        A group without an interval, or with a shorter one, is due whenever there is a new sample.
        """
        started, turn = self._monotonic(), self._turns.get(number)
        if turn is None:
            self._turns[number] = _Turn(started)
            return True
        interval = max(group.interval or 0.0, self._interval)
        if interval > self._interval and started - turn.at < interval - self._interval / 2:
            return False
        turn.missed += max(0, int((started - turn.at) / interval + 0.5) - 1)
        turn.at = started
        return True

    def _evaluate_one(self, number: int, group: RuleGroup, now: float, tick: Tick) -> Evaluation:
        started, turn = self._monotonic(), self._turns[number]
        first = number not in self._states
        found = evaluate(group, self.window, now, self._states.get(number, ()), self.outputs, tick)
        states = found.states
        if first and self._kept:
            states = restored(group, states, self._kept, now)
        self._states[number] = states
        turn.duration, turn.wall = self._monotonic() - started, now
        turn.failures += len(found.problems)
        turn.problems = found.problems
        return found

    def _not_yet_known(self, now: float) -> set[str]:
        """The rules that cannot say yet that an incident from before is over.

        What they look back on is not there, or their `for` began anew: the window outlives a process, most clocks do
        not.
        """
        since = now - (now if self._since is None else self._since)
        begun = now - (now if self._begun is None else self._begun)
        return {
            rule.name
            for group in self.groups
            for rule in group.rules
            if (rule.hold and begun <= rule.hold) or (rule.reach > LOOKBACK and since <= rule.reach)
        }

    def _alerts(self) -> list[Alert]:
        return [alert for states in self._states.values() for state in states for alert in state.alerts.values()]

    def _count(self, board: Board) -> None:
        """How many alerts there are of each name, severity and state; one that is over counts 0."""
        found: Counter[tuple[str, str, str]] = Counter(
            (alert.labels.get("alertname", ""), alert.labels.get("severity", ""), alert.state)
            for alert in self._alerts()
        )
        self._shown |= set(found)
        for name, severity, state in self._shown:
            board.set_named(
                "llm_sidecar_alerts", found[name, severity, state], alertname=name, severity=severity, state=state
            )


def _firing(alert: Alert) -> Firing:
    labels: Labels = alert.labels
    return Firing(
        alertname=labels.get("alertname", ""),
        labels=labels,
        severity=labels.get("severity", ""),
        value=alert.value,
        annotations=alert.annotations,
        active_at=alert.active_at,
    )
