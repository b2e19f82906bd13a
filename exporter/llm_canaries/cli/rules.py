"""`canaries rules`: are rule files sound, and do their unit tests pass."""

import glob
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from llm_canaries.cli.settings import USAGE
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.content import content
from llm_canaries.rules.families import strangers
from llm_canaries.rules.load import load
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests
from llm_canaries.service.metrics import FAMILIES, UNFILLED


@click.group()
def command() -> None:
    """Check Prometheus rule files, and run their unit tests."""


@command.command()
@click.argument("files", nargs=-1, metavar="[FILES…]")
def check(files: Sequence[str]) -> None:
    """Whether every rule of FILES is evaluated in-process; without FILES, of the shipped pack.

    Exit code 0: yes; 2: every problem is told, with its line.
    """
    texts = _texts(files) if files else _shipped()
    labels = {name: family.labels for name, family in FAMILIES.items()}
    histograms = frozenset(name for name, family in FAMILIES.items() if family.kind == "histogram")
    try:
        groups = load(texts)
        problems = strangers(groups, labels, histograms, UNFILLED)
        if problems:
            raise ConfigError(problems)
    except ConfigError as error:
        _tell(error.problems)
    rules = sum(len(group.rules) for group in groups)
    click.echo(f"{', '.join(texts)}: {rules} rules in {len(groups)} groups, all evaluated in-process.")


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES…")
def test(files: Sequence[str]) -> None:
    """Run unit tests in promtool's format.

    Exit code 0: all pass; 1: one fails; 2: a file cannot be read.
    """
    problems: list[Problem] = []
    failed = 0
    for file, text in _texts(files).items():
        folder = Path(file).parent
        try:
            tests = read_tests(file, text, lambda pattern, folder=folder: _matching(folder, pattern))  # type: ignore[misc]
        except ConfigError as error:
            problems += error.problems
            continue
        failures = run_tests(tests)
        failed += bool(failures)
        verdict = f"{len(failures)} expectations not met" if failures else "all pass"
        click.echo(f"{file}: {len(tests.tests)} tests, {verdict}")
        for failure in failures:
            click.echo(str(failure), err=True)
    if problems:
        _tell(problems)
    sys.exit(1 if failed else 0)


def _shipped() -> dict[str, str]:
    return {name: text for name, text in content("rules").items() if name.endswith((".yml", ".yaml"))}


def _matching(folder: Path, pattern: str) -> Mapping[str, str]:
    """The rule files of a pattern, relative to the folder of its test file."""
    found = sorted(glob.glob(str(folder / pattern)))  # noqa: PTH207  # Path.glob refuses `..` and absolute patterns
    return {str(Path(each)): Path(each).read_text(encoding="utf-8") for each in found}


def _texts(files: Sequence[str]) -> dict[str, str]:
    texts = {}
    for file in files:
        try:
            texts[file] = Path(file).read_text(encoding="utf-8")
        except OSError as error:
            click.echo(f"{file}: {error.strerror or error}", err=True)
        except UnicodeDecodeError:
            click.echo(f"{file}: not UTF-8 text", err=True)
    if len(texts) < len(dict.fromkeys(files)):
        sys.exit(USAGE)
    return texts


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}.", err=True)
    sys.exit(USAGE)
