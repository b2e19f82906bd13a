"""What one tick of the shipped rules costs over 2,000 series, all of which some rule selects."""

import gc
import statistics
import sys
import time
from itertools import cycle

import numpy as np
from bench_sidecar import Row, main

from llm_canaries.content import content
from llm_canaries.rules.evaluate import evaluate
from llm_canaries.rules.load import load
from llm_canaries.rules.window import Window, slots_needed
from llm_canaries.service.metrics import CASE, FAMILIES

SERIES = 2_000
TICK = 15.0
TICKS = 60
FLOOR = 50.0  # milliseconds of CPU
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
    """`sidecar.rules`: all well, which is the common state; and everything wrong, with values that change each tick."""
    names = series()
    selected = {name for group in shipped() for rule in group.rules for name in rule.names or ()}
    if len(names) != SERIES or {each["__name__"] for each in names} != selected:
        raise SystemExit(f"{len(names)} series, and not of the families that the rules select")
    well, quiet = tick_cost(names, WELL)
    wrong, firing = tick_cost(names, WELL | BAD)
    if quiet or firing < 400:
        raise SystemExit(f"{quiet} alerts fire while all is well, {firing} while everything is wrong")
    return [
        {"name": "sidecar.rules", "value": well, "unit": "ms", "floor": FLOOR, "holds": well <= FLOOR},
        {"name": "sidecar.rules.all_firing", "value": wrong, "unit": "ms", "floor": FLOOR, "holds": wrong <= FLOOR},
        {"name": "sidecar.rules.alerts", "value": firing, "unit": "alerts", "floor": None, "holds": True},
    ]


def shipped():
    """The groups of the shipped pack."""
    return load({name: text for name, text in content("rules").items() if name.endswith(".yml")})


def series() -> list[dict[str, str]]:
    """Case after case with every series that a rule selects of it, with those of its gateway, 2,000 in all."""
    families = sorted({name for group in shipped() for rule in group.rules for name in rule.names or ()})
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
    wanted = FAMILIES[family].labels
    if "canary" not in wanted and number >= 20:
        return []
    known = case | {"provider_key": "p", "credential": "k", "scope": "account", "kind": "embedded"}
    choices = {
        "window": ("10m", "1h", "recent"),
        "severity": ("warning", "critical"),
        "outcome": ("pass", "fail", "inconclusive", "skip"),
        "state": ("closed", "open", "half_open", "cooling"),
        "reason": ("rate_limited",),
    }
    if family == "llm_canary_threshold":
        known["kind"] = "error_ratio"
    if family in ("llm_canary_held", "llm_canary_held_until_timestamp_seconds") and number:
        return []  # one case is held
    sets: list[dict[str, str]] = [{}]
    for name in wanted:
        sets = [each | {name: value} for each in sets for value in choices.get(name, (known.get(name, ""),))]
    return sets


def tick_cost(names: list[dict[str, str]], values: dict[str, float]) -> tuple[float, int]:
    """The median milliseconds of CPU of a tick, sampling and evaluation, and how many alerts fire at its end."""
    groups, window = shipped(), Window(slots_needed(TICK))
    window.align(names)
    row = np.array([values.get(each["__name__"], 0.0) for each in names])
    moving = np.array(["lower" in each["__name__"] and row[i] > 0 for i, each in enumerate(names)])
    states = [()] * len(groups)
    costs = []
    for tick in range(TICKS):
        row[moving] += 1e-6
        gc.collect()
        before = time.process_time()
        window.append(1e6 + TICK * tick, row)
        found = [
            evaluate(group, window, 1e6 + TICK * tick, states[index], [each for other in states for each in other])
            for index, group in enumerate(groups)
        ]
        costs.append(1000 * (time.process_time() - before))
        states = [each.states for each in found]
        if problems := [problem for each in found for problem in each.problems]:
            raise SystemExit(f"a rule fails: {problems[0]}")
    return statistics.median(costs[TICKS // 2 :]), sum(len(each.firing) for each in found)


BENCHES = {"sidecar.rules": rules}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BENCHES))
