"""The texts of alerts: Go's templates as far as alerts need them, read once, refused at load where they go further."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from llm_canaries.rules.humanize import FUNCTIONS, go_printf, go_value, printf_problem
from llm_canaries.rules.promql.parse import Refused, parse
from llm_canaries.rules.promql.plan import Plan
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import Vector

Kind = Literal["text", "number"]
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r'\s*(?:("(?:\\.|[^"\\])*"|`[^`]*`)|([$.][A-Za-z_][\w.]*)|([A-Za-z_]\w*)|(\|)|(\S+?))(?=\s|\||$)')
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\t": "\t"}
_SHOWN = "`$labels.name` and `$value`, piped to " + ", ".join(f"`{name}`" for name in FUNCTIONS) + " or `printf`"


class TemplateError(Exception):
    """A text that is not understood here; the message says what in it."""


class Literally(Struct, frozen=True):
    """Text as it is."""

    text: str


class Label(Struct, frozen=True):
    """A label of the alert's series; empty where there is none."""

    name: str


class Number(Struct, frozen=True):
    """The value of the alert's series."""


class Queried(Struct, frozen=True):
    """What another expression is now: the value of its first series, or a label of that."""

    plan: Plan
    label: str | None = None


class Applied(Struct, frozen=True):
    """A function of a number."""

    function: str
    operand: "Part"


class Printed(Struct, frozen=True):
    """`printf` with its format."""

    form: str
    operands: tuple["Part", ...]


Part = Literally | Label | Number | Queried | Applied | Printed
Ask = Callable[[Plan], Vector]
"""What an expression is at the time of evaluation."""


def no_query(plan: Plan) -> Vector:
    """Nobody to ask."""
    raise EvaluationError("nothing can be queried here")


class Template(Struct, frozen=True):
    """Parts that are written one after the other."""

    parts: tuple[Part, ...]

    @property
    def fixed(self) -> str | None:
        """The text, where it is always the same."""
        if all(isinstance(part, Literally) for part in self.parts):
            return "".join(part.text for part in self.parts if isinstance(part, Literally))
        return None

    @property
    def queries(self) -> bool:
        """Whether the text depends on more than the alert's own series."""
        return any(_queries(part) for part in self.parts)

    def render(self, labels: Mapping[str, str], value: float, ask: Ask = no_query) -> str:
        """The text for one alert; where a query has no answer, what Prometheus says then."""
        try:
            return "".join([_said(part, labels, value, ask) for part in self.parts])
        except EvaluationError as error:
            return f"<error expanding template: {error}>"


def read_template(text: str) -> Template:
    """The template in `text`. Raises TemplateError."""
    parts: list[Part] = []
    end = 0
    for action in _ACTION.finditer(text):
        _plain_text(parts, text[end : action.start()])
        parts.append(_Action(action.group(1)).part())
        end = action.end()
    _plain_text(parts, text[end:])
    return Template(tuple(parts))


def _plain_text(parts: list[Part], text: str) -> None:
    if "{{" in text:
        raise TemplateError("`{{` is never closed")
    if text:
        parts.append(Literally(text))


