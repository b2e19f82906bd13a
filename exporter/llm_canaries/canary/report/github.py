"""Runs as GitHub workflow commands and a step summary."""

from collections.abc import Sequence

from llm_canaries.canary.canary import Outcome, Run
from llm_canaries.canary.gating import Gated
from llm_canaries.canary.report.compared import WORDS, Compared, compared_annotations, compared_summary, where
from llm_canaries.canary.report.gate import (
    because,
    blamed_lines,
    gate_summary,
    probability,
    stopped,
    verdict_line,
    whose,
)
from llm_canaries.canary.report.rows import summary
from llm_canaries.canary.sequential import Decision
from llm_canaries.wire.fault import bracketed

_MARKS = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INCONCLUSIVE: "❔", Outcome.SKIP: "⏭️"}


def annotations(runs: Sequence[Run]) -> list[str]:
    """A workflow command for every run that did not pass or skip; failures are errors, undecided runs warnings."""
    levels = {Outcome.FAIL: "error", Outcome.INCONCLUSIVE: "warning"}
    lines = []
    for run in runs:
        case, finding = run.case, run.finding
        if finding.outcome in levels:
            title = _property(f"{case.canary}: {finding.reason}")
            where = f"{case.gateway} {case.model} {case.dialect} stream={case.stream_word}"
            domain = bracketed(finding.fault_domain)
            lines.append(f"::{levels[finding.outcome]} title={title}::{_data(f'{where}{domain}: {finding.detail}')}")
    return lines


def step_summary(runs: Sequence[Run]) -> str:
    """A Markdown table of all runs, failures first."""
    order = [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.SKIP]
    lines = [
        f"### canaries: {summary(runs)}",
        "",
        "| | canary | gateway | model | dialect | stream | reason | whose fault | latency |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in sorted(runs, key=lambda run: order.index(run.finding.outcome)):
        case, finding = run.case, run.finding
        latency = "" if run.latency is None else f"{run.latency:.2f} s"
        domain = finding.fault_domain.value if finding.fault_domain else ""
        where = [case.canary, case.gateway, case.model, case.dialect, case.stream_word]
        cells = [*where, str(finding.reason), domain, latency]
        lines.append("| " + " | ".join([_MARKS[finding.outcome], *map(_cell, cells)]) + " |")
    return "\n".join(lines) + "\n"


def gate_annotations(gated: Gated) -> list[str]:
    """A workflow command for every group that did not pass or skip."""
    lines = []
    for verdict in gated.verdicts:
        level = {Decision.FAIL: "error", Decision.UNDECIDED: "warning"}.get(verdict.decision)
        if level is not None:
            why = f"; {because(verdict)}" if verdict.decision is Decision.UNDECIDED else ""
            title = _property(f"{verdict.canary or 'gate'}: {verdict.claim.text}")
            told = "; ".join((verdict_line(verdict) + why, *blamed_lines(verdict)))
            lines.append(f"::{level} title={title}::{_data(told)}")
    return lines


def gate_step_summary(gated: Gated) -> str:
    """A Markdown table of all groups, failures first."""
    order = [Decision.FAIL, Decision.UNDECIDED, Decision.PASS, Decision.SKIP]
    marks = dict(zip(order, ("❌", "❔", "✅", "⏭️"), strict=True))
    lines = [
        f"### canaries: {gate_summary(gated)}",
        "",
        "| | group | claim | went wrong | whose fault | probability | stopped after |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in sorted(gated.verdicts, key=lambda verdict: order.index(verdict.decision)):
        counted = f"{verdict.failures} of {verdict.runs}"
        numbers = probability(verdict), stopped(verdict)
        cells = [verdict.name, verdict.claim.text, counted, whose(verdict), *numbers]
        lines.append("| " + " | ".join([marks[verdict.decision], *map(_cell, cells)]) + " |")
    return "\n".join(lines) + "\n"


def compared_commands(compared: Compared) -> list[str]:
    """A workflow command for everything that is worse or undecided."""
    found = compared_annotations(compared.told)
    return [f"::{level} title={_property(title)}::{_data(text)}" for level, title, text in found]


def compared_step_summary(compared: Compared) -> str:
    """A Markdown table of all differences, the worst first."""
    lines = [
        f"### canaries compare: {compared_summary(compared)}",
        "",
        "| | canary | case | reason | whose fault | base | head |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in compared.told:
        whose = str(each.fault_domain or "")
        cells = [WORDS[each.change], each.canary, where(each), each.reason, whose, each.base, each.head]
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
