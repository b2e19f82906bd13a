"""The rules in force: what the shipped pack and the user's files say, evaluated over the board."""

from typing import Any

from msgspec import Struct

from llm_canaries.alerts.incident import Firing
from llm_canaries.config.schema import RulesConfig
from llm_canaries.service.board import Board


class Evaluated(Struct, frozen=True):
    """One evaluation: what fires, and the alerts whose state is not known because their rule failed."""

    firings: list[Firing]
    unknown: frozenset[str]


class Rulebook:
    """Groups of rules with their clocks."""

    def evaluate(self, board: Board, now: float) -> Evaluated:
        """One evaluation at `now` (Unix time)."""
        return Evaluated([], frozenset())

    def take_over(self, before: "Rulebook") -> None:
        """Keeps the clocks of rules that did not change."""

    def shown(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing."""
        return []


def read_rulebook(config: RulesConfig) -> Rulebook:
    """The rules of `config`. Raises ConfigError."""
    return Rulebook()
