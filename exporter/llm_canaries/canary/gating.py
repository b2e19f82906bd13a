"""Groups of cases under a gate: which runs next, what the runs so far prove, and when there is enough."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from llm_canaries.canary.canary import Case, Finding, Outcome, Run, Severity
from llm_canaries.canary.claim import Claim
from llm_canaries.canary.sequential import Decision, clean_runs_needed, decide, lower_bound, upper_bound
from llm_canaries.wire.fault import Domain

MOST_UNCOUNTED = 10  # runs that say nothing, before there are more of them than of the others


class By(StrEnum):
    """What a gate's claim is about: each canary at each gateway, each case, or all cases together."""

    CANARY = "canary"
    CASE = "case"
    ALL = "all"


class Why(StrEnum):
    """Why a group is undecided."""

    MAX_RUNS = "max_runs"
    UNCOUNTED = "inconclusive_runs"
    HELD = "held_retry_after"
    INTERRUPTED = "interrupted"


class Rules(Struct, frozen=True, kw_only=True):
    """What a gate demands: `claims` at `confidence` of every group; `most` runs of a group (None: as needed)."""

    claims: tuple[Claim, ...]
    confidence: float
    by: By = By.CANARY
    most: int | None = None


class Blamed(Struct, frozen=True, kw_only=True):
    """The failures of a group for one reason that are of one fault domain: how many, and the first one's evidence."""

    reason: str
    fault_domain: Domain | None
    failures: int
    detail: str
    because: tuple[str, ...]


class Verdict(Struct, frozen=True, kw_only=True):
    """What a claim came to in one group: `failures` of `runs` that counted, of `made` and at most `most`.

    `blamed` says whose fault those failures are, the most frequent first; to be slow is nobody's.

    `lower` and `upper` bound the probability, each at the gate's confidence; `needed` is how many more runs without a
    failure would prove the claim. `gateway` is empty for all together, `case` for more than one case.
    """

    claim: Claim
    canary: str
    gateway: str
    case: str
    severity: Severity
    failures: int
    runs: int
    made: int
    most: int
    lower: float
    upper: float
    decision: Decision
    why: Why | None = None
    detail: str = ""
    needed: int = 0
    blamed: tuple[Blamed, ...] = ()

    @property
    def name(self) -> str:
        """What people call the group."""
        return " ".join(word for word in (self.canary, self.gateway, self.case) if word) or "all cases"


class Gated(Struct, frozen=True, kw_only=True):
    """What a gate came to."""

    rules: Rules
    verdicts: tuple[Verdict, ...]

    @property
    def decision(self) -> Decision:
        """The whole gate's: a pass needs one group that passed, and none that did not."""
        found = {verdict.decision for verdict in self.verdicts}
        for worst in (Decision.FAIL, Decision.UNDECIDED, Decision.PASS):
            if worst in found:
                return worst
        return Decision.UNDECIDED


