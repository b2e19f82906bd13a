"""onboarding: is a new provider block ready for traffic? What was listed, asked and watched, and what it comes to.

The runbook's steps in one: the ids are in the list, a canary of each kind passes through the prefix, and for a while
nothing is refused, limited, slow or gone.
"""

import statistics
from collections.abc import Sequence, Set
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from llm_canaries.canary.canary import Case, Outcome, Run
from llm_canaries.canary.holds import faults
from llm_canaries.wire.fault import FaultReason

KINDS = ("known-good", "usage-parity", "tool-round-trip", "stream-conformance", "tool-result-image", "thinking")
MOST_MODELS = 3  # of a block whose ids nobody expects by name
SLOWER, SLOW = 2.0, 1.0  # times the first half's median, and seconds: less is a machine's mood

_REFUSED = frozenset({FaultReason.AUTH, FaultReason.PERMISSION, FaultReason.BILLING, FaultReason.NO_CREDENTIAL})
_LIMITED = frozenset({FaultReason.RATE_LIMITED, FaultReason.QUOTA_EXHAUSTED, FaultReason.COOLDOWN})


class Reason(StrEnum):
    """Why a block is not ready, and when it cannot be told."""

    NOT_LISTED = "not_listed"
    CANARY_FAILED = "canary_failed"
    REFUSED_MEANWHILE = "refused_meanwhile"
    LIMITED_MEANWHILE = "limited_meanwhile"
    FAILED_MEANWHILE = "failed_meanwhile"
    VANISHED = "vanished"
    NO_LIST = "no_list"
    NOTHING_ASKED = "nothing_asked"
    CANARY_UNDECIDED = "canary_undecided"
    LEFT_OUT = "left_out"
    FAILED_ONCE = "failed_once"
    SLOWED = "slowed"
    CUT_SHORT = "cut_short"


_UNDECIDED = frozenset(
    {
        Reason.NO_LIST,
        Reason.NOTHING_ASKED,
        Reason.CANARY_UNDECIDED,
        Reason.LEFT_OUT,
        Reason.FAILED_ONCE,
        Reason.SLOWED,
        Reason.CUT_SHORT,
    }
)
Word = Literal["ready", "not ready", "undecided"]


class Cause(Struct, frozen=True):
    """One thing against readiness."""

    reason: Reason
    detail: str


class Verdict(Struct, frozen=True):
    """The word, and all that speaks against "ready", worst first."""

    word: Word
    causes: tuple[Cause, ...] = ()


class Tick(Struct, frozen=True, kw_only=True):
    """One look while watching, `at` seconds in: the list (None: it did not come), and a run (None: none was due)."""

    at: float
    ids: Set[str] | None
    run: Run | None


class Seen(Struct, frozen=True, kw_only=True):
    """All that is known of a block: `listed` are the ids under its prefix, None without a list.

    `watched` and `planned` are seconds; `spared` is why asks were left out, in words.
    """

    expected: tuple[str, ...]
    listed: tuple[str, ...] | None
    runs: tuple[Run, ...] = ()
    ticks: tuple[Tick, ...] = ()
    watched: float = 0.0
    planned: float = 0.0
    spared: tuple[str, ...] = ()

    @property
    def latencies(self) -> list[float]:
        """Seconds of each answer that came while watching."""
        found = (tick.run.latency for tick in self.ticks if tick.run is not None and not faults(tick.run))
        return [each for each in found if each is not None]


def under(prefix: str, ids: Set[str] | Sequence[str]) -> tuple[str, ...]:
    """The ids below `prefix`, in order."""
    return tuple(sorted(each for each in ids if each.startswith(f"{prefix}/")))


def prefixed(prefix: str, models: Sequence[str]) -> tuple[str, ...]:
    """`models` as they are asked for, each once; those that have the prefix keep it."""
    named = (each if each.startswith(f"{prefix}/") else f"{prefix}/{each}" for each in models)
    return tuple(dict.fromkeys(named))


def one_of_each(cases: Sequence[Case]) -> list[Case]:
    """For each model one case of each kind, in the first dialect that it is spoken to in, whole before streamed."""
    found: dict[tuple[str, str], Case] = {}
    for case in sorted(cases, key=lambda each: bool(each.stream)):
        if case.scenario in KINDS:
            found.setdefault((case.model, case.scenario), case)
    models = dict.fromkeys(case.model for case in cases)
    return [found[model, kind] for model in models for kind in KINDS if (model, kind) in found]


