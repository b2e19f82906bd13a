"""Collects what a target dialect cannot say while an ask or reply is written in it."""

from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.json import Object
from llm_canaries.wire.message import Extra


class Losses:
    """The declared losses of one writing: from `source`'s words into `target`'s."""

    def __init__(self, source: str, target: str) -> None:
        self.same = source == target
        self._found: list[Loss] = []

    def add(self, where: str, what: str) -> None:
        """Declares that `what` at `where` was not said, or was said otherwise."""
        self._found.append(Loss(where, what))

    def extra(self, where: str, extra: Extra) -> Object:
        """`extra` when both sides speak one dialect; otherwise nothing, and a loss for every key."""
        if self.same:
            return dict(extra)
        for key in extra:
            self.add(where, f"field {key}")
        return {}

    @property
    def found(self) -> tuple[Loss, ...]:
        """The losses declared so far, in order."""
        return tuple(self._found)
