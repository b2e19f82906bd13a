"""`canaries run`: the gate."""

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

import click
from click.core import ParameterSource
from rich.console import Console

from llm_canaries.canary.canary import Outcome, Run, Severity
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.exit_code import ExitCode, exit_code, gate_exit_code
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.gating import By, Gated, Rules
from llm_canaries.canary.load import Wanted
from llm_canaries.canary.report.evidence import evidence_text
from llm_canaries.canary.report.gate import gate_lines, gate_remarks, gate_summary, gate_table
from llm_canaries.canary.report.github import annotations, gate_annotations, gate_step_summary, step_summary
from llm_canaries.canary.report.json import json_report
from llm_canaries.canary.report.junit import gate_junit, junit_report
from llm_canaries.canary.report.rows import summary
from llm_canaries.canary.report.sarif import results_of, sarif_report
from llm_canaries.canary.report.table import remarks, table_report
from llm_canaries.cli.files import check_reports, write
from llm_canaries.cli.gating import MOST_RUNS, forecast, groups_of, play_gate, rules_of
from llm_canaries.cli.keeping import keeper_of
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.output import print_table, tell_github
from llm_canaries.cli.progress import showing_progress
from llm_canaries.cli.settings import chosen_cases, config_option, parsed, settings_or_exit, split
from llm_canaries.config.values import parse_duration
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gate import gate
from llm_canaries.service.places import Places
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import Settings, url_of

INTERRUPTED = 130
WAIT = "2m"


