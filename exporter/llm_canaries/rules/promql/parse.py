"""Text to plan. What is not evaluated here is refused, and so is what the parser reads differently from Prometheus."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_args

import promql_parser as parser

from llm_canaries.rules.matcher import Matcher, Operator, pattern_problem
from llm_canaries.rules.promql.aggregate import AGGREGATIONS
from llm_canaries.rules.promql.binary import CALCULATIONS, COMPARISONS
from llm_canaries.rules.promql.functions import FUNCTIONS, SPECIAL
from llm_canaries.rules.promql.plan import (
    STEP,
    Absent,
    Call,
    Combine,
    Compute,
    Edge,
    Kind,
    Lift,
    Match,
    Negate,
    Number,
    Plan,
    Range,
    Reduce,
    Select,
    SetOperator,
    Stamp,
    Subquery,
    Text,
    Time,
    When,
    moments,
)
from llm_canaries.rules.promql.text import DEEPEST, NotPromql, Refused, check_text
from llm_canaries.rules.vector import NAME, Key

__all__ = ["Compiler", "NotPromql", "Refused", "parse", "parse_series"]

_OPERATORS: dict[str, Operator] = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
_SETS = get_args(SetOperator)
_PI = "3.141592653589793"
MOST_MOMENTS = 11_000  # as many points as Prometheus lets a range query have; all rules wait for one that takes long
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Compiler:
    """Makes plans in which equal parts, of one rule or of several, are one object: computed once a tick."""

    def __init__(self) -> None:
        self._known: dict[Plan, Plan] = {}

    def parse(self, text: str, kinds: Sequence[Kind] = ("scalar", "vector")) -> Plan:
        """The plan of an expression whose value is of one of the `kinds`. Raises Refused."""
        check_text(text)
        try:
            expression = parser.parse(text)
        except ValueError as error:
            raise NotPromql(f"not PromQL: {str(error).strip()}") from None
        inner = _unwrapped(expression)
        if isinstance(inner, parser.StringLiteral) and "text" not in kinds:
            raise Refused("a text as a value is not evaluated here")
        if isinstance(inner, parser.MatrixSelector | parser.SubqueryExpr) and "range" not in kinds:
            raise Refused("a range, such as `x[5m]`, is no value; a function such as `rate` makes one of it")
        plan = self.plan(expression)
        if (times := moments(plan)) > MOST_MOMENTS:
            raise Refused(f"its subqueries are evaluated at {times:,} times, and here at {MOST_MOMENTS:,} at most")
        return plan

    def plan(self, node: Any, depth: int = 0) -> Plan:
        """The plan of one node of the parser's tree."""
        if depth > 2 * DEEPEST:
            raise Refused(f"nested deeper than {DEEPEST}")
        for kind, compile_node in self._kinds():
            if isinstance(node, kind):
                return self._one(compile_node(node, depth + 1))
        raise Refused(f"`{node}` is not evaluated here")

    def _one(self, plan: Plan) -> Plan:
        return self._known.setdefault(plan, plan)

    def _kinds(self) -> Iterator[tuple[type, Callable[[Any, int], Plan]]]:
        yield parser.ParenExpr, lambda node, depth: self.plan(node.expr, depth)
        yield parser.NumberLiteral, lambda node, depth: Number(repr(float(node.val)))
        yield parser.StringLiteral, lambda node, depth: Text(node.val)
        yield parser.VectorSelector, lambda node, depth: _select(node)
        yield parser.MatrixSelector, self._range
        yield parser.SubqueryExpr, self._subquery
        yield parser.BinaryExpr, self._binary
        yield parser.AggregateExpr, self._reduce
        yield parser.Call, self._call
        yield parser.UnaryExpr, lambda node, depth: Negate(self.plan(node.expr, depth))

    def _range(self, node: Any, depth: int) -> Plan:
        select = cast("Select", self._one(_select(node.vector_selector)))
        return Range(select, _millis(node.range))

    def _subquery(self, node: Any, depth: int) -> Plan:
        step = STEP if node.step is None else _millis(node.step)
        return Subquery(self.plan(node.expr, depth), _millis(node.range), step, _when(node))

    def _binary(self, node: Any, depth: int) -> Plan:
        operator, modifier = str(node.op), node.modifier
        left, right = self.plan(node.lhs, depth), self.plan(node.rhs, depth)
        match = _match(modifier)
        if operator in _SETS:
            return Combine(cast("SetOperator", operator), left, right, match)
        if operator not in (*CALCULATIONS, *COMPARISONS):
            raise Refused(f"the operator `{operator}` is not evaluated here")
        as_bool = modifier is not None and modifier.return_bool
        return Compute(operator, left, right, as_bool, match)

    def _reduce(self, node: Any, depth: int) -> Plan:
        reducer = str(node.op)
        if reducer not in AGGREGATIONS:
            raise Refused(f"the aggregation `{reducer}` is not evaluated here; these are: {', '.join(AGGREGATIONS)}")
        by: Key | None = ()
        without: Key = ()
        if node.modifier is not None:
            names = tuple(sorted(set(node.modifier.labels)))
            grouped = node.modifier.type == parser.AggModifierType.By
            by, without = (names, ()) if grouped else (None, names)
        parameter = None if node.param is None else self.plan(node.param, depth)
        if reducer == "count_values" and isinstance(parameter, Text) and not parameter.text:
            raise NotPromql("not PromQL: `count_values` needs the name of a label")
        return Reduce(reducer, self.plan(node.expr, depth), by, without, parameter)

    def _call(self, node: Any, depth: int) -> Plan:
        name = node.func.name
        if name in FUNCTIONS:
            return self._function(name, tuple(self.plan(each, depth) for each in node.args))
        if name not in SPECIAL:
            known = ", ".join(sorted((*FUNCTIONS, *SPECIAL)))
            raise Refused(f"the function `{name}` is not evaluated here; these are: {known}")
        if name in ("start", "end", "range", "step"):
            return Edge(name)
        if name in ("time", "pi"):
            return Time() if name == "time" else Number(_PI)
        operand, inner = self.plan(node.args[0], depth), _unwrapped(node.args[0])
        if name == "vector":
            return Lift(operand)
        if name == "timestamp":
            if isinstance(operand, Select) and operand.when.offset and operand.when.at is not None:
                raise Refused("`timestamp` of `@` with `offset` is not evaluated here: Prometheus forgets the offset")
            return Stamp(operand)
        selector = inner.vector_selector if isinstance(inner, parser.MatrixSelector) else inner
        plain = isinstance(selector, parser.VectorSelector)
        return Absent(operand, _stated(_select(selector).matchers) if plain else ())

    def _function(self, name: str, arguments: tuple[Plan, ...]) -> Plan:
        function = FUNCTIONS[name]
        most = len(function.takes)
        least = most - len(function.more) - function.repeats
        if len(arguments) < least or (len(arguments) > most and not function.repeats):
            raise NotPromql(f"not PromQL: `{name}` takes {most} arguments, not {len(arguments)}")
        missing = max(0, most - function.repeats - len(arguments))
        arguments += tuple(self._one(each) for each in function.more[len(function.more) - missing :] if missing)
        problem = _text_problem(name, arguments)
        if problem:
            raise NotPromql(f"not PromQL: {problem}")
        return Call(name, arguments)


