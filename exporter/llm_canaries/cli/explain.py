"""`canaries explain REASON`: the page behind a reason."""

import sys
from difflib import get_close_matches

import click

from llm_canaries.canary.explain import Page, read_pages
from llm_canaries.cli.settings import USAGE


@click.command()
@click.argument("reason", required=False)
def command(reason: str | None) -> None:
    """Explain a reason: what it means, what to check first, what to do. Without one, list them all."""
    pages = read_pages()
    if reason is None:
        width = max(map(len, pages))
        for name, page in pages.items():
            click.echo(f"{name:<{width}}  {page.title}")
        return
    if reason not in pages:
        near = get_close_matches(reason, pages, 1)
        hint = f"did you mean {near[0]}?" if near else "`canaries explain` lists them all"
        click.echo(f"no reason {reason}; {hint}", err=True)
        sys.exit(USAGE)
    click.echo(page_text(reason, pages[reason]))


def page_text(reason: str, page: Page) -> str:
    """The page as text; long lines are left to the terminal."""
    blocks = [f"{reason}: {page.title}", page.means.strip()]
    for heading, lines in (("Check first", page.check), ("Then", page.do), ("Seen in", page.seen)):
        if lines:
            blocks.append("\n".join([f"{heading}:", *(f"  - {line}" for line in lines)]))
    if page.attempt:
        blocks.append(f"See it happen: {page.attempt}")
    return "\n\n".join(blocks)