@click.command()
@config_option
@click.option("--select", multiple=True, metavar="NAME", help="Only these canaries or scenarios; wildcards, commas.")
@click.option("--gateway", multiple=True, metavar="NAME", help="Only these gateways; wildcards, commas.")
@click.option("--model", multiple=True, metavar="ID", help="Only these models, also ones that are not configured.")
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "critical"]),
    default="warning",
    show_default=True,
    help="The least severity of a failure that fails the run.",
)
@click.option("--allow-undecided", is_flag=True, help="Inconclusive cases, or none at all, do not fail the run.")
@click.option("--repeat", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs of each case.")
@click.option("--gate", multiple=True, metavar="CLAIM", help="Run until the claim is decided: 'failures < 5%'.")
@click.option(
    "--gate-by",
    type=click.Choice([each.value for each in By]),
    help="What a claim is about [canary: each canary at each gateway].",
)
@click.option("--confidence", metavar="RATIO", help="How sure a decision is [95%].")
@click.option("--max-runs", type=click.IntRange(1, MOST_RUNS), help="Runs of each group [twice what a pass takes].")
@click.option("--wait", metavar="TIME", help=f"How long to wait in all while a gateway wants no asks [{WAIT}].")
@click.option("--ignore-pauses", is_flag=True, help="Ask on where a gateway wants no asks: nobody real is behind it.")
@click.option("--concurrency", type=click.IntRange(1, 64), help="Asks in flight at one gateway [1; mirror: 8].")
@click.option("--no-attribution", is_flag=True, help="Do not ask by other ways whose fault a failure is.")
@click.option("--json", "json_file", metavar="FILE", help="Write the runs as JSON; - is standard output.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write the runs as JUnit XML; - is standard output.")
@click.option("--sarif", "sarif_file", metavar="FILE", help="Write failures as SARIF 2.1.0; - is standard output.")
@click.option("--state", metavar="FOLDER", help="Keep runs, evidence and what canaries remember there, for next time.")
@click.option("-v", "--verbose", is_flag=True, help="Show every exchange, secrets taken out.")
def command(
    config: str | None,
    select: Sequence[str],
    gateway: Sequence[str],
    model: Sequence[str],
    fail_on: str,
    allow_undecided: bool,
    repeat: int,
    gate: Sequence[str],
    gate_by: str | None,
    confidence: str | None,
    max_runs: int | None,
    wait: str | None,
    ignore_pauses: bool,
    concurrency: int | None,
    no_attribution: bool,
    json_file: str | None,
    junit_file: str | None,
    sarif_file: str | None,
    state: str | None,
    verbose: bool,
) -> None:
    """Send canaries once and judge the answers.

    Exit code 0: every case decided and passed. 1: a failure at or above --fail-on. 2: configuration or usage.
    3: a case undecided, or withheld for longer than --wait, or nothing to decide.

    With --gate cases run in turns until each group of them is decided, and the groups are what counts: they are told
    in the table, in JSON as `gate` and in JUnit as test cases.
    """
    rules = rules_of(gate, gate_by, confidence, max_runs)
    if rules is not None:
        _check_fits_a_gate(wait, ignore_pauses=ignore_pauses)
    patience = _patience(wait, ignore_pauses=ignore_pauses)
    settings = settings_or_exit(config)
    wanted = Wanted(canaries=split(select), gateways=split(gateway), models=split(model))
    cases = chosen_cases(settings, wanted)
    check_reports(json_file, junit_file, sarif_file)
    order = Order(
        config=settings.config,
        cases=cases,
        repeat=repeat,
        concurrency=concurrency,
        attribution=not no_attribution,
        afterwards=rules is not None,
        wait=patience,
        keeper=keeper_of(state, settings) if state is not None else None,
    )
    runs, gated, interrupted = _played(settings, order, rules, allow_undecided=allow_undecided)
    file = sys.stderr if "-" in (json_file, junit_file, sarif_file) else sys.stdout
    out = Console(file=file, soft_wrap=True, highlight=False)
    if verbose:
        _show_evidence(out, settings, runs)
    _show_table(out, runs, gated)
    write(json_file, json_report(runs, gated))
    write(junit_file, junit_report(runs) if gated is None else gate_junit(gated))
    if sarif_file is not None:
        write(sarif_file, _sarif(settings, runs))
    _tell_github(runs, gated)
    code = _exit_code(runs, gated, Severity(fail_on), allow_undecided=allow_undecided)
    _show_next(out, settings, runs, code, state, verbose=verbose)
    sys.exit(INTERRUPTED if interrupted else code)


def _check_fits_a_gate(wait: str | None, *, ignore_pauses: bool) -> None:
    """Raises UsageError for options that a gate leaves no room for."""
    if click.get_current_context().get_parameter_source("repeat") is not ParameterSource.DEFAULT:
        raise click.UsageError("--repeat and --gate exclude each other: a gate repeats as needed, up to --max-runs")
    if wait is not None or ignore_pauses:
        option = "--ignore-pauses" if ignore_pauses else "--wait"
        raise click.UsageError(f"{option} and --gate exclude each other: a gate ends where a gateway wants no asks")


def _patience(wait: str | None, *, ignore_pauses: bool) -> float | None:
    """The seconds to wait in all at a gateway, None where pauses are not heeded. Raises UsageError."""
    if ignore_pauses and wait is not None:
        raise click.UsageError("--ignore-pauses and --wait exclude each other: nothing is waited for")
    return None if ignore_pauses else parsed("--wait", WAIT if wait is None else wait, parse_duration)


def _played(
    settings: Settings, order: Order, rules: Rules | None, *, allow_undecided: bool
) -> tuple[list[Run], Gated | None, bool]:
    """The runs, what the gate came to if there is one, and whether it was interrupted."""
    if rules is None:
        runs, interrupted = _runs(settings, order)
        return runs, None, interrupted
    groups = groups_of(order.cases, rules, allow_undecided=allow_undecided)
    click.echo(forecast(groups, rules, attribution=order.attribution), err=True)
    return play_gate(settings, order, rules, groups)


def _tell_github(runs: Sequence[Run], gated: Gated | None) -> None:
    if gated is None:
        tell_github(annotations(runs), step_summary(runs))
    else:
        tell_github(gate_annotations(gated), gate_step_summary(gated))


def _exit_code(runs: Sequence[Run], gated: Gated | None, severity: Severity, *, allow_undecided: bool) -> ExitCode:
    if gated is None:
        return exit_code(runs, fail_on=severity, allow_undecided=allow_undecided)
    return gate_exit_code(gated, fail_on=severity, allow_undecided=allow_undecided)


def _runs(settings: Settings, order: Order) -> tuple[list[Run], bool]:
    """The runs, and whether they were interrupted: then only those that had ended."""
    ended: list[Run] = []
    clock = Clock(time.monotonic, time.time)
    with showing_progress(len(order.cases) * order.repeat) as step:

        def report(run: Run) -> None:
            ended.append(run)
            step(run)

        redact = settings.redactor
        work = gate(
            order,
            clock=clock,
            draw=secrets.randbelow,
            redact=redact,
            report=report,
            learn=redact.learn,
            tell=partial(click.echo, err=True),
        )
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                return runner.run(work), False
        except KeyboardInterrupt:
            total = len(order.cases) * order.repeat
            click.echo(f"canaries run: interrupted; {total - len(ended)} of {total} runs are left out", err=True)
            return ended, True
        except OSError as error:  # the mirror that is to listen here cannot
            click.echo(f"canaries run: {error}", err=True)
            sys.exit(ExitCode.USAGE)


def _show_evidence(out: Console, settings: Settings, runs: Sequence[Run]) -> None:
    for run in runs:
        case, url = run.case, url_of(settings.config, run.case.gateway)
        out.rule(f"{case.canary} {case.gateway} {case.model} {case.dialect} {case.stream_word}", align="left")
        evidence = evidence_of(run, settings.redactor, program=version("llm-canaries"), url=url)
        out.print(evidence_text(evidence, run.number), markup=False)


def _show_table(out: Console, runs: Sequence[Run], gated: Gated | None) -> None:
    if gated is not None:
        _show_gate(out, runs, gated)
        return
    if runs:
        print_table(out, table_report(runs))
    for line in remarks(runs):
        out.print(line)
    out.print(f"{summary(runs)}.")


def _show_gate(out: Console, runs: Sequence[Run], gated: Gated) -> None:
    if gated.verdicts:
        print_table(out, gate_table(gated))
    for line in gate_remarks(runs):
        out.print(line)
    for told in gate_lines(gated):
        out.print(told, markup=False)
    out.print(f"{summary(runs)}.")
    out.print(f"Gate: {gate_summary(gated)}.", markup=False)


def _show_next(
    out: Console, settings: Settings, runs: Sequence[Run], code: ExitCode, state: str | None, *, verbose: bool
) -> None:
    worst = [run for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE) for run in runs if run.finding.outcome is outcome]
    if worst:
        out.print(f"Next: canaries explain {worst[0].finding.reason}", markup=False)
        if worst[0].number:
            out.print(f"      canaries evidence {worst[0].number} --state {state}   # all that was sent and came")
    elif not runs:
        out.print("Next: canaries list   # nothing was selected; this shows what there is", markup=False)
    elif code is ExitCode.PASSED and not settings.source:
        out.print("Next: canaries run --model mirror/drop-image   # see a gateway that lies with a 200", markup=False)
    elif not verbose:
        out.print("Next: canaries run -v   # see every exchange", markup=False)


def _sarif(settings: Settings, runs: Sequence[Run]) -> str:
    places = Places(settings)
    place = {run.case.key: places.of(run.case) for run in runs}
    return sarif_report(results_of(runs, place), read_pages(), version("llm-canaries"))
