"""`canaries serve`: the sidecar."""

import asyncio
import logging
import os
import secrets
import sys
import time

import click

from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import USAGE, config_option, tell
from llm_canaries.config.problems import ConfigError
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.serve import Server
from llm_canaries.state.errors import StateError


@click.command()
@config_option
def command(config: str | None) -> None:
    """Send canaries on a schedule, export metrics, evaluate rules, and tell the receivers.

    Reload the configuration with SIGHUP or POST /-/reload; stop with SIGTERM or Ctrl-C.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    clock = Clock(time.monotonic, time.time)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(config, clock))
    except ConfigError as error:
        tell(error.problems)
    except (StateError, OSError) as error:
        click.echo(f"canaries serve: {error}", err=True)
        sys.exit(USAGE)


async def _serve(config: str | None, clock: Clock) -> None:
    await Server(config, os.environ, clock, secrets.randbelow).run()
