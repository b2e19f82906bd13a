"""False alarms and delays, held against enumeration and against the ledger: rules/estimate.py."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from llm_canaries.canary import ledger as ledgers
from llm_canaries.canary.ledger import Ledger, lower_bound
from llm_canaries.rules.estimate import CONFIRMATIONS, SPANS, Watch, _tenth, by_rule, estimates, onset, tail
from llm_canaries.rules.load import load

PACK = Path(__file__).parents[2] / "rules" / "canaries.yml"


COURSES = np.random.default_rng(1).random((2000, 600)) < 0.1


def enumerated(windows, p):
    """The probability over every course of runs as long as the longest window and one more."""
    longest, total = max(runs for runs, _ in windows), 0.0
    for course in product((0, 1), repeat=longest + 1):
        before, after = course[:-1], course[1:]
        over = [any(sum(part[-runs:]) >= needed for runs, needed in windows) for part in (before, after)]
        if over[1] and not over[0]:
            total += p ** sum(course) * (1 - p) ** (len(course) - sum(course))
    return total


@pytest.mark.parametrize("p", [0.005, 0.1, 0.5])
@pytest.mark.parametrize(
    "windows",
    [((10, 2),), ((10, 3), (12, 3)), ((6, 2), (13, 4)), ((6, 3), (7, 3)), ((12, 2), (12, 3)), ((4, 4), (13, 5))],
)
def test_the_onset_is_what_enumeration_says(windows, p):
    assert onset(windows, p) == pytest.approx(enumerated(windows, p), rel=1e-9)


@pytest.mark.parametrize("threshold", [0.01, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("runs", [10, 12, 20, 60])
def test_the_failures_needed_are_those_whose_bound_is_above(runs, threshold):
    """Clopper and Pearson's bound, as the ledger computes it by bisection, against the tail of the binomial."""
    for failures in range(runs + 1):
        assert (lower_bound(failures, runs) > threshold) is (failures > 0 and tail(failures, runs, threshold) < 0.05)


def found(every, noise=0.005):
    watch = Watch("known-good", "known-good", "m", every, {"warning": 0.02, "critical": 0.05})
    rows = estimates(load({"canaries.yml": PACK.read_text(encoding="utf-8")}), [watch], noise, COURSES)
    return {each.severity: each for each in rows if each.alert == "KnownGoodErrorRatio"}


def test_what_is_told_of_the_shipped_rules():
    one, ten = found(60.0), found(600.0)
    assert one["warning"].windows == ((60, 6), (20, 4), (45, 5)), "the rule's own floor, above the threshold"
    assert ten["warning"].windows == ((20, 4), (45, 5)), "six runs an hour are too few for that window"
    assert ten["critical"].windows == ((20, 4), (45, 6))
    assert {each.alert for each in one.values()} == {"KnownGoodErrorRatio"}
    assert ten["critical"].a_week == pytest.approx(1008 * onset(((20, 4), (45, 6)), 0.005))
    assert ten["critical"].total == 4 * 600 + 120, "four runs and `for`"


@pytest.mark.parametrize("every", [60.0, 300.0, 1800.0])
@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_the_delay_is_that_of_the_ledger(every, severity):
    """Total failure after a well hour: run by run until the ledger's own bound is above the threshold."""
    ledger, estimate = Ledger(), found(every)[severity]
    for run in range(-100, 0):
        ledger.add(run * every, failed=False)
    for run in range(50):
        ledger.add(run * every, failed=True)
        tallies = [ledger.tally(window, run * every) for window in ("1h", "recent", "long")]
        if any(each.runs >= 10 and (each.lower or 0) > max(0.043, estimate.threshold) for each in tallies):
            assert estimate.total == (run + 1) * every + 120
            break
    else:
        pytest.fail("never above")
    assert estimate.half is None or estimate.half >= estimate.total


def expected(windows, p):
    """The mean number of runs until a window is over, after passes: by every course of failures, to the last one."""
    longest = max(size for size, _ in windows)
    alive, mean, run = {(0,) * longest: 1.0}, 0.0, 0
    while sum(alive.values()) > 1e-9:
        run += 1
        after = {}
        for last, chance in alive.items():
            for failed, share in ((0, 1 - p), (1, p)):
                state = (*last[1:], failed)
                if any(sum(state[-size:]) >= needed for size, needed in windows):
                    mean += run * chance * share
                else:
                    after[state] = after.get(state, 0.0) + chance * share
        alive = after
    return mean


