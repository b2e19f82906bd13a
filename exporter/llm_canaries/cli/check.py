"""`canaries check`: is the configuration sound, what will a day of it cost, and how soon will its rules notice."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from msgspec import json

from llm_canaries.canary.budget import NANO, Amount
from llm_canaries.canary.canary import Case, Priority
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.forecast import Load, Outlook, cost_of, load_of, outlooks
from llm_canaries.canary.load import Wanted
from llm_canaries.canary.run import unfit
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.day_text import ahead, day_text, load_text
from llm_canaries.cli.estimates import rule_estimates, rule_lines
from llm_canaries.cli.settings import chosen_cases, config_option, settings_or_exit, tell
from llm_canaries.config.problems import ConfigError, allowed
from llm_canaries.config.schema import Config
from llm_canaries.proxy.price import Prices, prices_of
from llm_canaries.rules.families import values_read
from llm_canaries.rules.group import RuleGroup
from llm_canaries.service.rule_files import read_groups
from llm_canaries.service.run_cost import dollars_of, dollars_of_run, least_of
from llm_canaries.service.spending import caps_of


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON, on standard output.")
def command(config: str | None, as_json: bool) -> None:
    """Check a configuration and the shipped definitions; every problem is told at once, with its line.

    Exit code 0: it is sound, whatever is warned of; 2: it is not.
    """
    settings = settings_or_exit(config)
    cases = chosen_cases(settings, Wanted())
    source = settings.source or "embedded default"
    canaries = len({case.canary for case in cases})
    try:
        groups = read_groups(settings.config.rules)
    except ConfigError as error:
        tell(error.problems)
    asked = [case for case in cases if unfit(case, SCENARIOS[case.scenario]) is None]  # the others skip, for nothing
    days, rules = forecast(settings.config, asked), rule_estimates(groups, asked)
    days.warnings += unread(settings.config, groups)
    if as_json:
        said = {"source": source, "cases": len(cases), "canaries": canaries} | days.json() | {"rules": rules}
        click.echo(json.encode(said).decode())
        return
    counted = f"gateways: {len(settings.config.gateways)}, canaries: {canaries}, cases: {len(cases)}"
    click.echo(f"{source}: {counted}.")
    warnings = (f"warning: {warning}" for warning in days.warnings)
    for line in (*days.told, *warnings, *rule_lines(rules)):
        click.echo(line)
    click.echo(f"Shipped: {len(settings.binding.definitions)} definitions, {len(read_pages())} reasons explained.")


def unread(config: Config, groups: Sequence[RuleGroup]) -> Iterator[str]:
    """Thresholds of a canary that no rule asks about; a Prometheus elsewhere may have rules of its own."""
    read = values_read(groups, "llm_canary_threshold", "kind")
    if not config.rules.evaluate or read is None:
        return
    for canary in config.canaries or ():
        for kind in canary.thresholds:
            if kind not in read:
                yield f"{canary.name or canary.use}: no rule reads its threshold `{kind}`; {allowed(kind, read)}"


class Days:
    """The forecast: lines for people, warnings, and the same as JSON."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.warnings: list[str] = []
        self.gateways: dict[str, Any] = {}
        self.total: dict[str, Any] | None = None

    def json(self) -> dict[str, Any]:
        """`gateways` by name and `total`: a day, caps, and when which of them are reached (seconds of it).

        `most` of each: the same where every answer is as long as its limit allows.
        """
        return {"gateways": self.gateways, "total": self.total, "warnings": self.warnings}


def forecast(config: Config, cases: Sequence[Case]) -> Days:
    """What `canaries serve` will ask of each gateway in a day, and what the budgets make of it.

    As answers are without reasoning that nobody asked for, and with every one as long as its limit allows.
    """
    days, prices = Days(), prices_of(config.prices)
    paid = [name for name, each in config.gateways.items() if each.url is not None or each.providers is not None]
    usual, most = (_loads(config, cases, prices, most=each) for each in (False, True))
    caps = {name: caps_of(config.gateways[name].budget) for name in paid}
    own, total = outlooks({name: usual[name] for name in paid}, caps, caps_of(config.budget))
    own_most, total_most = outlooks({name: most[name] for name in paid}, caps, caps_of(config.budget))
    for name in config.gateways:
        if name not in own:
            load = sum(usual[name].values(), Load())
            days.told.append(f"{name}: {load_text(load, free=True)} a day, at the built-in mirror: free.")
            days.gateways[name] = {"requests": load.requests, "tokens": load.tokens, "dollars": 0.0, "mirror": True}
            continue
        its = [case for case in cases if case.gateway == name and not _looped(config, case)]
        _tell(name, own[name], own_most[name], its, prices, days)
    days.told += _twins(config, cases, prices)
    if len(paid) > 1 or config.budget != type(config.budget)():
        days.total = _json(total, total_most)
        days.told.append(day_text("all gateways", total, total_most))
        days.warnings += ahead("all gateways", total, total_most)
    return days


