"""`canaries mirror`: the mirror as a provider for others."""

import asyncio
import ipaddress
import os
import re
import signal
import sys
import time
from pathlib import Path

import click

from llm_canaries.cli.files import plainly
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.provider_blocks import BLOCKS, printed
from llm_canaries.cli.settings import USAGE, settings_or_exit
from llm_canaries.config.loopback import MirrorConfig
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.mirror.server import PREFIX, Mirror, serving
from llm_canaries.proxy.clock import Clock

DEFAULT_LISTEN = "127.0.0.1:9878"
KEY_VARIABLE = "MIRROR_KEY"
_FROM = re.compile(r"\$\{(file:)?([^}]+)\}")


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where to listen [127.0.0.1:9878].")
@click.option("--key", metavar="'${VARIABLE}'", help=f"Where the key is, in quotes [{KEY_VARIABLE}, if it is set].")
@click.option("--config", metavar="FILE", help="Take `mirror:` of this configuration: its key, and its `listen`.")
@click.option("--list", "only_list", is_flag=True, help="List the models and what each does, and end.")
@click.option("--print-config", "gateway", type=click.Choice(list(BLOCKS)), help="Print what to paste there, and end.")
def command(listen: str | None, key: str | None, config: str | None, only_list: bool, gateway: str | None) -> None:
    """Serve the mirror provider: every dialect, a healthy model and one for every fault.

    With a key it answers canaries that show it, and nobody else. Stop it with Ctrl-C or SIGTERM.
    """
    if only_list:
        width = max(map(len, MISBEHAVIOURS)) + len(PREFIX)
        for name, row in MISBEHAVIOURS.items():
            click.echo(f"{PREFIX + name:<{width}}  {row.help}")
        return
    configured = _configured(config)
    where = listen or (configured.listen if configured else None) or DEFAULT_LISTEN
    host, port = _address(where)
    if gateway is not None:
        click.echo(printed(gateway, f"http://{_named(host)}:{port}"), nl=False)
        return
    secret = configured.key.get_secret_value() if configured else _key(key)
    if not secret and not _is_loopback(host):
        click.echo(
            f"--listen {where}: on an address that others reach the mirror needs a key; set {KEY_VARIABLE}, or write "
            "`mirror: {listen: …, key: ${…}}` and --config",
            err=True,
        )
        sys.exit(USAGE)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(host, port, secret))
    except OSError as error:
        click.echo(f"--listen {where}: {plainly(error)}", err=True)
        sys.exit(USAGE)


async def _serve(host: str, port: int, key: str) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving(Mirror(Clock(time.monotonic, time.time), key), host, port) as url:
        whom = "canaries with its key" if key else f"anyone on this machine, without a key (set {KEY_VARIABLE} for one)"
        click.echo(f"The mirror listens on {url} with {len(MISBEHAVIOURS)} models, for {whom}; try {url}/v1/models")
        await stop.wait()


def _configured(path: str | None) -> MirrorConfig | None:
    """The `mirror` of a configuration; without one it is a usage error."""
    if path is None:
        return None
    mirror = settings_or_exit(path).config.mirror
    if mirror is None:
        click.echo(f"--config {path}: it has no `mirror`; write `mirror: {{listen: …, key: ${{…}}}}`", err=True)
        sys.exit(USAGE)
    return mirror


def _key(said: str | None) -> str:
    """The key that `--key` names, or that of the environment; empty where there is none."""
    if said is None:
        return _checked(os.environ.get(KEY_VARIABLE, ""), KEY_VARIABLE)
    found = _FROM.fullmatch(said)
    if found is None:
        click.echo(
            f"--key: a key on the command line can be read by everyone on this machine; write '${{{KEY_VARIABLE}}}' in "
            f"single quotes, '${{file:/path}}', or leave it out and set {KEY_VARIABLE}",
            err=True,
        )
        sys.exit(USAGE)
    try:
        text = Path(found[2]).read_text(encoding="utf-8").strip() if found[1] else os.environ.get(found[2], "")
    except (OSError, UnicodeDecodeError) as error:
        click.echo(f"--key {said}: cannot be read: {getattr(error, 'strerror', 'not UTF-8 text')}", err=True)
        sys.exit(USAGE)
    if not text:
        click.echo(f"--key {said}: there is nothing in it", err=True)
        sys.exit(USAGE)
    return _checked(text, said)


def _checked(key: str, name: str) -> str:
    """The key, where it fits into a header."""
    if key != key.strip() or not key.isprintable():
        click.echo(f"{name}: has line breaks, control characters or space around it; write one clean line", err=True)
        sys.exit(USAGE)
    return key


def _named(host: str) -> str:
    """The host as a gateway would write it: of any address it is this machine's own."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 # nobody is asked at "any address"
    return f"[{shown}]" if ":" in shown else shown


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
