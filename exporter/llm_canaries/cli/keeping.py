"""`canaries run --state`: where runs are kept; a run without it has no use for any of this."""

import os
import sys
import time
from pathlib import Path

import click

from llm_canaries.cli.settings import USAGE
from llm_canaries.service.playing import Keeping
from llm_canaries.service.settings import Settings, state_folder


def keeper_of(folder: str, settings: Settings) -> Keeping:
    """What keeps runs in the state in `folder`; exits where that cannot be written, or is the sidecar's own."""
    from llm_canaries.service.archive import Archive, Keeper
    from llm_canaries.state.database import Database, StateError

    own = state_folder(settings.config, os.environ)
    if Path(folder).resolve() == own.resolve():
        click.echo(
            f"--state {folder}: there `canaries serve` keeps its ledger, and these runs would enter it. Choose another "
            "folder.\nNothing was run.",
            err=True,
        )
        sys.exit(USAGE)
    try:
        database = Database.open(Path(folder), "gate")
    except StateError as error:
        click.echo(f"{error}\nNothing was run.", err=True)
        sys.exit(USAGE)

    def tell(refusal: str) -> None:
        click.echo(f"{refusal} The verdict stands; runs from here on may not be kept.", err=True)

    return Keeper(Archive(database), settings, time.time, tell)
