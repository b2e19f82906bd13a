"""`canaries show NAME`: one canary in full."""

import sys
from difflib import get_close_matches

import click
import msgspec

from llm_canaries.canary.canary import SharedReason
from llm_canaries.canary.load import Wanted
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.settings import USAGE, chosen_cases, config_option, settings_or_exit


@click.command()
@click.argument("name")
@config_option
def command(name: str, config: str | None) -> None:
    """Show one canary: what it asks, of whom, with which parameters, and how it can fail."""
    settings = settings_or_exit(config)
    cases = [case for case in chosen_cases(settings, Wanted()) if case.canary == name]
    definition = settings.binding.definitions.get(name)
    if definition is None and not cases:
        names = sorted({*settings.binding.definitions, *(case.canary for case in chosen_cases(settings, Wanted()))})
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        click.echo(f"no canary {name}; {hint}", err=True)
        sys.exit(USAGE)
    scenario = SCENARIOS[cases[0].scenario if cases else definition.scenario if definition else ""]
    if definition is not None:
        click.echo(f"{name}: {definition.help}")
        click.echo(f"severity {definition.severity}, every {definition.every:g} s")
    params = cases[0].params if cases else scenario.params()
    said = ", ".join(f"{name}={value}" for name, value in msgspec.structs.asdict(params).items())
    click.echo(f"scenario {scenario.name}, with {said}")
    click.echo("reasons: " + ", ".join(reason.value for reason in scenario.reasons))
    click.echo("undecided or skipped: " + ", ".join(reason.value for reason in SharedReason))
    click.echo("and those of the transport: canaries explain")
    click.echo(f"cases here: {len(cases)}")
    for case in cases:
        click.echo(f"  {case.gateway} {case.model} {case.dialect} stream={case.stream_word}")