@pytest.mark.parametrize("windows", [((5, 2),), ((10, 3),), ((6, 2), (12, 3)), ((8, 2),)])
def test_the_delay_of_a_tenth_is_what_enumeration_says(windows):
    assert _tenth(windows, 60.0, 120.0, COURSES) == pytest.approx(expected(windows, 0.1) * 60 + 120, rel=0.05)


def test_a_delay_that_no_course_is_long_enough_for_is_not_told():
    assert _tenth(((20, 19),), 60.0, 0.0, COURSES) is None


def test_the_tenth_is_noticed_within_sixty_runs_on_average():
    assert 40 * 600 < found(600.0)["warning"].tenth < 60 * 600


def rows(noise):
    watch = Watch("known-good", "known-good", "m", 600.0, {"warning": 0.02, "critical": 0.05})
    every = estimates(load({"canaries.yml": PACK.read_text(encoding="utf-8")}), [watch], noise, COURSES)
    return {each.severity: each for each in every if each.alert == "KnownGoodFailing"}


@pytest.mark.parametrize(("severity", "needed"), [("warning", 2), ("critical", 3)])
def test_failures_in_a_row_are_those_of_the_ledger_with_its_bursts(severity, needed):
    """Runs that fail by chance, each failure confirmed as the sidecar does, until the alert would fire."""
    noise, draw, runs, fired = 0.3, np.random.default_rng(3), 60_000, 0
    ledger, before = Ledger(), 0
    for run in range(runs):
        ledger.add(run * 600.0, failed=draw.random() < noise)
        while ledger.unconfirmed:
            ledger.add(run * 600.0 + 15, failed=draw.random() < noise, confirmation=True)
        now = ledger.failures_in_a_row
        fired += before < needed <= now
        before = now
    estimate = rows(noise)[severity]
    assert fired / runs == pytest.approx(estimate.a_week / (604800 / 600), rel=0.15)
    assert ledgers.CONFIRMATIONS == CONFIRMATIONS


@pytest.mark.parametrize(("severity", "needed"), [("warning", 2), ("critical", 3)])
def test_an_outage_is_noticed_once_the_row_is_long_enough(severity, needed):
    assert rows(0.005)[severity].total == (needed - 1) * 600 + 60


def test_a_canary_without_a_threshold_has_no_critical_row():
    watch = Watch("c", "known-good", "m", 600.0, {})
    every = estimates(load({"canaries.yml": PACK.read_text(encoding="utf-8")}), [watch], 0.005, COURSES)
    assert {(each.alert, each.severity) for each in every} == {("KnownGoodFailing", "warning")}


def test_a_rule_adds_up_its_cases_and_tells_of_the_slowest():
    groups = load({"canaries.yml": PACK.read_text(encoding="utf-8")})
    often, seldom = (Watch("known-good", "known-good", "m", every, {"warning": 0.02}) for every in (600.0, 1800.0))
    singles = [{(e.alert, e.severity): e for e in estimates(groups, [each], 0.01, COURSES)} for each in (often, seldom)]
    whole = {(each.alert, each.severity): each for each in by_rule(groups, [often, seldom, often], 0.01, COURSES)}
    assert whole.keys() == singles[0].keys()
    for key, each in whole.items():
        assert each.cases == 3
        assert each.a_week == pytest.approx(2 * singles[0][key].a_week + singles[1][key].a_week)
        assert (each.total, each.tenth) == (singles[1][key].total, singles[1][key].tenth)


def test_the_windows_are_the_ledgers():
    from llm_canaries.canary.ledger import MOST, WINDOWS

    assert {name: seconds for name, (seconds, _) in SPANS.items()} == WINDOWS
    assert {name: most for name, (_, most) in SPANS.items() if most is not None} == MOST


def test_rules_and_canaries_that_do_not_meet_have_no_estimate():
    assert estimates(load({"r.yml": "groups: [{name: g, rules: [{alert: A, expr: x > 1}]}]"}), [], 0.1, COURSES) == []
    other = Watch("mine", "http", "m", 60.0, {})
    rows = estimates(load({"canaries.yml": PACK.read_text(encoding="utf-8")}), [other], 0.1, COURSES)
    assert [(each.alert, each.severity) for each in rows] == [("CanaryFailing", "warning")], "it has no thresholds"
