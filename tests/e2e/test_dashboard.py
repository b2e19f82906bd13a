"""The dashboard is whole, and every expression of it is one that Debian's Prometheus answers with data."""

import json
import math
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from prometheus_server import scraping
from sidecars import mirroring, serving, wait_until

from llm_canaries.service.metrics import FAMILIES

DASHBOARD = json.loads((Path(__file__).parents[2] / "grafana" / "canaries.json").read_text())
PANELS = [each for panel in DASHBOARD["panels"] for each in (panel, *panel.get("panels", ()))]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]
TARGETS = {f"{panel['title']}/{target['refId']}": target for panel in DRAWN for target in panel["targets"]}
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

VALUES = {"gateway": ".*", "canary": ".*", "model_id": ".*", "window": "recent", "__rate_interval": "1m", "__range": "5m"}

GATEWAYS = """
gateways:
  fine: {{kind: embedded, models: [mirror/healthy]}}
  faulty: {{kind: embedded, models: [mirror/drop-image, mirror/zero-usage, mirror/ignore-thinking]}}
  broken: {{kind: embedded, models: [mirror/server-error]}}
  limited: {{kind: openai-compatible, url: '{mirror}', models: [mirror/rate-limited]}}
  paid: {{kind: embedded, models: [gpt-4o-mini], providers: {{openai: {{url: '{mirror}', aliases: {{gpt-4o-mini: mirror/healthy}}}}}}}}
receivers: {{nobody: {{url: 'json://127.0.0.1:1/', timeout: 1s}}}}
canaries:
  - {{use: known-good, every: 10s}}
  - {{use: thinking, every: 10s}}
  - {{use: eligibility, every: 10s}}
  - {{use: tool-result-image, every: 10s}}
  - {{use: usage-parity, every: 10s}}
"""

MAY_BE_EMPTY = {}


def test_ids():
    pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboard")
    with (
        mirroring(folder) as mirror,
        serving(folder, GATEWAYS.format(mirror=mirror)) as sidecar,
        scraping(folder, {"canaries": sidecar.url}) as server,
    ):
        wait_until(lambda: server.query('sum(llm_sidecar_alerts{state="firing"}) > 0'), seconds=40)
        wait_until(lambda: server.query("sum(llm_sidecar_notifications_total) > 0"), seconds=40)
        wait_until(lambda: server.query("sum(llm_canary_held)"), seconds=40)
        yield server


def filled(expression):
    """`expression` as Grafana sends it, for everything and the last five minutes."""
    return re.sub(r"\$(\w+)", lambda found: VALUES[found[1]], expression)


@pytest.mark.parametrize("name", TARGETS)
def test_expression(server, name):
    target = TARGETS[name]
    expression = filled(target["expr"])
    if target.get("instant"):
        found = [[value] for _, value in server.query(expression)]
    else:
        found = [values for _, values in server.query_range(expression, 60)]
    assert any(math.isfinite(value) for values in found for value in values)
