"""`canaries notify`: are the receivers understood, and does a message arrive."""

import asyncio
import sys

import click

from llm_canaries.alerts.courier import send
from llm_canaries.alerts.receivers import Outcome, Receiver, Sent, check, receivers_of, service_name
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import USAGE, config_option, settings_or_exit

TITLE = "Test from llm-canaries"
BODY = "This receiver works.\nIt will be told of: {severities}.\nNothing is wrong; nobody needs to do anything."


@click.group()
def command() -> None:
    """Check the receivers of the configuration, or send each a test message."""


@command.command("check")
@config_option
def check_receivers(config: str | None) -> None:
    """Check that every receiver's URL is understood; nothing is sent."""
    wrong = 0
    for receiver in _receivers(config, None):
        problem = check(receiver.url)
        if problem is None:
            click.echo(f"{receiver.name}: {service_name(receiver.url)}, told of {_severities(receiver)}")
        else:
            wrong += 1
            click.echo(f"{receiver.name}: the URL {problem}", err=True)
    if wrong:
        sys.exit(USAGE)


@command.command("test")
@click.argument("name", required=False)
@config_option
def send_test(name: str | None, config: str | None) -> None:
    """Send one test message to NAME, or to every receiver; exit code 1 if any does not take it."""
    receivers = _receivers(config, name)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        results = runner.run(_send_all(receivers))
    failed = False
    for receiver, sent in zip(receivers, results, strict=True):
        if sent.outcome is Outcome.SUCCESS:
            click.echo(f"{receiver.name}: sent")
        else:
            failed = True
            click.echo(f"{receiver.name}: {sent.outcome}: {sent.error}", err=True)
    sys.exit(1 if failed else 0)


async def _send_all(receivers: list[Receiver]) -> list[Sent]:
    return await asyncio.gather(
        *(send(each, TITLE, BODY.format(severities=_severities(each))) for each in receivers)
    )


def _receivers(config: str | None, name: str | None) -> list[Receiver]:
    """The receivers of the configuration, or the one of that name; having none is a usage error."""
    settings = settings_or_exit(config)
    receivers = receivers_of(settings.config)
    if not receivers:
        source = settings.source or "the embedded default"
        click.echo(f"No receivers in {source}; write `receivers: {{phone: {{url: ${{APPRISE_URL}}}}}}`.", err=True)
        sys.exit(USAGE)
    if name is not None and name not in receivers:
        click.echo(f"no receiver {name}; configured: {', '.join(receivers)}", err=True)
        sys.exit(USAGE)
    return [receivers[name]] if name is not None else list(receivers.values())


def _severities(receiver: Receiver) -> str:
    return " and ".join(sorted(receiver.severities, reverse=True))
