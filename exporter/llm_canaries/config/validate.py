"""Data against its model: pydantic finds what is wrong, the words about it are ours."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from llm_canaries.config.known import Known
from llm_canaries.config.problems import Path, Problems, allowed, listed, plain, quoted, shape
from llm_canaries.config.secrets import is_ordinary
from llm_canaries.config.shape import Of

M = TypeVar("M", bound=BaseModel)

_KEY = "[key]"  # where pydantic says that it speaks of a key
_WORD = re.compile(r"[A-Za-z0-9_.-]*")
_USER = re.compile(r"^([a-z]+://|).*@", re.DOTALL)
_QUERY = re.compile(r"[?#].*", re.DOTALL)

_WANTED: Mapping[str, tuple[str, str]] = {
    "string_type": ("text", "put it in quotes"),
    "bool_type": ("a boolean", "write `true` or `false`"),
    "tuple_type": ("a list", "write `[…]`, or one `- …` a line"),
    "int_type": ("a whole number", "write it in digits"),
    "int_parsing": ("a whole number", "write it in digits"),
    "int_from_float": ("a whole number", "write it in digits"),
    "dict_type": ("a mapping", "write `key: value`"),
    "mapping_type": ("a mapping", "write `key: value`"),
    "model_type": ("a mapping", "write `key: value`"),
}


def validate(
    model: type[M], data: object, root: Path, known: Known, problems: Problems
) -> M | None:
    """The model of the data at `root`, None where anything in it is wrong."""
    try:
        return model.model_validate(data, context=known)
    except ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        path: Path = (*root, *detail["loc"])
        key = path[-1:] == (_KEY,) and not problems.has(path)
        path = path[:-1] if key else path
        if detail["type"] == "missing":
            field = _fields(model, detail["loc"][:-1])[str(path[-1])]
            problems.add(path[:-1], f"missing key `{path[-1]}`; write {_wanted(field, known)}", key=True)
        elif detail["type"] == "extra_forbidden":
            names = _fields(model, detail["loc"][:-1])
            problems.add(path, f"unknown key {_key(str(path[-1]))}; {allowed(path[-1], names)}", key=True)
        else:
            problems.add(path, problems.told(path, _words(detail, path, problems, key=key)), key=key)
    return None


def secret_texts(data: object, path: Path = ()) -> Iterator[str]:
    """Every text in a place where secrets belong, valid or not."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from secret_texts(value, (*path, key))
    elif isinstance(data, list):
        for value in data:
            yield from secret_texts(value, path)
    elif isinstance(data, str) and _secret(path) and not ("headers" in path and is_ordinary(str(path[-1]), data)):
        yield data


_KEYS = (("proxy", "client_keys"), ("mirror", "key"), ("mark", "key"))


def _secret(path: Path) -> bool:
    """Whether secrets belong at `path`: keys, headers, and the URLs of receivers and of the heartbeat."""
    named = "api_key" in path or "headers" in path or path[:2] in _KEYS
    return named or (path[:1] in (("receivers",), ("heartbeat",)) and "url" in path)


def _words(detail: ErrorDetails, path: Path, problems: Problems, *, key: bool) -> str:
    """What is wrong with one value; the value itself only where it can be shown."""
    value = detail["input"]
    hidden = not key and _secret(path)
    if detail["type"] in _WANTED:
        wanted, advice = _WANTED[detail["type"]]
        if wanted == "text" and isinstance(value, dict | list):
            advice = "write one value"
        found = shape(value)
        if not hidden and (isinstance(value, bool | int | float) or (isinstance(value, str) and wanted == "a boolean")):
            found += f", {problems.shown(path, value)}"
        return f"expected {wanted}, found {found}; {advice}"
    if detail["type"] == "greater_than":
        return f"{problems.shown(path, value)} is too small; write a number above 0"
    refused = detail.get("ctx", {}).get("error")
    message = str(refused) if detail["type"] == "value_error" else "cannot be used; see what this key allows"
    if hidden or isinstance(value, list | tuple | dict):
        return f"the {'value' if hidden else shape(value).split()[-1]} {message}"
    if path[-1:] == ("url",):
        url = _USER.sub(r"\1***@", str(problems.source(path, value)))
        return f"{quoted(problems.hide(_QUERY.sub('?***', url)))} {message}"
    return f"{quoted(value) if key else problems.shown(path, value)} {message}"


def _wanted(field: FieldInfo, known: Known) -> str:
    """What a missing key needs: its description, and the names it may have."""
    names = [name for each in field.metadata if isinstance(each, Of) for name in getattr(known, each.table)]
    return f"{field.description}; allowed: {listed(sorted(names))}" if names else str(field.description)


def _key(name: str) -> str:
    """An unknown key; what follows the first odd character may be a value whose space is missing."""
    word = _WORD.match(name)
    start = word[0] if word else ""
    return f"`{plain(name)}`" if start == name else f"`{plain(start)}…` (is a space missing after its `:`?)"


def _fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> Mapping[str, FieldInfo]:
    """The fields of the model that lies at `loc` inside `model`."""
    at: Any = model
    for step in loc:
        at = _model_in(at)
        if isinstance(at, type) and issubclass(at, BaseModel):
            at = at.model_fields[str(step)].annotation
        else:
            at = get_args(at)[0 if isinstance(step, int) else 1]
    found: type[BaseModel] = _model_in(at)
    return found.model_fields


def _model_in(annotation: Any) -> Any:
    """The annotation without `Annotated` and `| None`."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = get_args(annotation)[0]
    return annotation
