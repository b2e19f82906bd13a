"""Debian's Prometheus scrapes a sidecar: it reads the page as it was written, in both formats, and loads the rules."""

import time
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_server import relaying, scraping
from sidecars import serving, wait_until

from llm_canaries.service.metrics import FAMILIES

RULES = sorted((Path(__file__).parents[2] / "rules").glob("*.yml"))
TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
GATEWAYS = """
gateways:
  fine: {kind: embedded, models: [mirror/healthy]}
  faulty: {kind: embedded, models: [mirror/drop-image, mirror/zero-usage]}
"""
FILLED_HERE = {
    "llm_canary_runs_total",
    "llm_canary_failures_total",
    "llm_canary_faults_total",
    "llm_canary_success",
    "llm_canary_error_ratio_lower",
    "llm_canary_threshold",
    "llm_canary_duration_seconds",
    "llm_canary_tokens_total",
    "llm_gateway_up",
    "llm_gateway_breaker_state",
    "llm_gateway_quota_remaining",
    "llm_sidecar_active",
    "llm_sidecar_schedule_lag_seconds",
    "llm_sidecar_window_series",
}
# what may change and change back between two pages: runs under way, and a reset that only one dialect's answers tell
FLICKERS = {
    "llm_sidecar_runs_in_flight",
    "llm_gateway_quota_reset_seconds",
    "llm_gateway_quota_reset_timestamp_seconds",
    "process_open_fds",  # the scrape's own connection is one of them
    "process_virtual_memory_bytes",  # a run between two pages takes memory and gives it back
    "process_resident_memory_bytes",
}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """The sidecar, the relays by job, and the server, once every case has run and was scraped."""
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        serving(folder, GATEWAYS) as sidecar,
        relaying(sidecar.url) as asked,
        relaying(sidecar.url, TEXT) as text,
        scraping(folder, {"openmetrics": asked.url, "text": text.url}, RULES) as server,
    ):
        wait_until(lambda: all(case["verdict"] for case in sidecar.cases()))
        wait_until(lambda: min(len(asked.seen), len(text.seen)) > 2)
        yield sidecar, {"openmetrics": asked, "text": text}, server


def page(sidecar, accept, read):
    """Value by (name, labels) of the page; an empty label is none to Prometheus."""
    status, body = sidecar.get("/metrics", Accept=accept)
    assert status == 200
    samples = [sample for family in read(body) for sample in family.samples]
    return {
        (each.name, frozenset((name, label) for name, label in each.labels.items() if label)): each.value
        for each in samples
    }


def stored(server, job):
    """Value by (name, labels) of what Prometheus has of us now, without the labels of the scrape."""
    found = {}
    for labels, value in server.query(f'{{job="{job}", __name__=~"llm_.+|process_.+|python_.+"}}'):
        rest = {name: each for name, each in labels.items() if name not in ("__name__", "job", "instance")}
        found[labels["__name__"], frozenset(rest.items())] = value
    return found


def family_of(name):
    base = name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
    return base if base in FAMILIES and FAMILIES[base].kind == "histogram" else name


@pytest.mark.parametrize("job", ["openmetrics", "text"])
def test_is_up_without_an_error(scraped, job):
    _, _, server = scraped
    target = server.targets()[job]
    assert target["lastError"] == ""
    assert target["health"] == "up"
    assert [value for _, value in server.query(f'min_over_time(up{{job="{job}"}}[1m])')] == [1.0]
    assert server.query(f'scrape_samples_scraped{{job="{job}"}}')[0][1] > 1000


def test_openmetrics_is_what_it_asks_for_and_gets(scraped):
    _, relays, _ = scraped
    accept, kind = relays["openmetrics"].seen[-1]
    assert accept.startswith("application/openmetrics-text")
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert {kind for _, kind in relays["text"].seen} == {"text/plain; version=0.0.4; charset=utf-8"}


@pytest.mark.parametrize(
    ("job", "accept", "read"), [("openmetrics", OPENMETRICS, read_openmetrics), ("text", TEXT, read_text)]
)
def test_every_sample_is_read_back_as_the_page_has_it(scraped, job, accept, read):
    sidecar, _, server = scraped
    before = page(sidecar, accept, read)
    time.sleep(2.5)  # two scrapes at least
    have = stored(server, job)
    after = page(sidecar, accept, read)
    still = {key for key in before.keys() & after.keys() if before[key] == after[key] and key[0] not in FLICKERS}
    shown = {key for key in before.keys() | after.keys() | have.keys() if key[0] not in FLICKERS}
    assert {key: have.get(key) for key in still} == {key: before[key] for key in still}
    assert len(still) > 0.9 * len(after), "nearly everything stands still between two runs"
    assert before.keys() & after.keys() & shown <= have.keys(), "nothing is lost"
    assert have.keys() & shown <= before.keys() | after.keys(), "nothing is invented"
    families = {family_of(name) for name, _ in have if name.startswith("llm_")}
    assert families <= FAMILIES.keys()
    assert families >= FILLED_HERE


def test_both_formats_are_the_same_series(scraped):
    _, _, server = scraped
    wait_until(lambda: stored(server, "text").keys() == stored(server, "openmetrics").keys(), seconds=5)


@pytest.mark.parametrize("job", ["openmetrics", "text"])
def test_types_and_help_are_understood(scraped, job):
    _, _, server = scraped
    told = {each["metric"]: each for each in server.api("targets/metadata", match_target=f'{{job="{job}"}}')}
    ours = {name: each for name, each in told.items() if name.startswith("llm_")}
    assert len(ours) > 40
    for name, each in ours.items():
        family = FAMILIES.get(name) or FAMILIES[f"{name}_total"]  # OpenMetrics names a counter without its suffix
        assert (each["type"], each["help"]) == (family.kind, family.help)


@pytest.mark.skipif(not RULES, reason="rules/ holds no pack")
def test_the_rules_load_and_evaluate(scraped):
    _, _, server = scraped
    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules_of(server)))
    assert {group["file"] for group in server.api("rules")["groups"]} == {str(path) for path in RULES}
    assert {rule["name"]: rule.get("lastError", "") for rule in rules_of(server) if rule["health"] != "ok"} == {}


def rules_of(server):
    return [rule for group in server.api("rules")["groups"] for rule in group["rules"]]
