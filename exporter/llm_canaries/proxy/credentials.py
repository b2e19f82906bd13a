"""Several keys to one provider, and whose turn it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Credential:
    """One key or token of a provider; the key is in no repr. `weight` counts where turns are weighted.

    `token_file` is the path of a token's JSON: what it says of expiry is exported, and its access token is used where
    `key` is empty.
    """

    alias: str = DEFAULT
    key: str = field(default="", repr=False)
    weight: int = 1
    token_file: str = ""


class Strategy(StrEnum):
    """Whose turn it is: everybody's in order, everybody's by weight, or the first one's until it cannot."""

    ROUND_ROBIN = "round-robin"
    WEIGHTED = "weighted"
    FILL_FIRST = "fill-first"


class Turns:
    """The turns of one provider's credentials: smooth weighted round robin, nobody served twice in a row needlessly.

    Each turn every one that is available gains its weight, the richest goes and pays what all gained; equal weights
    make it a plain round robin. Who is not available neither gains nor pays.
    """

    def __init__(self, credentials: Sequence[Credential], strategy: Strategy = Strategy.ROUND_ROBIN) -> None:
        self.credentials = tuple(credentials)
        self.strategy = strategy
        self._gained = dict.fromkeys((each.alias for each in credentials), 0)

    def next(self, available: Sequence[Credential]) -> Credential | None:
        """Whose turn it is among `available`, which keeps the configured order; None of none."""
        if len(available) < 2 or self.strategy is Strategy.FILL_FIRST:
            return available[0] if available else None
        weighted = self.strategy is Strategy.WEIGHTED
        gained, total, best = self._gained, 0, available[0]
        for each in available:
            weight = each.weight if weighted else 1
            gained[each.alias] += weight
            total += weight
            if gained[each.alias] > gained[best.alias]:
                best = each
        gained[best.alias] -= total
        return best
