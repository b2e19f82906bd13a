"""False alarms and delays, held against enumeration and against the ledger: rules/estimate.py."""

from itertools import product
from pathlib import Path

import pytest

from llm_canaries.canary.ledger import Ledger, lower_bound
from llm_canaries.rules.estimate import SPANS, Watch, estimates, onset, tail
from llm_canaries.rules.load import load

PACK = Path(__file__).parents[2] / "rules" / "canaries.yml"


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
    rows = estimates(load({"canaries.yml": PACK.read_text(encoding="utf-8")}), [watch], noise)
    return {each.severity: each for each in rows}


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


def test_the_windows_are_the_ledgers():
    from llm_canaries.canary.ledger import MOST, WINDOWS

    assert {name: seconds for name, (seconds, _) in SPANS.items()} == WINDOWS
    assert {name: most for name, (_, most) in SPANS.items() if most is not None} == MOST


def test_rules_and_canaries_that_do_not_meet_have_no_estimate():
    assert estimates(load({"r.yml": "groups: [{name: g, rules: [{alert: A, expr: x > 1}]}]"}), [], 0.1) == []
    other = Watch("mine", "http", "m", 60.0, {})
    assert estimates(load({"canaries.yml": PACK.read_text(encoding="utf-8")}), [other], 0.1) == []
