"""The functions that are evaluated, by name; what is not here is refused when a rule is loaded."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from msgspec import Struct

from llm_canaries.rules.promql import elementwise, overtime, rates
from llm_canaries.rules.promql.histogram import histogram_fraction, histogram_quantile
from llm_canaries.rules.promql.labels import label_join, label_replace
from llm_canaries.rules.promql.order import sort, sort_desc
from llm_canaries.rules.promql.plan import Kind, Lift, Number, Plan, Time
from llm_canaries.rules.vector import EMPTY, Vector


class Function(Struct, frozen=True):
    """What a function takes and gives, and how it is computed.

    `each` gets the values of the vector and gives as many, `over` gets the samples of the range and its span, `whole`
    gets the vector; the other arguments follow. `number` gets and gives numbers. `each` and
    `over` drop the metric name. `more` are arguments that may be left out, with what they are then; `repeats` says
    that the last argument may come any number of times.
    """

    how: Literal["each", "over", "whole", "number"]
    apply: Callable[..., Any]
    takes: tuple[Kind, ...]
    more: tuple[Plan, ...] = ()
    repeats: bool = False
    keeps_name: bool = False

    @property
    def subject(self) -> int:
        """Where the vector or range stands among the arguments."""
        return next(place for place, kind in enumerate(self.takes) if kind in ("vector", "range"))


def clamped(vector: Vector, least: float, most: float) -> Vector:
    """The values, none below `least` or above `most`; nothing where that cannot be."""
    if most < least:
        return EMPTY
    frame = vector.frame.drop_name()
    return Vector(frame, elementwise.clamp(vector.values, least, most))


def scalar(vector: Vector) -> float:
    """The value of the only series; NaN where there is none, or several."""
    return float(vector.values[0]) if len(vector.values) == 1 else float("nan")


def _each(apply: Callable[..., Any]) -> Function:
    return Function("each", apply, ("vector",))


def _date(apply: Callable[..., Any]) -> Function:
    return Function("each", apply, ("vector",), (Lift(Time()),))


def _over(apply: Callable[..., Any], *, keeps_name: bool = False) -> Function:
    return Function("over", apply, ("range",), keeps_name=keeps_name)


FUNCTIONS: Mapping[str, Function] = {
    "abs": _each(np.abs),
    "acos": _each(np.arccos),
    "acosh": _each(np.arccosh),
    "asin": _each(np.arcsin),
    "asinh": _each(np.arcsinh),
    "atan": _each(np.arctan),
    "atanh": _each(np.arctanh),
    "avg_over_time": _over(overtime.mean),
    "ceil": _each(np.ceil),
    "changes": _over(overtime.changes),
    "clamp": Function("whole", clamped, ("vector", "scalar", "scalar")),
    "clamp_max": Function("whole", lambda vector, most: clamped(vector, -np.inf, most), ("vector", "scalar")),
    "clamp_min": Function("whole", lambda vector, least: clamped(vector, least, np.inf), ("vector", "scalar")),
    "cos": _each(np.cos),
    "cosh": _each(np.cosh),
    "count_over_time": _over(overtime.count),
    "day_of_month": _date(elementwise.day_of_month),
    "day_of_week": _date(elementwise.day_of_week),
    "day_of_year": _date(elementwise.day_of_year),
    "days_in_month": _date(elementwise.days_in_month),
    "deg": _each(elementwise.degrees),
    "delta": _over(rates.delta),
    "deriv": _over(rates.deriv),
    "exp": _each(np.exp),
    "first_over_time": _over(overtime.first, keeps_name=True),
    "floor": _each(np.floor),
    "histogram_fraction": Function("whole", histogram_fraction, ("scalar", "scalar", "vector")),
    "histogram_quantile": Function("whole", histogram_quantile, ("scalar", "vector")),
    "hour": _date(elementwise.hour),
    "idelta": _over(rates.idelta),
    "increase": _over(rates.increase),
    "irate": _over(rates.irate),
    "label_join": Function("whole", label_join, ("vector", "text", "text", "text"), repeats=True),
    "label_replace": Function("whole", label_replace, ("vector", "text", "text", "text", "text")),
    "last_over_time": _over(overtime.last, keeps_name=True),
    "ln": _each(np.log),
    "log10": _each(np.log10),
    "log2": _each(np.log2),
    "max_over_time": _over(overtime.most),
    "max_of": Function("number", elementwise.larger, ("scalar", "scalar")),
    "min_of": Function("number", elementwise.smaller, ("scalar", "scalar")),
    "min_over_time": _over(overtime.least),
    "minute": _date(elementwise.minute),
    "month": _date(elementwise.month),
    "predict_linear": Function("over", rates.predict_linear, ("range", "scalar")),
    "present_over_time": _over(overtime.present),
    "quantile_over_time": Function("over", overtime.quantile, ("scalar", "range")),
    "rad": _each(elementwise.radians),
    "rate": _over(rates.rate),
    "resets": _over(overtime.resets),
    "round": Function("each", elementwise.nearest, ("vector", "scalar"), (Number("1.0"),)),
    "scalar": Function("whole", scalar, ("vector",)),
    "sgn": _each(elementwise.sign),
    "sin": _each(np.sin),
    "sinh": _each(np.sinh),
    "sort": Function("whole", sort, ("vector",)),
    "sort_desc": Function("whole", sort_desc, ("vector",)),
    "sqrt": _each(np.sqrt),
    "stddev_over_time": _over(overtime.deviation),
    "stdvar_over_time": _over(overtime.variance),
    "sum_over_time": _over(overtime.total),
    "tan": _each(np.tan),
    "tanh": _each(np.tanh),
    "year": _date(elementwise.year),
}
SPECIAL = ("absent", "absent_over_time", "end", "pi", "range", "start", "step", "time", "timestamp", "vector")
"""Functions that have a plan of their own."""