class _Action:
    """What stands between braces: commands joined by pipes, each given the one before as its last argument."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        if text.startswith("-") or text.endswith("-"):
            raise TemplateError("`{{-` and `-}}` are not understood here")

    def part(self) -> Part:
        """The part it stands for."""
        first, *rest = self._commands()
        if first and first[0] == "query":
            part: Part = self._query(first, rest[:2])
            rest = rest[2:]
        else:
            part = self._command(first, None)
        for command in rest:
            part = self._command(command, part)
        return part

    def _commands(self) -> list[list[str]]:
        commands: list[list[str]] = [[]]
        end = 0
        while end < len(self._text):
            token = _TOKEN.match(self._text, end)
            if token is None:
                raise self._refused(self._text[end:])
            end = token.end()
            if token.group(5):
                raise self._refused(token.group(5))
            if token.group(4):
                commands.append([])
            else:
                commands[-1].append(token.group().strip())
        return commands

    def _query(self, words: Sequence[str], then: Sequence[Sequence[str]]) -> Queried:
        """`query "…" | first | value`, or `| first | label "…"`."""
        picks = [list(each) for each in then]
        if len(words) != 2 or words[1][0] not in '"`' or len(picks) != 2 or picks[0] != ["first"]:
            raise TemplateError('`query` is understood as `query "…" | first | value` or `| first | label "…"`')
        text = words[1][1:-1] if words[1][0] == "`" else self._unescaped(words[1][1:-1])
        try:
            plan = parse(text)
        except Refused as refused:
            raise TemplateError(f"`query`: {refused}") from None
        match picks[1]:
            case ["value"]:
                return Queried(plan)
            case ["label", name] if name[0] in '"`':
                return Queried(plan, name[1:-1])
        raise self._refused(" ".join(picks[1]))

    def _command(self, words: Sequence[str], piped: Part | None) -> Part:
        if not words:
            raise TemplateError(f"`{{{{ {self._text} }}}}` has nothing where a value or function is wanted")
        name, *rest = words
        if name[0] in "$.\"`":
            if rest or piped is not None:
                raise self._refused(" ".join(words))
            return self._operand(name)
        operands = [self._operand(word) for word in rest] + ([piped] if piped is not None else [])
        if name == "printf":
            return self._printed(operands)
        if name not in FUNCTIONS:
            raise self._refused(name)
        if len(operands) != 1 or _kind(operands[0]) != "number":
            raise TemplateError(f"`{name}` wants one number, which is `$value`")
        return Applied(name, operands[0])

    def _operand(self, word: str) -> Part:
        if word[0] in '"`':
            return Literally(word[1:-1] if word[0] == "`" else self._unescaped(word[1:-1]))
        if word in ("$value", ".Value"):
            return Number()
        holder, _, name = word.rpartition(".")
        if holder in ("$labels", ".Labels") and name:
            return Label(name)
        raise self._refused(word)

    def _printed(self, operands: Sequence[Part]) -> Part:
        if not operands or not isinstance(operands[0], Literally):
            raise TemplateError('`printf` wants a format first, such as `printf "%.2f" $value`')
        form, rest = operands[0].text, tuple(operands[1:])
        problem = printf_problem(form, [_kind(operand) for operand in rest])
        if problem is not None:
            raise TemplateError(problem)
        return Printed(form, rest)

    def _unescaped(self, text: str) -> str:
        for escape in re.findall(r"\\.", text):
            if escape not in _ESCAPES:
                raise self._refused(escape)
        return re.sub(r"\\.", lambda found: _ESCAPES[found.group()], text)

    def _refused(self, word: str) -> TemplateError:
        return TemplateError(f"`{word.strip()}` in `{{{{ {self._text} }}}}` is not understood here; {_SHOWN} are")


def _kind(part: Part) -> Kind:
    return "number" if isinstance(part, Number) or (isinstance(part, Queried) and part.label is None) else "text"


def _queries(part: Part) -> bool:
    match part:
        case Queried():
            return True
        case Applied(_, operand):
            return _queries(operand)
        case Printed(_, operands):
            return any(map(_queries, operands))
    return False


def _said(part: Part, labels: Mapping[str, str], value: float, ask: Ask) -> str:
    match part:
        case Literally(text):
            return text
        case Label(name):
            return labels.get(name, "")
        case Number():
            return go_value(value)
        case Queried(_, None):
            return go_value(_number(part, value, ask))
        case Queried(plan, label):
            return _first(plan, ask).labels[0].get(label or "", "")
        case Applied(function, operand):
            return FUNCTIONS[function](_number(operand, value, ask))
        case Printed(form, operands):
            given = [
                _number(each, value, ask) if _kind(each) == "number" else _said(each, labels, value, ask)
                for each in operands
            ]
            return go_printf(form, given)


def _number(part: Part, value: float, ask: Ask) -> float:
    return float(_first(part.plan, ask).values[0]) if isinstance(part, Queried) else value


def _first(plan: Plan, ask: Ask) -> Vector:
    vector = ask(plan)
    if not vector.frame.size:
        raise EvaluationError("first() called on vector with no elements")
    return vector
