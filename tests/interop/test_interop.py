"""Real gateways between us and the mirror: what they break is found, blamed on whom it should be, and nothing else is.

LiteLLM's proxy, Portkey's gateway and claude-code-router, as `.ci/peers` prepares them. expected.yml is what is found;
`make interop` shows it, and UPDATE=1 writes it.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from arrows import ARROWS, DIRECT, found_through
from findings_table import differences, objections, read, shown, with_notes, write
from real_gateways import PEERS

EXPECTED = Path(__file__).parent / "expected.yml"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    missing = [peer.missing for peer in PEERS.values() if peer.missing]
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI must run the real gateways: {'; '.join(missing)}")
    if missing:
        pytest.skip("; ".join(missing))
    table = found_through(tmp_path_factory.mktemp("field"))
    table = with_notes(table, read(EXPECTED)) if EXPECTED.exists() else table
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


def test_nothing_healthy_fails_without_a_gateway():
    at_mirror = {row: text for row, text in read(EXPECTED).findings.items() if row[:2] == (DIRECT, "healthy")}
    assert at_mirror and set(at_mirror.values()) == {"pass"}


def test_what_a_gateway_breaks_of_a_healthy_provider_is_never_blamed_on_the_provider():
    rows = {row: text for row, text in read(EXPECTED).findings.items() if row[1] == "healthy" and row[0] != DIRECT}
    assert {row[0] for row in rows} == set(ARROWS)
    domains = Counter(text.partition("(")[2].rstrip(")") for text in rows.values() if text.startswith("fail"))
    assert domains and set(domains) <= {"translation", "deployment", "routing", "policy"}, domains
