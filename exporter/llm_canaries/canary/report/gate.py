"""What a gate came to, as plain values, as a table and as lines."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from llm_canaries.canary.canary import Outcome, Run
from llm_canaries.canary.gating import By, Gated, Verdict, Why
from llm_canaries.canary.report.table import STYLES
from llm_canaries.canary.sequential import Decision
from llm_canaries.wire.fault import bracketed

_STYLES = {
    Decision.PASS: STYLES[Outcome.PASS],
    Decision.FAIL: STYLES[Outcome.FAIL],
    Decision.UNDECIDED: STYLES[Outcome.INCONCLUSIVE],
    Decision.SKIP: STYLES[Outcome.SKIP],
}


def gate_value(gated: Gated) -> dict[str, Any]:
    """The object `gate` of `canaries run --json`; `canary`, `gateway` and `case` are null where a group has several."""
    rules = gated.rules
    return {
        "claims": [claim.text for claim in rules.claims],
        "confidence": rules.confidence,
        "by": rules.by.value,
        "decision": gated.decision.value,
        "groups": [_row(verdict) for verdict in gated.verdicts],
    }


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "canary": verdict.canary or None,
        "gateway": verdict.gateway or None,
        "case": verdict.case or None,
        "claim": verdict.claim.text,
        "limit": verdict.claim.limit,
        "severity": verdict.severity.value,
        "decision": verdict.decision.value,
        "failures": verdict.failures,
        "runs": verdict.runs,
        "lower": round(verdict.lower, 6),
        "upper": round(verdict.upper, 6),
        "stopped_after": verdict.made,
        "max_runs": verdict.most,
        "reason": verdict.why.value if verdict.why else None,
        "detail": verdict.detail or None,
        "clean_runs_needed": verdict.needed,
        "blamed": [
            {
                "reason": each.reason,
                "fault_domain": each.fault_domain.value if each.fault_domain else None,
                "failures": each.failures,
                "detail": each.detail or None,
                "because": list(each.because),
            }
            for each in verdict.blamed
        ],
    }


def gate_table(gated: Gated) -> Table:
    """One row a group and claim."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["canary", "gateway"] * (gated.rules.by is not By.ALL) + ["case"] * (gated.rules.by is By.CASE)
    fault = ["whose fault"] * any(verdict.blamed for verdict in gated.verdicts)
    for column in (*columns, "claim", "went wrong", *fault, "probability", "decision", "stopped after"):
        table.add_column(column, no_wrap=True)
    for verdict in gated.verdicts:
        group = [word for word in (verdict.canary, verdict.gateway, verdict.case) if word]
        counted = [f"{verdict.failures} of {verdict.runs}", *([whose(verdict)] if fault else [])]
        decision = Text(verdict.decision.value, _STYLES[verdict.decision])
        plain = [Text(word) for word in (*group, verdict.claim.text, *counted, probability(verdict))]
        table.add_row(*plain, decision, Text(stopped(verdict)))
    return table


def gate_lines(gated: Gated) -> list[str]:
    """A line for each group that is undecided: why, and what would decide it."""
    undecided = [verdict for verdict in gated.verdicts if verdict.decision is Decision.UNDECIDED]
    return [f"undecided {verdict.name}: {verdict.claim.text}: {because(verdict)}" for verdict in undecided]


def gate_summary(gated: Gated) -> str:
    """`failures < 5% at 95 % confidence: pass (9 pass, 2 skip)`."""
    counts = {each: sum(verdict.decision is each for verdict in gated.verdicts) for each in Decision}
    said = ", ".join(f"{count} {each.value}" for each, count in counts.items() if count) or "no group"
    claims = " and ".join(claim.text for claim in gated.rules.claims)
    return f"{claims} at {percent(gated.rules.confidence)} confidence: {gated.decision.value} ({said})"


def gate_remarks(runs: Sequence[Run]) -> list[Text]:
    """A line for each reason that runs of a canary did not pass for, and whose fault it was, with its count and the
    first one's evidence.
    """
    kinds: dict[tuple[str, str, Outcome, str, str], list[Run]] = {}
    for run in runs:
        if run.finding.outcome is not Outcome.PASS:
            case, finding = run.case, run.finding
            domain = bracketed(finding.fault_domain)
            kind = (case.canary, case.gateway, finding.outcome, str(finding.reason), domain)
            kinds.setdefault(kind, []).append(run)
    lines = []
    for (canary, gateway, outcome, reason, domain), found in kinds.items():
        head = f"{outcome.value} ×{len(found)} {canary} {gateway}: {reason}{domain}"
        lines.append(Text.assemble((head, STYLES[outcome]), f": {found[0].finding.detail}"))
    return lines


def whose(verdict: Verdict) -> str:
    """`translation`, or `provider ×3, translation ×1`; empty where nothing failed, or nobody is to blame."""
    counts: dict[str, int] = {}
    for each in verdict.blamed:
        if each.fault_domain is not None:
            counts[each.fault_domain.value] = counts.get(each.fault_domain.value, 0) + each.failures
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{domain} ×{count}" for domain, count in counts.items())


def blamed_lines(verdict: Verdict) -> list[str]:
    """A line for each reason and fault domain among the failures, with the evidence that decided."""
    return [
        f"{each.failures} × {each.reason}{bracketed(each.fault_domain)}: {each.detail}"
        for each in verdict.blamed
    ]


def verdict_line(verdict: Verdict) -> str:
    """A group in one line, as progress tells it."""
    counted = f"{verdict.failures} of {verdict.runs} went wrong"
    told = f"{verdict.decision.value} {verdict.name}: {verdict.claim.text}: {counted}, {probability(verdict)}"
    return f"{told}, stopped after {stopped(verdict)}"


def because(verdict: Verdict) -> str:
    """Why it is undecided, and what would decide it."""
    more = f"{verdict.needed} more without a failure would prove it"
    whys = {
        Why.MAX_RUNS: f"{verdict.made} runs were not enough; {more}",
        Why.UNCOUNTED: f"of {verdict.made} runs only {verdict.runs} tell; see what the others came to",
        Why.HELD: f"{verdict.detail}; {more}",
        Why.INTERRUPTED: f"interrupted; {more}",
    }
    return whys[verdict.why or Why.INTERRUPTED]


def probability(verdict: Verdict) -> str:
    """What the runs prove of it: one bound where that decides, else both."""
    if verdict.decision is Decision.PASS:
        return f"< {percent(verdict.upper)}"
    if verdict.decision is Decision.FAIL:
        return f"> {percent(verdict.lower)}"
    return f"{percent(verdict.lower)} to {percent(verdict.upper)}"


def stopped(verdict: Verdict) -> str:
    """`12 of 60 runs`."""
    return f"{verdict.made} of {verdict.most} runs"


def percent(ratio: float) -> str:
    """`4.94 %`, `95 %`: three digits that matter, rounded up or down as they fall."""
    return f"{ratio * 100:.3g} %"
