"""Functions over the samples of a range that count, sum, compare and rank them."""

import numpy as np

from llm_canaries.rules.promql.quantiles import column_quantiles
from llm_canaries.rules.promql.sums import added, column_means, column_sums
from llm_canaries.rules.samples import Samples, Span
from llm_canaries.rules.vector import Floats, Mask

Result = tuple[Floats, Mask | None]
"""A value a series, and which series have one; None where all have."""


def count(samples: Samples, span: Span) -> Result:
    """How many samples there are."""
    return samples.counts.astype(np.float64), None


def present(samples: Samples, span: Span) -> Result:
    """1 for every series that has a sample."""
    return np.ones(samples.size), None


def total(samples: Samples, span: Span) -> Result:
    """The sum of the samples."""
    return column_sums(_padded(samples)), None


def mean(samples: Samples, span: Span) -> Result:
    """The mean of the samples."""
    return column_means(_padded(samples), samples.counts), None


def least(samples: Samples, span: Span) -> Result:
    """The smallest sample; a number beats NaN."""
    return np.fmin.reduce(samples.values, axis=0), None


def most(samples: Samples, span: Span) -> Result:
    """The largest sample; a number beats NaN."""
    return np.fmax.reduce(samples.values, axis=0), None


def first(samples: Samples, span: Span) -> Result:
    """The oldest sample."""
    return samples.first, None


def last(samples: Samples, span: Span) -> Result:
    """The newest sample."""
    return samples.last, None


def variance(samples: Samples, span: Span) -> Result:
    """The population variance of the samples."""
    # tick by tick, as Prometheus goes: a variance that is small beside its mean has that error and no other
    mean, mean_lost, total, total_lost = (np.zeros(samples.size) for _ in range(4))
    with np.errstate(all="ignore"):
        for row, values in enumerate(samples.values):
            away = values - (mean + mean_lost)
            mean_now, lost_now = added(away / (row + 1.0), mean, mean_lost)
            square = away * (values - (mean_now + lost_now))
            total_now, rest_now = added(square, total, total_lost)
            if not samples.full:
                there = row < samples.counts
                mean_now, lost_now = np.where(there, mean_now, mean), np.where(there, lost_now, mean_lost)
                total_now, rest_now = np.where(there, total_now, total), np.where(there, rest_now, total_lost)
            mean, mean_lost, total, total_lost = mean_now, lost_now, total_now, rest_now
        return (total + total_lost) / samples.counts, None


def deviation(samples: Samples, span: Span) -> Result:
    """The population standard deviation of the samples."""
    return np.sqrt(variance(samples, span)[0]), None


def quantile(samples: Samples, span: Span, rank: float) -> Result:
    """The quantile of the samples, between two of them by weight."""
    return column_quantiles(rank, samples.values, samples.counts), None


def changes(samples: Samples, span: Span) -> Result:
    """How often a sample differs from the one before."""
    before, after = samples.values[:-1], samples.values[1:]
    differs = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return _steps(samples, differs)


def resets(samples: Samples, span: Span) -> Result:
    """How often a sample is below the one before."""
    return _steps(samples, samples.values[1:] < samples.values[:-1])


def _steps(samples: Samples, found: Mask) -> Result:
    if not samples.full:
        found &= samples.inside[1:]
    return found.sum(axis=0).astype(np.float64), None


def _padded(samples: Samples) -> Floats:
    """The samples with zeros below them."""
    return samples.values if samples.full else np.where(samples.inside, samples.values, 0.0)
