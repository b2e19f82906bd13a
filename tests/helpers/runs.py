"""Runs made by hand, for what reports and exit codes make of them."""

from msgspec import Struct

from llm_canaries.canary.canary import Case, Finding, Outcome, Run, Severity
from llm_canaries.wire.fault import Domain


class NoParams(Struct, frozen=True):
    """A scenario without parameters."""


def run(outcome="pass", reason="", *, detail="", severity="critical", stream=False, answers=(), **case):
    """One run that came to `outcome`."""
    names = {"canary": "c", "scenario": "s", "gateway": "g", "model": "m", "dialect": "openai_chat"} | case
    finding = Finding(
        outcome=Outcome(outcome),
        reason=reason,
        detail=detail,
        fault_domain=Domain.TRANSLATION if outcome == "fail" else None,
    )
    its = Case(**names, stream=stream, severity=Severity(severity), params=NoParams())
    return Run(case=its, finding=finding, started=0.0, answers=tuple(answers))
