"""The pairs of a comparison and their runs, counted."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from llm_canaries.canary.canary import Case, Outcome, Run
from llm_canaries.canary.exact import Table


class Plan(Struct, frozen=True, kw_only=True):
    """How much is run, and what counts: `latency` and `tokens` are the growth of a median from which it matters."""

    rounds: int
    confidence: float
    latency: float
    tokens: float


class Pair(Struct, frozen=True):
    """One case at both sides."""

    base: Case
    head: Case


class Trial(Struct, frozen=True):
    """The runs of a pair, the n-th of either side with the same draws; `held` is why there are not more."""

    pair: Pair
    base: tuple[Run, ...] = ()
    head: tuple[Run, ...] = ()
    held: str = ""


class Matched(Struct, frozen=True):
    """The pairs, and the cases that only one side has."""

    pairs: tuple[Pair, ...]
    base_only: tuple[Case, ...]
    head_only: tuple[Case, ...]


def match(base: Sequence[Case], head: Sequence[Case], key: Callable[[Case], object]) -> Matched:
    """The cases that have the same `key` at both sides."""
    others = {key(case): case for case in head}
    own = {key(case) for case in base}
    return Matched(
        tuple(Pair(case, others[key(case)]) for case in base if key(case) in others),
        tuple(case for case in base if key(case) not in others),
        tuple(case for case in head if key(case) not in own),
    )


def first(trial: Trial, plan: Plan) -> Trial:
    """The trial without its confirmations."""
    return Trial(trial.pair, trial.base[: plan.rounds], trial.head[: plan.rounds])


def decided(runs: Sequence[Run]) -> list[Run]:
    """Those that say something of the gateway."""
    return [run for run in runs if run.finding.outcome.decided]


def reasons_of(runs: Sequence[Run]) -> Counter[str]:
    """How often the runs failed for which reason, the most frequent first."""
    counts = Counter(str(run.finding.reason) for run in runs if run.finding.outcome is Outcome.FAIL)
    return Counter(dict(counts.most_common()))


def table_of(trial: Trial, reason: str = "", *, left: int = 0) -> Table:
    """Failures (for `reason`, or any), with `left` more runs that fail at head alone."""
    base, head = decided(trial.base), decided(trial.head)
    counts = [reasons_of(runs)[reason] if reason else reasons_of(runs).total() for runs in (base, head)]
    return Table(counts[0], len(base) + left, counts[1] + left, len(head) + left)


def counted(runs: Sequence[Run]) -> str:
    """`2 of 9 failed`."""
    told = decided(runs)
    return f"{reasons_of(told).total()} of {len(told)} failed" if told else "not decided"
