"""`canaries check`: is the configuration sound, and what does it mean."""

import click

from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.load import Wanted
from llm_canaries.cli.settings import chosen_cases, config_option, settings_or_exit


@click.command()
@config_option
def command(config: str | None) -> None:
    """Check a configuration and the shipped definitions; every problem is told at once, with its line."""
    settings = settings_or_exit(config)
    cases = chosen_cases(settings, Wanted())
    source = settings.source or "embedded default"
    gateways, canaries = len(settings.config.gateways), len({case.canary for case in cases})
    click.echo(f"{source}: {gateways} gateway(s), {canaries} canaries, {len(cases)} cases.")
    click.echo(f"Shipped: {len(settings.binding.definitions)} definitions, {len(read_pages())} reasons explained.")
