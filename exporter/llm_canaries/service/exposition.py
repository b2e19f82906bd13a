"""The board as a page: the text format 0.0.4 and OpenMetrics, both from pre-rendered prefixes."""

import math
from collections.abc import Callable, Iterator
from functools import cache

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from llm_canaries.service.board import Board
from llm_canaries.service.metrics import FAMILIES, Family

Renderer = Callable[[Board], Iterator[bytes]]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


SLICE = 50  # lines between two turns of the event loop: 0.3 ms, the most that a scrape delays a probe's clock


def render(board: Board) -> bytes:
    """The page in the text format; a family without a present series does not appear at all."""
    return b"".join(text_slices(board))


def render_openmetrics(board: Board) -> bytes:
    """The page in OpenMetrics 1.0."""
    return b"".join(openmetrics_slices(board))


def text_slices(board: Board) -> Iterator[bytes]:
    """`render` in pieces of about SLICE lines, all of one moment."""
    yield from _slices(board, _head)
    yield generate_latest(_process())


def openmetrics_slices(board: Board) -> Iterator[bytes]:
    """`render_openmetrics` in pieces: the same lines under heads that name a counter without `_total`, and an end.

    prometheus_client would take 0.2 s for 10,000 series, and every probe would wait for it; its strict parser checks
    this page instead.
    """
    yield from _slices(board, _openmetrics_head)
    yield bytes(openmetrics.generate_latest(_process()))  # type: ignore[no-untyped-call]


def _slices(board: Board, head: Callable[[Family], str]) -> Iterator[bytes]:
    values, prefixes, present = board.values.copy(), list(board.prefixes()), board.present()
    rows = {name: list(board.rows(name)) for name in FAMILIES}
    page: list[str] = []
    for family in FAMILIES.values():
        own = rows[family.name]
        shown = [row for row in own if present[row]] if not present[own].all() else own
        for start in range(0, len(shown), SLICE):
            part = shown[start : start + SLICE]
            if start == 0:
                page.append(head(family))
            page += [prefixes[row] + _number(value) for row, value in zip(part, values[part].tolist(), strict=True)]
            if len(page) >= SLICE:
                yield "\n".join([*page, ""]).encode()
                page = []
    if page:
        yield "\n".join([*page, ""]).encode()


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else _special(value)


def negotiate(accept: str | None) -> tuple[Renderer, str]:
    """The slices and the content type for an Accept header: OpenMetrics 1 where preferred to text, else text."""
    offers = [_offer(each) for each in (accept or "").split(",")]
    best = max((q for kind, version, q in offers if kind == _OPENMETRICS and version in ("", "1.0.0")), default=0.0)
    plain = max((q for kind, _, q in offers if kind == "text/plain"), default=0.0)
    return (openmetrics_slices, OPENMETRICS) if best > plain else (text_slices, TEXT)


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
