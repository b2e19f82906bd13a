"""`canaries proxy`: the embedded core as a small gateway."""

import asyncio
import ipaddress
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from llm_canaries.cli.files import plainly
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import USAGE, config_option, settings_or_exit
from llm_canaries.config.schema import GatewayConfig
from llm_canaries.config.secrets import Redactor, secrets_of
from llm_canaries.config.values import Refused, check_listen
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.collector import quieten_collector
from llm_canaries.service.door import Plan, embedded, opened
from llm_canaries.service.settings import Settings
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import encode_text


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; without it `proxy.listen`, or 127.0.0.1:8317.")
@config_option
@click.option("--gateway", metavar="NAME", help="Which gateway of kind `embedded`, where there are several.")
@click.option(
    "--client-key-file", metavar="FILE", help="Keys that clients must show, one a line, besides `proxy.client_keys`."
)
def command(listen: str | None, config: str | None, gateway: str | None, client_key_file: str | None) -> None:
    """Serve the embedded core over HTTP: a small gateway in front of the providers of a configuration.

    Clients speak Chat Completions, Responses, Messages or Gemini, whatever their provider speaks. Without a
    configuration the built-in mirror is the provider, so that there is somebody to talk to at once.

    Pages: /healthz, /v1/models, /v1/metrics/providers, /v1/health, /v1/providers/NAME/status. An address that is not
    loopback needs client keys. Stop it with Ctrl-C or SIGTERM.
    """
    settings = settings_or_exit(config)
    where = listen or settings.config.proxy.listen
    plan = _plan(settings, where, _chosen(settings, gateway), _keys(settings, client_key_file))
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(plan))
    except OSError as error:
        _refuse(f"--listen {where}: {plainly(error)}")


async def _serve(plan: Plan) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with opened(plan, Clock(time.monotonic, time.time), secrets.randbelow) as url:
        own = plan.config.gateways[plan.gateway]
        key = " for clients that show a key" if plan.keys else ""
        quieten_collector()
        click.echo(f"The proxy listens on {url}{key}; models: {url}/v1/models")
        click.echo(f"It routes gateway {plan.gateway} to {routed(own)}.")
        ask = {"model": own.models[0].id, "messages": [{"role": "user", "content": "What is 6 times 7?"}]}
        shown = ' -H "Authorization: Bearer $CLIENT_KEY"' if plan.keys else ""
        click.echo(f"Try: curl -sS {url}{DIALECTS['openai_chat'].path}{shown} -d '{encode_text(ask)}'")
        await stop.wait()


def routed(gateway: GatewayConfig) -> str:
    """Where a gateway's asks go, for people."""
    if gateway.providers is None:
        return "the built-in mirror, which is free and needs no key"
    return ", ".join(f"{name} ({each.url})" for name, each in gateway.providers.items())


def _plan(settings: Settings, listen: str, gateway: str, keys: tuple[str, ...]) -> Plan:
    try:
        host, _, port = check_listen(listen).rpartition(":")
    except Refused as refused:
        _refuse(f"--listen {listen}: {refused}")
    host = host.strip("[]")
    if not keys and not _is_loopback(host):
        advice = "write `proxy: {client_keys: [...]}`, or give --client-key-file"
        _refuse(f"--listen {listen}: anyone who reaches {host} could spend your providers' quota; {advice}")
    redact = Redactor((*secrets_of(settings.config), *keys))
    return Plan(config=settings.config, gateway=gateway, host=host, port=int(port), keys=keys, redact=redact)


def _chosen(settings: Settings, gateway: str | None) -> str:
    """The gateway to serve: the one named, or the only one that has a core of its own."""
    names = embedded(settings.config)
    if gateway is not None and gateway not in names:
        _refuse(f"--gateway {gateway}: no gateway of kind `embedded` has this name; there are: {_listed(names)}")
    if not names:
        _refuse(f"{settings.source}: there is no gateway of kind `embedded` to serve; see `canaries proxy --help`")
    if gateway is None and len(names) > 1:
        _refuse(f"{settings.source}: several gateways of kind `embedded`; choose by --gateway: {_listed(names)}")
    return gateway or names[0]


def _keys(settings: Settings, path: str | None) -> tuple[str, ...]:
    keys = [key.get_secret_value() for key in settings.config.proxy.client_keys or ()]
    if path is None:
        return tuple(keys)
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        _refuse(f"--client-key-file {path}: {error.strerror}")
    except UnicodeDecodeError:
        _refuse(f"--client-key-file {path}: is not UTF-8 text")
    found = [key for line in lines if (key := line.strip()) and not key.startswith("#")]
    if not found:
        _refuse(f"--client-key-file {path}: holds no key; write one a line")
    return (*keys, *found)


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _refuse(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(USAGE)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
