"""Live progress on standard error: a bar on a terminal, a plain line a run elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_canaries.canary.canary import Outcome, Run


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


def _plain(total: int) -> Callable[[Run], None]:
    done = 0

    def step(run: Run) -> None:
        nonlocal done
        done += 1
        case, finding = run.case, run.finding
        line = f"[{done}/{total}] {finding.outcome.value} {case.canary} {case.gateway} {case.model} {case.dialect}"
        click.echo(f"{line} stream={case.stream_word} {finding.reason}".rstrip(), err=True)

    return step
