"""Names in Google's JSON: camelCase is written, snake_case is read as well, as Google's own parser does."""

import re
from collections.abc import Mapping
from typing import Any

from llm_canaries.wire.json import Object

NAME = "gemini"

_SEAM = re.compile(r"_([a-z0-9])")


def camel(said: Mapping[str, Any]) -> Object:
    """`said` with its own keys in camelCase and without nulls; of two spellings the second stays as it is."""
    held: Object = {}
    for key, value in said.items():
        if value is None:
            continue
        name = _SEAM.sub(lambda seam: seam[1].upper(), key) if "_" in key else key
        held[key if name in held else name] = value
    return held


def under(name: str, said: Mapping[str, Any]) -> Object:
    """`said` as fields of an `extra`, each with `name` before it, so that each is a loss of its own elsewhere."""
    return {f"{name}.{key}": value for key, value in said.items()}


def back_under(name: str, extra: Object) -> Object:
    """What `under` made of fields, taken out of `extra`."""
    start = f"{name}."
    return {key[len(start) :]: extra.pop(key) for key in list(extra) if key.startswith(start)}
