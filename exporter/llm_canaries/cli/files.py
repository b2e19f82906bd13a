"""Reports that commands write where they are told to, and what the system says where it refuses."""

import errno
import os
import sys
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError

import click

from llm_canaries.canary.exit_code import ExitCode


def check_reports(*paths: str | None) -> None:
    """Ends with exit code 2, before anything is sent, where a report could not be written or two would be mixed up."""
    given = [path for path in paths if path is not None]
    if given.count("-") > 1:
        click.echo("only one report can go to standard output; give the others a file", err=True)
        sys.exit(ExitCode.USAGE)
    for path in given:
        folder = Path(path).parent
        if path != "-" and not folder.is_dir():
            _refused(path, os.strerror(errno.ENOENT))
        if path != "-" and (Path(path).is_dir() or not os.access(path if Path(path).exists() else folder, os.W_OK)):
            _refused(path, os.strerror(errno.EISDIR if Path(path).is_dir() else errno.EACCES))


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
        _refused(path, error.strerror or str(error))


def plainly(error: OSError) -> str:
    """What the system says, without the address or the number that the words of others repeat."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        return plainly(error.reason)
    number = error.errno or 0  # those of a name that does not resolve count down
    return os.strerror(number).lower() if number > 0 else error.strerror or str(error)


def _refused(path: str, why: str) -> NoReturn:
    click.echo(f"{path}: cannot be written: {why}", err=True)
    sys.exit(ExitCode.USAGE)
