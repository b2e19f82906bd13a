"""Reports that commands write where they are told to."""

import sys
from pathlib import Path

import click

from llm_canaries.canary.exit_code import ExitCode


def write(path: str | None, text: str) -> None:
    """Writes `text` to a file, or to standard output for `-`; exit code 2 where that cannot be done."""
    if path is None:
        return
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        click.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        sys.exit(ExitCode.USAGE)
