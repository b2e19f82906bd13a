"""`canaries schema`: for editors."""

import json

import click

from llm_canaries.config.json_schema import json_schema
from llm_canaries.service.settings import known, shipped


@click.command()
def command() -> None:
    """Print the JSON Schema of canaries.yml, for editors.

    With the YAML language server, put this on the first line: # yaml-language-server: $schema=canaries.schema.json
    """
    definitions, _ = shipped()
    click.echo(json.dumps(json_schema(known(definitions)), indent=2))
