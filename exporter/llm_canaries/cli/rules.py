"""`canaries rules`: are rule files sound, do their tests pass, what do they say now, what would they have said."""

import glob
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from llm_canaries.cli.rules_ask import evaluate
from llm_canaries.cli.rules_backtest import backtest
from llm_canaries.cli.rules_check import check, read_texts, tell_problems
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.content import folder
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests


@click.group()
def command() -> None:
    """Check Prometheus rule files, run their unit tests, evaluate expressions, replay history."""


@command.command()
@click.argument("files", nargs=-1, metavar="[FILES…]")
def test(files: Sequence[str]) -> None:
    """Run unit tests in promtool's format; without FILES, those of the shipped packs.

    Exit code 0: all pass; 1: one fails; 2: a file cannot be read.
    """
    problems: list[Problem] = []
    failed = 0
    files = files or [str(path) for path in sorted((folder("rules") / "tests").glob("*.yml"))]
    for file, text in read_texts(files).items():
        own = Path(file).parent
        try:
            tests = read_tests(file, text, lambda pattern, own=own: _matching(own, pattern))  # type: ignore[misc]
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
        tell_problems(problems)
    sys.exit(1 if failed else 0)


def _matching(own: Path, pattern: str) -> Mapping[str, str]:
    """The rule files of a pattern, relative to its test file's own folder."""
    found = sorted(glob.glob(str(own / pattern)))  # noqa: PTH207  # Path.glob refuses `..` and absolute patterns
    return {str(Path(each)): Path(each).read_text(encoding="utf-8") for each in found}


command.add_command(check)
command.add_command(evaluate)
command.add_command(backtest)