def parse(text: str) -> Plan:
    """The plan of one expression. Raises Refused."""
    return Compiler().parse(text)


def parse_series(text: str) -> dict[str, str]:
    """The labels of one series as it is written in tests, `name{label="value"}`. Raises Refused."""
    if re.sub(r"\s", "", text) in ("{}", ""):
        return {}
    plan = parse(text)
    if not isinstance(plan, Select) or any(matcher.operator != "=" for matcher in plan.matchers):
        raise Refused("not a series; write `name{label=\"value\"}`")
    return {matcher.name: matcher.value for matcher in plan.matchers if matcher.value}


def _select(node: Any) -> Select:
    if node.matchers.or_matchers:
        raise Refused("`or` between matchers is not evaluated here")
    matchers = [] if node.name is None else [Matcher("=", NAME, node.name)]
    for each in node.matchers.matchers:
        matcher = Matcher(_OPERATORS[str(each.op)], each.name, each.value)
        problem = pattern_problem(each.value) if matcher.operator in ("=~", "!~") else None
        if problem is not None:
            raise Refused(f"the pattern {each.value!r} is not RE2: {problem}")
        matchers.append(matcher)
    return Select(tuple(matchers), _when(node))


def _when(node: Any) -> When:
    at: Any = None
    if node.at is not None:
        kind = str(node.at.type).rpartition(".")[2].lower()
        at = kind if kind in ("start", "end") else _millis(node.at.at - _EPOCH)
    return When(0 if node.offset is None else _millis(node.offset), at)


def _millis(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _match(modifier: Any) -> Match:
    if modifier is None:
        return Match()
    fill = modifier.fill_values
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise Refused("`fill` is not evaluated here")
    many = {"ManyToOne": "left", "OneToMany": "right"}.get(str(modifier.card).rpartition(".")[2], "")
    include = tuple(sorted(set(modifier.group_labels or ())))
    on: Key | None = None
    ignoring: Key = ()
    if modifier.matching is not None:
        names = tuple(sorted(set(modifier.matching.labels)))
        if modifier.matching.type == parser.LabelModifierType.Include:
            on = names
        else:
            ignoring = names
    if on is not None and set(on) & set(include):
        both = min(set(on) & set(include))
        raise NotPromql(f"`{both}` cannot be both in `on` and in the `group_` modifier")
    return Match(on, ignoring, many, include)  # type: ignore[arg-type]


def _text_problem(name: str, arguments: tuple[Plan, ...]) -> str | None:
    """What Prometheus would say, at the first evaluation, of a text that a function is given."""
    texts = [each.text for each in arguments if isinstance(each, Text)]
    if name == "label_replace" and (problem := pattern_problem(texts[3])) is not None:
        return f"the pattern {texts[3]!r} of `label_replace` is not RE2: {problem}"
    names = [texts[0]] if name == "label_replace" else [texts[0], *texts[2:]] if name == "label_join" else []
    return f"`{name}` needs names of labels, not an empty text" if "" in names else None


def _stated(matchers: Sequence[Matcher]) -> tuple[tuple[str, str], ...]:
    """The labels that the matchers state for certain: by one `=` and nothing after it."""
    stated: dict[str, str] = {}
    seen: set[str] = set()
    for each in matchers:
        if each.name == NAME:
            continue
        if each.operator == "=" and each.name not in seen:
            stated[each.name] = each.value
            seen.add(each.name)
        else:
            stated.pop(each.name, None)
    return tuple(sorted((name, value) for name, value in stated.items() if value))


def _unwrapped(node: Any) -> Any:
    while isinstance(node, parser.ParenExpr):
        node = node.expr
    return node
