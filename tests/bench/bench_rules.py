"""What rules cost: the shipped packs over 2,000 series, wide and narrow rules beside a real Prometheus 3, memory."""

import asyncio
import gc
import itertools
import statistics
import sys
import time
from itertools import cycle

import numpy as np
import uvloop
from bench_sidecar import Row, main
from rules_beside_prometheus import Data, beside, wide_shared

from llm_canaries.content import content
from llm_canaries.rules.evaluate import evaluate
from llm_canaries.rules.load import load
from llm_canaries.rules.outputs import Outputs
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.plan import selectors
from llm_canaries.rules.window import Window, slots_needed
from llm_canaries.service.metrics import CASE, FAMILIES

SERIES = 2_000
TICK = 15.0
TICKS = 60
MOST_CPU = 50.0  # milliseconds
MOST_GAP = 20.0
MOST_BYTES = 24.0
SCENARIOS = ("known-good", "tool-result-image", "usage-parity", "thinking", "eligibility", "http")
BAD = {  # what every series of a family is while everything is wrong
    "llm_canary_consecutive_failures": 4.0,
    "llm_canary_error_ratio_lower": 0.5,
    "llm_canary_failure_ratio_lower": 0.5,
    "llm_canary_last_run_timestamp_seconds": 0.0,
    "llm_canary_last_decided_timestamp_seconds": -9e5,
    "llm_gateway_up": 0.0,
    "llm_gateway_breaker_state": 1.0,
    "llm_gateway_quota_exhausted": 1.0,
}
WELL = {
    "llm_canary_threshold": 0.02,
    "llm_canary_error_ratio_runs": 20.0,
    "llm_canary_failure_ratio_runs": 20.0,
    "llm_canary_interval_seconds": 600.0,
    "llm_canary_last_run_timestamp_seconds": 1e6,
    "llm_canary_last_decided_timestamp_seconds": 1e6,
    "llm_gateway_up": 1.0,
}


def rules() -> list[Row]:
    """`rules.*`, the rows of rules.json."""
    return [*packs(), bytes_per_sample(), *loop_gap(), *beside()]


def packs() -> list[Row]:
    """`rules.packs_cpu_ms`: all well, which is the common state; and much wrong, with values that change each tick."""
    names = series()
    well, _ = tick_cost(names, WELL)
    wrong, firing = tick_cost(names, WELL | BAD)
    if firing < 200:
        raise SystemExit(f"{firing} alerts fire while everything is wrong")
    return [
        row("rules.packs_cpu_ms", max(well, wrong), "ms", MOST_CPU),
        row("rules.packs_cpu_ms.well", well, "ms"),
        row("rules.packs_cpu_ms.firing", wrong, "ms"),
        row("rules.packs_cpu_ms.alerts", firing, "alerts"),
    ]


def row(name: str, value: float, unit: str, floor: float | None = None) -> Row:
    """One figure; `floor` is the most that it may be."""
    return {"name": name, "value": value, "unit": unit, "floor": floor, "holds": floor is None or value <= floor}


def bytes_per_sample() -> Row:
    """`rules.bytes_per_sample`: a window of 10,000 series as it is after an hour of ticks, labels aside."""
    window = Window(slots_needed(TICK, 3600.0), 3600.0)
    window.align([{"__name__": "x", "i": str(number)} for number in range(10_000)])
    for tick in range(2 * slots_needed(TICK, 3600.0)):
        window.append(TICK * tick, np.full(10_000, float(tick)))
    return row("rules.bytes_per_sample", window.nbytes / window.samples, "bytes", MOST_BYTES)


def loop_gap() -> list[Row]:
    """`rules.loop_gap_ms`: how late the event loop is at worst in a round of wide rules and the packs, round by round.

    The median of the rounds is judged: at worst, something else ran on the machine.
    """
    data, names = Data(), series()
    groups, pack = load({"wide.yml": wide_shared()}), Pack(names)
    values = np.array([(WELL | BAD).get(each["__name__"], 0.0) for each in names])

    async def worst() -> list[float]:
        late = []
        for round_ in range(9):
            done = asyncio.Event()
            watching = asyncio.create_task(lateness(done))
            await asyncio.to_thread(evaluate, groups[0], data.window, data.last)
            await asyncio.to_thread(pack.tick, 1e6 + TICK * round_, values)
            done.set()
            late.append(1000 * await watching)
        return late

    gc.collect()
    found = uvloop.run(worst())
    worst_of_all = row("rules.loop_gap_ms.worst", max(found), "ms")
    return [row("rules.loop_gap_ms", statistics.median(found), "ms", MOST_GAP), worst_of_all]