def judge(seen: Seen) -> Verdict:
    """The verdict: one hard cause makes it "not ready", a soft one leaves it undecided."""
    causes = (*_listing(seen), *_canaries(seen), *_watching(seen))
    hard = tuple(cause for cause in causes if cause.reason not in _UNDECIDED)
    soft = tuple(cause for cause in causes if cause.reason in _UNDECIDED)
    if hard:
        return Verdict("not ready", hard + soft)
    return Verdict("undecided", soft) if soft else Verdict("ready")


def _listing(seen: Seen) -> list[Cause]:
    if seen.listed is None:
        return [Cause(Reason.NO_LIST, "the model list did not come, so nobody knows what is exposed")]
    missing = [each for each in seen.expected if each not in seen.listed]
    return [Cause(Reason.NOT_LISTED, f"{each} is not in the model list") for each in missing]


def _canaries(seen: Seen) -> list[Cause]:
    found = []
    for run in seen.runs:
        told = f"{run.case.scenario} at {run.case.model}: {run.finding.reason}: {run.finding.detail}"
        if run.finding.outcome is Outcome.FAIL:
            found.append(Cause(Reason.CANARY_FAILED, told))
        elif run.finding.outcome is Outcome.INCONCLUSIVE:
            found.append(Cause(Reason.CANARY_UNDECIDED, told))
    found += [Cause(Reason.LEFT_OUT, each) for each in seen.spared]
    if not seen.spared and not any(run.finding.outcome.decided for run in seen.runs):
        found.append(Cause(Reason.NOTHING_ASKED, "no canary was decided: there is no model to ask"))
    return found


def _watching(seen: Seen) -> list[Cause]:
    found, failed = list[Cause](), [tick.run for tick in seen.ticks if tick.run is not None and _failed(tick.run)]
    kinds = {
        Reason.REFUSED_MEANWHILE: [run for run in failed if _of(run, _REFUSED)],
        Reason.LIMITED_MEANWHILE: [run for run in failed if _of(run, _LIMITED)],
        Reason.FAILED_MEANWHILE: [run for run in failed if not _of(run, _REFUSED | _LIMITED)],
    }
    for reason, runs in kinds.items():
        last = f"{runs[-1].case.model}: {runs[-1].finding.reason}: {runs[-1].finding.detail}" if runs else ""
        if len(runs) > 1 or (runs and reason is Reason.REFUSED_MEANWHILE):
            found.append(Cause(reason, f"{len(runs)} of {_asked(seen)} asks while watching, last {last}"))
        elif runs:
            found.append(Cause(Reason.FAILED_ONCE, f"1 of {_asked(seen)} asks while watching, {last}"))
    found += [Cause(Reason.VANISHED, f"{each} went out of the model list while watching") for each in vanished(seen)]
    if (times := _slowed(seen.latencies)) is not None:
        found.append(Cause(Reason.SLOWED, f"answers took {times[0]:.1f} s at first, {times[1]:.1f} s at the end"))
    if seen.watched < seen.planned:
        found.append(Cause(Reason.CUT_SHORT, f"watched {seen.watched:.0f} s of {seen.planned:.0f} s"))
    return found


def vanished(seen: Seen) -> list[str]:
    """Expected ids that were listed at first and were missing in the last two lists in a row."""
    lists = [tick.ids for tick in seen.ticks if tick.ids is not None][-2:]
    if len(lists) < 2 or seen.listed is None:
        return []
    return [each for each in seen.expected if each in seen.listed and not any(each in ids for ids in lists)]


def _slowed(latencies: Sequence[float]) -> tuple[float, float] | None:
    half = len(latencies) // 2
    if half < 2:
        return None
    first, last = statistics.median(latencies[:half]), statistics.median(latencies[-half:])
    return (first, last) if last > SLOWER * first and last - first > SLOW else None


def _failed(run: Run) -> bool:
    return run.finding.outcome is Outcome.FAIL


def _of(run: Run, reasons: Set[FaultReason]) -> bool:
    return any(fault.reason in reasons for fault in faults(run))


def _asked(seen: Seen) -> int:
    return sum(tick.run is not None for tick in seen.ticks)
