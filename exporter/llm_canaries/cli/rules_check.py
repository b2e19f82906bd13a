"""`canaries rules check`: can every rule be evaluated, can it ever fire, and how often will it be wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.request import urlopen

import click

from llm_canaries.alerts.runbook.pages import read_alert_pages
from llm_canaries.cli.estimates import show_estimates, watched
from llm_canaries.cli.settings import USAGE, config_option
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.rules.load import load
from llm_canaries.rules.packs import needs_of
from llm_canaries.service.rule_checks import Pages, examine, on_page
from llm_canaries.service.rule_files import shipped_packs

FINDINGS = 1


@click.command()
@click.argument("files", nargs=-1, metavar="[FILES…]")
@click.option("--page", "pages", multiple=True, metavar="FILE|URL", help="A scraped page: all that there is to select.")
@click.option("--noise", default=0.005, show_default=True, help="The share of runs that fail with nothing wrong.")
@config_option
def check(files: Sequence[str], pages: Sequence[str], noise: float, config: str | None) -> None:
    """Whether every rule of FILES is evaluated in-process and can ever fire; without FILES, of the shipped packs.

    Exit code 0: yes; 1: it is evaluated, but something is wrong with it; 2: it cannot be loaded.
    """
    texts = read_texts(files) if files else {f"rules/{pack.name}.yml": pack.text for pack in shipped_packs().values()}
    try:
        groups = load(texts)
    except ConfigError as error:
        tell_problems(error.problems)
    scraped = _pages(pages)
    needs = {name: needs_of(text) for name, text in texts.items()}
    try:
        findings = examine(groups, needs, read_alert_pages(), scraped, shipped=not files)
        notes = on_page(groups, scraped)
    except ValueError as error:
        click.echo(f"--page: not a page in Prometheus' text format: {error}", err=True)
        sys.exit(USAGE)
    rules = sum(len(group.rules) for group in groups)
    click.echo(f"{', '.join(texts)}: {rules} rules in {len(groups)} groups, all evaluated in-process.")
    for name, need in needs.items():
        if need:
            click.echo(f"{name}: not loaded unless it is named in `rules.packs`: needs {need}.")
    for note in notes:
        click.echo(note)
    show_estimates(groups, watched(config), noise)
    if findings:
        for finding in findings:
            click.echo(str(finding), err=True)
        click.echo(f"{_counted(findings)}.", err=True)
        sys.exit(FINDINGS)


def read_texts(files: Sequence[str]) -> dict[str, str]:
    """The text of each file; ends the program where one cannot be read."""
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


def tell_problems(problems: Sequence[Problem]) -> NoReturn:
    """One line a problem, their number, and exit code 2."""
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{_counted(problems)}.", err=True)
    sys.exit(USAGE)


def _counted(problems: Sequence[Problem]) -> str:
    return f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"


def _pages(names: Sequence[str]) -> Pages:
    texts = {}
    for name in names:
        if name.startswith(("http://", "https://")):
            try:
                with urlopen(name, timeout=10) as answer:  # noqa: S310  # http and https only, as it begins
                    texts[name] = answer.read().decode("utf-8", "replace")
            except OSError as error:
                click.echo(f"{name}: {error}", err=True)
                sys.exit(USAGE)
        else:
            texts |= read_texts([name])
    return texts
