"""The same rules over the same 10,000 series in a real Prometheus 3 and here, by turns; what is told are ratios."""

import gc
import json
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from prometheus3 import Server, running
from sidecars import wait_until

from llm_canaries.rules.evaluate import RuleState, evaluate
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.load import load
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import parse
from llm_canaries.rules.window import Window, slots_needed

Row = dict[str, Any]
PROVIDERS, INSTANCES, CODES = 50, 100, ("200", "429")
TICK = 15.0
RANGE = 600.0
SPAN, FUTURE = 1200.0, 540.0
"""There are samples of `SPAN` seconds, `FUTURE` of them ahead: Prometheus evaluates at its own clock, so they must last
as long as the measurements take; more than 10 minutes ahead it takes none."""
ROUNDS = 3
WIDE = 'sum by (p) (rate(x{{code="429"}}[{range}])) / sum by (p) (rate(x[{range}])) > {threshold}'
FLOORS = {"rules.wide_shared": 0.01, "rules.wide_distinct": 0.5, "rules.narrow": 3.0, "rules.query_cold": 0.5}


class Data:
    """Counters of 50 providers, 100 instances, 2 codes, a sample every 15 s; the newest at `last`."""

    def __init__(self, last: float = 1_700_000_000.0) -> None:
        self.labels = [
            {"__name__": "x", "p": f"p{p}", "i": f"i{i}", "code": code}
            for p in range(PROVIDERS)
            for i in range(INSTANCES)
            for code in CODES
        ]
        rows = int(SPAN / TICK)
        steps = np.random.default_rng(5).integers(0, 9, (rows, len(self.labels)))
        self.values = np.cumsum(steps, axis=0).astype(np.float64)
        self.times = [last - TICK * (rows - 1 - row) for row in range(rows)]
        self.last = last
        self.window = self.filled()

    def filled(self) -> Window:
        """A window that nothing was asked of yet."""
        window = Window(slots_needed(TICK, RANGE + TICK))
        window.align(self.labels)
        for at, row in zip(self.times, self.values, strict=True):
            window.append(at, row)
        return window

    def write(self, server: Server, *, ahead: float) -> None:
        """Gives a server the samples, so that the last of them is so far ahead."""
        move = time.time() + ahead - self.last
        chunk = 4
        for low in range(0, len(self.times), chunk):
            times = [round(1000 * (at + move)) for at in self.times[low : low + chunk]]
            bits = self.values[low : low + chunk].view(np.uint64).T.tolist()
            samples = [list(zip(times, row, strict=True)) for row in bits]
            server.write(list(zip(self.labels, samples, strict=True)))


