"""`canaries check`: is the configuration sound, what does it mean, and what will a day of it cost."""

from collections.abc import Sequence

import click

from llm_canaries.canary.budget import DAY, cost_of, forecast
from llm_canaries.canary.canary import Case
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.load import Wanted
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.settings import chosen_cases, config_option, settings_or_exit
from llm_canaries.config.schema import GatewayConfig
from llm_canaries.proxy.price import Prices, prices_of
from llm_canaries.wire.message import Usage


@click.command()
@config_option
def command(config: str | None) -> None:
    """Check a configuration and the shipped definitions; every problem is told at once, with its line."""
    settings = settings_or_exit(config)
    cases = chosen_cases(settings, Wanted())
    source = settings.source or "embedded default"
    gateways, canaries = len(settings.config.gateways), len({case.canary for case in cases})
    click.echo(f"{source}: {gateways} gateway(s), {canaries} canaries, {len(cases)} cases.")
    prices = prices_of(settings.config.prices)
    for name, gateway in settings.config.gateways.items():
        click.echo(daily_cost(name, gateway, [case for case in cases if case.gateway == name], prices))
    click.echo(f"Shipped: {len(settings.binding.definitions)} definitions, {len(read_pages())} reasons explained.")


def daily_cost(name: str, gateway: GatewayConfig, cases: Sequence[Case], prices: Prices) -> str:
    """What `canaries serve` will ask of one gateway in a day, at most, and against which caps."""
    whole = forecast(cases, SCENARIOS)
    said = f"{name}: at most {whole.requests:,.0f} requests and {whole.tokens:,.0f} tokens a day"
    if gateway.url is None and gateway.providers is None:
        return f"{said}, at the built-in mirror: free."
    caps = f"capped at {gateway.budget.requests:,} requests and {gateway.budget.tokens:,} tokens"
    over = whole.requests > gateway.budget.requests or whole.tokens > gateway.budget.tokens
    return f"{said}, {price(cases, prices)}; {caps}{': runs beyond that are held' if over else ''}."


def price(cases: Sequence[Case], prices: Prices) -> str:
    """Dollars a day for the models whose price is known, and the names of the others."""
    known, unknown = 0.0, dict[str, None]()
    for case in cases:
        cost = daily_dollars(case, prices)
        if cost is None:
            unknown[case.model] = None
        else:
            known += cost
    if not unknown:
        return f"${known:,.2f}"
    others = f"the price of {', '.join(unknown)} is not known"
    return f"${known:,.2f}, and {others}" if known else others


def daily_dollars(case: Case, prices: Prices) -> float | None:
    """What a day of one case costs, at most; asks are priced one by one, for long ones cost more a token."""
    cost = cost_of(case, SCENARIOS[case.scenario])
    asks = max(1, cost.requests)
    each = prices.dollars(case.model, Usage(input=cost.input_tokens // asks, output=cost.output_tokens // asks))
    return None if each is None else each * asks * DAY / case.every
