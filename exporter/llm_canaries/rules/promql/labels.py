"""Functions that change labels: worked out once for each table of labels, not at every tick."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llm_canaries.rules.matcher import compiled
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.table import Column, Table
from llm_canaries.rules.vector import Frame, Vector

_PLACE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<name>\w+))")
SAME = "several series have the same labels"


def label_replace(vector: Vector, target: str, template: str, source: str, pattern: str) -> Vector:
    """`target` set from `source` where `pattern` matches the whole of it."""

    def column(table: Table) -> Column:
        made: dict[str, str | None] = {}
        before, texts = table.column(target).tolist(), table.column(source).tolist()
        for text in set(texts):
            found = compiled(pattern).fullmatch(text)
            made[text] = None if found is None else expanded(template, found)
        return _column([old if made[text] is None else made[text] for old, text in zip(before, texts, strict=True)])

    return _relabelled(vector, ("replace", target, template, source, pattern), target, column)


def label_join(vector: Vector, target: str, separator: str, *sources: str) -> Vector:
    """`target` set to the `sources` one after the other."""

    def column(table: Table) -> Column:
        columns = [table.column(source).tolist() for source in sources]
        rows: Sequence[Sequence[str]] = list(zip(*columns, strict=True)) if sources else [()] * table.size
        return _column([separator.join(row) for row in rows])

    return _relabelled(vector, ("join", target, separator, *sources), target, column)


def expanded(template: str, found: Any) -> str:
    """The template with `$1`, `${1}`, `$name` filled in as Go fills them in."""

    def fill(place: re.Match[str]) -> str:
        if place["dollar"]:
            return "$"
        name = place["braced"] or place["name"]
        if name.isdigit() and (name == "0" or name[0] != "0"):
            number = int(name)
            return (found.group(number) or "") if number <= found.re.groups else ""
        return (found.group(name) or "") if name in found.re.groupindex else ""

    return _PLACE.sub(fill, template)


def _relabelled(vector: Vector, what: tuple[str, ...], target: str, column: Callable[[Table], Column]) -> Vector:
    table = vector.frame.table
    changed = table.made(what, lambda: table.replaced({target: column(table)}))
    frame = Frame(changed, vector.frame.rows_taken)
    if not frame.distinct():
        raise EvaluationError(SAME)
    return Vector(frame, vector.values)


def _column(texts: Sequence[str | None]) -> Column:
    column: Column = np.empty(len(texts), dtype=np.object_)
    column[:] = texts
    return column
