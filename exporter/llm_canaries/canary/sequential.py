"""A sequential test of a failure probability: it may look after every run, and stops once it can decide.

The test. For runs that fail with probability p and any odds ratio r, r^failures / (1 - p + r p)^runs is a martingale
with mean 1, as E[r^X] = 1 - p + r p; at a limit below p (r < 1) or above p (r > 1) it is a supermartingale. A mean of
several such is one too, so by Ville's inequality it ever exceeds 1 / (1 - confidence) with a probability of at most
1 - confidence, however often one looks and wherever one stops. BELOW are the r that speak for "less than the limit",
ABOVE those for "more". Solved for the limit, the same formula gives bounds that hold at every run at once.

Cases with different p that are played in turn are pooled: by the inequality of arithmetic and geometric means the
product of their 1 - p + r p is at most that of their mean, so the proof holds at the end of every turn, not within
one: of 47 cases of which the first three always fail, a look after each run "proves" 6 % to be more than 5 % at once.
Within a turn only what the rest of it cannot change is decided (`rest`).

Why a mixture of six, at a limit of 5 % and 95 % confidence (exact sums over failures and runs; of the last, p = 10 %
and 300 runs at most):

                                  expected runs at p =   0    1 %   10 %   50 %   decided at 10 %
    r = 0, 1/5, 1/2 and 2, 5, 25 (this)                 71    129    161    5.3   81 %
    uniform over all p (beta-binomial)                  88    145    195    5.4   64 %
    half on p = 0, half uniform                         68    141    215    6.4   57 %
    Wald's ratio of 1 % and 20 % against 5 %            73    119    185    6.2   51 %
    Wald's ratio of 2.5 % and 10 % against 5 %         116    160    140   10.3   88 %

No test can pass before 59 runs, where .95^59 < .05. Wald's test needs an indifference zone that somebody must know;
one that is wide does not decide 10 %, one that is narrow asks for half as many runs more of every healthy gateway.
Wrong decisions, exactly: at most 4.7 % at p = 5 %, of 1,000 runs; 0.03 % at p = 1 %.

Ville: Étude critique de la notion de collectif, 1939. Wald: Sequential Tests of Statistical Hypotheses, 1945.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from math import exp, inf, log, log1p

BELOW = (0.0, 0.2, 0.5)
ABOVE = (2.0, 5.0, 25.0)
_PRECISION = 1e-9


class Decision(StrEnum):
    """What the runs prove of "the failure probability is below the limit"."""

    PASS = "pass"  # noqa: S105  # a decision, not a password
    FAIL = "fail"
    UNDECIDED = "undecided"
    SKIP = "skip"  # there was nothing to run


def decide(failures: int, runs: int, limit: float, confidence: float, rest: int = 0) -> Decision:
    """What `failures` of `runs` prove: at most 1 - `confidence` of all sequences of runs ever prove a falsehood.

    `rest` is how many runs of the present turn are still to come.
    """
    threshold = -log(1 - confidence)
    if _evidence(failures, runs + rest, limit, ABOVE) >= threshold:
        return Decision.FAIL
    if not rest and _evidence(failures, runs, limit, BELOW) >= threshold:
        return Decision.PASS
    return Decision.UNDECIDED


def upper_bound(failures: int, runs: int, confidence: float) -> float:
    """The least limit that the runs prove the failure probability to be below; 1 where they prove none."""
    return _last(lambda limit: _evidence(failures, runs, limit, BELOW) < -log(1 - confidence))


def lower_bound(failures: int, runs: int, confidence: float) -> float:
    """The greatest limit that the runs prove the failure probability to be above; 0 where they prove none."""
    return 1 - _last(lambda rest: _evidence(failures, runs, 1 - rest, ABOVE) < -log(1 - confidence))


def clean_runs_needed(failures: int, runs: int, limit: float, confidence: float) -> int:
    """How many more runs, none of them failing, would prove the failure probability to be below `limit`."""
    enough = 1

    def passes(more: int) -> bool:
        return _evidence(failures, runs + more, limit, BELOW) >= -log(1 - confidence)

    if passes(0):
        return 0
    while not passes(enough):
        enough *= 2
    short = enough // 2
    while enough - short > 1:  # each run without a failure speaks for "below": there is one turning point
        middle = (enough + short) // 2
        short, enough = (short, middle) if passes(middle) else (middle, enough)
    return enough


def _evidence(failures: int, runs: int, limit: float, ratios: Sequence[float]) -> float:
    """The logarithm of the mean martingale at `limit`, over the odds ratios."""
    parts = [_times_log(failures, ratio) - runs * log1p(limit * (ratio - 1)) for ratio in ratios]
    most = max(parts)
    return most + log(sum(exp(part - most) for part in parts) / len(parts))


def _times_log(count: int, ratio: float) -> float:
    if ratio > 0:
        return count * log(ratio)
    return -inf if count else 0.0


def _last(holds: Callable[[float], bool]) -> float:
    """The end of the part of 0 to 1 in which `holds` is true, that part being at the beginning."""
    low, high = 0.0, 1.0
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
