"""Live progress on standard error: a bar on a terminal, a plain line a run elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_canaries.canary.canary import Outcome, Run
from llm_canaries.canary.gating import Group
from llm_canaries.canary.report.gate import verdict_line
from llm_canaries.canary.trial import Trial


@contextmanager
def showing_progress(total: int) -> Iterator[Callable[[Run], None]]:
    """The value is told each run as it ends."""
    if not sys.stderr.isatty():
        yield _plain(total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sending canaries", total=total)
        failures = 0

        def step(run: Run) -> None:
            nonlocal failures
            failures += run.finding.outcome is Outcome.FAIL
            told = f"{failures} failed" if failures else "all well so far"
            progress.update(task, advance=1, description=told)

        yield step


@contextmanager
def showing_gate(groups: Sequence[Group]) -> Iterator[tuple[Callable[[Run], None], Callable[[Group], None]]]:
    """The first value is told each run as it ends, the second each group that is done."""
    total = sum(len(group.claims) for group in groups)
    if not sys.stderr.isatty():
        yield (lambda run: None), _plain_gate(total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sending canaries", total=total)
        runs = failures = 0

        def step(run: Run) -> None:
            nonlocal runs, failures
            runs, failures = runs + 1, failures + (run.finding.outcome is Outcome.FAIL)
            progress.update(task, description=f"decided; {runs} runs, {failures} failed")

        yield step, lambda group: progress.update(task, advance=len(group.claims))


@contextmanager
def showing_trials(total: int) -> Iterator[Callable[[Trial], None]]:
    """The value is told each pair that is done."""
    if not sys.stderr.isatty():
        yield _plain_trials(total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("pairs", total=total)
        yield lambda trial: progress.update(task, advance=1)


def _plain_trials(total: int) -> Callable[[Trial], None]:
    done = 0

    def end(trial: Trial) -> None:
        nonlocal done
        done += 1
        case, said = trial.pair.head, []
        for name, runs in (("base", trial.base), ("head", trial.head)):
            failed = sum(run.finding.outcome is Outcome.FAIL for run in runs)
            said.append(f"{name} {failed} of {len(runs)} failed")
        line = f"[{done}/{total}] {case.canary} {case.model} {case.dialect} stream={case.stream_word}"
        click.echo(f"{line}: {', '.join(said)}", err=True)

    return end


def _plain_gate(total: int) -> Callable[[Group], None]:
    done = 0

    def end(group: Group) -> None:
        nonlocal done
        for verdict in group.verdicts():
            done += 1
            click.echo(f"[{done}/{total}] {verdict_line(verdict)}", err=True)

    return end


def _plain(total: int) -> Callable[[Run], None]:
    done = 0

    def step(run: Run) -> None:
        nonlocal done
        done += 1
        case, finding = run.case, run.finding
        line = f"[{done}/{total}] {finding.outcome.value} {case.canary} {case.gateway} {case.model} {case.dialect}"
        click.echo(f"{line} stream={case.stream_word} {finding.reason}".rstrip(), err=True)

    return step
