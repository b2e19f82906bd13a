"""Text to plan. What is not evaluated here is refused, and so is what the parser reads differently from Prometheus."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast, get_args

import promql_parser as parser

from llm_canaries.rules.matcher import Matcher, Operator, pattern_problem
from llm_canaries.rules.promql.plan import (
    Absent,
    Arithmetic,
    Combine,
    Comparison,
    Compute,
    Lift,
    Match,
    Negate,
    Number,
    Plan,
    Reduce,
    Reducer,
    Select,
    SetOperator,
    Time,
)
from llm_canaries.rules.vector import NAME, Key

MOST_CHARACTERS = 10_000
DEEPEST = 100  # the parser overflows the stack of the process somewhere beyond a thousand

_OPERATORS: dict[str, Operator] = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
_REDUCERS = get_args(Reducer)
_SETS = get_args(SetOperator)
_FUNCTIONS = ("time", "vector", "absent")
_TOKENS = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<raw>`[^`]*`)|(?P<comment>\#[^\n]*)
    |(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<sign>[-+*/%^=!<>]+|\b(?:and|or|unless|atan2|bool)\b)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


class Refused(Exception):
    """An expression that is not evaluated here; the message says which construct, and why."""


class Compiler:
    """Makes plans in which equal parts, of one rule or of several, are one object: computed once a tick."""

    def __init__(self) -> None:
        self._known: dict[Plan, Plan] = {}

    def parse(self, text: str) -> Plan:
        """The plan of an expression. Raises Refused."""
        _check_text(text)
        try:
            expression = parser.parse(text)
        except ValueError as error:
            raise Refused(f"not PromQL: {str(error).strip()}") from None
        return self.plan(expression)

    def plan(self, node: Any, depth: int = 0) -> Plan:
        """The plan of one node of the parser's tree."""
        if depth > 2 * DEEPEST:
            raise Refused(f"nested deeper than {DEEPEST}")
        for kind, compile_node in self._kinds():
            if isinstance(node, kind):
                plan = compile_node(node, depth + 1)
                return self._known.setdefault(plan, plan)
        raise Refused(f"{_called(node)} is not evaluated here")

    def _kinds(self) -> Iterator[tuple[type, Callable[[Any, int], Plan]]]:
        yield parser.ParenExpr, lambda node, depth: self.plan(node.expr, depth)
        yield parser.NumberLiteral, lambda node, depth: Number(repr(float(node.val)))
        yield parser.VectorSelector, lambda node, depth: _select(node)
        yield parser.BinaryExpr, self._binary
        yield parser.AggregateExpr, self._reduce
        yield parser.Call, self._call
        yield parser.UnaryExpr, lambda node, depth: Negate(self.plan(node.expr, depth))

    def _binary(self, node: Any, depth: int) -> Plan:
        operator, modifier = str(node.op), node.modifier
        left, right = self.plan(node.lhs, depth), self.plan(node.rhs, depth)
        match = _match(modifier)
        if operator in _SETS:
            return Combine(cast("SetOperator", operator), left, right, match)
        if operator not in (*get_args(Arithmetic), *get_args(Comparison)):
            raise Refused(f"the operator `{operator}` is not evaluated here")
        as_bool = modifier is not None and modifier.return_bool
        return Compute(cast("Arithmetic", operator), left, right, as_bool, match)

    def _reduce(self, node: Any, depth: int) -> Plan:
        reducer = str(node.op)
        if reducer not in _REDUCERS:
            raise Refused(f"the aggregation `{reducer}` is not evaluated here; these are: {', '.join(_REDUCERS)}")
        by: Key | None = ()
        without: Key = ()
        if node.modifier is not None:
            names = tuple(sorted(set(node.modifier.labels)))
            grouped = node.modifier.type == parser.AggModifierType.By
            by, without = (names, ()) if grouped else (None, names)
        return Reduce(cast("Reducer", reducer), self.plan(node.expr, depth), by, without)

    def _call(self, node: Any, depth: int) -> Plan:
        name = node.func.name
        if name not in _FUNCTIONS:
            raise Refused(f"the function `{name}` is not evaluated here; these are: {', '.join(_FUNCTIONS)}")
        if name == "time":
            return Time()
        operand = self.plan(node.args[0], depth)
        if name == "vector":
            return Lift(operand)
        inner = _unwrapped(node.args[0])
        return Absent(operand, _stated(_select(inner).matchers) if isinstance(inner, parser.VectorSelector) else ())


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


def _check_text(text: str) -> None:
    """Refuses what would overflow the parser, and what it is known to misread."""
    if len(text) > MOST_CHARACTERS:
        raise Refused(f"more than {MOST_CHARACTERS:,} characters")
    depth = deepest = signs = 0
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup
        if kind == "raw" and "\\" in token.group():
            raise Refused("a backslash in a `backquoted` text is misread by the parser; use double quotes")
        depth += (kind == "open") - (kind == "close")
        deepest = max(deepest, depth)
        signs += max(1, sum(map(token.group().count, "+-"))) if kind == "sign" else 0
    if deepest > DEEPEST or signs > 2 * DEEPEST:
        raise Refused(f"nested deeper than {DEEPEST}, or more than {2 * DEEPEST} operators")


def _select(node: Any) -> Select:
    if node.offset is not None:
        raise Refused("`offset` is not evaluated here")
    if node.at is not None:
        raise Refused("`@` is not evaluated here")
    if node.matchers.or_matchers:
        raise Refused("`or` between matchers is not evaluated here")
    matchers = [] if node.name is None else [Matcher("=", NAME, node.name)]
    for each in node.matchers.matchers:
        matcher = Matcher(_OPERATORS[str(each.op)], each.name, each.value)
        problem = pattern_problem(each.value) if matcher.operator in ("=~", "!~") else None
        if problem is not None:
            raise Refused(f"the pattern {each.value!r} is not RE2: {problem}")
        matchers.append(matcher)
    return Select(tuple(matchers))


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
        raise Refused(f"`{min(set(on) & set(include))}` cannot be both in `on` and in the `group_` modifier")
    return Match(on, ignoring, many, include)  # type: ignore[arg-type]


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


def _called(node: Any) -> str:
    words = {
        parser.MatrixSelector: "a range, such as `x[5m]`,",
        parser.SubqueryExpr: "a subquery",
        parser.StringLiteral: "a text as a value",
    }
    return words.get(type(node), f"`{node}`")
