"""`canaries client-route`: does a client with this environment reach the gateway?"""

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence

import click

from llm_canaries.canary.canary import Case, Outcome, Run, Severity
from llm_canaries.canary.clients import CLIENTS
from llm_canaries.canary.exit_code import exit_code
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.report.json import json_report
from llm_canaries.canary.scenarios.client_route import SCENARIO
from llm_canaries.cli.files import write
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import USAGE, config_option, one_gateway, settings_or_exit, split
from llm_canaries.config.params import ParamsError, merge_params
from llm_canaries.config.schema import CanaryConfig, Config, GatewayConfig, ModelConfig
from llm_canaries.config.values import Refused, check_url
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gate import gate
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import Settings

_GIVEN = "gateway"  # the name of a gateway that is given by its URL


@click.command()
@config_option
@click.option("--client", type=click.Choice(list(CLIENTS)), default="openai", show_default=True, help="Which client.")
@click.option("--gateway", metavar="NAME", help="The gateway to reach; needed where several are configured.")
@click.option("--url", metavar="URL", help="The gateway's base URL instead of a configuration; needs --model.")
@click.option("--model", metavar="ID", help="The model to ask for; the gateway's first without it.")
@click.option("--env-file", default="", metavar="FILE", help="Read NAME=value lines instead of this environment.")
@click.option("--url-name", multiple=True, metavar="NAME", help="Other variables for the base URL; commas.")
@click.option("--key-name", multiple=True, metavar="NAME", help="Other variables for the key; commas.")
@click.option("--json", "json_file", metavar="FILE", help="Write the run as JSON; - is standard output.")
def command(
    config: str | None,
    client: str,
    gateway: str | None,
    url: str | None,
    model: str | None,
    env_file: str,
    url_name: Sequence[str],
    key_name: Sequence[str],
    json_file: str | None,
) -> None:
    """Check that a client in this shell reaches the gateway, and send one canary exactly as it would.

    Nothing is sent where its variables lead elsewhere; only host and port are shown, never a key. For launch wrappers:
    canaries client-route --client amp && exec amp

    Exit code 0: it reaches the gateway. 1: it does not. 2: configuration or usage. 3: it cannot be told.
    """
    settings = settings_or_exit(config)
    given = _given(settings.config, url, model) if url is not None else settings.config
    params: dict[str, object] = {
        "client": client, "env_file": env_file, "url_names": split(url_name), "key_names": split(key_name)
    }  # fmt: skip
    order = _order(settings, given, one_gateway(given, gateway), model, params)
    (run,) = _run(settings, order)
    finding = run.finding
    told = " ".join(filter(None, (finding.outcome.value, finding.reason and f"{finding.reason}:", finding.detail)))
    click.echo(told, err=json_file == "-")
    if finding.outcome is not Outcome.PASS:
        click.echo(f"Next: canaries explain {finding.reason}", err=True)
    write(json_file, json_report([run]))
    sys.exit(exit_code([run], fail_on=Severity.WARNING, allow_undecided=False))


def _given(config: Config, url: str, model: str | None) -> Config:
    """`config` with the one gateway that the command line gives."""
    if model is None:
        click.echo("--url: which model is to be asked for? write --model ID", err=True)
        sys.exit(USAGE)
    try:
        check_url(url)
    except Refused as refused:
        click.echo(f"--url: the value {refused}", err=True)
        sys.exit(USAGE)
    gateway = GatewayConfig(kind="openai-compatible", url=url, models=(ModelConfig(id=model),))
    return config.model_copy(update={"gateways": {_GIVEN: gateway}, "canaries": ()})


def _order(
    settings: Settings, config: Config, name: str, model: str | None, params: dict[str, object]
) -> Order:
    """One canary at one gateway, in the first dialect that the client speaks."""
    try:
        merge_params(SCENARIO.params, None, params)
    except ParamsError as error:
        click.echo("\n".join(message for _, message in error.objections), err=True)
        sys.exit(USAGE)
    dialect = CLIENTS[str(params["client"])][0].dialect
    own = config.gateways[name]
    chosen = ModelConfig(id=model) if model else own.models[0]
    gateway = own.model_copy(update={"dialects": (dialect,), "models": (chosen,), "twin": None})
    canary = CanaryConfig(
        scenario=SCENARIO.name, name=SCENARIO.name, gateway=name, dialects=(dialect,), params=params
    )
    aimed = config.model_copy(update={"gateways": {name: gateway}, "canaries": (canary,)})
    found: list[Case] = cases(aimed, settings.binding, Wanted())
    return Order(config=aimed, cases=found)


def _run(settings: Settings, order: Order) -> list[Run]:
    clock, redact = Clock(time.monotonic, time.time), settings.redactor
    work = gate(
        order, clock=clock, draw=secrets.randbelow, redact=redact, report=lambda run: None, learn=redact.learn
    )
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)
