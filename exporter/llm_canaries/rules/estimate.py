"""What a ratio alert on the ledger's bound costs in false alarms and takes to notice, exact from the binomial.

The alert fires once the one-sided 95 % Clopper-Pearson bound of k failures in n runs is above the threshold t, which
is so where k or more failures had a probability below 5 % if t were the truth. Runs are taken as independent. A false
alarm is counted where the windows begin to be over; `for` and `keep_firing_for` only make them fewer.

An alert on failures in a row is simpler: the first one is confirmed by a burst within a minute, and a burst that passes
ends the row. What breaks one run in ten is therefore a matter of the ratios.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import comb

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.matcher import Matchers
from llm_canaries.rules.promql.plan import selectors
from llm_canaries.rules.vector import NAME

LOWER, THRESHOLD = "llm_canary_error_ratio_lower", "llm_canary_threshold"
IN_A_ROW = "llm_canary_consecutive_failures"
CONFIRMATIONS, BURST = 3, 60.0  # the runs that confirm a failure, and the seconds that they take at most
SPANS: Mapping[str, tuple[float, int | None]] = {
    "10m": (600.0, None),
    "1h": (3600.0, None),
    "recent": (86400.0, 20),
    "long": (86400.0, 45),
}
"""The ledger's windows: seconds, and how many runs at most."""
WEEK = 604800.0
_LEAST = re.compile(r"error_ratio_runs\s*>=\s*(\d+)")
_ROW = re.compile(r"consecutive_failures\{[^}]*\}\s*>=\s*(\d+)")
_FLOOR = re.compile(r"error_ratio_lower\{[^}]*\}\s*>\s*([\d.]+)")


class Watch(Struct, frozen=True):
    """A canary as it is configured: seconds between two runs, thresholds of its error ratio by severity."""

    canary: str
    scenario: str
    model: str
    every: float
    thresholds: Mapping[str, float]


class Estimate(Struct, frozen=True):
    """One alert for one canary: `needed` failures of `runs` in a window make it fire.

    `a_week` are the expected false alarms; `total` and `half` the seconds until it is noticed that all, or half, of the
    runs fail (the median for the half, None where it may take longer than the window). `tenth` are the expected seconds
    until it is noticed that every tenth run fails, None where that was not among the courses.
    """

    alert: str
    severity: str
    canary: str
    every: float
    threshold: float
    windows: tuple[tuple[int, int], ...]
    a_week: float
    total: float
    half: float | None
    tenth: float | None


class RuleEstimate(Struct, frozen=True):
    """One alert over all `cases` that it covers: `a_week` of all together, the longest `total` and `tenth` of any."""

    alert: str
    severity: str
    cases: int
    a_week: float
    total: float
    tenth: float | None


Courses = npt.NDArray[np.bool_]
"""Courses of a fault that breaks one run in ten, a row each: whether each run from its beginning on fails."""


def by_rule(
    groups: Iterable[RuleGroup], watched: Sequence[Watch], noise: float, courses: Courses
) -> list[RuleEstimate]:
    """An estimate for each rule that counts failures of canaries, over the cases `watched`."""
    rules = [rule for group in groups for rule in group.rules if rule.kind == "alert"]
    found: dict[tuple[str, str], RuleEstimate] = {}
    different = [watch for place, watch in enumerate(watched) if watch not in watched[:place]]
    for watch, count in ((watch, watched.count(watch)) for watch in different):
        for each in (one for rule in rules for one in _of(rule, watch, noise, courses)):
            key = (each.alert, each.severity)
            before = found.get(key, RuleEstimate(*key, 0, 0.0, 0.0, 0.0))
            tenth = None if each.tenth is None or before.tenth is None else max(each.tenth, before.tenth)
            a_week, total = before.a_week + count * each.a_week, max(before.total, each.total)
            found[key] = RuleEstimate(*key, before.cases + count, a_week, total, tenth)
    return list(found.values())


def estimates(
    groups: Iterable[RuleGroup], watched: Sequence[Watch], noise: float, courses: Courses
) -> list[Estimate]:
    """An estimate for each such rule and canary, where the truth is that a share `noise` of runs fail."""
    found: dict[tuple[str, str, str, float], Estimate] = {}
    for rule in (rule for group in groups for rule in group.rules if rule.kind == "alert"):
        for watch in watched:
            for estimate in _of(rule, watch, noise, courses):
                found.setdefault((estimate.alert, estimate.severity, estimate.canary, estimate.every), estimate)
    return list(found.values())


