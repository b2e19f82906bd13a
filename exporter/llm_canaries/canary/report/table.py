"""Runs as a table for people, and what to look at below it."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from llm_canaries.canary.canary import Outcome, Run
from llm_canaries.wire.fault import bracketed

COLUMNS = ("canary", "gateway", "model", "dialect", "stream", "outcome", "reason", "latency", "tokens")
STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.SKIP: "dim",
}


def table_report(runs: Sequence[Run]) -> Table:
    """One row a run, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        numeric = column in ("latency", "tokens")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for run in runs:
        table.add_row(*cells(run))
    return table


def cells(run: Run) -> tuple[Text, ...]:
    """The columns of one run; strangers' words are never taken for markup."""
    case, finding = run.case, run.finding
    style = STYLES[finding.outcome]
    latency = "" if run.latency is None else _seconds(run.latency)
    tokens = run.tokens.get("input", 0) + run.tokens.get("output", 0)
    plain = (case.canary, case.gateway, case.model, case.dialect, case.stream_word)
    return (
        *(Text(word) for word in plain),
        Text(finding.outcome.value, style),
        Text(str(finding.reason), style),
        Text(latency),
        Text(str(tokens) if tokens else ""),
    )


def remarks(runs: Sequence[Run]) -> list[Text]:
    """A line for each run that did not pass: whose fault, and the evidence in words; equal ones are told once."""
    lines: dict[str, Text] = {}
    for run in runs:
        case, finding = run.case, run.finding
        if finding.outcome is Outcome.PASS:
            continue
        domain = bracketed(finding.fault_domain)
        head = f"{finding.outcome.value} {case.canary} {case.model}: {finding.reason}{domain}"
        key = f"{head}\0{finding.detail}"
        lines.setdefault(key, Text.assemble((head, STYLES[finding.outcome]), f": {finding.detail}"))
    return list(lines.values())


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
