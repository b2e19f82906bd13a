"""`canaries rules eval EXPR`: what an expression is now, in a running sidecar or as its state has it."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

import click

from llm_canaries.cli.files import plainly
from llm_canaries.cli.settings import USAGE
from llm_canaries.rules.outputs import Outputs, Together
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import Refused, parse
from llm_canaries.rules.promql.plan import reach
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.snapshot import read
from llm_canaries.rules.vector import NAME
from llm_canaries.rules.window import LOOKBACK, Window
from llm_canaries.service.query import vector_json
from llm_canaries.service.rule_memory import OUTPUTS, WINDOW
from llm_canaries.state.database import FILE
from llm_canaries.state.errors import StateError
from llm_canaries.state.snapshots import read_snapshot

FAILED = 1


@click.command("eval")
@click.argument("expression", metavar="EXPR")
@click.option("--url", default="http://127.0.0.1:9877", show_default=True, help="A running sidecar.")
@click.option("--state", "folder", metavar="FOLDER", help="The state that a sidecar left, instead of a running one.")
@click.option("--json", "as_json", is_flag=True, help="As Prometheus' own API answers.")
def evaluate(expression: str, url: str, folder: str | None, as_json: bool) -> None:
    """What EXPR is now: a line for each series.

    Exit code 0: evaluated, whatever came of it; 1: it has no value; 2: it cannot be evaluated or nobody answers.
    """
    try:
        parse(expression)
    except Refused as refused:
        click.echo(str(refused), err=True)
        sys.exit(USAGE)
    data = _from_state(expression, Path(folder)) if folder is not None else _from_sidecar(expression, url)
    if as_json:
        click.echo(json.dumps(data))
        return
    result = data["result"]
    for each in result:
        click.echo(f"{_shown(each['metric'])} {each['value'][1]}")
    at = f" at {datetime.fromtimestamp(result[0]['value'][0], tz=UTC):%Y-%m-%d %H:%M:%S} UTC" if result else ""
    click.echo(f"{len(result)} series{at}.", err=True)


def _from_sidecar(expression: str, url: str) -> dict[str, Any]:
    opener = build_opener(ProxyHandler({}))  # a proxy is not on the way to this machine
    try:
        with opener.open(f"{url.rstrip('/')}/api/v1/query?query={quote(expression, safe='')}", timeout=10) as answer:
            data: dict[str, Any] = json.loads(answer.read())["data"]
            return data
    except HTTPError as error:
        body = error.read().decode("utf-8", "replace")
        try:
            message, code = json.loads(body)["error"], FAILED if error.code == 422 else USAGE
        except (ValueError, KeyError, TypeError):
            message, code = f"{url}: {error.code} {body.strip()[:200]}", USAGE
    except OSError as error:
        message, code = f"{url}: no sidecar answers: {plainly(error)}", USAGE
    except (ValueError, KeyError) as error:
        message, code = f"{url}: no sidecar answers: {error}", USAGE
    click.echo(message, err=True)
    sys.exit(code)


def _from_state(expression: str, folder: Path) -> dict[str, Any]:
    plan = parse(expression)
    span = max(LOOKBACK, min(reach(plan), 86400.0))
    window, outputs, at = Window(2, span), Outputs(span=span), 0.0
    try:
        for name, into in ((WINDOW, window), (OUTPUTS, outputs.window)):
            kept = read_snapshot(folder / FILE, name)
            history = read(kept[1]) if kept is not None else None
            if history is None:
                continue
            for time, row in zip(history[0], history[2], strict=True):
                into.put(time, history[1], row)
            at = max(at, history[0][-1] if history[0] else 0.0)
            outputs.names |= {each[NAME] for each in history[1]} if name == OUTPUTS else set()
        if not at:
            raise StateError(f"{folder / FILE} keeps no history of rules.")
        return vector_json(at, Tick(Together(window, outputs), at).vector(plan))
    except StateError as error:
        click.echo(str(error), err=True)
        sys.exit(USAGE)
    except EvaluationError as error:
        click.echo(str(error), err=True)
        sys.exit(FAILED)


def _shown(metric: dict[str, str]) -> str:
    labels = ", ".join(f'{name}="{text}"' for name, text in sorted(metric.items()) if name != NAME)
    return f"{metric.get(NAME, '')}{{{labels}}}"
