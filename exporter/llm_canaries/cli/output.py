"""How commands that judge put out what they found: a table, GitHub's commands."""

import os
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table


def print_table(out: Console, table: Table) -> None:
    """The table, wide enough: a reason is never cut short, a narrow terminal wraps the line."""
    needed = out.measure(table, options=out.options.update(max_width=1000)).maximum
    out.width = max(out.width, needed)
    out.print(table)


def tell_github(commands: Sequence[str], summary: str) -> None:
    """Annotations and a step summary, where GitHub Actions runs us."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for line in commands:
        click.echo(line)
    if target := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(summary)
