"""Data against its model: pydantic finds what is wrong, the words about it are ours."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llm_canaries.config.known import Known
from llm_canaries.config.problems import Path, Problems, allowed, plain, quoted, shape

M = TypeVar("M", bound=BaseModel)

_KEY = "[key]"  # where pydantic says that it speaks of a key
_WORD = re.compile(r"[A-Za-z0-9_.-]*")
_BEFORE_USER = re.compile(r"^((?:[a-z]+://)?).*@", re.DOTALL)

_WANTED: Mapping[str, tuple[str, str]] = {
    "string_type": ("text", "put it in quotes"),
    "bool_type": ("a boolean", "write `true` or `false`"),
    "tuple_type": ("a list", "write `[…]`, or one `- …` a line"),
    "dict_type": ("a mapping", "write `key: value`"),
    "mapping_type": ("a mapping", "write `key: value`"),
    "model_type": ("a mapping", "write `key: value`"),
}


def validate(
    model: type[M], data: object, root: Path, known: Known, problems: Problems, written: Mapping[Path, str]
) -> M | None:
    """The model of the data at `root`, None where anything in it is wrong; `written` is what stood in filled values."""
    try:
        return model.model_validate(data, context=known)
    except ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        path: Path = (*root, *detail["loc"])
        key = path[-1:] == (_KEY,) and not problems.has(path)
        path = path[:-1] if key else path
        if detail["type"] == "missing":
            field = str(path[-1])
            hint = _fields(model, detail["loc"][:-1])[field].description
            problems.add(path[:-1], f"missing key `{field}`; write {hint}", key=True)
        elif detail["type"] == "extra_forbidden":
            names = _fields(model, detail["loc"][:-1])
            problems.add(path, f"unknown key {_key(str(path[-1]))}; {allowed(path[-1], names)}", key=True)
        else:
            problems.add(path, problems.told(path, _words(detail, path, problems, written, key=key)), key=key)
    return None


def secret_texts(data: object, *, secret: bool = False) -> Iterator[str]:
    """Every text in a place where secrets belong, valid or not."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from secret_texts(value, secret=secret or key in _SECRET)
    elif isinstance(data, list):
        for value in data:
            yield from secret_texts(value, secret=secret)
    elif isinstance(data, str) and secret:
        yield data


_SECRET = ("api_key", "headers")


def _words(detail: ErrorDetails, path: Path, problems: Problems, written: Mapping[Path, str], *, key: bool) -> str:
    """What is wrong with one value; the value itself only where it can be shown."""
    value = detail["input"]
    hidden = not key and any(step in _SECRET for step in path)
    if detail["type"] in _WANTED:
        wanted, advice = _WANTED[detail["type"]]
        if wanted == "text" and isinstance(value, dict | list):
            advice = "write one value"
        scalar = isinstance(value, bool | int | float) or (isinstance(value, str) and wanted == "a boolean")
        found = f"{shape(value)}, {quoted(value)}" if scalar and not hidden else shape(value)
        return f"expected {wanted}, found {_as_written(found, path, problems, written)}; {advice}"
    refused = detail.get("ctx", {}).get("error")
    message = str(refused) if detail["type"] == "value_error" else "cannot be used; see the documentation of this key"
    if hidden or isinstance(value, list | tuple | dict) or value is None:
        subject = "the value" if hidden else f"the {shape(value).split()[-1]}"
        return f"{subject} {message}"
    shown = _BEFORE_USER.sub(r"\1***@", value) if isinstance(value, str) and "@" in value else value
    return f"{_as_written(quoted(shown), path, problems, written)} {message}"


def _as_written(shown: str, path: Path, problems: Problems, written: Mapping[Path, str]) -> str:
    """The text in the document where the value was filled in, `shown` where it stands there itself."""
    while path and not problems.has(path):
        path = path[:-1]
    return quoted(written[path]) if path in written else shown


def _key(name: str) -> str:
    """An unknown key; what follows the first odd character may be a value whose space is missing."""
    word = _WORD.match(name)
    start = word[0] if word else ""
    return f"`{plain(name)}`" if start == name else f"`{plain(start)}…` (is a space missing after its `:`?)"


def _fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> Mapping[str, Any]:
    """The fields of the model that lies at `loc` inside `model`."""
    at: Any = model
    for step in loc:
        at = _model_in(at)
        if isinstance(at, type) and issubclass(at, BaseModel):
            at = at.model_fields[str(step)].annotation
        else:
            at = get_args(at)[0 if isinstance(step, int) else 1]
    at = _model_in(at)
    assert issubclass(at, BaseModel)
    return at.model_fields


def _model_in(annotation: Any) -> Any:
    """The annotation without `Annotated` and `| None`."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = get_args(annotation)[0]
    return annotation
