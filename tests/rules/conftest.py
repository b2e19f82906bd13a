"""What tests of rules share: sources of made-up series, and expressions evaluated over them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from llm_canaries.rules.matcher import Matchers, matching_rows
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import parse, parse_series
from llm_canaries.rules.samples import Ranges, Span, packed
from llm_canaries.rules.vector import Vector, vector_of

Evaluate = Callable[..., dict[str, float]]


class Fixed:
    """A source whose series always have the same values."""

    def __init__(self, series: Mapping[str, float]) -> None:
        self.vector = vector_of([parse_series(each) for each in series], series.values())

    def select(self, matchers: Matchers, at: float) -> Vector:
        rows = matching_rows(self.vector.frame, matchers)
        return Vector(self.vector.frame.take(rows), self.vector.values[rows])

    def ranges(self, matchers: Matchers, span: Span) -> Ranges:
        """One sample a series, at the end."""
        vector = self.select(matchers, span.end / 1000)
        values = vector.values[None]
        part = packed(vector.frame, np.array([span.end]), values, np.zeros(values.shape, dtype=np.bool_))
        return Ranges(() if part is None else (part,), span)


def shown(labels: Mapping[str, str]) -> str:
    """Labels as `name{a="1", b="2"}`, in the order of the names."""
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return labels.get("__name__", "") + (f"{{{inner}}}" if inner else "")


@pytest.fixture
def fixed() -> type[Fixed]:
    return Fixed


@pytest.fixture
def ask() -> Evaluate:
    """`ask(expression, series, at=…)`: series as text to their values."""

    def evaluate(expression: str, series: Mapping[str, float], at: float = 1000.0) -> dict[str, float]:
        vector = Tick(Fixed(series), at).vector(parse(expression))
        rows: Sequence[Mapping[str, str]] = vector.labels
        found = {shown(labels): value for labels, value in zip(rows, vector.values.tolist(), strict=True)}
        assert len(found) == len(rows), "two rows have the same labels"
        return found

    return evaluate
