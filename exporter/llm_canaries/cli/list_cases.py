"""`canaries list`: the cases."""

from collections.abc import Sequence

import click

from llm_canaries.canary.load import Wanted
from llm_canaries.cli.settings import chosen_cases, config_option, settings_or_exit, split


@click.command(name="list")
@config_option
@click.option("--select", multiple=True, metavar="NAME", help="Only these canaries or scenarios.")
@click.option("--gateway", multiple=True, metavar="NAME", help="Only these gateways.")
@click.option("--model", multiple=True, metavar="ID", help="Only these models.")
def command(config: str | None, select: Sequence[str], gateway: Sequence[str], model: Sequence[str]) -> None:
    """List the cases that a configuration means, one a line, tab-separated."""
    settings = settings_or_exit(config)
    wanted = Wanted(canaries=split(select), gateways=split(gateway), models=split(model))
    for case in chosen_cases(settings, wanted):
        columns = (case.canary, case.gateway, case.model, case.dialect, case.stream_word, case.severity.value)
        click.echo("\t".join(columns))
    unused = set(settings.binding.definitions) - {case.canary for case in chosen_cases(settings, Wanted())}
    if unused and settings.config.canaries is None:
        click.echo(f"Fits no model here: {', '.join(sorted(unused))}", err=True)
