"""Where `canaries evidence` and `canaries replay` find a run: in a state on disk, or at a running sidecar."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import click
from msgspec import Struct

from llm_canaries.cli.files import plainly
from llm_canaries.cli.settings import USAGE, settings_or_exit
from llm_canaries.service.kept import Kept, read_kept, read_kept_json, read_rows_json
from llm_canaries.service.settings import state_folder
from llm_canaries.state.errors import StateError
from llm_canaries.state.reading import reading
from llm_canaries.state.runs import RunRow, last_id, read_run, unsettled

T = TypeVar("T")
_MOST_DIGITS = 15


class Place(Struct, frozen=True):
    """A folder of a state, or the URL of a running sidecar."""

    folder: Path | None
    url: str


def place_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--config`, `--state` and `--url`: where runs are kept."""
    options = (
        click.option("--config", metavar="FILE", help="The configuration whose state holds it [./canaries.yml]."),
        click.option("--state", metavar="FOLDER", help="The state that holds it, whoever wrote it."),
        click.option("--url", metavar="URL", help="A running sidecar that holds it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def place_of(config: str | None, state: str | None, url: str | None) -> Place:
    """What the options mean; exits where they contradict each other."""
    if state is not None and url is not None:
        refuse("--state and --url: give one of them")
    if url is not None:
        return Place(None, url.rstrip("/"))
    if state is not None:
        return Place(Path(state), "")
    return Place(state_folder(settings_or_exit(config).config, os.environ), "")


def find(place: Place, name: str) -> Kept:
    """The stored run `name`, a number; exits with what is wrong."""
    if not (name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS):
        refuse(f"{name}: not the number of a run; `canaries evidence` lists them")
    if place.folder is None:
        return _asked(place.url, f"/api/v1/runs/{int(name)}", read_kept_json)
    try:
        with reading(place.folder) as connection:
            found, last = read_run(connection, int(name)), last_id(connection)
    except StateError as error:
        refuse(str(error))
    if found is None:
        if 0 < int(name) <= last:
            refuse(f"run {name} is forgotten: runs are kept for 30 days, the last one is {last}")
        refuse(f"no run {name} in {place.folder}; " + (f"the last one is {last}" if last else "nothing has run yet"))
    return read_kept(*found)


def find_unsettled(place: Place, limit: int) -> list[RunRow]:
    """The last runs that failed or were not decided, the newest first; exits with what is wrong."""
    if place.folder is None:
        return _asked(place.url, "/api/v1/runs", read_rows_json)[:limit]
    try:
        with reading(place.folder) as connection:
            return unsettled(connection, limit)
    except StateError as error:
        refuse(str(error))


def refuse(message: str) -> NoReturn:
    """Tells what is wrong, and exits."""
    click.echo(message, err=True)
    sys.exit(USAGE)


def _asked(url: str, path: str, read: Callable[[bytes], T]) -> T:
    opener = build_opener(ProxyHandler({}))  # a proxy is not on the way to this machine
    try:
        with opener.open(url + path, timeout=10) as answer:
            return read(answer.read())
    except HTTPError as error:
        body = error.read().decode("utf-8", "replace").strip()
        refuse(f"{url}: {body[:200] or error}")
    except OSError as error:
        refuse(f"{url}: no sidecar answers: {plainly(error)}")
    except ValueError as error:
        refuse(f"{url}: no sidecar answers: {error}")
