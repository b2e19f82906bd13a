"""Functions of one value each: rounding, clamping, logarithms, angles, dates."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from llm_canaries.rules.vector import Floats

Whole = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]
_SECONDS_A_DAY = 86_400


def sign(values: Floats) -> Floats:
    """-1, 0 or 1; NaN and the zeros stay as they are."""
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


def nearest(values: Floats, step: float) -> Floats:
    """The nearest multiple of `step`; halves go up."""
    inverse = np.float64(1.0) / np.float64(step)
    rounded: Floats = np.floor(values * inverse + 0.5) / inverse
    return rounded


def clamp(values: Floats, least: float, most: float) -> Floats:
    """The values, none below `least` or above `most`."""
    return np.asarray(larger(least, smaller(most, values)))


def smaller(one: Any, other: Any) -> Any:
    """The smaller of two; NaN where one is, but nothing is below -Inf."""
    return np.where((one == -np.inf) | (other == -np.inf), -np.inf, np.minimum(one, other))[()]


def larger(one: Any, other: Any) -> Any:
    """The larger of two; NaN where one is, but nothing is above +Inf."""
    return np.where((one == np.inf) | (other == np.inf), np.inf, np.maximum(one, other))[()]


def radians(values: Floats) -> Floats:
    """Degrees as radians."""
    return values * math.pi / 180


def degrees(values: Floats) -> Floats:
    """Radians as degrees."""
    return values * 180 / math.pi


def minute(values: Floats) -> Floats:
    """The minute of the hour, UTC."""
    return _number(_split(values)[1] // 60 % 60)


def hour(values: Floats) -> Floats:
    """The hour of the day, UTC."""
    return _number(_split(values)[1] // 3600)


def day_of_week(values: Floats) -> Floats:
    """Days since Sunday, UTC."""
    return _number((_split(values)[0] + 4) % 7)  # the epoch was a Thursday


def day_of_month(values: Floats) -> Floats:
    """The day of the month from 1 on, UTC."""
    days = _days(values)
    return _number(days - days.astype("M8[M]").astype("M8[D]")) + 1


def day_of_year(values: Floats) -> Floats:
    """The day of the year from 1 on, UTC."""
    days = _days(values)
    return _number(days - days.astype("M8[Y]").astype("M8[D]")) + 1


def days_in_month(values: Floats) -> Floats:
    """How many days the month has, UTC."""
    months = _days(values).astype("M8[M]")
    return _number((months + 1).astype("M8[D]") - months.astype("M8[D]"))


def month(values: Floats) -> Floats:
    """The month from 1 on, UTC."""
    return _number(_days(values).astype("M8[M]")) % 12 + 1


def year(values: Floats) -> Floats:
    """The year, UTC."""
    return _number(_days(values).astype("M8[Y]")) + 1970


def _number(values: npt.NDArray[Any]) -> Floats:
    """How many days, months or years."""
    return values.astype(np.int64).astype(np.float64)


def _split(values: Floats) -> tuple[Whole, Whole]:
    """Whole days and the seconds into the day, of whole seconds cut off towards zero.

    What no integer can hold, NaN as well, is 2^63 seconds: so it comes out of Go on the machines Prometheus runs on.
    """
    fits = np.abs(values) < 2.0**63
    whole: Whole = np.where(fits, values, 0.0).astype(np.int64)
    days, seconds = np.divmod(whole, _SECONDS_A_DAY)
    last = divmod(2**63, _SECONDS_A_DAY)
    return np.where(fits, days, last[0]), np.where(fits, seconds, last[1])


def _days(values: Floats) -> Days:
    return _split(values)[0].astype("M8[D]")
