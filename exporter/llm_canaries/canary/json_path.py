"""Places in a JSON value, as people write them: `choices[0].message.content`, `data[*].id`, `$.usage`."""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

Steps: TypeAlias = tuple[str | int | None, ...]
"""Keys, positions, and None for every item of a list."""

_STEP = re.compile(r"""\.?([A-Za-z_][\w-]*)|\[(-?\d{1,9})\]|\[(\*)\]|\["([^"\]]+)"\]|\['([^'\]]+)'\]""")


def read_path(text: str) -> Steps:
    """The steps of a path. Raises ValueError."""
    steps: list[str | int | None] = []
    at = 1 if text.startswith("$") else 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (at == 0 and text.startswith(".")):
            raise ValueError(f"`{text}` is not a path at character {at + 1}; write one such as `choices[0].message`")
        name, position, every, *quoted = match.groups()
        if every:
            steps.append(None)
        else:
            steps.append(int(position) if position else name or quoted[0] or quoted[1])
        at = match.end()
    if not steps and text != "$":
        raise ValueError("a path is empty; write one such as `choices[0].message`")
    return tuple(steps)


def values_at(value: Any, steps: Steps) -> Iterator[Any]:
    """What lies at the end of `steps`: nothing, one value, or one for each item of a list."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step is None and isinstance(value, list):
        for each in value:
            yield from values_at(each, rest)
        return
    within = isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value)
    if within or (isinstance(step, str) and isinstance(value, dict) and step in value):
        yield from values_at(value[step], rest)


def same(found: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal; true is not 1."""
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)
