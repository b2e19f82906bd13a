"""What is left of a limit: one value a scope; absent is not zero (protocols.md A7)."""

from msgspec import Struct


class Quota(Struct, frozen=True, kw_only=True):
    """One scope of one limit: counts in `unit`, `used_ratio` 0 to 1, `reset_at` in Unix seconds.

    A `unit` of ratio has no counts. What is not known is None.
    """

    scope: str
    unit: str
    remaining: float | None = None
    limit: float | None = None
    used_ratio: float | None = None
    reset_at: float | None = None

    @property
    def known(self) -> int:
        """How many of the facts are said."""
        return sum(fact is not None for fact in (self.remaining, self.limit, self.used_ratio, self.reset_at))

    @property
    def exhausted(self) -> bool | None:
        """Whether nothing is left, None where that is not known."""
        if self.remaining is not None:
            return self.remaining == 0
        return None if self.used_ratio is None else self.used_ratio >= 1


def used(remaining: float | None, limit: float | None) -> float | None:
    """The share of `limit` that is not `remaining`, None where either is unknown."""
    return 1 - min(max(remaining, 0.0), limit) / limit if remaining is not None and limit else None


def share(part: float | None, whole: float = 1.0) -> float | None:
    """`part` of `whole`, held between 0 and 1."""
    return None if part is None else min(max(part / whole, 0.0), 1.0)
