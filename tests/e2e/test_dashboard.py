"""The dashboard is whole, and Debian's Prometheus answers every expression of it with data."""

import json
import math
import re
from itertools import combinations
from pathlib import Path

import pytest
from prometheus_server import scraping
from sidecars import mirroring, serving, wait_until

from llm_canaries.content import content
from llm_canaries.service.metrics import FAMILIES

DASHBOARD = json.loads((Path(__file__).parents[2] / "grafana" / "canaries.json").read_text(encoding="utf-8"))
PANELS = [each for panel in DASHBOARD["panels"] for each in (panel, *panel.get("panels", ()))]
DRAWN = {panel["title"]: panel for panel in PANELS if panel["type"] != "row"}
TARGETS = {f"{title}/{each['refId']}": each for title, panel in DRAWN.items() for each in panel["targets"]}
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
QUERIED = sorted(name for name, each in VARIABLES.items() if each["type"] == "query")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF_A_SCRAPE = {"job", "instance", "le"}
OF_ANY_PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}

# what Grafana puts in their place: everything, and the last five minutes
EVERYTHING = {"gateway": ".*", "canary": ".*", "model_id": ".*", "window": "recent"}
EVERYTHING |= {"__rate_interval": "1m", "__range": "5m"}

MAY_BE_EMPTY = {"Series in the rules' window/C": "series are folded away only beyond 50,000"}

# every kind of trouble that a panel shows: wrong answers, an open breaker, a hold, a receiver that is down, a price
GATEWAYS = """
gateways:
  fine: {kind: embedded, models: [mirror/healthy]}
  faulty: {kind: embedded, models: [mirror/drop-image, mirror/zero-usage, mirror/ignore-thinking]}
  broken: {kind: embedded, models: [mirror/server-error]}
  limited: {kind: openai-compatible, url: 'MIRROR', models: [mirror/rate-limited]}
  paid:
    kind: embedded
    models: [gpt-4o-mini]
    providers: {openai: {url: 'MIRROR', aliases: {gpt-4o-mini: mirror/healthy}}}
receivers: {nobody: {url: 'json://127.0.0.1:1/', timeout: 1s}}
canaries:
  - {use: known-good, every: 10s, thresholds: {p95_seconds: {warning: 20s}}}
  - {use: thinking, every: 10s}
  - {use: eligibility}
  - {use: tool-result-image, every: 10s}
  - {use: usage-parity, every: 10s}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The sidecar, and the Prometheus that scrapes it, once the first alert fires."""
    folder = tmp_path_factory.mktemp("dashboard")
    with (
        mirroring(folder) as mirror,
        serving(folder, GATEWAYS.replace("MIRROR", mirror)) as sidecar,
        scraping(folder, {"canaries": sidecar.url}) as server,
    ):
        wait_until(lambda: server.query('sum(llm_sidecar_alerts{state="firing"}) > 0'), seconds=40)
        yield sidecar, server


def filled(expression, **chosen):
    return re.sub(r"\$(\w+)", lambda found: (EVERYTHING | chosen)[found[1]], expression)


def finite(server, target):
    """The numbers that a target shows."""
    expression = filled(target["expr"])
    if target.get("instant"):
        values = [value for _, value in server.query(expression)]
    else:
        values = [value for _, values in server.query_range(expression, 60) for value in values]
    return [value for value in values if math.isfinite(value)]


@pytest.mark.parametrize("name", TARGETS)
def test_every_expression_has_data(running, name):
    _, server = running
    if name in MAY_BE_EMPTY:
        finite(server, TARGETS[name])  # accepted, and that is all there is to ask
    else:
        wait_until(lambda: finite(server, TARGETS[name]), seconds=30, every=0.5)


def test_what_may_be_empty_is_on_the_dashboard():
    assert MAY_BE_EMPTY.keys() <= TARGETS.keys()


@pytest.mark.parametrize("name", QUERIED)
def test_a_variable_finds_its_values(running, name):
    sidecar, server = running
    query = VARIABLES[name]["query"]["query"]
    selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
    found = server.api(f"label/{label}/values", **{"match[]": filled(selector)})
    key = {"model_id": "model"}.get(label, label)
    assert found == sorted({case[key] for case in sidecar.cases()})


