"""What there is for rules to select: the families of the table, and the series of a scraped page."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from llm_canaries.rules.reach import UNKNOWN, World
from llm_canaries.rules.shapes import MAYBE, SOME, Row
from llm_canaries.rules.vector import NAME
from llm_canaries.service.metrics import FAMILIES, Family

_SCRAPED = {"job": MAYBE, "instance": MAYBE}
Page = list[tuple[dict[str, str], float]]


def our_world() -> World:
    """Every family that may be filled, with its labels; metrics of others are not known."""
    series: dict[str, list[Row]] = {}
    for family in FAMILIES.values():
        for name, more in _lines(family):
            series.setdefault(name, []).append({**_labels(family), **more, NAME: name})
    return World(series)


def page_world(pages: Mapping[str, str]) -> World:
    """Our families, and the series of pages beside which there is nothing; a family without samples may get some.

    Raises ValueError for a page that is not in the text format.
    """
    found: dict[str, list[Row]] = {}
    announced: set[str] = set()
    for text in pages.values():
        for family in text_string_to_metric_families(text):
            announced |= {family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "sum", "count"))}
            for sample in family.samples:
                found.setdefault(sample.name, []).append({**sample.labels, **_SCRAPED, NAME: sample.name})
    silent = {name: UNKNOWN for name in announced if name not in found}
    return World({**our_world().series, **silent, **found}, closed=True)


def page_series(text: str) -> Page:
    """The samples of a page. Raises ValueError where it is none."""
    return [
        ({NAME: sample.name, **sample.labels}, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def family_labels() -> dict[str, tuple[str, ...]]:
    """The labels of each family."""
    return {name: family.labels for name, family in FAMILIES.items()}


def histograms() -> frozenset[str]:
    """The families that are histograms."""
    return frozenset(name for name, family in FAMILIES.items() if family.kind == "histogram")


def _labels(family: Family) -> dict[str, str]:
    labels = dict.fromkeys(family.labels, SOME) | _SCRAPED
    if family.name.startswith("llm_gateway_") and "model_id" in labels:
        labels["model_id"] = MAYBE  # a breaker or a quota is of one model or of all
    return labels


def _lines(family: Family) -> list[tuple[str, dict[str, str]]]:
    if family.kind != "histogram":
        return [(family.name, {})]
    bounds = [f"{bound:g}" for bound in family.buckets]
    buckets = [(f"{family.name}_bucket", {"le": bound}) for bound in (*bounds, "+Inf")]
    return [*buckets, (f"{family.name}_sum", {}), (f"{family.name}_count", {})]
