"""`canaries check`: is the configuration sound, what does it mean, and what will a day of it cost."""

from collections.abc import Sequence

import click

from llm_canaries.canary.budget import forecast
from llm_canaries.canary.canary import Case
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.load import Wanted
from llm_canaries.canary.price import dollars
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.settings import chosen_cases, config_option, settings_or_exit
from llm_canaries.config.schema import GatewayConfig


@click.command()
@config_option
def command(config: str | None) -> None:
    """Check a configuration and the shipped definitions; every problem is told at once, with its line."""
    settings = settings_or_exit(config)
    cases = chosen_cases(settings, Wanted())
    source = settings.source or "embedded default"
    gateways, canaries = len(settings.config.gateways), len({case.canary for case in cases})
    click.echo(f"{source}: {gateways} gateway(s), {canaries} canaries, {len(cases)} cases.")
    for name, gateway in settings.config.gateways.items():
        click.echo(daily_cost(name, gateway, [case for case in cases if case.gateway == name]))
    click.echo(f"Shipped: {len(settings.binding.definitions)} definitions, {len(read_pages())} reasons explained.")


def daily_cost(name: str, gateway: GatewayConfig, cases: Sequence[Case]) -> str:
    """What `canaries serve` will ask of one gateway in a day, at most, and against which caps."""
    whole = forecast(cases, SCENARIOS)
    said = f"{name}: at most {whole.requests:,.0f} requests and {whole.tokens:,.0f} tokens a day"
    if gateway.url is None and gateway.providers is None:
        return f"{said}, at the built-in mirror: free."
    caps = f"capped at {gateway.budget.requests:,} requests and {gateway.budget.tokens:,} tokens"
    over = whole.requests > gateway.budget.requests or whole.tokens > gateway.budget.tokens
    return f"{said}, {price(cases)}; {caps}{': runs beyond that are held' if over else ''}."


def price(cases: Sequence[Case]) -> str:
    """Dollars a day for the models whose price is known, and the names of the others."""
    known, unknown = 0.0, []
    for model in dict.fromkeys(case.model for case in cases):
        own = forecast([case for case in cases if case.model == model], SCENARIOS)
        cost = dollars(model, own.input_tokens, own.output_tokens)
        if cost is None:
            unknown.append(model)
        else:
            known += cost
    if not unknown:
        return f"${known:,.2f}"
    others = f"the price of {', '.join(unknown)} is not known"
    return f"${known:,.2f}, and {others}" if known else others