async def lateness(done: asyncio.Event) -> float:
    """The most that a sleep of a millisecond took too long until `done`."""
    late = 0.0
    while not done.is_set():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        late = max(late, time.perf_counter() - before - 0.001)
    return late


class Pack:
    """The shipped groups over one window, tick after tick."""

    def __init__(self, names: list[dict[str, str]]) -> None:
        self.groups, self.outputs = shipped(), Outputs(TICK)
        span = max(group.reach for group in self.groups)
        self.window = Window(slots_needed(TICK, span), span)
        self.window.align(names)
        self.states = [()] * len(self.groups)
        self.firing = 0

    def tick(self, at: float, values: np.ndarray) -> None:
        """One sample, one evaluation."""
        self.window.append(at, values)
        tick = Tick(self.window, at)
        found = [
            evaluate(group, self.window, at, self.states[index], self.outputs, tick)
            for index, group in enumerate(self.groups)
        ]
        self.states = [each.states for each in found]
        self.firing = sum(len(each.firing) for each in found)
        if problems := [problem for each in found for problem in each.problems]:
            raise SystemExit(f"a rule fails: {problems[0]}")


def shipped():
    """The groups of the shipped packs."""
    return load({name: text for name, text in content("rules").items() if name.endswith(".yml")})


def selected() -> list[str]:
    """The families that the rules select, without what they record themselves; a histogram by its buckets."""
    plans = [rule.plan for group in shipped() for rule in group.rules]
    names = {each.value for plan in plans for found in selectors(plan) for each in found if each.name == "__name__"}
    return sorted(name for name in names if name.removesuffix("_bucket") in FAMILIES)


def series() -> list[dict[str, str]]:
    """Case after case with every series that a rule selects of it, with those of its gateway, 2,000 in all."""
    families = selected()
    names: list[dict[str, str]] = []
    for number, scenario in enumerate(cycle(SCENARIOS)):
        values = (f"c{number}", scenario, f"g{number % 20}", f"m{number}", "openai_chat", "true")
        case = dict(zip(CASE, values, strict=True))
        for family in families:
            names += [{"__name__": family, **labels} for labels in labelled(family, case, number)]
        if len(names) >= SERIES:
            return names[:SERIES]
    raise AssertionError


def labelled(family: str, case: dict[str, str], number: int) -> list[dict[str, str]]:
    """The label sets of one case in a family; a gateway's own come with its first case."""
    wanted = FAMILIES[family.removesuffix("_bucket")].labels
    if "canary" not in wanted and number >= 20:
        return []
    known = case | {"provider_key": "p", "credential": "k", "scope": "account", "kind": "embedded"}
    choices = {
        "window": ("10m", "1h", "recent"),
        "severity": ("warning", "critical"),
        "outcome": ("pass", "fail", "inconclusive", "skip"),
        "state": ("closed", "open", "half_open", "cooling"),
        "reason": ("rate_limited",),
        "le": ("0.5", "5", "+Inf"),
    }
    if family == "llm_canary_threshold":
        known["kind"] = "error_ratio"
    if family in ("llm_canary_held", "llm_canary_held_until_timestamp_seconds") and number:
        return []  # one case is held
    sets: list[dict[str, str]] = [{}]
    for name in (*wanted, "le") if family.endswith("_bucket") else wanted:
        sets = [each | {name: value} for each in sets for value in choices.get(name, (known.get(name, ""),))]
    return sets


def tick_cost(names: list[dict[str, str]], values: dict[str, float]) -> tuple[float, int]:
    """The median milliseconds of CPU of a tick, sampling and evaluation, and how many alerts fire at its end."""
    pack, costs = Pack(names), []
    current = np.array([values.get(each["__name__"], 0.0) for each in names])
    moving = np.array(["lower" in each["__name__"] and current[i] > 0 for i, each in enumerate(names)])
    counting = np.array([each["__name__"].endswith(("_total", "_bucket")) for each in names])
    for tick in itertools.islice(itertools.count(), TICKS):
        current[moving] += 1e-6
        current[counting] += 3.0
        gc.collect()
        before = time.process_time()
        pack.tick(1e6 + TICK * tick, current)
        costs.append(1000 * (time.process_time() - before))
    return statistics.median(costs[TICKS // 2 :]), pack.firing


BENCHES = {"rules": rules}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BENCHES))
