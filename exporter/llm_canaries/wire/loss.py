"""Collects what a target dialect cannot say while an ask or reply is written in it."""

from collections.abc import Iterable, Mapping

from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.json import Object
from llm_canaries.wire.message import Extra

AROUND = "around"
"""The key of `extra` under which fields stand that chat keeps beside a nested object, not inside it."""


class Losses:
    """The declared losses of one writing: from `source`'s words into `target`'s."""

    __slots__ = ("_found", "same", "source")

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.same = source == target
        self._found: list[Loss] = []

    def add(self, where: str, what: str) -> None:
        """Declares that `what` at `where` was not said, or was said otherwise."""
        self._found.append(Loss(where, what))

    def take(self, lost: Iterable[Loss]) -> None:
        """Declares what was `lost` elsewhere."""
        self._found += lost

    def extra(self, where: str, extra: Extra) -> Object:
        """`extra` when both sides speak one dialect; otherwise nothing, and a loss for every key."""
        if not extra:
            return {}
        if self.same:
            return dict(extra)
        beside = extra.get(AROUND)
        for key, value in (*extra.items(), *(beside.items() if isinstance(beside, Mapping) else ())):
            if key != AROUND and value is not None:
                self.add(where, f"field {key}")
        return {}

    @property
    def found(self) -> tuple[Loss, ...]:
        """The losses declared so far, in order."""
        return tuple(self._found)
