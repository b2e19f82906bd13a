"""The contract of `canaries run` with scripts and pipelines (DESIGN 6)."""

from collections.abc import Sequence
from enum import IntEnum

from llm_canaries.canary.canary import Outcome, Run, Severity
from llm_canaries.canary.comparison import Change, Difference
from llm_canaries.canary.gating import Gated
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.sequential import Decision


class ExitCode(IntEnum):
    """0 all decided and passed; 1 a failure; 2 configuration or usage; 3 undecided, or nothing to decide."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    UNDECIDED = 3


def exit_code(runs: Sequence[Run], *, fail_on: Severity, allow_undecided: bool) -> ExitCode:
    """The code for `runs`; failures below `fail_on` do not count, and skips only where a gateway wanted no asks."""
    failures = [run for run in runs if run.finding.outcome is Outcome.FAIL]
    if any(run.case.severity is Severity.CRITICAL or fail_on is Severity.WARNING for run in failures):
        return ExitCode.FAILED
    undecided = any(run.finding.outcome is Outcome.INCONCLUSIVE or _is_withheld(run) for run in runs)
    decided = any(run.finding.outcome.decided for run in runs)
    return ExitCode.PASSED if allow_undecided or (decided and not undecided) else ExitCode.UNDECIDED


def _is_withheld(run: Run) -> bool:
    return isinstance(run.finding.reason, HoldReason)


def gate_exit_code(gated: Gated, *, fail_on: Severity, allow_undecided: bool) -> ExitCode:
    """The code for a gate: its groups decide, not their runs."""
    failed = [verdict for verdict in gated.verdicts if verdict.decision is Decision.FAIL]
    if any(verdict.severity is Severity.CRITICAL or fail_on is Severity.WARNING for verdict in failed):
        return ExitCode.FAILED
    decided = any(verdict.decision in (Decision.PASS, Decision.FAIL) for verdict in gated.verdicts)
    undecided = any(verdict.decision is Decision.UNDECIDED for verdict in gated.verdicts)
    return ExitCode.PASSED if allow_undecided or (decided and not undecided) else ExitCode.UNDECIDED


def compare_exit_code(
    differences: Sequence[Difference], *, fail_on: Severity, allow_undecided: bool
) -> ExitCode:
    """The code for a comparison: what is worse fails it, nothing to compare is undecided."""
    worse = [each for each in differences if each.change.worse]
    if any(each.severity is Severity.CRITICAL or fail_on is Severity.WARNING for each in worse):
        return ExitCode.FAILED
    undecided = any(each.change is Change.UNDECIDED for each in differences)
    return ExitCode.PASSED if allow_undecided or (differences and not undecided) else ExitCode.UNDECIDED
