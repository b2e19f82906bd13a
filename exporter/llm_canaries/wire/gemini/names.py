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
