"""A run as plain values, the same for every format."""

from collections.abc import Sequence
from typing import Any

from llm_canaries.canary.canary import Outcome, Run


def row(run: Run) -> dict[str, Any]:
    """One run in the shape of `canaries run --json` (DESIGN 6); `stream` is null where both ways were asked,
    `reason` and `fault_domain` where there are none.
    """
    case, finding = run.case, run.finding
    return {
        "canary": case.canary,
        "scenario": case.scenario,
        "gateway": case.gateway,
        "model": case.model,
        "dialect": case.dialect,
        "stream": case.stream,
        "outcome": finding.outcome.value,
        "reason": str(finding.reason) or None,
        "fault_domain": finding.fault_domain.value if finding.fault_domain else None,
        "severity": case.severity.value,
        "latency_seconds": None if run.latency is None else round(run.latency, 4),
        "tokens": run.tokens,
    }


def counts(runs: Sequence[Run]) -> dict[Outcome, int]:
    """How many runs came to each outcome."""
    return {outcome: sum(run.finding.outcome is outcome for run in runs) for outcome in Outcome}


def summary(runs: Sequence[Run]) -> str:
    """`20 passed, 1 failed` and so on; outcomes nobody had are left out."""
    words = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.SKIP: "skipped"}
    found = counts(runs)
    said = [f"{found[outcome]} {words.get(outcome, outcome.value)}" for outcome in Outcome if found[outcome]]
    return ", ".join(said) or "nothing ran"
