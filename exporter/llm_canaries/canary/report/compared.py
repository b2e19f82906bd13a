"""A comparison as plain values, as a table and as lines."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from rich.table import Table
from rich.text import Text

from llm_canaries.canary.canary import Case
from llm_canaries.canary.comparison import Change, Difference
from llm_canaries.canary.report.rows import row
from llm_canaries.canary.trial import Plan, Trial
from llm_canaries.wire.fault import bracketed

WORDS = {
    Change.NEW: "new failure",
    Change.CHANGED: "changed reason",
    Change.LOST: "no longer tested",
    Change.GROWN: "grown",
    Change.KNOWN: "known",
    Change.FIXED: "failed at base only",
    Change.CHANCE: "may be chance",
    Change.GAINED: "newly tested",
    Change.UNDECIDED: "undecided",
    Change.SAME: "same",
}
_STYLES = {Change.UNDECIDED: "yellow", Change.FIXED: "green"}


class Compared(Struct, frozen=True, kw_only=True):
    """A whole comparison: what the sides were called, how it was run, and what came of it."""

    base: str
    head: str
    plan: Plan
    trials: tuple[Trial, ...]
    differences: tuple[Difference, ...]
    base_only: tuple[Case, ...] = ()
    head_only: tuple[Case, ...] = ()

    @property
    def told(self) -> list[Difference]:
        """Everything but what is the same, in the order of the table of changes."""
        order = list(Change)
        found = [each for each in self.differences if each.change is not Change.SAME]
        return sorted(found, key=lambda each: order.index(each.change))


def compared_value(compared: Compared) -> dict[str, Any]:
    """The shape of `canaries compare --json`; the case's own keys are null where a canary as a whole is meant."""
    return {
        "base": compared.base,
        "head": compared.head,
        "confidence": compared.plan.confidence,
        "repeat": compared.plan.rounds,
        "pairs": len(compared.trials),
        "worse": sum(each.change.worse for each in compared.differences),
        "differences": [_value(each) for each in compared.told],
        "base_only": [_case(case) for case in compared.base_only],
        "head_only": [_case(case) for case in compared.head_only],
        "runs": {
            "base": [row(run) for trial in compared.trials for run in trial.base],
            "head": [row(run) for trial in compared.trials for run in trial.head],
        },
    }


def _value(difference: Difference) -> dict[str, Any]:
    case = difference.pair.head if difference.pair else None
    return {
        "change": difference.change.value,
        "worse": difference.change.worse,
        "canary": difference.canary,
        "scenario": difference.scenario,
        "model": case.model if case else None,
        "dialect": case.dialect if case else None,
        "stream": case.stream if case else None,
        "severity": difference.severity.value,
        "reason": difference.reason or None,
        "fault_domain": difference.fault_domain.value if difference.fault_domain else None,
        "base": difference.base,
        "head": difference.head,
        "p": difference.p,
        "detail": difference.detail or None,
        "because": list(difference.because),
    }


def _case(case: Case) -> dict[str, Any]:
    return {"canary": case.canary, "model": case.model, "dialect": case.dialect, "stream": case.stream}


def compared_table(compared: Compared) -> Table:
    """One row a difference, the worst first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    fault = any(each.fault_domain for each in compared.told)
    for column in ("", "canary", "case", "reason", *(["whose fault"] if fault else []), "base", "head", "chance"):
        table.add_column(column, no_wrap=True)
    for each in compared.told:
        word = Text(WORDS[each.change], "bold red" if each.change.worse else _STYLES.get(each.change, "dim"))
        chance = "" if each.p is None or each.change is Change.KNOWN else chance_of(each.p)
        whose = [str(each.fault_domain or "")] if fault else []
        plain = (each.canary, where(each), each.reason, *whose, each.base, each.head, chance)
        table.add_row(word, *(Text(cell) for cell in plain))
    return table


def compared_remarks(compared: Compared) -> list[Text]:
    """The evidence in words of what is worse or undecided; equal ones are told once."""
    lines: dict[str, Text] = {}
    for each in compared.told:
        if each.detail and (each.change.worse or each.change is Change.UNDECIDED):
            head = f"{WORDS[each.change]} {each.canary}: {each.reason}{bracketed(each.fault_domain)}"
            style = "bold red" if each.change.worse else _STYLES[Change.UNDECIDED]
            lines.setdefault(f"{head}\0{each.detail}", Text.assemble((head, style), f": {each.detail}"))
    return list(lines.values())


def compared_summary(compared: Compared) -> str:
    """`47 pairs: 3 new failure, 1 known, 43 same`."""
    counts = {change: sum(each.change is change for each in compared.differences) for change in Change}
    said = ", ".join(f"{count} {WORDS[change]}" for change, count in counts.items() if count)
    alone = [(compared.base_only, "base"), (compared.head_only, "head")]
    only = "".join(f"; {len(cases)} cases at {side} only" for cases, side in alone if cases)
    return f"{len(compared.trials)} pairs: {said or 'nothing to compare'}{only}"


def where(difference: Difference) -> str:
    """The case, or that all of the canary's are meant."""
    if difference.pair is None:
        return "all cases"
    case = difference.pair.head
    return f"{case.model} {case.dialect} stream={case.stream_word}"


def chance_of(p: float) -> str:
    """How probable so much is, if nothing had changed."""
    return "< 0.01 %" if p < 1e-4 else f"{p * 100:.2g} %"


def line(difference: Difference) -> str:
    """A difference in one line."""
    what = f"{WORDS[difference.change]} {difference.canary} {where(difference)}: {difference.reason}"
    counts = f"{difference.base} at base, {difference.head} at head"
    return f"{what}{bracketed(difference.fault_domain)}: {counts}. {difference.detail}".rstrip()


def compared_annotations(differences: Sequence[Difference]) -> list[tuple[str, str, str]]:
    """(level, title, text) of each difference that a CI system should point at."""
    levels = {Change.UNDECIDED: "warning"}
    return [
        ("error" if each.change.worse else levels[each.change], f"{each.canary}: {each.reason}", line(each))
        for each in differences
        if each.change.worse or each.change in levels
    ]
