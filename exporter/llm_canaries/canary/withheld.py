"""Which holds keep a case from being asked: one that judges refusals is asked while its gateway refuses."""

from collections.abc import Mapping

from llm_canaries.canary.canary import Case
from llm_canaries.canary.holds import HoldReason, Holds
from llm_canaries.canary.scenarios.table import SCENARIOS


def held(holds: Holds, case: Case, now: float) -> Mapping[HoldReason, float]:
    """What withholds `case`, each reason with its end.

    Whether a gateway's own pause is still due is for a case to see that asks directly as well, unless its twin is held.
    """
    if not asks_directly(case):
        return holds.of(case.gateway, case.model, now)
    found = dict(holds.of(case.gateway, case.model, now, own=False))
    for reason, until in holds.of(case.twin, case.model, now).items():
        found[reason] = max(until, found.get(reason, 0.0))
    return found


def asks_directly(case: Case) -> bool:
    """Whether `case` itself compares the gateway with its provider: it judges refusals."""
    return "direct" in SCENARIOS[case.scenario].needs
