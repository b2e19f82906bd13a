"""The board as a page: our own fast text format 0.0.4, and OpenMetrics through prometheus_client."""

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from llm_canaries.service.board import Board
from llm_canaries.service.metrics import FAMILIES, Family

Renderer = Callable[[Board], bytes]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def render(board: Board) -> bytes:
    """The page in the text format; a family without a present series does not appear at all."""
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
            page.append(_head(family))
            page.extend(lines)
    own = "\n".join([*page, ""]) if page else ""
    return own.encode() + generate_latest(_process())


def render_openmetrics(board: Board) -> bytes:
    """The page in OpenMetrics 1.0."""
    return bytes(openmetrics.generate_latest(_Everything(board)))  # type: ignore[no-untyped-call]


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


class _Everything(Collector):
    """The present series of a board, then this process."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """Each family that has a present series."""
        names, values, shown = self._board.names(), self._board.values.tolist(), self._board.present().tolist()
        for family in FAMILIES.values():
            rows = [row for row in self._board.rows(family.name) if shown[row]]
            if rows:
                metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
                for row in rows:
                    labels = dict(names[row])
                    metric.add_sample(labels.pop("__name__"), labels, values[row])
                yield metric
        yield from _process().collect()


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


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