class _Count:
    """One claim's runs so far."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.failures = self.runs = self.uncounted = self.made = self.rest = 0
        self.spoiled = False
        self.wrong: list[Run] = []
        self.decision = Decision.UNDECIDED
        self.given_up = False

    @property
    def open(self) -> bool:
        return self.decision is Decision.UNDECIDED and not self.given_up

    def add(self, run: Run) -> None:
        self.made += 1
        wrong = self.claim.wrong(run)
        if wrong is None:
            self.uncounted += 1
            self.spoiled |= run.finding.outcome is not Outcome.PASS
        else:
            self.runs += 1
            self.failures += wrong
            if wrong and run.finding.outcome is Outcome.FAIL:
                self.wrong.append(run)

    def settle(self, confidence: float, rest: int) -> None:
        self.rest = rest
        self.decision = decide(self.failures, self.runs, self.claim.limit, confidence, rest)
        self.given_up = self.uncounted >= MOST_UNCOUNTED and self.uncounted > self.runs


class Group:
    """The cases that one claim, or several, are about; they are played in turns, each case once in every turn."""

    def __init__(self, cases: Sequence[Case], rules: Rules) -> None:
        assert cases, "a group has cases"
        self.cases = tuple(cases)
        self.by, self.confidence = rules.by, rules.confidence
        own = [claim for claim in rules.claims if any(claim.concerns(case) for case in cases)]
        self._counts = [_Count(claim) for claim in own]
        clean = max((self.clean(count.claim) for count in self._counts), default=0)
        # twice what a group without failures needs makes up for one failure
        self.most = rules.most or 2 * clean
        self._active = list(self.cases)
        self._turn: list[Case] = []
        self._made = 0
        self._why: Why | None = None
        self._detail = ""

    def clean(self, claim: Claim) -> int:
        """The runs that `claim` takes when none fails: whole turns."""
        needed = clean_runs_needed(0, 0, claim.limit, self.confidence)
        return _whole(needed, len(self.cases))

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Those of the gate's claims that concern this group."""
        return tuple(count.claim for count in self._counts)

    @property
    def done(self) -> bool:
        """Whether nothing more is to be run."""
        over = self._made >= self.most or self._why is not None or not (self._turn or self._active)
        return over or not any(count.open for count in self._counts)

    def next(self, width: int) -> list[Case]:
        """The cases to run now, at most `width` at once; none of the next turn before this one has ended."""
        if self.done:
            return []
        self._turn = self._turn or list(self._active)
        return self._turn[: min(width, self.most - self._made)]

    def add(self, run: Run) -> None:
        """Counts the run of the first case of `next`, then the second, and so on."""
        if self.done:
            return
        case, open_ = self._turn.pop(0), [count for count in self._counts if count.open]
        if run.finding.outcome is Outcome.SKIP:
            self._active.remove(case)  # it would skip again
        else:
            self._made += 1
            for count in open_:
                count.add(run)
        for count in open_:
            count.settle(self.confidence, len(self._turn))

    def hold(self, why: Why, detail: str, *, made: int = 0) -> None:
        """Ends the group: no more runs of it are kind, or wanted; `made` were, and count neither way."""
        if not self.done:
            self._why, self._detail = why, detail
            for count in self._counts:
                count.made += made * count.open

    def verdicts(self, judged: Mapping[int, Run] | None = None) -> list[Verdict]:
        """What the runs so far came to, one a claim; `judged`: by `id`, what was found out of a run afterwards."""
        return [self._verdict(count, judged or {}) for count in self._counts]

    def _verdict(self, count: _Count, judged: Mapping[int, Run]) -> Verdict:
        first, claim = self.cases[0], count.claim
        decision = count.decision
        if decision is Decision.UNDECIDED and not count.runs and not count.spoiled and self._why is None:
            decision = Decision.SKIP
        undecided = decision is Decision.UNDECIDED
        needed = clean_runs_needed(count.failures, count.runs, claim.limit, self.confidence) if undecided else 0
        turn = len(self._active) or 1
        whole = count.runs + count.rest  # within a turn nothing is proven but what its rest cannot change
        return Verdict(
            claim=claim,
            canary="" if self.by is By.ALL else first.canary,
            gateway="" if self.by is By.ALL else first.gateway,
            case=f"{first.model} {first.dialect} stream={first.stream_word}" if self.by is By.CASE else "",
            severity=max((case.severity for case in self.cases), key=list(Severity).index),
            failures=count.failures,
            runs=count.runs,
            made=count.made,
            most=self.most,
            lower=lower_bound(count.failures, whole, self.confidence),
            upper=upper_bound(count.failures + count.rest, whole, self.confidence),
            decision=decision,
            why=self._reason(count) if undecided else None,
            detail=self._detail if undecided else "",
            needed=_whole(count.runs + needed, turn) - count.runs if undecided else 0,
            blamed=_blamed([judged.get(id(run), run) for run in count.wrong]),
        )

    def _reason(self, count: _Count) -> Why:
        if self._why is not None:
            return self._why
        return Why.UNCOUNTED if count.given_up else Why.MAX_RUNS


def groups(cases: Sequence[Case], rules: Rules) -> list[Group]:
    """The groups that `rules` make of `cases`, without those that no claim concerns."""
    key: Mapping[By, Callable[[Case], object]] = {
        By.CANARY: lambda case: (case.canary, case.gateway),
        By.CASE: lambda case: case.key,
        By.ALL: lambda case: None,
    }
    found: dict[object, list[Case]] = {}
    for case in cases:
        found.setdefault(key[rules.by](case), []).append(case)
    made = [Group(each, rules) for each in found.values()]
    return [group for group in made if group.claims]


def _blamed(failures: Sequence[Run]) -> tuple[Blamed, ...]:
    kinds: dict[tuple[str, Domain | None], list[Finding]] = {}
    for run in failures:
        kinds.setdefault((str(run.finding.reason), run.finding.fault_domain), []).append(run.finding)
    made = [
        Blamed(
            reason=reason,
            fault_domain=domain,
            failures=len(found),
            detail=found[0].detail,
            because=found[0].because,
        )
        for (reason, domain), found in kinds.items()
    ]
    return tuple(sorted(made, key=lambda each: -each.failures))


def _whole(runs: int, turn: int) -> int:
    return -(-runs // turn) * turn
