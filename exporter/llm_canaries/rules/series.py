"""Series of values as promtool writes them: `0+1x3 _ stale 5x2 NaN`."""

import math
import re

from llm_canaries.rules.promql.parse import Refused

MOST_VALUES = 1_000_000
_NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|0x[0-9a-fA-F]+|[iI]nf|[nN]a[nN])"
_ITEM = re.compile(rf"(?P<start>{_NUMBER})(?:(?P<step>[-+]{_NUMBER.removeprefix('[-+]?')}))?(?:x(?P<times>\d+))?")
_BLANK = re.compile(r"_(?:x(?P<times>\d+))?")


class Stale:
    """The word `stale`: the series ends here."""


STALE_VALUE = Stale()
Value = float | Stale | None
"""A sample, the end of the series, or nothing."""


def read_values(text: str) -> list[Value]:
    """The values one interval apart. Raises Refused."""
    values: list[Value] = []
    for item in text.split():
        values += _item(item)
        if len(values) > MOST_VALUES:
            raise Refused(f"more than {MOST_VALUES:,} values")
    return values


def _item(item: str) -> list[Value]:
    if item == "stale":
        return [STALE_VALUE]
    if (blank := _BLANK.fullmatch(item)) is not None:
        return [None] * _bounded(blank["times"] or "1")
    found = _ITEM.fullmatch(item)
    if found is None or (found["step"] and not found["times"]):
        raise Refused(f"{item!r} is no value; write such as `1`, `0+10x5`, `1x5`, `_`, `_x5`, `stale`, `NaN`")
    start, step = _number(found["start"]), _number(found["step"] or "0")
    if not found["times"]:
        return [start]
    values: list[Value] = []
    for _ in range(_bounded(found["times"]) + 1):
        values.append(start)
        start = start + step if found["step"] else start
    return values


def _bounded(times: str) -> int:
    if len(times) > 7 or int(times) > MOST_VALUES:
        raise Refused(f"more than {MOST_VALUES:,} values")
    return int(times)


def _number(text: str) -> float:
    if "0x" in text:
        return float(int(text, 16))
    return math.nan if text.lower().endswith("nan") else float(text)
