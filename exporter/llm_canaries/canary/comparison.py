"""What got worse from base to head, and what may be chance.

Every case is run at both sides, as a pair, as often as `Plan.rounds` says. A pair that looks worse is run until a
difference can be proven at all (`more`), and judged once, at the end of it; a difference is worse only if it is
proven. All tests together are wrong with a probability of at most 1 - confidence, as each gets its share (Bonferroni):
two a pair (more failures; a reason of its own) and three a canary (failures, latency and tokens over all its cases,
of the first rounds only: confirmations never enter ratios or latency, DESIGN 5.5). One thing is not repeated: what a
refusal, a rate limit or a cooldown said, for asking again would change the gateway's state (`may_confirm`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from statistics import median

from msgspec import Struct

from llm_canaries.canary.attribution import Base
from llm_canaries.canary.canary import Outcome, Run, Severity
from llm_canaries.canary.exact import enough_runs, fisher, sign_test
from llm_canaries.canary.holds import HoldReason, may_confirm
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.trial import Pair, Plan, Trial, counted, decided, first, reasons_of, table_of
from llm_canaries.wire.fault import Domain

LIKELY = 0.05  # a growth that is more likely by chance is not even told
LEAST_SECONDS = 0.01  # a median that grew by less is nobody's concern, however sure it is


class Reason(StrEnum):
    """What is worse at head without a failure."""

    NO_LONGER_TESTED = "no_longer_tested"
    SLOWER = "slower"
    COSTLIER = "costlier"


class Change(StrEnum):
    """What became of a pair, or of all pairs of a canary; the first four are worse."""

    NEW = "new_failure"
    CHANGED = "changed_reason"
    LOST = "no_longer_tested"
    GROWN = "grown"
    KNOWN = "known"
    FIXED = "fixed"
    CHANCE = "chance"
    GAINED = "newly_tested"
    UNDECIDED = "undecided"
    SAME = "same"

    @property
    def worse(self) -> bool:
        """Whether head is worse than base."""
        return self in (Change.NEW, Change.CHANGED, Change.LOST, Change.GROWN)


class Difference(Struct, frozen=True, kw_only=True):
    """What became of one pair, or of a canary as a whole (`pair` None): counts of either side, and the chance of it.

    `scenario` and `reason` name the rule. `p` is None where nothing was tested. `fault_domain` is whose fault the
    failures for that reason are, and `because` the first one's evidence.
    """

    change: Change
    canary: str
    scenario: str
    severity: Severity
    pair: Pair | None
    reason: str = ""
    base: str = ""
    head: str = ""
    p: float | None = None
    detail: str = ""
    fault_domain: Domain | None = None
    because: tuple[str, ...] = ()


def level(plan: Plan, pairs: Sequence[Pair]) -> float:
    """The share of each test in the chance to be wrong at all."""
    tests = 2 * len(pairs) + 3 * len({pair.base.canary for pair in pairs})
    return (1 - plan.confidence) / max(1, tests)


def more(trial: Trial, plan: Plan, share: float) -> int:
    """How many more rounds the pair needs: none unless head looks worse, and could still be proven to be."""
    rounds = len(trial.head)
    if rounds < plan.rounds:
        return plan.rounds - rounds
    left = enough_runs(share) - rounds
    if left <= 0 or trial.held or not _looks_worse(trial) or not _confirmable(trial):
        return 0
    # were all the rest to fail at head, and none at base
    hopes = [table_of(trial, left=left), *(table_of(trial, reason, left=left) for reason in reasons_of(trial.head))]
    return left if min(fisher([hope]) for hope in hopes) <= share else 0


def compare(trials: Sequence[Trial], plan: Plan) -> list[Difference]:
    """What became of every pair, then of every canary where that says more."""
    share = level(plan, [trial.pair for trial in trials])
    found = [_pair(trial, share) for trial in trials]
    by_canary: dict[str, list[Trial]] = {}
    for trial in trials:
        by_canary.setdefault(trial.pair.base.canary, []).append(trial)
    told = {each.canary for each in found if each.change is Change.NEW}
    for canary, own in by_canary.items():
        if canary not in told:
            found += _failing(own, plan, share)
        found += _grown(own, plan, share)
    return found


def base_says(trial: Trial, reason: str, differences: Sequence[Difference]) -> Base:
    """What base tells of head's failures for `reason`, by what became of the pair, or of its canary as a whole.

    Base passes where head has been proven to fail more often; an ask that was made once only proves nothing.
    """
    if reasons_of(trial.base)[reason]:
        return Base.FAILED
    new = [each for each in differences if each.change is Change.NEW and each.pair in (trial.pair, None)]
    proven = any(each.canary == trial.pair.head.canary and each.reason == reason for each in new)
    passed = bool(decided(trial.base)) and not reasons_of(trial.base)
    return Base.PASSED if proven and passed and _confirmable(trial) else Base.NOT_RUN


def _pair(trial: Trial, share: float) -> Difference:
    base, head = decided(trial.base), decided(trial.head)
    if not base or not head:
        return _untested(trial, bool(base), bool(head))
    table = table_of(trial)
    reasons = reasons_of(trial.head)
    p, reason = fisher([table]), next(iter(reasons), "")
    if table.head_failures and p <= share:
        return _difference(Change.NEW, trial, reason, p)
    if (proven := next((each for each in reasons if _proves_itself(trial, each)), None)) is not None:
        return _difference(Change.NEW, trial, proven, None, "proven by the canary's own test over its runs")
    if reasons and not _confirmable(trial) and not table.base_failures:
        told = "asked once only: to ask again would change the gateway's own state"
        return _difference(Change.NEW, trial, reason, None, told)
    for each in reasons:
        own = min(1.0, fisher([table_of(trial, each)]) * len(reasons))
        if own <= share:
            return _difference(Change.CHANGED, trial, each, own)
    if reasons:
        return _difference(Change.KNOWN if table.base_failures else Change.CHANCE, trial, reason, p)
    if table.base_failures:
        return _difference(Change.FIXED, trial, next(iter(reasons_of(trial.base))), None)
    return _difference(Change.SAME, trial, "", None)


def _untested(trial: Trial, base: bool, head: bool) -> Difference:
    """The difference of a pair of which one side at least was not decided."""
    skipped = [each and all(run.finding.outcome is Outcome.SKIP for run in each) for each in (trial.base, trial.head)]
    if all(skipped):
        return _difference(Change.SAME, trial, "", None)
    if base and skipped[1]:
        return _difference(Change.LOST, trial, Reason.NO_LONGER_TESTED, None, _said(trial.head))
    if skipped[0] and head:
        reason = next(iter(reasons_of(trial.head)), "")
        return _difference(Change.GAINED, trial, reason, None, "there is nothing at base to compare it with")
    silent = trial.head if base or skipped[0] else trial.base
    reason = HoldReason.RETRY_AFTER if trial.held else _reason(silent)
    return _difference(Change.UNDECIDED, trial, reason, None, trial.held or _said(silent))


def _failing(trials: Sequence[Trial], plan: Plan, share: float) -> Iterable[Difference]:
    """More failures over all cases of a canary, where no case alone proves it."""
    tables = [table_of(first(trial, plan)) for trial in trials]
    p = fisher([table for table in tables if table.base_runs and table.head_runs])
    if p <= share:
        reasons = Counter(each for trial in trials for each in reasons_of(trial.head).elements())
        yield _overall(
            Change.NEW,
            trials,
            reasons.most_common(1)[0][0],
            f"{sum(table.base_failures for table in tables)} of {sum(table.base_runs for table in tables)} failed",
            f"{sum(table.head_failures for table in tables)} of {sum(table.head_runs for table in tables)} failed",
            p,
            "over all cases together",
        )


def _grown(trials: Sequence[Trial], plan: Plan, share: float) -> Iterable[Difference]:
    """Latency and tokens of a canary: the runs with the same draws that passed at both sides, side by side."""
    both = [
        (base, head)
        for trial in trials
        for base, head in zip(trial.base[: plan.rounds], trial.head[: plan.rounds], strict=False)
        if base.finding.outcome is Outcome.PASS and head.finding.outcome is Outcome.PASS
    ]
    latencies = [(b.latency, h.latency) for b, h in both if b.latency and h.latency]
    tokens = [(_tokens(b), _tokens(h)) for b, h in both if _tokens(b) and _tokens(h)]
    yield from _growth(trials, Reason.SLOWER, latencies, plan.latency, share)
    yield from _growth(trials, Reason.COSTLIER, [(float(b), float(h)) for b, h in tokens], plan.tokens, share)


def _growth(
    trials: Sequence[Trial], reason: Reason, values: Sequence[tuple[float, float]], least: float, share: float
) -> Iterable[Difference]:
    if not values:
        return
    growth = median(head / base for base, head in values) - 1
    base, head = median(base for base, _ in values), median(head for _, head in values)
    if growth < least or (reason is Reason.SLOWER and head - base < LEAST_SECONDS):
        return
    rose, fell = sum(head > base for base, head in values), sum(head < base for base, head in values)
    p, told = sign_test(rose, fell), f"{growth:+.0%} in {len(values)} runs, {rose} of them more"
    if p > LIKELY:
        return
    words = [_seconds(each) if reason is Reason.SLOWER else f"{each:.0f} tokens" for each in (base, head)]
    yield _overall(Change.GROWN if p <= share else Change.CHANCE, trials, reason, words[0], words[1], p, told)


def _looks_worse(trial: Trial) -> bool:
    tables = [table_of(trial, reason) for reason in ("", *reasons_of(trial.head))]
    return any(each.head_failures * each.base_runs > each.base_failures * each.head_runs for each in tables)


def _proves_itself(trial: Trial, reason: str) -> bool:
    """Whether a canary gives this reason only once many of its runs have proven it, and did not so at base."""
    return reason in SCENARIOS[trial.pair.head.scenario].slow and reason not in reasons_of(trial.base)


def _confirmable(trial: Trial) -> bool:
    return all(may_confirm(run) for run in trial.head if run.finding.outcome is Outcome.FAIL)


def _reason(runs: Sequence[Run]) -> str:
    return str(runs[-1].finding.reason) if runs else ""


def _said(runs: Sequence[Run]) -> str:
    return f"{runs[-1].finding.reason}: {runs[-1].finding.detail}" if runs else ""


def _tokens(run: Run) -> int:
    return run.tokens.get("input", 0) + run.tokens.get("output", 0)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _difference(change: Change, trial: Trial, reason: str, p: float | None, detail: str = "") -> Difference:
    case = trial.pair.head
    shown = trial.base if change is Change.FIXED else trial.head
    failing = [run for run in shown if run.finding.outcome is Outcome.FAIL and run.finding.reason == reason]
    return Difference(
        change=change,
        canary=case.canary,
        scenario=case.scenario,
        severity=case.severity,
        pair=trial.pair,
        reason=str(reason),
        base=counted(trial.base),
        head=counted(trial.head),
        p=p,
        detail="; ".join(each for each in (detail, failing[0].finding.detail if failing else "") if each),
        fault_domain=failing[0].finding.fault_domain if failing else None,
        because=failing[0].finding.because if failing else (),
    )


def _overall(
    change: Change, trials: Sequence[Trial], reason: str, base: str, head: str, p: float, detail: str
) -> Difference:
    case = trials[0].pair.head
    severity = case.severity if change is Change.NEW else Severity.WARNING
    failing = [run.finding for trial in trials for run in trial.head if run.finding.reason == reason]
    domains = Counter(finding.fault_domain for finding in failing)
    domain = domains.most_common(1)[0][0] if domains else None
    return Difference(
        change=change,
        canary=case.canary,
        scenario=case.scenario,
        severity=severity,
        pair=None,
        reason=str(reason),
        base=base,
        head=head,
        p=p,
        detail=detail,
        fault_domain=domain,
        because=next((finding.because for finding in failing if finding.fault_domain == domain), ()),
    )
