"""What a gate claims of its runs: `failures < 5%`, `dropped_silent < 1%`, `latency p95 < 2s`."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct

from llm_canaries.canary.canary import Case, Outcome, Run
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.values import Refused, parse_duration, parse_ratio
from llm_canaries.wire.fault import FaultReason

FORMS = "write `failures < 5%`, `REASON < 1%` or `latency p95 < 2s`"
FAILURES = "failures"
_CLAIM = re.compile(r"\s*([A-Za-z_]+)(?:\s+p([0-9]{1,2}(?:\.[0-9]{1,6})?))?\s*(<=?)\s*(\S(?:.*\S)?)\s*")
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.5, 0.999999


class Claim(Struct, frozen=True, kw_only=True):
    """That a run goes wrong with a probability of less than `limit`.

    Going wrong is to fail; to fail for `reason`, where one is named; or to give no good answer within `seconds`, where
    that is named: "95 % of all runs take less than 2 s" is "5 % or less take longer".
    """

    text: str
    limit: float
    reason: str = ""
    seconds: float = 0.0

    def wrong(self, run: Run) -> bool | None:
        """Whether `run` went wrong, None where it says nothing of the claim.

        A failure for another reason says nothing of `reason` (a gateway that is down drops no image), and a run that
        only reads pages nothing of latency.
        """
        outcome = run.finding.outcome
        if outcome is Outcome.FAIL:
            return None if self.reason and run.finding.reason != self.reason else True
        if outcome is not Outcome.PASS or (self.seconds and run.latency is None):
            return None
        return bool(self.seconds) and (run.latency or 0.0) >= self.seconds

    def concerns(self, case: Case) -> bool:
        """Whether a run of `case` can go wrong in this way."""
        return not self.reason or self.reason in _reasons(case.scenario)


def parse_claim(text: str) -> Claim:
    """The claim that `text` makes. Raises Refused with what is allowed."""
    match = _CLAIM.fullmatch(text)
    if match is None:
        raise Refused(f"is not a claim; {FORMS}")
    what, quantile, sign, bound = match.groups()
    said = f"{what}{f' p{quantile}' if quantile else ''} {sign} {bound}"
    if what == "latency":
        if quantile is None or float(quantile) == 0:
            raise Refused("names no percentile; write `latency p95 < 2s`")
        return Claim(text=said, limit=round(1 - float(quantile) / 100, 10), seconds=_seconds(bound))
    if quantile is not None:
        raise Refused(f"has a percentile, which only latency has; {FORMS}")
    if what == FAILURES:
        return Claim(text=said, limit=_limit(bound))
    if what not in (known := _known()):
        near = get_close_matches(what, [FAILURES, "latency", *known], 1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise Refused(f"names `{what}`, which is no reason; {hint}{FORMS}; `canaries explain` lists the reasons")
    return Claim(text=said, limit=_limit(bound), reason=what)


def parse_confidence(text: str) -> float:
    """The confidence that `95%` or `0.95` is. Raises Refused."""
    try:
        found = parse_ratio(text.strip())
    except Refused:
        raise Refused("is not a confidence; write `95%` or `0.95`") from None
    if not LEAST_CONFIDENCE <= found <= MOST_CONFIDENCE:
        raise Refused("is out of range; write `50%` to `99.9999%`, such as `95%`")
    return found


def _limit(text: str) -> float:
    try:
        found = parse_ratio(text)
    except Refused as refused:
        raise Refused(f"is a claim whose limit `{text}` {refused}") from None
    if found == 0:
        raise Refused("claims 0%, which no number of runs proves; write a limit such as `1%`")
    if found == 1:
        raise Refused("claims 100%, which one pass proves; write a limit such as `5%`")
    return found


def _seconds(text: str) -> float:
    try:
        found = parse_duration(text)
    except Refused as refused:
        raise Refused(f"is a claim whose limit `{text}` {refused}") from None
    if found == 0:
        raise Refused("claims that answers take no time; write `latency p95 < 2s`")
    return found


def _known() -> Iterable[str]:
    return sorted(set().union(*(_reasons(scenario) for scenario in SCENARIOS)))


def _reasons(scenario: str) -> set[str]:
    return {reason.value for reason in (*SCENARIOS[scenario].reasons, *FaultReason)}
