"""`canaries explain NAME`: the page behind a reason or an alert."""

import sys
from difflib import get_close_matches

import click

from llm_canaries.alerts.runbook.pages import AlertPage, read_alert_pages
from llm_canaries.canary.explain import listed, page_text, read_pages
from llm_canaries.cli.settings import USAGE


@click.command()
@click.argument("name", metavar="[REASON|ALERT]", required=False)
def command(name: str | None) -> None:
    """Explain a reason or an alert: what it means, what to check first, what to do. Without a name, list them all."""
    pages, alerts = read_pages(), read_alert_pages()
    if name is None:
        width = max(map(len, [*pages, *alerts]))
        for reason, page in pages.items():
            click.echo(f"{reason:<{width}}  {page.title}")
        for alert, about in alerts.items():
            click.echo(f"{alert:<{width}}  {about.symptom}")
        return
    if name in alerts:
        click.echo(alert_text(name, alerts[name]))
    elif name in pages:
        click.echo(page_text(name, pages[name]))
    else:
        near = get_close_matches(name, [*pages, *alerts], 1)
        hint = f"did you mean {near[0]}?" if near else "`canaries explain` lists them all"
        click.echo(f"no reason or alert {name}; {hint}", err=True)
        sys.exit(USAGE)


def alert_text(name: str, page: AlertPage) -> str:
    """The page of an alert as text."""
    blocks = [f"{name}: {page.symptom}", page.means.strip(), *listed((("Check first", page.check), ("Then", page.do)))]
    return "\n\n".join(blocks)
