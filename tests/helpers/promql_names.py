"""Where it matters that Prometheus' scripts run with metric names removed late, a feature that is off by default."""

from llm_canaries.rules.promql.functions import FUNCTIONS
from llm_canaries.rules.promql.plan import Call, Combine, Compute, Negate, Plan, Reduce, Stamp, Text, parts

_NAME = "__name__"
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def needs_delayed_names(plan: Plan) -> bool:
    """Whether some part asks for the name of series whose name is gone by then, if names are removed at once."""
    return any(map(needs_delayed_names, parts(plan))) or (
        _asks_for_names(plan) and any(map(_loses_names, parts(plan)))
    )


def _asks_for_names(plan: Plan) -> bool:
    match plan:
        case Reduce(by=by):
            return by is not None and _NAME in by
        case Combine(match=match) | Compute(match=match):
            return match.on is not None and _NAME in match.on
        case Call("label_replace" | "label_join", arguments):
            return Text(_NAME) in arguments
    return False


def _loses_names(plan: Plan) -> bool:
    """Whether a series of the plan may have lost its name on the way."""
    match plan:
        case Negate() | Stamp():
            return True
        case Compute(operator, as_bool=as_bool) if operator not in _COMPARISONS or as_bool:
            return True
        case Call(name):
            function = FUNCTIONS[name]
            if function.how != "whole" and not function.keeps_name:
                return True
            if name in ("clamp", "clamp_min", "clamp_max", "histogram_quantile", "histogram_fraction"):
                return True
    return any(map(_loses_names, parts(plan)))