def test_failing_cases_are_counted_as_the_sidecar_counts_them(running):
    sidecar, server = running
    expression = DRAWN["Failing cases"]["targets"][0]["expr"]

    def agrees():
        fails = sum(case["verdict"] == "fail" for case in sidecar.cases())
        return fails > 10 and server.query(filled(expression)) == [({}, fails)]

    wait_until(agrees)
    assert server.query(filled(expression, gateway="fine")) == [({}, 0)]
    assert server.query(filled(expression, gateway="fine|faulty", canary="usage-parity")) == [({}, 4)]
    assert server.query(filled(expression, model_id="mirror/zero-usage", canary="known-good")) == [({}, 0)]


def test_is_shipped():
    assert json.loads(content("grafana")["canaries.json"]) == DASHBOARD


def test_belongs_to_no_grafana_in_particular():
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["id"] is None
    assert "__inputs" not in DASHBOARD
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert VARIABLES["datasource"]["query"] == "prometheus"
    assert all("datasource" in each for each in (*DRAWN.values(), *TARGETS.values(), *map(VARIABLES.get, QUERIED)))
    assert [each for each in mappings(DASHBOARD) if each.get("datasource", SOURCE) != SOURCE] == []


def mappings(value):
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(each)


def test_panels_are_of_current_types_and_have_ids_titles_descriptions_and_units():
    assert {panel["type"] for panel in DRAWN.values()} == {"stat", "state-timeline", "table", "timeseries"}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len(DRAWN) == sum(panel["type"] != "row" for panel in PANELS), "titles are unique"
    for title, panel in DRAWN.items():
        assert panel["description"].endswith("."), title
        assert panel["fieldConfig"]["defaults"]["unit"], title


def test_panels_do_not_overlap():
    groups = [DASHBOARD["panels"], *(panel["panels"] for panel in DASHBOARD["panels"] if panel.get("panels"))]
    for one, other in (pair for group in groups for pair in combinations(group, 2)):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (one["title"], other["title"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def test_rows_are_in_order_and_hold_what_is_collapsed():
    heights = [panel["gridPos"]["y"] for panel in DASHBOARD["panels"]]
    assert heights == sorted(heights)
    rows = [panel for panel in PANELS if panel["type"] == "row"]
    assert all(bool(row["panels"]) == row["collapsed"] for row in rows)
    assert len({row["title"] for row in rows}) == len(rows) > 5


@pytest.mark.parametrize("name", TARGETS)
def test_families_and_labels_exist(name):
    expression, legend = TARGETS[name]["expr"], TARGETS[name].get("legendFormat", "")
    families = {base(found): found for found in re.findall(r"\b(?:llm|process)_\w+", expression)}
    assert families
    assert families.keys() <= FAMILIES.keys() | OF_ANY_PROCESS
    known = {label for family in families if family in FAMILIES for label in FAMILIES[family].labels} | OF_A_SCRAPE
    for family, selector in re.findall(r"\b(llm_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*(?:=|!)", selector)) <= {*FAMILIES[base(family)].labels, "le"}
    kept = {each.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for each in group.split(",")}
    assert kept <= known
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= kept


def base(name):
    """The family that a sample is of."""
    shorter = re.sub("_(bucket|sum|count)$", "", name)
    return shorter if shorter in FAMILIES and FAMILIES[shorter].kind == "histogram" else name


@pytest.mark.parametrize("name", TARGETS)
def test_a_slow_counter_is_never_counted_over_a_short_time(name):
    """A canary moves its counters once in minutes: only a total over the whole range is one (DESIGN 5.3)."""
    target = TARGETS[name]
    for function, family, over in re.findall(r"\b(i?rate|increase|i?delta)\((\w+)[^\[]*\[([^\]]+)\]", target["expr"]):
        if function == "increase":
            assert (over, target.get("instant")) == ("$__range", True)
        else:
            assert function == "rate"
            assert (family.endswith("_bucket") and over == "1h") or family in OF_ANY_PROCESS
