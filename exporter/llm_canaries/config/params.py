"""Parameters of a scenario: each field checked by itself against the scenario's Struct."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import FieldInfo, fields

from llm_canaries.config.problems import allowed, quoted
from llm_canaries.config.values import Refused, parse_duration

SECONDS = "_seconds"

_AT = re.compile(r" - at `\$(.*)`$")


class ParamsError(ValueError):
    """Parameters that a scenario does not take; `objections` is the field and the message of each."""

    def __init__(self, objections: tuple[tuple[str, str], ...]) -> None:
        self.objections = objections
        super().__init__("; ".join(f"`{name}`: {message}" for name, message in objections))


class Checked(Struct, frozen=True):
    """Parameters as far as they are right, durations in seconds, and what is wrong with the others, by field."""

    values: dict[str, Any]
    objections: tuple[tuple[str, str], ...]


def check_params(
    params: type[Struct],
    given: Mapping[str, object],
    *,
    whole: bool,
    shown: Callable[[str, object], str] = lambda name, value: quoted(value),
) -> Checked:
    """What `given` means to a scenario with these `params`; `whole` asks for the fields without a default too.

    `shown` is a field's value as a message may show it.
    """
    known = {field.encode_name: field for field in fields(params)}
    values: dict[str, Any] = {}
    objections: list[tuple[str, str]] = []
    for name, value in given.items():
        if name not in known:
            objections.append((name, f"unknown parameter; {allowed(name, known)}"))
            continue
        try:
            values[name] = _field(known[name], value, shown(name, value))
        except Refused as refused:
            objections.append((name, str(refused)))
    if whole:
        missing = [name for name, field in known.items() if field.required and name not in given]
        objections += [(name, "missing parameter; this scenario needs it") for name in missing]
    if whole and not objections:
        objections += _together(params, values)
    return Checked(values, tuple(objections))


def merge_params(
    params_type: type[Struct], base: Mapping[str, object] | Struct | None, overrides: Mapping[str, object] | None
) -> Struct:
    """The parameters of `base` with `overrides` laid over them. Raises ParamsError."""
    below = msgspec.to_builtins(base) if isinstance(base, Struct) else dict(base or {})
    checked = check_params(params_type, below | dict(overrides or {}), whole=True)
    if checked.objections:
        raise ParamsError(checked.objections)
    return msgspec.convert(checked.values, params_type, strict=True)


def _field(field: FieldInfo, value: object, shown: str) -> object:
    """The value in builtin types. Raises Refused."""
    plain = msgspec.to_builtins(value)
    if field.encode_name.endswith(SECONDS):
        plain = _seconds(plain, shown)
    try:
        msgspec.convert(plain, field.type, strict=True)
    except msgspec.ValidationError as error:
        raise Refused(_objection(field, plain, shown, str(error))) from None
    return plain


def _seconds(value: object, shown: str) -> object:
    """Durations as numbers of seconds; numbers as they are."""
    if isinstance(value, list):
        return [_seconds(each, "an item") for each in value]
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except Refused as refused:
        raise Refused(f"{shown} {refused}") from None


def _objection(field: FieldInfo, value: object, shown: str, words: str) -> str:
    """The message about a value; msgspec's own words repeat values and are not used."""
    wanted = describe(inspect.type_info(field.type))
    if field.encode_name.endswith(SECONDS):
        wanted = wanted.replace("a number", "a number of seconds or a duration such as `20s`")
    at = _AT.search(words)
    inside = f" (wrong at `{at[1]}`)" if at else ""
    found = f"the text {shown}" if isinstance(value, str) and "text" not in wanted else shown
    return f"{found} does not fit{inside}; write {wanted}"


def _together(params: type[Struct], values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the Struct itself objects to when every field is right."""
    try:
        msgspec.convert(values, params, strict=True)
    except msgspec.ValidationError as error:
        yield "", f"the values do not fit together: {_AT.sub('', str(error))}; change one of them"


def describe(kind: inspect.Type) -> str:
    """What a type takes, in words."""
    match kind:
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.IntType():
            return "a whole number" + _range(kind)
        case inspect.FloatType():
            return "a number" + _range(kind)
        case inspect.StrType():
            return "text"
        case inspect.NoneType():
            return "`null`"
        case inspect.LiteralType():
            return "one of " + ", ".join(quoted(each) for each in kind.values)
        case inspect.EnumType():
            return "one of " + ", ".join(quoted(each.value) for each in kind.cls)
        case inspect.UnionType():
            return " or ".join(describe(each) for each in kind.types)
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return f"a list, each {describe(kind.item_type)}"
        case inspect.TupleType():
            return "a list of " + ", ".join(describe(each) for each in kind.item_types)
        case inspect.DictType() | inspect.StructType() | inspect.TypedDictType() | inspect.DataclassType():
            return "a mapping"
        case inspect.Metadata():
            return describe(kind.type)
    return "a value of another type"


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds = ((kind.ge, "from"), (kind.gt, "above"), (kind.le, "to"), (kind.lt, "below"))
    return "".join(f" {word} {bound:g}" for bound, word in bounds if bound is not None)
