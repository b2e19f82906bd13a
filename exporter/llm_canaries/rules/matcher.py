"""Label matchers as in Prometheus: a missing label is the empty text, a pattern matches the whole value."""

from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
import re2  # type: ignore[import-untyped]
from msgspec import Struct

from llm_canaries.rules.samples import Ranges, Span
from llm_canaries.rules.table import Keys
from llm_canaries.rules.vector import NAME, Frame, Index, Mask, Vector

Operator = Literal["=", "!=", "=~", "!~"]
_OPTIONS = re2.Options()
_OPTIONS.dot_nl = True  # Prometheus 3 compiles ^(?s:…)$
_OPTIONS.log_errors = False


class Matcher(Struct, frozen=True):
    """One condition on one label."""

    operator: Operator
    name: str
    value: str

    def holds(self, text: str) -> bool:
        """Whether a label of this value is meant."""
        if self.operator in ("=", "!="):
            return (text == self.value) == (self.operator == "=")
        return (compiled(self.value).fullmatch(text) is not None) == (self.operator == "=~")

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value!r}"


Matchers = tuple[Matcher, ...]


class Source(Protocol):
    """Where the values of selectors come from."""

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`, with the values they have at `at` (Unix time)."""
        ...

    def ranges(self, matchers: Matchers, span: Span) -> Ranges:
        """The samples within `span` of the series that meet all `matchers`."""
        ...


def pattern_problem(pattern: str) -> str | None:
    """What is wrong with a regular expression."""
    try:
        compiled(pattern)
    except re2.error as error:
        return str(error.args[0] if error.args else error)
    return None


def matching_rows(frame: Frame, matchers: Matchers, by_name: dict[str, Index] | None = None) -> Index:
    """The rows that meet all `matchers`; `by_name` has the rows of each metric name where that is known."""
    rows: Index | None = None
    for matcher in sorted(matchers, key=lambda each: each.name != NAME):
        if by_name is not None and matcher.name == NAME and matcher.operator == "=" and rows is None:
            rows = by_name.get(matcher.value, _NONE)
            continue
        ids, keys = frame.keyed((matcher.name,))
        if matcher.operator == "=":
            met = (ids if rows is None else ids[rows]) == keys.numbers.get((matcher.value,), -1)
        else:
            wanted = frame.table.made(matcher, lambda matcher=matcher, keys=keys: _meeting(matcher, keys))  # type: ignore[misc]
            met = wanted[ids if rows is None else ids[rows]]
        rows = np.flatnonzero(met) if rows is None else rows[met]
    return np.arange(frame.size, dtype=np.intp) if rows is None else rows


def _meeting(matcher: Matcher, keys: Keys) -> Mask:
    """Which of the values of a label meet the matcher."""
    return np.fromiter((matcher.holds(key[0]) for key in keys.texts), dtype=np.bool_, count=len(keys.texts))


@lru_cache(4096)
def compiled(pattern: str) -> Any:
    """The pattern as Prometheus compiles it. Raises re2.error."""
    return re2.compile(pattern, _OPTIONS)


_NONE: Index = np.empty(0, dtype=np.intp)