def beside() -> list[Row]:
    """The four ratios, with what they are made of."""
    data, folder, shared = Data(), Path(tempfile.mkdtemp(prefix="rules-bench-")), wide_shared()
    try:
        with running(folder) as server:
            data.write(server, ahead=FUTURE)
            return [
                *compared("rules.narrow", group_here(data, narrow()), group_there(server, folder, narrow())),
                *compared("rules.query_cold", query_here(data), query_there(server)),
                *compared("rules.wide_distinct", apart_here(data), group_there(server, folder, wide_distinct())),
                *compared("rules.wide_shared", group_here(data, shared), group_there(server, folder, shared), 1),
            ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compared(name: str, here: Callable[[], float], there: Callable[[], float], rounds: int = ROUNDS) -> list[Row]:
    """Medians by turns: ours, theirs, ours."""
    ours, theirs = [here()], []
    for _ in range(rounds):
        theirs.append(there())
        ours += [here() for _ in range(3)]
    own, other = statistics.median(ours), statistics.median(theirs)
    ratio = own / other
    return [
        {"name": name, "value": ratio, "unit": "ratio", "floor": FLOORS[name], "holds": ratio <= FLOORS[name]},
        {"name": f"{name}.seconds", "value": own, "unit": "s", "floor": None, "holds": True},
        {"name": f"{name}.prometheus_seconds", "value": other, "unit": "s", "floor": None, "holds": True},
    ]


def group_here(data: Data, text: str) -> Callable[[], float]:
    """One evaluation of the group at the next tick."""
    (group,) = load({"rules.yml": text})
    window, at, states = data.filled(), data.last, ()

    def measure() -> float:
        nonlocal at, states
        at += TICK
        window.append(at, data.values[-1] + at - data.last)
        return timed(lambda: remember(evaluate(group, window, at, states)))

    def remember(found: Any) -> None:
        nonlocal states
        if found.problems:
            raise SystemExit(f"a rule fails: {found.problems[0]}")
        states = found.states

    return measure


def apart_here(data: Data) -> Callable[[], float]:
    """The wide rules that differ, each in a moment of its own: nothing is shared."""
    (group,) = load({"rules.yml": wide_distinct()})
    window, at = data.filled(), data.last
    alone = [RuleGroup(file="", name="", interval=None, limit=0, rules=(rule,)) for rule in group.rules]
    states: list[tuple[RuleState, ...]] = [()] * len(alone)

    def measure() -> float:
        nonlocal at
        at += TICK
        window.append(at, data.values[-1] + at - data.last)
        return timed(evaluate_all)

    def evaluate_all() -> None:
        for number, each in enumerate(alone):
            states[number] = evaluate(each, window, at, states[number]).states

    return measure


def query_here(data: Data) -> Callable[[], float]:
    """One wide query of a window that was asked nothing before, text and all."""
    text = WIDE.format(range="10m", threshold=0.05)

    def measure() -> float:
        window = data.filled()
        return timed(lambda: Tick(window, data.last).vector(parse(text)))

    return measure


def group_there(server: Server, folder: Path, text: str) -> Callable[[], float]:
    """One evaluation by Prometheus' rule manager, loaded for it and taken away again."""

    def measure() -> float:
        rules = folder / "rules.yml"
        rules.write_text(text)
        reload(server, folder, [str(rules)])
        found = wait_until(lambda: evaluated(server), 300.0, 0.2)
        reload(server, folder, [])
        return float(found)

    return measure


def query_there(server: Server) -> Callable[[], float]:
    """What Prometheus says of its own time for one wide query; the network and the text of the answer are not in it."""
    text = WIDE.format(range="10m", threshold=0.05)

    def measure() -> float:
        form = urllib.parse.urlencode({"query": text, "stats": "all"}).encode()
        with urllib.request.urlopen(f"{server.url}/api/v1/query", form, timeout=60) as answer:
            data = json.load(answer)["data"]
        if len(data["result"]) != PROVIDERS:
            raise SystemExit(f"{len(data['result'])} series come of a wide query")
        return float(data["stats"]["timings"]["execTotalTime"])

    return measure


def reload(server: Server, folder: Path, rules: list[str]) -> None:
    """Other rules for the server."""
    (folder / "prometheus.yml").write_text(f"global: {{evaluation_interval: 1s}}\nrule_files: {json.dumps(rules)}\n")
    with urllib.request.urlopen(f"{server.url}/-/reload", b"", timeout=60) as answer:
        if answer.status != 200:
            raise SystemExit("the rules are not loaded")


def evaluated(server: Server) -> float | None:
    """The seconds of the first evaluation, once it is over."""
    (group,) = server.get("rules")["groups"]
    failed = [rule["lastError"] for rule in group["rules"] if rule.get("lastError")]
    if failed:
        raise SystemExit(f"a rule fails in Prometheus: {failed[0]}")
    return group["evaluationTime"] or None


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    gc.collect()
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def group_of(expressions: list[str]) -> str:
    """A rule file with an alert for each."""
    rules = [f"      - {{alert: A{number}, expr: {json.dumps(each)}}}" for number, each in enumerate(expressions)]
    return "\n".join(["groups:", "  - name: bench", "    interval: 1s", "    rules:", *rules, ""])


def wide_shared() -> str:
    """1,000 rules over all series with two sub-expressions between them."""
    return group_of([WIDE.format(range="10m", threshold=0.6 + number / 1e5) for number in range(1000)])


def wide_distinct() -> str:
    """100 rules over all series or most, no two with the same range, matchers and grouping."""
    made = []
    for number in range(100):
        matcher = f'i!~"i{number}|i{(7 * number) % 100}"'
        by = ("p", "i", "p, code", "i, code")[number % 4]
        made.append(f"sum by ({by}) (rate(x{{{matcher}}}[{500 + number}s])) > {1000 + number}")
    return group_of(made)


def narrow() -> str:
    """1,000 rules, each over a few series."""
    made = []
    for number in range(1000):
        one = f'p="p{number % PROVIDERS}", i="i{number // PROVIDERS}"'
        made.append(f'sum by (p) (rate(x{{{one}, code="429"}}[10m])) / sum by (p) (rate(x{{{one}}}[10m])) > 0.9')
    return group_of(made)
