"""How often rules will be wrong and how soon they will notice, as tables: of each rule, or of each rule and canary."""

from collections.abc import Mapping, Sequence

import click
import numpy as np

from llm_canaries.canary.canary import Case
from llm_canaries.canary.load import Wanted
from llm_canaries.cli.settings import chosen_cases, settings_or_exit
from llm_canaries.config.schema import LevelName
from llm_canaries.rules.estimate import Courses, Estimate, RuleEstimate, Watch, by_rule, estimates
from llm_canaries.rules.group import RuleGroup
from llm_canaries.service.settings import shipped

NOISE = 0.005  # the share of runs that fail with nothing wrong
FAULT = 0.1
_COURSES, _RUNS = 4000, 600  # the mean delay is within 2 %; the same table every time


def courses() -> Courses:
    """A fault that breaks one run in ten, played so often."""
    return np.random.default_rng(20260101).random((_COURSES, _RUNS)) < FAULT


def watched(config: str | None) -> list[Watch]:
    """The canaries of the configuration, or the shipped definitions with the intervals they come with."""
    if config is not None:
        return watches(chosen_cases(settings_or_exit(config), Wanted()))
    return [
        Watch(name, each.scenario, each.models[0].strip("*"), each.every, _ratio(each.thresholds))
        for name, each in shipped()[0].items()
    ]


def watches(cases: Sequence[Case]) -> list[Watch]:
    """What the rules watch of each case."""
    return [Watch(each.canary, each.scenario, each.model, each.every, _ratio(each.thresholds)) for each in cases]


def rule_estimates(groups: Sequence[RuleGroup], cases: Sequence[Case]) -> list[RuleEstimate]:
    """An estimate of each rule over all cases, at the intervals configured."""
    return by_rule(groups, watches(cases), NOISE, courses())


def rule_lines(found: Sequence[RuleEstimate]) -> list[str]:
    """The table of `rule_estimates`, nothing where there are none."""
    if not found:
        return []
    head = ("alert", "severity", "cases", "false a week", "outage noticed after", f"{FAULT:.0%} fault after")
    rows = [
        (each.alert, each.severity, str(each.cases), f"{each.a_week:.2g}", span(each.total), span(each.tenth))
        for each in found
    ]
    return [
        f"Rules, if {NOISE:.1%} of runs fail with nothing wrong: the false alarms of all cases together, and the delay",
        "of the slowest; what breaks a tenth of the runs is for ratios to notice (each canary: canaries rules check):",
        *_table([head, *rows]),
    ]


def show_estimates(groups: Sequence[RuleGroup], watched: Sequence[Watch], noise: float) -> None:
    """The table of every rule and canary."""
    found = estimates(groups, watched, noise, courses())
    if not found:
        return
    click.echo(f"\nIf {noise:.2%} of all runs fail with nothing wrong, each case causes so many false alarms a week,")
    click.echo("and a fault is noticed after so long (from the binomial; a fault of every tenth run on average):")
    faults = ("all fail", "half fail", "a tenth fails")
    head = ("alert", "severity", "canary", "every", "fires at", "false a week", *faults)
    for line in _table([head, *map(_row, found)]):
        click.echo(line)
    click.echo("")


def span(seconds: float | None) -> str:
    """A time for people; None is longer than was looked at."""
    if seconds is None:
        return "longer"
    if seconds < 7200:
        return f"{seconds / 60:.3g}m"
    return f"{seconds / 3600:.3g}h" if seconds < 2 * 86400 else f"{seconds / 86400:,.0f}d"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ([text.ljust(width) for text, width in zip(row, widths, strict=True)] for row in rows)
    return [f"  {'  '.join(row)}".rstrip() for row in padded]


def _row(each: Estimate) -> tuple[str, ...]:
    in_a_row = each.threshold == 0.0
    fires = f"{each.windows[0][1]} in a row" if in_a_row else " or ".join(f"{k} of {n}" for n, k in each.windows)
    half = "longer than the window" if each.half is None else "-" if in_a_row else span(each.half)
    delays = (span(each.total), half, span(each.tenth))
    return each.alert, each.severity, each.canary, span(each.every), fires, f"{each.a_week:.2g}", *delays


def _ratio(thresholds: Mapping[str, Mapping[LevelName, float]]) -> Mapping[str, float]:
    return {str(severity): level for severity, level in thresholds.get("error_ratio", {}).items()}
