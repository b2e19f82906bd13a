"""Runs as JUnit XML, for CI systems: a suite a gateway, a test case a run."""

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from llm_canaries.canary.canary import Outcome, Run
from llm_canaries.canary.comparison import Change, Difference
from llm_canaries.canary.gating import Gated, Verdict
from llm_canaries.canary.report.compared import Compared, line, where
from llm_canaries.canary.report.gate import because, blamed_lines, probability, stopped, whose
from llm_canaries.canary.report.rows import counts
from llm_canaries.canary.sequential import Decision
from llm_canaries.wire.fault import bracketed

# what XML 1.0 cannot hold, and strangers' answers may
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(runs: Sequence[Run]) -> str:
    """The XML document; an inconclusive run is an error, as its case was not decided."""
    root = ET.Element("testsuites", {"name": "llm-canaries"} | _numbers(runs))
    by_gateway = sorted(runs, key=lambda run: run.case.gateway)
    for gateway, group in groupby(by_gateway, key=lambda run: run.case.gateway):
        own = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": _legal(gateway)} | _numbers(own))
        for run in own:
            _add_case(suite, run)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def gate_junit(gated: Gated) -> str:
    """The XML document of a gate: a suite a gateway, a test case a group and claim; its runs decide, not each run."""
    root = ET.Element("testsuites", {"name": "llm-canaries gate"} | _gate_numbers(gated.verdicts))
    by_gateway = sorted(gated.verdicts, key=lambda verdict: verdict.gateway)
    for gateway, group in groupby(by_gateway, key=lambda verdict: verdict.gateway):
        own = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": _legal(gateway or "all")} | _gate_numbers(own))
        for verdict in own:
            _add_verdict(suite, verdict)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _gate_numbers(verdicts: Sequence[Verdict]) -> dict[str, str]:
    found = {each: sum(verdict.decision is each for verdict in verdicts) for each in Decision}
    return {
        "tests": str(len(verdicts)),
        "failures": str(found[Decision.FAIL]),
        "errors": str(found[Decision.UNDECIDED]),
        "skipped": str(found[Decision.SKIP]),
    }


def _add_verdict(suite: ET.Element, verdict: Verdict) -> None:
    name = f"{verdict.case} {verdict.claim.text}".strip()
    classname = ".".join(word for word in (verdict.gateway, verdict.canary) if word) or "all"
    element = ET.SubElement(suite, "testcase", classname=_legal(classname), name=_legal(name))
    counted = f"{verdict.failures} of {verdict.runs} went wrong, {probability(verdict)}"
    told = {"went_wrong": f"{verdict.failures} of {verdict.runs}", "stopped_after": stopped(verdict)}
    told |= {"whose_fault": whose(verdict)} if verdict.blamed else {}
    properties = ET.SubElement(element, "properties")
    for key, value in (told | {"probability": probability(verdict)}).items():
        ET.SubElement(properties, "property", name=key, value=value)
    match verdict.decision:
        case Decision.FAIL:
            message = _legal("; ".join((counted, *blamed_lines(verdict))))
            failure = ET.SubElement(element, "failure", type="gate", message=message)
            failure.text = _legal("\n".join(line for each in verdict.blamed for line in each.because)) or None
        case Decision.UNDECIDED:
            message = _legal(f"{counted}: {because(verdict)}")
            ET.SubElement(element, "error", type=verdict.why.value if verdict.why else "", message=message)
        case Decision.SKIP:
            ET.SubElement(element, "skipped", message="nothing to run")
        case Decision.PASS:
            pass


def compared_junit(compared: Compared) -> str:
    """The XML document of a comparison: a suite a canary, a test case a pair, or a measure of all its pairs.

    What is worse is a failure, what is undecided an error, what failed at base as well a skip.
    """
    root = ET.Element("testsuites", {"name": "llm-canaries compare"} | _changes(compared.differences))
    by_canary = sorted(compared.differences, key=lambda each: each.canary)
    for canary, group in groupby(by_canary, key=lambda each: each.canary):
        own = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": _legal(canary)} | _changes(own))
        for each in own:
            name = where(each) if each.pair else f"{where(each)} {each.reason}"
            element = ET.SubElement(suite, "testcase", classname=_legal(canary), name=_legal(name))
            if (tag := _tag(each)) is not None:
                told = ET.SubElement(element, tag, type=_legal(each.reason), message=_legal(line(each)))
                told.text = _legal("\n".join(each.because)) or None
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _changes(differences: Sequence[Difference]) -> dict[str, str]:
    tags = [_tag(each) for each in differences]
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(tags))} | {name: str(tags.count(tag)) for name, tag in counts.items()}


def _tag(difference: Difference) -> str | None:
    if difference.change.worse:
        return "failure"
    return {Change.UNDECIDED: "error", Change.KNOWN: "skipped"}.get(difference.change)


def _numbers(runs: Sequence[Run]) -> dict[str, str]:
    found = counts(runs)
    return {
        "tests": str(len(runs)),
        "failures": str(found[Outcome.FAIL]),
        "errors": str(found[Outcome.INCONCLUSIVE]),
        "skipped": str(found[Outcome.SKIP]),
        "time": f"{sum(run.latency or 0 for run in runs):.3f}",
    }


def _add_case(suite: ET.Element, run: Run) -> None:
    case, finding = run.case, run.finding
    name = f"{case.model} {case.dialect} stream={case.stream_word}"
    classname = _legal(f"{case.gateway}.{case.canary}")
    element = ET.SubElement(
        suite, "testcase", classname=classname, name=_legal(name), time=f"{run.latency or 0:.3f}"
    )
    tags = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.SKIP: "skipped"}
    if finding.outcome in tags:
        domain = bracketed(finding.fault_domain)
        message = _legal(f"{finding.reason}{domain}: {finding.detail}")
        told = ET.SubElement(element, tags[finding.outcome], type=_legal(finding.reason), message=message)
        told.text = _legal("\n".join(finding.because)) or None


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
