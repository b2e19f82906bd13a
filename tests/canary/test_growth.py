"""Covers canary/growth.py: against the same made with numpy, and without a false alarm over simulated months."""

import math
import random

import numpy as np
import pytest

from llm_canaries.canary.growth import BASELINE, LEAST, RECENT, Counts, growth


def counted(numbers):
    counts = Counts()
    for number in numbers:
        counts = counts.add(number)
    return counts


def spread(median, sd, number, seed):
    draw = random.Random(seed)
    return [round(median * math.exp(draw.gauss(0, sd))) for _ in range(number)]


def test_the_baseline_is_kept_and_the_recent_ones_move_on():
    counts = counted(range(1, BASELINE + RECENT + 11))
    assert [round(math.exp(each)) for each in counts.baseline] == list(range(1, BASELINE + 1))
    assert len(counts.recent) == RECENT
    assert round(math.exp(counts.recent[-1])) == BASELINE + RECENT + 10


@pytest.mark.parametrize("number", [0, BASELINE, BASELINE + LEAST - 1])
def test_few_samples_tell_nothing(number):
    assert growth(counted([100] * number)) is None


def test_it_is_what_numpy_makes_of_it():
    before, after = spread(800, 0.4, BASELINE, 1), spread(1500, 0.6, RECENT, 2)
    told = growth(counted([*before, *after]))
    one, two = np.log(before), np.log(after)
    more = np.median(two) - np.median(one)
    error = math.sqrt(math.pi / 2) * math.sqrt(one.var(ddof=1) / len(one) + two.var(ddof=1) / len(two))
    assert told.ratio == pytest.approx(math.exp(more), rel=1e-3)
    assert told.lower == pytest.approx(math.exp(more - 3.09 * error), rel=1e-3)


@pytest.mark.parametrize(("factor", "sd"), [(2.0, 0.3), (3.0, 0.7)])
def test_a_large_growth_is_told(factor, sd):
    told = growth(counted([*spread(1000, sd, BASELINE, 3), *spread(1000 * factor, sd, RECENT, 4)]))
    assert told.lower > 1.25


def test_months_without_growth_raise_no_alarm():
    """Ten months of a run each 15 minutes, with the wider spread that was measured (protocols.md C5)."""
    alarms = 0
    for month in range(10):
        counts, raised = Counts(), False
        for number, value in enumerate(spread(1000, 0.75, 30 * 96, 100 + month)):
            counts = counts.add(value)
            if number % 8 == 0 and (told := growth(counts)) is not None:
                raised |= told.lower > 1.25
        alarms += raised
    assert alarms == 0


def test_nothing_counted_is_a_count_of_one():
    assert counted([0]).baseline == (0.0,)
