"""What the commands share: reading the settings, and telling all problems with exit code 2."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import click

from llm_canaries.canary.canary import Case
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.config.schema import Config
from llm_canaries.config.values import Refused
from llm_canaries.service.settings import Settings, read_settings

USAGE = 2
T = TypeVar("T")

config_option = click.option(
    "--config",
    "config",
    metavar="FILE",
    help="The configuration; without it ./canaries.yml, and without that the embedded mirror.",
)


def settings_or_exit(path: str | None) -> Settings:
    """The settings, or every problem on standard error and exit code 2."""
    try:
        return read_settings(path, os.environ)
    except ConfigError as error:
        tell(error.problems)


def tell(problems: Sequence[Problem]) -> NoReturn:
    """One plain line a problem, never wrapped, then the count."""
    for problem in problems:
        click.echo(str(problem), err=True)
    count = len(problems)
    click.echo(f"{count} problem{'s' if count != 1 else ''}; nothing was run.", err=True)
    sys.exit(USAGE)


def one_gateway(config: Config, name: str | None) -> str:
    """The gateway `name`, or the only one there is; anything else is a usage error."""
    names = list(config.gateways)
    if name is None and len(names) == 1:
        return names[0]
    if name not in config.gateways:
        what = "which gateway?" if name is None else f"{name}: no such gateway;"
        click.echo(f"--gateway {what} configured: {', '.join(names)}", err=True)
        sys.exit(USAGE)
    return str(name)


def chosen_cases(settings: Settings, wanted: Wanted) -> list[Case]:
    """The cases wanted; a gateway that is not configured is a usage error."""
    names = list(settings.config.gateways)
    for pattern in wanted.gateways:
        if not set(pattern) & set("*?[") and pattern not in names:
            click.echo(f"--gateway {pattern}: no such gateway; configured: {', '.join(names)}", err=True)
            sys.exit(USAGE)
    return cases(settings.config, settings.binding, wanted)


def split(values: Sequence[str]) -> tuple[str, ...]:
    """The values of a repeatable option that also takes commas."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def parsed(option: str, text: str, parse: Callable[[str], T]) -> T:
    """What `text` means to `parse`. Raises UsageError with what is allowed."""
    try:
        return parse(text)
    except Refused as refused:
        raise click.UsageError(f"{option}: `{text}` {refused}") from None
