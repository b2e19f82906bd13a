"""Several sources as one: the board and scraped pages, each with times of its own."""

from collections.abc import Sequence

from llm_canaries.rules.matcher import Matchers, Source
from llm_canaries.rules.samples import Ranges, Span, all_parts
from llm_canaries.rules.vector import Vector, joined


class Sources:
    """The series of all `sources`; no series is in two of them."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def select(self, matchers: Matchers, at: float) -> Vector:
        """The series that meet all `matchers`, with the values they have at `at` (Unix time)."""
        return joined([source.select(matchers, at) for source in self._sources])

    def ranges(self, matchers: Matchers, span: Span) -> Ranges:
        """The samples within `span` of the series that meet all `matchers`."""
        return all_parts([source.ranges(matchers, span) for source in self._sources], span)
