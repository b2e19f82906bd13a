"""`canaries mirror`: the mirror as a provider for others."""

import asyncio
import ipaddress
import signal
import sys
import time

import click

from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import USAGE
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.mirror.server import PREFIX, Mirror, serving
from llm_canaries.proxy.clock import Clock


@click.command()
@click.option("--listen", default="127.0.0.1:9878", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--list", "only_list", is_flag=True, help="List the models and what each does, and end.")
def command(listen: str, only_list: bool) -> None:
    """Serve the mirror provider: every dialect, a healthy model and one for every fault.

    Any key is accepted and none is kept. Stop it with Ctrl-C or SIGTERM.
    """
    if only_list:
        width = max(map(len, MISBEHAVIOURS)) + len(PREFIX)
        for name, row in MISBEHAVIOURS.items():
            click.echo(f"{PREFIX + name:<{width}}  {row.help}")
        return
    host, port = _address(listen)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(host, port))
    except OSError as error:
        click.echo(f"--listen {listen}: {error.strerror or error}", err=True)
        sys.exit(USAGE)


async def _serve(host: str, port: int) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving(Mirror(Clock(time.monotonic, time.time)), host, port) as url:
        click.echo(f"The mirror listens on {url} with {len(MISBEHAVIOURS)} models; try {url}/v1/models")
        if not _is_loopback(host):
            click.echo(f"Anyone who reaches {host} can call it.", err=True)
        await stop.wait()


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        click.echo(f"--listen {listen}: expected HOST:PORT, such as 127.0.0.1:9878", err=True)
        sys.exit(USAGE)
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
