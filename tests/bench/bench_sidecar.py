"""Measures the sidecar's page of metrics and the sampling of its board; every ratio is of times taken in one run."""

import gc
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from llm_canaries.rules.window import Window, slots_needed
from llm_canaries.service.board import Board
from llm_canaries.service.exposition import render
from llm_canaries.service.metrics import CASE, FAMILIES

SERIES = 10_000
TICK = 15.0
ROUNDS = 15
Row = dict[str, Any]


def scrape() -> list[Row]:
    """`sidecar.scrape`: a page of 10,000 series against prometheus_client's own page of the same series."""
    board, registry = Board(), CollectorRegistry()
    fill(board, registry)
    ours, theirs = read_back(render(board)), read_back(generate_latest(registry))
    if ours != theirs or len(ours) != SERIES:
        raise SystemExit(f"the pages differ: {len(ours)} and {len(theirs)} series, {len(ours ^ theirs)} not the same")
    fast, slow = timed(lambda: render(board), lambda: generate_latest(registry))
    ratio = fast / slow
    return [
        {"name": "sidecar.scrape", "value": ratio, "unit": "ratio", "floor": 0.2, "holds": ratio <= 0.2},
        {"name": "sidecar.scrape.seconds", "value": fast, "unit": "s", "floor": None, "holds": True},
        {"name": "sidecar.scrape.generate_latest_seconds", "value": slow, "unit": "s", "floor": None, "holds": True},
    ]


def sample() -> list[Row]:
    """`sidecar.sample`: one tick's 10,000 values into the window, every slot of which is in use."""
    board, window, tick = Board(), Window(slots_needed(TICK)), itertools.count(1)
    fill(board, CollectorRegistry())
    window.align(board.names())
    appends = 10 * slots_needed(TICK)

    def fill_window() -> None:
        for _ in range(appends):
            window.append(TICK * next(tick), board.values)

    fill_window()
    if window.samples != SERIES * slots_needed(TICK):
        raise SystemExit(f"the window holds {window.samples} samples")
    seconds = timed(fill_window)[0] / appends
    return [{"name": "sidecar.sample", "value": seconds, "unit": "s", "floor": 0.001, "holds": seconds <= 0.001}]


def fill(board: Board, registry: CollectorRegistry) -> None:
    """The same 10,000 series on both: gauges and histograms of made-up cases, as a busy sidecar has them."""
    kinds = {
        name: (Gauge(name, family.help, CASE, registry=registry) if family.kind == "gauge"
               else Histogram(name, family.help, CASE, registry=registry, buckets=family.buckets))
        for name, family in FAMILIES.items()
        if family.labels == CASE and family.kind in ("gauge", "histogram")
    }  # fmt: skip
    for (name, labels), number in zip(series(list(kinds)), itertools.count(1)):
        value = number / 7
        if isinstance(kind := kinds[name], Gauge):
            board.set_named(name, value, **labels)
            kind.labels(**labels).set(value)
        else:
            board.histogram(name, **labels).observe(value)
            kind.labels(**labels).observe(value)


def series(names: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every family for case after case, ending in gauges so that the lines are 10,000 exactly."""
    left = SERIES
    for number in itertools.count():
        labels = {
            "canary": f"canary-{number % 20}",
            "scenario": "tool-result-image",
            "gateway": f"home-{number // 20}",
            "model_id": f"some-model-{number % 7}.5-codex",
            "client_protocol": "anthropic_messages",
            "stream": "true" if number % 2 else "false",
        }
        for name in names:
            width = len(FAMILIES[name].buckets) + 3 if FAMILIES[name].buckets else 1
            if width <= left:
                left -= width
                yield name, labels
            if not left:
                return


def read_back(page: bytes) -> set[tuple[str, str, float]]:
    """The series of a page that are ours, whatever the order of their labels."""
    found = set()
    for line in page.decode().split("\n"):
        if line.startswith("llm_") and "_created{" not in line:
            name, _, rest = line.partition("{")
            labels, _, value = rest.rpartition("} ")
            found.add((name, ",".join(sorted(labels.split(","))), float(value)))
    return found


def timed(*calls: Callable[[], object]) -> list[float]:
    """The median seconds of CPU of each call, taken in turns so that a busy machine is busy for all."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            gc.collect()
            before = time.process_time()
            call()
            times.append(time.process_time() - before)
    return [statistics.median(times) for times in taken]


BENCHES: dict[str, Callable[[], list[Row]]] = {"sidecar.scrape": scrape, "sidecar.sample": sample}


def main(wanted: list[str], benches: dict[str, Callable[[], list[Row]]] | None = None) -> int:
    """Runs the benches named, or all; writes build/bench/<name>.json and returns 1 where a floor does not hold."""
    folder = Path(os.environ.get("BENCH_DIR") or Path(__file__).parents[2] / "build" / "bench")
    folder.mkdir(parents=True, exist_ok=True)
    held = True
    table = BENCHES if benches is None else benches
    for name in wanted or table:
        rows = table[name]()
        (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n")
        for row in rows:
            print(f"{row['name']}: {row['value']:.4g} {row['unit']}" + ("" if row["holds"] else "  DOES NOT HOLD"))
            held = held and row["holds"]
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
