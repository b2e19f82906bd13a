"""The table of attribution as docs/attribution.md shows it."""

from collections.abc import Set
from enum import StrEnum

from llm_canaries.canary.attribution import TABLE, Evidence


def markdown() -> str:
    """The table for people: a row a line, an empty cell holds anything."""
    columns = Evidence.__struct_fields__
    head = ["", *columns, "whose fault", "because"]
    rows = [
        [str(number), *(_cell(getattr(rule, name)) for name in columns), rule.domain or "own", rule.why]
        for number, rule in enumerate(TABLE, 1)
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def _cell(names: Set[StrEnum]) -> str:
    return ", ".join(sorted(names))
