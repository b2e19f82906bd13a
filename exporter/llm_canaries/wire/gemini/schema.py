"""Schemas of functions: Gemini's own subset of OpenAPI against JSON Schema.

`parametersJsonSchema` takes JSON Schema as it is ($ref, $defs, additionalProperties, type arrays, const) while
`parameters` knows a subset in other words (google-genai types.Schema; protocols.md H1 counts what translators lose in
it). So a schema from elsewhere goes out under the first, whole; the second is written only where it was read.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llm_canaries.wire.json import Object, WireError

_MAPS = ("properties", "defs", "$defs")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("items", "additionalProperties")


def to_json_schema(said: Mapping[str, Any]) -> Object:
    """`parameters` as JSON Schema: types in lower case, `nullable` as a type; other words mean the same.

    Raises WireError where it is nested too deeply, as its inverse does.
    """
    return _guarded(_lower, said)


def to_parameters(schema: Mapping[str, Any]) -> Object:
    """What `to_json_schema` made, in Gemini's words again."""
    return _guarded(_upper, schema)


def _guarded(turn: Callable[[Mapping[str, Any]], Object], said: Mapping[str, Any]) -> Object:
    try:
        return turn(said)
    except RecursionError:
        raise WireError("parameters: nested too deeply") from None


def _lower(said: Mapping[str, Any]) -> Object:
    schema = _inside(said, _lower)
    kind, nullable = schema.get("type"), schema.get("nullable")
    if isinstance(kind, str):
        schema["type"] = kind.lower()
        if nullable is True:
            schema["type"] = [kind.lower(), "null"]
            del schema["nullable"]
    return schema


def _upper(schema: Mapping[str, Any]) -> Object:
    said = _inside(schema, _upper)
    match said.get("type"):
        case str(kind):
            said["type"] = kind.upper()
        case [str(kind), "null"]:
            said |= {"type": kind.upper(), "nullable": True}
    return said


def _inside(schema: Mapping[str, Any], turn: Callable[[Mapping[str, Any]], Object]) -> Object:
    """`schema` with every schema inside it turned; names of properties are nobody's keywords."""
    found: Object = dict(schema)
    for key in _MAPS:
        if isinstance(held := found.get(key), dict):
            found[key] = {name: turn(each) if isinstance(each, dict) else each for name, each in held.items()}
    for key in _LISTS:
        if isinstance(held := found.get(key), list):
            found[key] = [turn(each) if isinstance(each, dict) else each for each in held]
    for key in _ONE:
        if isinstance(held := found.get(key), dict):
            found[key] = turn(held)
    return found
