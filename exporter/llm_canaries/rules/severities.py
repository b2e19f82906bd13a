"""Warning and critical of one alert name: the same labels, and critical implies warning, as far as can be proven."""

from collections.abc import Iterator, Sequence

from llm_canaries.config.problems import Problem
from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.promql.plan import Combine, Compute, Number, Plan, Select
from llm_canaries.rules.vector import NAME

THRESHOLD = "llm_canary_threshold"


def disagreements(groups: Sequence[RuleGroup]) -> list[Problem]:
    """Critical rules that may fire where no warning of their name does."""
    found = []
    for group in groups:
        for rule in group.rules:
            if rule.kind == "alert" and rule.severity == "critical":
                warnings = [
                    each for other in groups for each in other.rules
                    if each.name == rule.name and each.severity == "warning"
                ]  # fmt: skip
                if warnings and all(list(why(rule, each)) for each in warnings):
                    reason = "; ".join(why(rule, warnings[0]))
                    message = f"group `{group.name}`, rule `{rule.name}`: critical does not imply its warning: {reason}"
                    found.append(Problem(group.file, rule.line, message))
    return found


def why(critical: Rule, warning: Rule) -> Iterator[str]:
    """Why a critical rule may fire without this warning."""
    if {name for name, _ in critical.labels} != {name for name, _ in warning.labels}:
        yield "their rules set other labels"
    for name in ("hold", "keep"):
        first, second = getattr(critical, name), getattr(warning, name)
        if (first < second) if name == "hold" else (first > second):
            yield f"its {'`for` is shorter' if name == 'hold' else '`keep_firing_for` is longer'}"
    if not implies(critical.plan, warning.plan):
        yield "its condition is not the warning's with a bound farther off, or with one more `and`"


def implies(critical: Plan, warning: Plan) -> bool:
    """Whether every series of `critical` is one of `warning`, by the form of the two expressions."""
    if critical == warning:
        return True
    match critical, warning:
        case Compute(operator, left, right, False, match), Compute(same, other_left, other_right, False, other_match):
            return operator == same and match == other_match and left == other_left and (
                _farther(operator, right, other_right)
            )
        case Combine("or", left, right, match), Combine("or", other_left, other_right, other_match):
            return match == other_match and implies(left, other_left) and implies(right, other_right)
        case Combine("unless", left, right, match), Combine("unless", other_left, other_right, other_match):
            return match == other_match and implies(left, other_left) and right == other_right
    if isinstance(critical, Combine) and critical.operator == "and":
        both = isinstance(warning, Combine) and warning.operator == "and" and critical.match == warning.match
        if both and implies(critical.left, warning.left) and implies(critical.right, warning.right):  # type: ignore[union-attr]
            return True
        return implies(critical.left, warning)
    return False


def _farther(operator: str, critical: Plan, warning: Plan) -> bool:
    """Whether the bound of critical is as far off as the warning's, or farther."""
    if critical == warning:
        return True
    if isinstance(critical, Number) and isinstance(warning, Number):
        first, second = float(critical.text), float(warning.text)
        return first >= second if operator in (">", ">=") else first <= second if operator in ("<", "<=") else False
    return operator in (">", ">=") and _is_threshold(critical, "critical") and _is_threshold(warning, "warning")


def _is_threshold(plan: Plan, severity: str) -> bool:
    """Whether it is the configured threshold of that severity; the configuration sees to it that critical is higher."""
    if not isinstance(plan, Select):
        return False
    stated = {each.name: each.value for each in plan.matchers if each.operator == "="}
    return stated.get(NAME) == THRESHOLD and stated.get("severity") == severity