def _of(rule: Rule, watch: Watch, noise: float, courses: Courses) -> Iterator[Estimate]:
    yield from _of_row(rule, watch, noise)
    least = max([1, *(int(each) for each in _LEAST.findall(rule.expression))])
    lower = [each for each in selectors(rule.plan) if _stated(each).get(NAME) == LOWER]
    limits = [each for each in selectors(rule.plan) if _stated(each).get(NAME) == THRESHOLD]
    for matchers in lower:
        threshold = watch.thresholds.get(_stated(limits[0]).get("severity", "")) if limits else None
        if threshold is None or not _selects(matchers, watch):
            return
        floor = max([threshold, *(float(each) for each in _FLOOR.findall(rule.expression))])
        windows = tuple(_windows(matchers, watch.every, floor, least))
        if windows:
            yield Estimate(
                rule.name, rule.severity, watch.canary, watch.every, threshold, windows,
                WEEK / watch.every * onset(windows, noise),
                min(needed for _, needed in windows) * watch.every + rule.hold,
                _half(windows, watch.every, rule.hold),
                _tenth(windows, watch.every, rule.hold, courses),
            )  # fmt: skip


def _of_row(rule: Rule, watch: Watch, noise: float) -> Iterator[Estimate]:
    """The alert on so many failures in a row; of severity critical only where the canary has such a threshold."""
    needed = max(map(int, _ROW.findall(rule.expression)), default=0)
    rows = [each for each in selectors(rule.plan) if _stated(each).get(NAME) == IN_A_ROW]
    gates = [_stated(each).get("severity", "") for each in selectors(rule.plan) if _stated(each).get(NAME) == THRESHOLD]
    if needed < 2 or not rows or not _selects(rows[0], watch) or not all(each in watch.thresholds for each in gates):
        return
    runs = needed + CONFIRMATIONS - 1  # the burst stands for the second of the row
    total = (needed - 1) * watch.every + BURST + rule.hold
    tenth = watch.every / 0.1**runs + rule.hold
    yield Estimate(
        rule.name, rule.severity, watch.canary, watch.every, 0.0, ((needed, needed),),
        WEEK / watch.every * noise**runs, total, total, tenth,
    )  # fmt: skip


def _windows(matchers: Matchers, every: float, threshold: float, least: int) -> Iterator[tuple[int, int]]:
    """Runs and failures needed of each window that can fire."""
    for name, (seconds, most) in SPANS.items():
        runs = int(seconds // every) if most is None else min(most, int(seconds // every))
        if runs < least or not all(each.holds(name) for each in matchers if each.name == "window"):
            continue
        needed = next((k for k in range(1, runs + 1) if tail(k, runs, threshold) < 0.05), None)
        if needed is not None:
            yield runs, needed


def tail(least: int, runs: int, p: float) -> float:
    """The probability of `least` or more failures in `runs`."""
    return 1.0 - sum(comb(runs, k) * p**k * (1 - p) ** (runs - k) for k in range(least))


def onset(windows: Sequence[tuple[int, int]], p: float) -> float:
    """The probability that with the next run a window begins to be over, where none was.

    The runs of the shorter window are the last of the longer: what each holds before and after the next run is summed
    over all counts. Of more than two windows the shortest and longest are taken, the others lie between.
    """
    ordered = sorted(windows)
    (short, few), (long, many) = ordered[0], ordered[-1]
    if short == long:
        few = many = min(needed for _, needed in windows)
    middle = max(0, long - short - 1)
    total = 0.0
    for first in (0, 1) if long > short else (0,):
        for between, chance in enumerate(_binomial(middle, p)):
            for leaving in (0, 1):
                for rest, other in enumerate(_binomial(short - 1, p)):
                    before = first + between + leaving + rest >= many or leaving + rest >= few
                    if before:
                        continue
                    stays = leaving if long > short else 0
                    after = between + stays + rest + 1 >= many or rest + 1 >= few
                    if after:
                        bits = first + leaving + 1
                        size = (1 if long > short else 0) + 2
                        total += chance * other * p**bits * (1 - p) ** (size - bits)
    return total


def _binomial(runs: int, p: float) -> list[float]:
    return [comb(runs, k) * p**k * (1 - p) ** (runs - k) for k in range(runs + 1)]


def _half(windows: Sequence[tuple[int, int]], every: float, hold: float) -> float | None:
    """As long as fewer runs have failed than a window holds, its count is all failures so far."""
    for runs in range(1, max(size for size, _ in windows) + 1):
        if any(runs <= size and tail(needed, runs, 0.5) >= 0.5 for size, needed in windows):
            return runs * every + hold
    return None


def _tenth(
    windows: Sequence[tuple[int, int]], every: float, hold: float, courses: Courses
) -> float | None:
    """The mean over the courses, all runs before them passed; None where a course ends before it is noticed."""
    sums = np.cumsum(np.pad(courses, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    over = np.zeros(courses.shape, dtype=np.bool_)
    for size, needed in windows:
        start = np.maximum(0, np.arange(1, courses.shape[1] + 1) - size)
        over |= sums[:, 1:] - sums[:, start] >= needed
    if not over.any(axis=1).all():
        return None
    return float((over.argmax(axis=1) + 1).mean()) * every + hold


def _selects(matchers: Matchers, watch: Watch) -> bool:
    labels = {"canary": watch.canary, "scenario": watch.scenario, "model_id": watch.model}
    return all(each.holds(labels[each.name]) for each in matchers if each.name in labels)


def _stated(matchers: Matchers) -> dict[str, str]:
    return {each.name: each.value for each in matchers if each.operator == "="}
