"""`canaries compare`: what got worse from one gateway to another."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

import click
from rich.console import Console

from llm_canaries.canary.canary import Case, Severity
from llm_canaries.canary.claim import parse_confidence
from llm_canaries.canary.comparison import compare, level
from llm_canaries.canary.exact import enough_runs
from llm_canaries.canary.exit_code import ExitCode, compare_exit_code
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.load import Wanted
from llm_canaries.canary.report.compared import (
    Compared,
    compared_remarks,
    compared_summary,
    compared_table,
    compared_value,
)
from llm_canaries.canary.report.github import compared_commands, compared_step_summary
from llm_canaries.canary.report.json import as_json
from llm_canaries.canary.report.junit import compared_junit
from llm_canaries.canary.report.sarif import results_compared, sarif_report
from llm_canaries.canary.trial import Matched, Plan, Trial, match
from llm_canaries.cli.files import check_reports, write
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.output import print_table, tell_github
from llm_canaries.cli.progress import showing_trials
from llm_canaries.cli.settings import parsed, split, tell
from llm_canaries.config.problems import ConfigError
from llm_canaries.config.values import Refused, parse_duration, parse_ratio
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.compare import comparing
from llm_canaries.service.places import Places
from llm_canaries.service.playing import Order
from llm_canaries.service.sides import Given, Side, pairing, sides

INTERRUPTED = 130


@click.command()
@click.argument("base", metavar="BASE")
@click.argument("head", metavar="HEAD")
@click.option("--config", metavar="FILE", help="The configuration that names gateways; ./canaries.yml if absent.")
@click.option("--like", default="", metavar="NAME", help="The configured gateway that a URL is like, key and all.")
@click.option("--select", multiple=True, metavar="NAME", help="Only these canaries or scenarios; wildcards, commas.")
@click.option("--model", multiple=True, metavar="ID", help="Only these models, also ones that are not configured.")
@click.option("--repeat", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs of each case and side.")
@click.option("--confidence", default="95%", show_default=True, help="How sure all that is called worse is, together.")
@click.option("--latency-growth", default="25%", show_default=True, help="Growth of a median from which it matters.")
@click.option("--token-growth", default="10%", show_default=True, help="Growth of a median from which it matters.")
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "critical"]),
    default="warning",
    show_default=True,
    help="The least severity of what is worse that fails the comparison.",
)
@click.option("--allow-undecided", is_flag=True, help="Pairs that could not be decided do not fail the comparison.")
@click.option("--concurrency", type=click.IntRange(1, 64), help="Pairs at once [1; mirrors: 8].")
@click.option("--wait", default="2m", show_default=True, help="How long to wait in all while a side wants no asks.")
@click.option("--no-attribution", is_flag=True, help="Do not ask by other ways whose fault a failure at HEAD is.")
@click.option("--json", "json_file", metavar="FILE", help="Write the comparison as JSON; - is standard output.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write it as JUnit XML; - is standard output.")
@click.option("--sarif", "sarif_file", metavar="FILE", help="Write it as SARIF 2.1.0; - is standard output.")
def command(
    base: str,
    head: str,
    config: str | None,
    like: str,
    select: Sequence[str],
    model: Sequence[str],
    repeat: int,
    confidence: str,
    latency_growth: str,
    token_growth: str,
    fail_on: str,
    allow_undecided: bool,
    concurrency: int | None,
    wait: str,
    no_attribution: bool,
    json_file: str | None,
    junit_file: str | None,
    sarif_file: str | None,
) -> None:
    """Run the same cases at BASE and at HEAD, and report what got worse.

    Each is a gateway of the configuration, a URL (of a gateway that is like the other side, or like --like NAME, in
    all else), or a configuration file of its own. A pair that looks worse is run again until chance is ruled out.

    Exit code 0: nothing is worse. 1: something is, at or above --fail-on. 2: configuration or usage. 3: a pair was
    undecided, or there is nothing to compare.
    """
    plan = Plan(
        rounds=repeat,
        confidence=parsed("--confidence", confidence, parse_confidence),
        latency=parsed("--latency-growth", latency_growth, parse_ratio),
        tokens=parsed("--token-growth", token_growth, parse_ratio),
    )
    check_reports(json_file, junit_file, sarif_file)
    given = Given(base=base, head=head, config=config, like=like, models=split(model))
    try:
        both = sides(given, os.environ)
    except ConfigError as error:
        tell(error.problems)
    except Refused as refused:
        raise click.UsageError(str(refused)) from None
    wanted = Wanted(canaries=split(select), models=split(model))
    matched = match(both[0].cases(wanted), both[1].cases(wanted), pairing(*both))
    patience = parsed("--wait", wait, parse_duration)
    compared, interrupted = _compared(
        both, matched, plan, concurrency, attribution=not no_attribution, wait=patience
    )
    out = Console(
        file=sys.stderr if "-" in (json_file, junit_file, sarif_file) else sys.stdout, soft_wrap=True, highlight=False
    )
    _show(out, compared)
    write(json_file, as_json(compared_value(compared)))
    write(junit_file, compared_junit(compared))
    write(sarif_file, _sarif(compared, both[1]))
    tell_github(compared_commands(compared), compared_step_summary(compared))
    code = compare_exit_code(compared.differences, fail_on=Severity(fail_on), allow_undecided=allow_undecided)
    _show_next(out, compared, code)
    sys.exit(INTERRUPTED if interrupted else code)


def _compared(
    both: tuple[Side, Side],
    matched: Matched,
    plan: Plan,
    concurrency: int | None,
    *,
    attribution: bool,
    wait: float,
) -> tuple[Compared, bool]:
    """The comparison, and whether it was interrupted: then of the pairs that had ended."""
    base, head = both
    pairs, clock = matched.pairs, Clock(time.monotonic, time.time)
    orders = (
        _order(base, [pair.base for pair in pairs], concurrency, attribution=attribution),
        _order(head, [pair.head for pair in pairs], concurrency, attribution=attribution),
    )
    redactors = (base.settings.redactor, head.settings.redactor)
    if pairs:
        most = max(plan.rounds, enough_runs(level(plan, pairs)))
        runs = f"{plan.rounds} run{'s' if plan.rounds > 1 else ''}"
        click.echo(f"{len(pairs)} pairs, {runs} of each at each side; those that look worse up to {most}.", err=True)
    ended: list[Trial] = []
    with showing_trials(len(pairs)) as step:

        def end(trial: Trial) -> None:
            ended.append(trial)
            step(trial)

        work = comparing(
            orders,
            pairs,
            plan,
            clock=clock,
            draw=secrets.randbelow,
            redact=redactors,
            learn=(redactors[0].learn, redactors[1].learn),
            end=end,
            wait=wait,
            tell=partial(click.echo, err=True),
        )
        interrupted = False
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                ended = runner.run(work)
        except KeyboardInterrupt:
            interrupted = True
        except OSError as error:  # a mirror that is to listen here cannot
            raise click.UsageError(str(error)) from None
    trials = tuple(sorted(ended, key=lambda trial: pairs.index(trial.pair)))
    return Compared(
        base=base.given,
        head=head.given,
        plan=plan,
        trials=trials,
        differences=tuple(compare(trials, plan)),
        base_only=matched.base_only,
        head_only=matched.head_only,
    ), interrupted


def _order(side: Side, cases: Sequence[Case], concurrency: int | None, *, attribution: bool) -> Order:
    config = side.settings.config
    return Order(config=config, cases=cases, concurrency=concurrency, attribution=attribution, afterwards=True)


def _show(out: Console, compared: Compared) -> None:
    if compared.told:
        print_table(out, compared_table(compared))
    for remark in compared_remarks(compared):
        out.print(remark)
    out.print(f"base {compared.base}, head {compared.head}, {compared_summary(compared)}.", markup=False)


def _show_next(out: Console, compared: Compared, code: ExitCode) -> None:
    worst = next((each for each in compared.told if each.change.worse and each.reason), None)
    if worst is not None:
        out.print(f"Next: canaries explain {worst.reason}", markup=False)
    elif not compared.trials:
        out.print("Next: canaries list   # no case is the same at both sides", markup=False)
    elif code is ExitCode.PASSED and compared.plan.rounds == 1:
        out.print("Next: --repeat 10   # finds what fails only now and then", markup=False)


def _sarif(compared: Compared, head: Side) -> str:
    """Placed in head's configuration, if it has one: that is where what is new was written."""
    places = Places(head.settings)
    cases = [trial.pair.head for trial in compared.trials]
    place = {case.key: places.of(case) for case in cases} | {case.canary: places.of(case) for case in cases}
    return sarif_report(results_compared(compared.differences, place), read_pages(), version("llm-canaries"))
