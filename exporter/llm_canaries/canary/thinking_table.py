"""The level of reasoning that a gateway should apply, by its own table: exact, clamped, or unknown (protocols.md C3).

Tables differ by the factor of eight and clamp as documented; to take each deviation for drift is the commonest false
alarm there is.
"""

from enum import StrEnum

from msgspec import Struct

from llm_canaries.canary.canary import Case
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.thinking import fit, level_of


class Certainty(StrEnum):
    """How well it is known what should be applied."""

    EXACT = "exact"
    CLAMPED = "clamped"
    UNKNOWN = "unknown"


class Expected(Struct, frozen=True):
    """The level that should be applied, None where it cannot be known; `why` is the deviation, in words."""

    certainty: Certainty
    level: str | None = None
    why: str = ""


def expected(case: Case, control: Thinking) -> Expected:
    """What a gateway that knows the case's model makes of `control`.

    A budget becomes the level of a table that nobody told, and of a model without known levels nothing can be said.
    """
    asked = level_of(control)
    if control.budget is not None or asked is None or not case.facts.levels:
        return Expected(Certainty.UNKNOWN)
    fitted, losses = fit(control, case.facts, case.profile, None, "level")
    level = level_of(fitted)
    if level == asked:
        return Expected(Certainty.EXACT, level)
    return Expected(Certainty.CLAMPED, level, losses[0].what if losses else "")
