"""How fast samples move: rates of counters and gauges with Prometheus' extrapolation, and straight lines."""

import numpy as np

from llm_canaries.rules.promql.overtime import Result
from llm_canaries.rules.promql.sums import column_sums
from llm_canaries.rules.samples import Millis, Samples, Span
from llm_canaries.rules.vector import Floats, Mask

CLOSE = 1.1
"""Up to so many times the average distance from the range's edge, the series is taken to go on to the edge."""


def rate(samples: Samples, span: Span) -> Result:
    """The increase per second."""
    return _extrapolated(samples, span, counter=True, per_second=True)


def increase(samples: Samples, span: Span) -> Result:
    """By how much a counter rose over the range, resets aside."""
    return _extrapolated(samples, span, counter=True, per_second=False)


def delta(samples: Samples, span: Span) -> Result:
    """By how much a gauge moved over the range."""
    return _extrapolated(samples, span, counter=False, per_second=False)


def irate(samples: Samples, span: Span) -> Result:
    """The increase per second between the last two samples."""
    now, before, elapsed, there = _last_two(samples)
    with np.errstate(all="ignore"):
        return np.where(now < before, now, now - before) / elapsed, there


def idelta(samples: Samples, span: Span) -> Result:
    """The difference of the last two samples."""
    now, before, _, there = _last_two(samples)
    with np.errstate(all="ignore"):
        return now - before, there


def deriv(samples: Samples, span: Span) -> Result:
    """The slope of the straight line that fits best."""
    return _line(samples, samples.first_time)[0], _two(samples)


def predict_linear(samples: Samples, span: Span, ahead: float) -> Result:
    """Where the straight line that fits best is so many seconds from now."""
    slope, intercept = _line(samples, np.array([span.at]))
    with np.errstate(all="ignore"):
        return slope * ahead + intercept, _two(samples)


def _extrapolated(samples: Samples, span: Span, *, counter: bool, per_second: bool) -> Result:
    values = samples.values
    last_time, first_time = samples.time_back(0), samples.first_time
    with np.errstate(all="ignore"):
        moved = samples.last - samples.first
        if counter:
            moved = _without_resets(values, moved)
        sampled = (last_time - first_time) / 1000
        between = sampled / samples.steps
        to_start, to_end = (first_time - span.start) / 1000, (span.end - last_time) / 1000
        to_start = np.where(to_start >= between * CLOSE, between / 2, to_start)
        if counter:
            # a counter is never below zero, so a series starts where it would have been zero
            to_zero = sampled * (samples.first / moved)
            nearer = (moved > 0) & (samples.first >= 0) & (to_zero < to_start)
            to_start = np.where(nearer, to_zero, to_start)
        to_end = np.where(to_end >= between * CLOSE, between / 2, to_end)
        factor = (sampled + to_start + to_end) / sampled
        if per_second:
            factor = factor / span.seconds
        return moved * factor, _two(samples)


def _without_resets(values: Floats, moved: Floats) -> Floats:
    """The rise of a counter that starts again from zero wherever it falls."""
    falls = values[1:] < values[:-1]
    fallen = falls.any(axis=0)
    if not fallen.any():
        return moved
    columns = np.flatnonzero(fallen)
    moved = moved.copy()
    moved[columns] += np.where(falls[:, columns], values[:-1, columns], 0.0).sum(axis=0)
    return moved


def _last_two(samples: Samples) -> tuple[Floats, Floats, Floats, Mask | None]:
    elapsed = (samples.time_back(0) - samples.time_back(1)) / 1000
    return samples.last, samples.back(1), elapsed, _two(samples)


def _line(samples: Samples, zero: Millis) -> tuple[Floats, Floats]:
    """Slope per second and value at the time `zero`, by least squares."""
    inside, values, n = samples.inside, samples.values, samples.counts
    with np.errstate(all="ignore"):
        x = np.broadcast_to((samples.times - zero) / 1e3, values.shape)
        x, y = (x, values) if samples.full else (np.where(inside, x, 0.0), np.where(inside, values, 0.0))
        sum_x, sum_y = column_sums(x), column_sums(y)
        covariance = column_sums(x * y) - sum_x * sum_y / n
        slope = covariance / (column_sums(x * x) - sum_x * sum_x / n)
        intercept = sum_y / n - slope * sum_x / n
        level = ((values == samples.first) | ~inside).all(axis=0)
        endless = np.isinf(samples.first)
        flat = np.where(endless, np.nan, 0.0)
        return np.where(level, flat, slope), np.where(level, np.where(endless, np.nan, samples.first), intercept)


def _two(samples: Samples) -> Mask | None:
    """Which series have two samples at least."""
    if samples.full:
        return None if len(samples.values) > 1 else np.zeros(samples.size, dtype=np.bool_)
    enough: Mask = samples.counts > 1
    return enough
