"""Findings as SARIF 2.1.0 (OASIS), for code scanning: a rule a reason, a result a case, placed in the configuration."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Literal
from urllib.parse import quote

from msgspec import Struct

from llm_canaries.canary.canary import Case, Outcome, Run, Severity
from llm_canaries.canary.comparison import Change, Difference
from llm_canaries.canary.explain import Page, page_text
from llm_canaries.wire.fault import Domain, bracketed

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "llmCanaryCase/v1"
_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning"}
_STATES: Mapping[Change, Literal["new", "updated", "unchanged"]] = {
    Change.NEW: "new",
    Change.LOST: "new",
    Change.GROWN: "new",
    Change.CHANGED: "updated",
    Change.KNOWN: "unchanged",
}


class Place(Struct, frozen=True):
    """A line of a file."""

    file: str
    line: int


class Result(Struct, frozen=True, kw_only=True):
    """One finding: its rule is `scenario/reason`, `case` says where in the matrix, `place` where in a file.

    `undecided` results are open questions without a level. `state` compares with a baseline, "" where there is none.
    `fault_domain` and `because`: whose fault it is, and the evidence that decided.
    """

    scenario: str
    reason: str
    severity: Severity
    case: str
    message: str
    place: Place | None
    undecided: bool = False
    state: str = ""
    fault_domain: Domain | None = None
    because: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """Its rule's id."""
        return f"{self.scenario}/{self.reason}"


def results_of(runs: Sequence[Run], place: Mapping[str, Place | None]) -> list[Result]:
    """The failed and undecided cases of `runs`, each reason once; `place` is by `Case.key`."""
    found: dict[tuple[str, str], Result] = {}
    for run in runs:
        case, finding = run.case, run.finding
        if finding.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            domain = bracketed(finding.fault_domain)
            result = Result(
                scenario=case.scenario,
                reason=str(finding.reason),
                severity=case.severity,
                case=f"{quote(case.gateway, safe='')}/{_named(case)}",
                message=f"{case.canary} at {case.gateway}: {finding.reason}{domain}: {finding.detail}",
                place=place[case.key],
                undecided=finding.outcome is Outcome.INCONCLUSIVE,
                fault_domain=finding.fault_domain,
                because=finding.because,
            )
            found.setdefault((case.key, str(finding.reason)), result)
    return list(found.values())


def results_compared(differences: Sequence[Difference], place: Mapping[str, Place | None]) -> list[Result]:
    """What is worse, and what is known; `place` is by the head case's `Case.key`, or the canary's name."""
    found = []
    for each in differences:
        if each.change in _STATES:
            case = each.pair.head if each.pair else None
            found.append(
                Result(
                    scenario=each.scenario,
                    reason=each.reason,
                    severity=each.severity,
                    case=_named(case) if case else f"{each.canary}/all",
                    message=f"{each.canary}: {each.reason}{bracketed(each.fault_domain)}: "
                    f"{each.base} at base, {each.head} at head. {each.detail}",
                    place=place[case.key if case else each.canary],
                    state=_STATES[each.change],
                    fault_domain=each.fault_domain,
                    because=each.because,
                )
            )
    return found


def sarif_report(results: Sequence[Result], pages: Mapping[str, Page], version: str) -> str:
    """The log: one run of this program, indented, with a final newline."""
    rules = sorted({result.rule: result for result in results}.values(), key=lambda result: result.rule)
    index = {result.rule: place for place, result in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "llm-canaries",
                "semanticVersion": version,
                "rules": [_rule(result, pages.get(result.reason)) for result in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(result, index[result.rule]) for result in results],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(result: Result, page: Page | None) -> dict[str, Any]:
    title = page.title if page else result.reason
    return {
        "id": result.rule,
        "shortDescription": {"text": _text(title)},
        "fullDescription": {"text": _text(page.means.strip() if page else title)},
        "help": {"text": _text(page_text(result.reason, page) if page else title)},
        "defaultConfiguration": {"level": _LEVELS[result.severity]},
    }


def _result(result: Result, index: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ruleId": result.rule,
        "ruleIndex": index,
        "kind": "open" if result.undecided else "fail",
        "level": "none" if result.undecided else _LEVELS[result.severity],
        "message": {"text": _text(result.message)},
        "locations": [_location(result)],
        "partialFingerprints": {FINGERPRINT: sha256(f"{result.rule}|{result.case}".encode()).hexdigest()[:32]},
    }
    if result.fault_domain is not None:
        because = [_text(line) for line in result.because]
        told["properties"] = {"faultDomain": result.fault_domain.value, "because": because}
    return told | ({"baselineState": result.state} if result.state else {})


def _location(result: Result) -> dict[str, Any]:
    logical = {"logicalLocations": [{"fullyQualifiedName": result.case, "kind": "resource"}]}
    if result.place is None:
        return logical
    path = PurePath(result.place.file)
    where = {"uri": path.as_uri()} if path.is_absolute() else {"uri": quote(path.as_posix())}
    return {"physicalLocation": {"artifactLocation": where, "region": {"startLine": result.place.line}}} | logical


def _named(case: Case) -> str:
    """A case as a path, without the gateway: base and head are two gateways and one case."""
    return "/".join(quote(each, safe="") for each in (case.canary, case.model, case.dialect, case.stream_word))


def _text(text: str) -> str:
    """Text that every reader can hold: strangers' words may have half a character."""
    return text.encode("utf-8", "replace").decode() or "-"