Loads = dict[str, dict[Priority, Load]]


def _loads(config: Config, cases: Sequence[Case], prices: Prices, *, most: bool) -> Loads:
    """A day at each gateway by priority."""
    loads: Loads = {name: dict.fromkeys(Priority, Load()) for name in config.gateways}
    for case in cases:
        load = _load(case, prices, most=most)
        loads[case.gateway][case.priority] += Load(requests=load.requests) if _looped(config, case) else load
    return loads


def _load(case: Case, prices: Prices, *, most: bool) -> Load:
    cost = cost_of(case, SCENARIOS[case.scenario])
    cost = cost.most if most else cost
    return load_of(case, cost, dollars_of(cost, case.model, prices))


def _twins(config: Config, cases: Sequence[Case], prices: Prices) -> list[str]:
    """What failures cost at the twins that are asked directly then: at most one run for each at the gateway."""
    told = []
    for name, gateway in config.gateways.items():
        its = [case for case in cases if case.gateway == name and not _looped(config, case)]
        compared = [case for case in its if "direct" in SCENARIOS[case.scenario].compared]
        loads = (_load(case, prices, most=True) for case in compared)
        if gateway.twin is not None and compared:
            free = config.gateways[gateway.twin].providers is None
            more = load_text(sum(loads, Load()), free=free)
            why = "a run for each failure there that is not like the one before"
            told.append(f"{gateway.twin}: at most {more} a day more as the twin of {name}: {why}.")
    return told


def _looped(config: Config, case: Case) -> bool:
    """Whether our own mirror answers the case, behind its gateway: it costs requests and no tokens."""
    loop = config.gateways[case.gateway].loopback
    return loop is not None and case.model in loop.models


def _tell(name: str, outlook: Outlook, most: Outlook, cases: Sequence[Case], prices: Prices, days: Days) -> None:
    unpriced = list(dict.fromkeys(case.model for case in cases if dollars_of_run(case, prices) is None))
    days.gateways[name] = _json(outlook, most) | {"mirror": False, "unpriced": unpriced}
    days.told.append(day_text(name, outlook, most))
    days.warnings += ahead(name, outlook, most)
    for model in unpriced:
        days.warnings.append(f"{name}: no price for model {model}: its dollars are not counted; set `prices`")
    never: dict[tuple[str, str], Amount] = {}
    for case in cases:
        least, key = least_of(case, prices), (case.canary, case.model)
        if not outlook.caps.cover(least) and least.tokens >= never.get(key, Amount()).tokens:
            never[key] = least
    for (canary, model), least in never.items():
        asks = f"{least.requests} request{'s' if least.requests != 1 else ''}"
        need = f"{asks}, {least.tokens:,} tokens and ${least.nanodollars / NANO:.4f}, more than a day's budget"
        days.warnings.append(f"{name}: {canary} for {model} never runs: a run may need {need}")


def _json(outlook: Outlook, most: Outlook) -> dict[str, Any]:
    caps, load = outlook.caps, outlook.load
    return {
        "requests": load.requests,
        "tokens": load.tokens,
        "dollars": load.dollars,
        "budget": {
            "requests": caps.requests,
            "tokens": caps.tokens,
            "dollars": None if caps.nanodollars is None else caps.nanodollars / NANO,
        },
        "spent_at": dict(outlook.spent_at),
        "stretched_from": {priority.value: each.start for priority, each in outlook.stretched.items()},
        "stopped_at": outlook.stopped_at,
        "most": {"tokens": most.load.tokens, "dollars": most.load.dollars, "spent_at": dict(most.spent_at)},
    }
