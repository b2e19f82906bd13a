"""Covers service/metrics.py against the vocabulary, found through METRICS_TABLE; by default beside the checkout."""

import os
import re
from pathlib import Path

import pytest

from llm_canaries.service.metrics import CASE, FAMILIES, UNFILLED

BESIDE = Path(__file__).parents[2] / ".." / "shared" / "metrics.md"
TABLE = Path(os.environ.get("METRICS_TABLE") or BESIDE)

# The vocabulary says "exporter conventions": there, build_info carries the version.
OTHER_LABELS = {"llm_sidecar_build_info": ("version",)}

# Beyond the vocabulary: the share of 429s is a matter of a gateway, for one case has too few runs to prove 5 %.
# When a group of rules was last evaluated: what one with a long interval said may be that old. Whether our own network
# is up, so that it is one alert and not one a provider. Requests are capped, and subtracted from a gateway's own count.
BEYOND = {"llm_canary_failure_ratio", "llm_canary_failure_ratio_lower", "llm_canary_failure_ratio_runs",
          "llm_sidecar_rule_group_last_evaluation_timestamp_seconds", "llm_sidecar_network_up",
          "llm_canary_requests_total", "llm_canary_budget_requests_remaining"}  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary():
    """(kind, labels) by family name."""
    if not TABLE.is_file() and not os.environ.get("CI"):
        pytest.skip(f"no vocabulary at {TABLE}: set METRICS_TABLE")
    told, prefix, above = {}, "", ()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"## (llm_\w+_)", line):
            prefix = heading[1]
        if not line.startswith("| ") or line.startswith("| family"):
            continue
        names, kinds, labels = ([part.strip() for part in cell.split(",")] for cell in line.split("|")[1:4])
        above = above if labels == ["same"] else written(labels)
        for index, name in enumerate(names):
            said = kinds[min(index, len(kinds) - 1)].removesuffix(" = 1")
            told[prefix + name] = (said or ("counter" if name.endswith("_total") else "gauge"), above)
    return told


def written(labels):
    words = [word for word in labels if word not in ("–", "")]
    return tuple(each for word in words for each in (CASE if word == "case" else (word,)))


def test_the_vocabulary_is_read_whole(vocabulary):
    assert len(vocabulary) > 90
    assert vocabulary["llm_canary_runs_total"] == ("counter", (*CASE, "outcome"))
    assert vocabulary["llm_gateway_quota_limit"] == vocabulary["llm_gateway_quota_remaining"]
    assert vocabulary["llm_gateway_quota_reset_seconds"] == vocabulary["llm_gateway_quota_exhausted"]
    assert vocabulary["llm_sidecar_runs_shed_total"] == ("counter", ())


def test_every_family_is_either_filled_or_left_out_with_a_reason(vocabulary):
    assert not set(FAMILIES) & set(UNFILLED)
    assert set(FAMILIES) | set(UNFILLED) == set(vocabulary) | BEYOND
    assert not BEYOND & set(vocabulary)
    assert all(len(reason.split()) > 3 for reason in UNFILLED.values())


def test_types_and_labels_agree(vocabulary):
    ours = {name: (family.kind, OTHER_LABELS.get(name, family.labels)) for name, family in FAMILIES.items()}
    theirs = {name: (kind, OTHER_LABELS.get(name, labels)) for name, (kind, labels) in vocabulary.items()}
    known = {name: family for name, family in ours.items() if name not in BEYOND}
    assert known == {name: theirs[name] for name in known}


def test_buckets_agree(vocabulary):
    row = next(line for line in TABLE.read_text(encoding="utf-8").splitlines() if "| duration_seconds " in line)
    bounds = tuple(map(float, row.partition("buckets")[2].strip(" |").split()))
    assert FAMILIES["llm_canary_duration_seconds"].buckets == bounds
    assert FAMILIES["llm_canary_time_to_first_token_seconds"].buckets == (0.05, *bounds)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_family_is_well_formed(family):
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert bool(family.buckets) == (family.kind == "histogram")
    assert list(family.buckets) == sorted(set(family.buckets))
    assert len(set(family.labels)) == len(family.labels)
    assert not {"__name__", "le", "quantile"} & set(family.labels)
    assert family.help.endswith(".")
