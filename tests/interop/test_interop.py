"""Real gateways between us and the mirror: what they break is found, blamed on whom it should be, and nothing else is.

LiteLLM's proxy, Portkey's gateway and claude-code-router, as `.ci/peers` prepares them. expected.yml is what is found;
`make interop` shows it, and UPDATE=1 writes it.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from arrows import ARROWS, DIRECT
from findings_table import FindingsTable, differences, objections, read, shown, with_notes, write
from real_gateways import PEERS
from through_gateways import MIRROR_KEY, found_through, litellm_models, router_providers

EXPECTED = Path(__file__).parent / "expected.yml"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    missing = [peer.missing for peer in PEERS.values() if peer.missing]
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI must run the real gateways: {'; '.join(missing)}")
    if missing:
        pytest.skip("; ".join(missing))
    before = read(EXPECTED) if EXPECTED.exists() else FindingsTable({}, {})
    table = with_notes(found_through(tmp_path_factory.mktemp("field"), before), before)
    print("\n" + shown(table, DIRECT))
    if os.environ.get("UPDATE"):
        EXPECTED.write_text(write(table), encoding="utf-8")
    return table


def test_nothing_has_changed(found):
    assert not (rows := differences(read(EXPECTED), found)), "\n".join(
        [f"{len(rows)} rows differ; if it is the gateways that changed: make interop UPDATE=1", *rows]
    )


def test_the_versions_are_those_prepared(found):
    assert read(EXPECTED).versions == found.versions == {name: peer.version for name, peer in PEERS.items()}


def test_every_change_that_a_gateway_makes_is_explained():
    assert not (lines := objections(read(EXPECTED), DIRECT)), "\n".join(lines)


def printed(gateway):
    """What `canaries mirror --print-config` prints to paste."""
    command = [sys.executable, "-m", "llm_canaries", "mirror", "--listen", "127.0.0.1:4711", "--print-config", gateway]
    environ = {**os.environ, "MIRROR_KEY": MIRROR_KEY}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout


def test_the_blocks_that_people_paste_are_the_ones_that_run_here():
    mirror = "http://127.0.0.1:4711"
    (entry,) = yaml.safe_load(printed("litellm"))["model_list"]
    ours = next(each["litellm_params"] for each in litellm_models(mirror) if "healthy" in each["model_name"])
    assert entry["litellm_params"] == ours | {"api_key": "os.environ/MIRROR_KEY"}
    (gateway,) = yaml.safe_load(printed("portkey"))["gateways"].values()
    headers = {name: text.format(mirror=mirror) for name, text in ARROWS["portkey-to-openai"].headers.items()}
    assert gateway["headers"] == headers
    said = "\n".join(line for line in printed("claude-code-router").splitlines() if not line.startswith("//"))
    provider, ours = json.loads(said), next(iter(router_providers(mirror)))
    assert provider["api_base_url"] == ours["api_base_url"] and set(provider) == set(ours)
    assert set(provider["models"]) <= set(ours["models"]) and provider["api_key"] == "$MIRROR_KEY"


def test_nothing_healthy_fails_without_a_gateway():
    at_mirror = {row: text for row, text in read(EXPECTED).findings.items() if row[:2] == (DIRECT, "healthy")}
    assert at_mirror and set(at_mirror.values()) == {"pass"}


def test_what_a_gateway_breaks_of_a_healthy_provider_is_never_blamed_on_the_provider():
    rows = {row: text for row, text in read(EXPECTED).findings.items() if row[1] == "healthy" and row[0] != DIRECT}
    assert {row[0] for row in rows} == set(ARROWS)
    domains = Counter(text.partition("(")[2].rstrip(")") for text in rows.values() if text.startswith("fail"))
    assert domains and set(domains) <= {"translation", "deployment", "routing", "policy"}, domains
