"""One run of faults, two engines: Debian's Prometheus and the sidecar fire the same alerts from the same packs."""

import json
import time
from pathlib import Path

from prometheus_server import scraping
from sidecars import serving, wait_until

from llm_canaries.rules.packs import needs_of

FOLDER = Path(__file__).parents[2] / "rules"
RULES = sorted(path for path in FOLDER.glob("*.yml") if not needs_of(path.read_text(encoding="utf-8")))
CASES = [
    ("known-good", "good", "mirror/wrong-answer"),
    ("known-good", "fine", "mirror/healthy"),
    ("tool-result-image", "image", "mirror/drop-image"),
    ("usage-parity", "parity", "mirror/zero-usage"),
    ("tool-round-trip", "trips", "mirror/drop-arguments"),
    ("thinking", "thinks", "mirror/ignore-thinking"),
]
EXPECTED = {"KnownGoodFailing", "ToolResultImageFailing", "UsageParityFailing", "CanaryFailing", "ThinkingFailing"}


def config():
    models = ", ".join(sorted({model for _, _, model in CASES}))
    lines = [f"gateways: {{it: {{kind: embedded, models: [{models}]}}}}", "canaries:"]
    for scenario, name, model in CASES:
        stream = "both" if scenario == "usage-parity" else "[false]"
        lines.append(
            f"  - {{scenario: {scenario}, name: {name}, every: 10s, models: [{model}], severity: critical, "
            f"dialects: [openai_chat], stream: {stream}, "
            "thresholds: {error_ratio: {warning: 2%, critical: 5%}}}"
        )
    return "\n".join(lines)


def firing_here(served):
    alerts = json.loads(served.get("/api/v1/alerts")[1])["alerts"]
    return {frozenset(alert["labels"].items()) for alert in alerts if alert["state"] == "firing"}


def firing_there(prometheus):
    alerts = prometheus.api("alerts")["alerts"]
    return {
        frozenset((name, value) for name, value in alert["labels"].items() if name not in ("job", "instance"))
        for alert in alerts
        if alert["state"] == "firing"
    }


def test_both_engines_fire_the_same_alerts(tmp_path):
    with serving(tmp_path, config()) as served, scraping(tmp_path, {"canaries": served.url}, RULES) as prometheus:

        def agreed():
            here, there = firing_here(served), firing_there(prometheus)
            names = {dict(labels)["alertname"] for labels in here}
            critical = {dict(labels)["alertname"] for labels in here if dict(labels)["severity"] == "critical"}
            return here if here == there and names >= EXPECTED and critical >= EXPECTED else None

        found = wait_until(agreed, seconds=100, every=0.5)
        canaries = {name for _, name, _ in CASES if name != "fine"}
        assert {dict(labels).get("canary") for labels in found} <= {None, *canaries}
        assert "Watchdog" in {dict(labels)["alertname"] for labels in found}
        time.sleep(16)  # one more evaluation on either side: they still agree
        assert wait_until(agreed, seconds=20, every=0.5)
