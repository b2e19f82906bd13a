"""`canaries evidence [ID]`: all that is kept of a run, for people, as JSON, or as HAR."""

import sys

import click

from llm_canaries.canary.report.evidence import evidence_text, moment, printable
from llm_canaries.canary.report.har import har
from llm_canaries.cli.files import write
from llm_canaries.cli.kept import Place, find, find_unsettled, place_of, place_options, refuse
from llm_canaries.service.kept import Kept, kept_json, rows_json
from llm_canaries.state.runs import RunRow
from llm_canaries.wire.fault import bracketed

NOT_KEPT = 1
LISTED = 20


@click.command()
@click.argument("number", metavar="[ID]", required=False)
@place_options
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON, bodies whole.")
@click.option("--har", "har_file", metavar="FILE", help="Write it as HAR 1.2; - is standard output.")
@click.option("--limit", type=click.IntRange(1, 100), default=LISTED, show_default=True, help="Runs to list.")
def command(
    number: str | None,
    config: str | None,
    state: str | None,
    url: str | None,
    as_json: bool,
    har_file: str | None,
    limit: int,
) -> None:
    """Show the evidence of the run ID: what was sent, what came and when, and how it was judged.

    Without ID, list the latest runs that failed or were not decided. A state is read beside a running sidecar.

    Exit code 0: shown; 1: the run is known, and its evidence is not kept; 2: it cannot be found or read.
    """
    place = place_of(config, state, url)
    if number is None:
        if har_file is not None:
            refuse("--har: needs the number of a run; `canaries evidence` lists them")
        _list(place, limit, as_json=as_json)
        return
    kept = find(place, number)
    if har_file is not None:
        write(har_file, _har(kept))
    elif as_json:
        click.echo(kept_json(kept))
    else:
        click.echo(_shown(kept))
    if har_file is None and kept.evidence is None:
        if kept.problem:
            click.echo(kept.problem, err=True)
        sys.exit(0 if kept.text else NOT_KEPT)


def _list(place: Place, limit: int, *, as_json: bool) -> None:
    rows = find_unsettled(place, limit)
    if as_json:
        click.echo(rows_json(rows))
        return
    for row in rows:
        case = f"{row.canary} {row.gateway} {row.model} {row.dialect} stream={row.stream}"
        click.echo(f"{row.id}\t{moment(row.started)}\t{row.outcome} {row.reason}\t{case}")
    if not rows:
        click.echo("No run that is kept has failed.", err=True)


def _shown(kept: Kept) -> str:
    if kept.evidence is not None:
        return evidence_text(kept.evidence, kept.row.id or 0)
    return "\n".join(line for line in (row_text(kept.row), kept.text) if line)


def row_text(row: RunRow) -> str:
    """What the ledger says of a run."""
    domain = bracketed(row.fault_domain)
    verdict = f"{row.outcome} {row.reason}{domain}".rstrip()
    case = f"{row.canary} at {row.gateway}, model {row.model}, {row.dialect}, stream {row.stream}"
    verdict += f": {printable(row.detail)}" if row.detail else ""
    return f"run {row.id}: {case}\n{moment(row.started)}\n{verdict}"


def _har(kept: Kept) -> str:
    if kept.evidence is None:
        refuse(f"run {kept.row.id}: {kept.problem}")
    return har(kept.evidence, kept.row.id or 0)
