"""The board as a page: the text format 0.0.4 and OpenMetrics, both from pre-rendered prefixes."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from llm_canaries.service.board import Board
from llm_canaries.service.metrics import FAMILIES, Family

Renderer = Callable[[Board], bytes]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def render(board: Board) -> bytes:
    """The page in the text format; a family without a present series does not appear at all."""
    return _page(board, _head) + generate_latest(_process())


def render_openmetrics(board: Board) -> bytes:
    """The page in OpenMetrics 1.0: the same lines under heads that name a counter without `_total`, and an end.

    prometheus_client would take 0.2 s for 10,000 series, and every probe would wait for it; its strict parser checks
    this page instead.
    """
    own = bytes(openmetrics.generate_latest(_process()))  # type: ignore[no-untyped-call]
    return _page(board, _openmetrics_head) + own


def _page(board: Board, head: Callable[[Family], str]) -> bytes:
    values, prefixes = board.values, board.prefixes()
    texts = list(map(repr, values.tolist()))
    present = board.present()
    for row in np.flatnonzero(present & ~np.isfinite(values)).tolist():
        texts[row] = _special(float(values[row]))
    shown = present.tolist()
    page: list[str] = []
    for family in FAMILIES.values():
        lines = [prefixes[row] + texts[row] for row in board.rows(family.name) if shown[row]]
        if lines:
            page.append(head(family))
            page.extend(lines)
    return ("\n".join([*page, ""]) if page else "").encode()


def negotiate(accept: str | None) -> tuple[Renderer, str]:
    """The renderer and its content type for an Accept header: OpenMetrics 1 where preferred to text, else text."""
    offers = [_offer(each) for each in (accept or "").split(",")]
    best = max((q for kind, version, q in offers if kind == _OPENMETRICS and version in ("", "1.0.0")), default=0.0)
    plain = max((q for kind, _, q in offers if kind == "text/plain"), default=0.0)
    return (render_openmetrics, OPENMETRICS) if best > plain else (render, TEXT)


_OPENMETRICS = "application/openmetrics-text"


def _offer(text: str) -> tuple[str, str, float]:
    """The media type, its version and its weight; a weight that is none counts as 0."""
    kind, *rest = (part.strip() for part in text.split(";"))
    said = {name.strip().lower(): value.strip().strip('"') for name, _, value in (each.partition("=") for each in rest)}
    try:
        weight = float(said.get("q", "1"))
    except ValueError:
        weight = 0.0
    return kind.lower(), said.get("version", ""), weight if 0 <= weight <= 1 else 0.0


@cache
def _process() -> CollectorRegistry:
    """What prometheus_client tells of any process: process_* and python_info."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def _head(family: Family) -> str:
    told = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {told}\n# TYPE {family.name} {family.kind}"


def _openmetrics_head(family: Family) -> str:
    told = family.help.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    name = family.name.removesuffix("_total")
    return f"# HELP {name} {told}\n# TYPE {name} {family.kind}"


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
