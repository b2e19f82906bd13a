"""`canaries mutants`: the proof that canaries catch things, and cry wolf at nothing."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import click
from rich.console import Console
from rich.table import Table

from llm_canaries.canary.exit_code import ExitCode
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.files import check_reports, write
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import split
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.mutants.catalogue import Caught, Mutant, catalogue
from llm_canaries.service.mutants.proof import SEED, Proof, prove

_MOST_TOLD = 10  # healthy runs that failed, and replays that differ, in words


@click.command()
@click.option("--json", "json_file", metavar="FILE", help="Write the proof as JSON; - is standard output.")
@click.option("--matrix", "matrix_file", metavar="FILE", help="Write mutant × scenario × reason as JSON; - likewise.")
@click.option("--without", multiple=True, metavar="SCENARIO", help="Switch a scenario off; commas.")
@click.option("--mutant", multiple=True, metavar="NAME", help="Only these mutants; wildcards, commas.")
@click.option(
    "--controls", type=click.IntRange(0), default=10_000, show_default=True, help="Healthy runs; none may fail."
)
@click.option("--replay", "again", is_flag=True, help="Judge every run again from its evidence.")
@click.option("--no-simulation", is_flag=True, help="Leave out the simulated month of 100 canaries.")
def command(
    json_file: str | None,
    matrix_file: str | None,
    without: Sequence[str],
    mutant: Sequence[str],
    controls: int,
    again: bool,
    no_simulation: bool,
) -> None:
    """Run every scenario against every fault there is a mutant for, against healthy models, and through a month.

    Exit code 0: every mutant is caught as declared, nothing healthy fails, and the month is quiet (and with --replay
    all evidence says the same again). 1: not so. 2: usage.
    """
    check_reports(json_file, matrix_file)
    off, mutants = _known(split(without)), _chosen(split(mutant))
    clock, draw = Clock(time.monotonic, time.time), random.Random(SEED).randrange  # noqa: S311 # repeatable
    with _progress(len(mutants)) as report, asyncio.Runner(loop_factory=loop_factory()) as runner:
        proof = runner.run(
            prove(
                mutants, without=off, controls=controls, simulate=not no_simulation, again=again, clock=clock,
                draw=draw, report=report,
            )
        )  # fmt: skip
    out = Console(file=sys.stderr if "-" in (json_file, matrix_file) else sys.stdout, soft_wrap=True, highlight=False)
    table = _matrix(proof, [name for name in SCENARIOS if name not in off])
    out.width = max(out.width, out.measure(table, options=out.options.update(max_width=1000)).maximum)
    out.print(table)
    for line in _remarks(proof):
        out.print(line, markup=False)
    write(json_file, json.dumps(proof.report(), indent=1) + "\n")
    write(matrix_file, json.dumps(proof.matrix(), indent=1) + "\n")
    sys.exit(ExitCode.PASSED if proof.holds else ExitCode.FAILED)


def _known(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in SCENARIOS:
            click.echo(f"--without {name}: no such scenario; there are: {', '.join(SCENARIOS)}", err=True)
            sys.exit(ExitCode.USAGE)
    return tuple(names)


def _chosen(patterns: Sequence[str]) -> list[Mutant]:
    found = [
        each for each in catalogue() if not patterns or any(fnmatchcase(each.name, pattern) for pattern in patterns)
    ]
    if not found:
        click.echo(f"--mutant {', '.join(patterns)}: no such mutant", err=True)
        sys.exit(ExitCode.USAGE)
    return found


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Caught], None]]:
    """The value is told each mutant as it ends: one line a mutant on standard error, rewritten on a terminal."""
    done, end = 0, "\r" if sys.stderr.isatty() else "\n"

    def report(caught: Caught) -> None:
        nonlocal done
        done += 1
        word = "missed" if caught.missed else "not as declared" if caught.wrong else "ok"
        click.echo(f"[{done}/{total}] {caught.mutant.name}: {word}{' ' * 20 if end != chr(10) else ''}{end}", err=True,
                   nl=False)  # fmt: skip

    yield report
    if end == "\r":
        click.echo(" " * 78 + "\r", err=True, nl=False)


def _matrix(proof: Proof, scenarios: Sequence[str]) -> Table:
    """A row a mutant, a column a scenario, in the cells how many cases told."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("mutant")
    for name in scenarios:
        table.add_column(_short(name), justify="right")
    table.add_column("caught as")
    for each in proof.caught:
        cells = [_cell(each, name) for name in scenarios]
        reasons = dict.fromkeys(reason for row in each.found.values() for reason in row)
        word = "[red]MISSED[/]" if each.missed else ", ".join(r.replace("[", r"\[") for r in reasons)
        table.add_row(each.mutant.name, *cells, word or ("(sound)" if each.mutant.control else ""))
    return table


def _cell(caught: Caught, scenario: str) -> str:
    found, expected = caught.found.get(scenario, {}), caught.expected.get(scenario, {})
    shown = str(sum(found.values())) if found else "·"
    return shown if dict(found) == dict(expected) else f"[red]{shown}![/]"


def _short(scenario: str) -> str:
    """The first letters of a scenario's words: five columns fit where a name would."""
    words = scenario.split("-")
    return scenario[:5] if len(words) == 1 else "".join(word[:2] for word in words)


def _remarks(proof: Proof) -> list[str]:
    said = [f"missed: {each.mutant.name}: {each.mutant.help}" for each in proof.missed]
    wrong = [each for each in proof.caught if each.wrong]
    said += [f"not as declared: {each.mutant.name}: {line}" for each in wrong for line in each.differences]
    said += [f"judged otherwise from its evidence: {line}" for line in proof.unlike[:_MOST_TOLD]]
    failures = proof.controls.failures
    said += [
        f"healthy, and failed: {f.scenario} {f.dialect} by {f.habit} (seed {f.seed}): {f.reason}: {f.detail}"
        for f in failures[:_MOST_TOLD]
    ]
    counts = proof.report()
    said.append(
        f"{counts['mutants']} mutants: {counts['caught']} caught, {counts['missed']} missed, "
        f"{counts['wrong_reason']} not as declared. {counts['controls']} healthy runs: {proof.false} failed."
    )
    if (figures := proof.figures) is not None:
        said.append(
            f"A month of 100 canaries with 0.5 % of transients: {figures.notifications} notifications; a fault of 10 % "
            f"is told after {figures.runs_to_10pct:g} runs (median), an outage within "
            f"{figures.intervals_to_outage:.2f} intervals."
        )
    return said
