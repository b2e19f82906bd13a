"""A rule with another threshold: what it would have said, had it been set so."""

from msgspec.structs import replace

from llm_canaries.rules.group import Rule
from llm_canaries.rules.promql.plan import Combine, Compute, Match, Number, Plan, Select
from llm_canaries.rules.severities import THRESHOLD
from llm_canaries.rules.vector import NAME


def with_threshold(rule: Rule, threshold: float) -> Rule | None:
    """The rule with its comparison's bound replaced; None where it compares with no number or configured threshold."""
    plan = _replaced(rule.plan, threshold)
    return None if plan is None else replace(rule, plan=plan)


def _replaced(plan: Plan, threshold: float) -> Plan | None:
    """The first comparison from the left, outside of functions and aggregations, with another right side."""
    match plan:
        case Compute(operator, left, right, _, _) if operator in (">", ">=", "<", "<=") and _is_bound(right):
            return Compute(operator, left, Number(repr(threshold)), False, Match())
        case Combine(operator, left, right, match):
            first = _replaced(left, threshold)
            if operator == "or":
                second = _replaced(right, threshold)
                return Combine(operator, first or left, second or right, match) if first or second else None
            return None if first is None else Combine(operator, first, right, match)
    return None


def _is_bound(plan: Plan) -> bool:
    if isinstance(plan, Number):
        return True
    return isinstance(plan, Select) and any(each.name == NAME and each.value == THRESHOLD for each in plan.matchers)
