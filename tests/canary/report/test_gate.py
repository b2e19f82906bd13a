"""What a gate came to, in every format."""

import io
import json
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from rich.console import Console
from runs import run

from llm_canaries.canary.canary import Severity
from llm_canaries.canary.claim import parse_claim
from llm_canaries.canary.exit_code import gate_exit_code
from llm_canaries.canary.gating import By, Gated, Group, Rules, Why
from llm_canaries.canary.report.gate import gate_lines, gate_remarks, gate_summary, gate_table, verdict_line
from llm_canaries.canary.report.github import gate_annotations, gate_step_summary
from llm_canaries.canary.report.json import json_report
from llm_canaries.canary.report.junit import gate_junit

RULES = Rules(claims=(parse_claim("failures < 5%"),), confidence=0.95)
KEYS = [
    "canary",
    "gateway",
    "case",
    "claim",
    "limit",
    "severity",
    "decision",
    "failures",
    "runs",
    "lower",
    "upper",
    "stopped_after",
    "max_runs",
    "reason",
    "detail",
    "clean_runs_needed",
    "blamed",
]
BLAMED = ["reason", "fault_domain", "failures", "detail", "because"]


def group(fate, canary, most=100, severity="critical", rules=RULES):
    """A group of one case that ran as `fate` says: `.` passed, `x` failed, `?` could not tell, `s` skipped."""
    words = {".": ("pass", ""), "x": ("fail", "html"), "?": ("inconclusive", "cap_too_small"), "s": ("skip", "no_x")}
    made = Group([run(canary=canary, severity=severity).case], replace(rules, most=most))
    for each in fate:
        outcome, reason = words[each]
        made.add(replace(run(outcome, reason), case=made.next(1)[0]))
    return made


def gated(*made):
    return Gated(rules=RULES, verdicts=tuple(verdict for each in made for verdict in each.verdicts()))


GATED = gated(group("." * 71, "good"), group("xx", "bad"), group("." * 40, "short", most=40), group("s", "none"))


def test_json_has_exactly_the_keys_of_the_contract():
    said = json.loads(json_report([run()], GATED))
    assert list(said) == ["runs", "gate"]
    assert list(said["gate"]) == ["claims", "confidence", "by", "decision", "groups"]
    assert [list(each) for each in said["gate"]["groups"]] == [KEYS] * 4
    assert [list(each) for each in said["gate"]["groups"][1]["blamed"]] == [BLAMED]
    assert said["gate"]["decision"] == "fail"
    short = said["gate"]["groups"][2]
    assert (short["decision"], short["reason"], short["clean_runs_needed"], short["detail"]) == (
        "undecided",
        "max_runs",
        31,
        None,
    )
    assert said["gate"]["groups"][0]["upper"] == pytest.approx(0.049424, abs=1e-6)
    assert "gate" not in json.loads(json_report([run()]))


def test_the_table_and_its_lines():
    out = io.StringIO()
    Console(file=out, width=300).print(gate_table(GATED))
    rows = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert rows == [
        "canary gateway claim went wrong whose fault probability decision stopped after",
        "good g failures < 5% 0 of 71 < 4.94 % pass 71 of 100 runs",
        "bad g failures < 5% 2 of 2 translation > 11.4 % fail 2 of 100 runs",
        "short g failures < 5% 0 of 40 0 % to 8.62 % undecided 40 of 40 runs",
        "none g failures < 5% 0 of 0 0 % to 100 % skip 0 of 100 runs",
    ]
    assert gate_lines(GATED) == [
        "undecided short g: failures < 5%: 40 runs were not enough; 31 more without a failure would prove it"
    ]
    assert gate_summary(GATED) == "failures < 5% at 95 % confidence: fail (1 pass, 1 fail, 1 undecided, 1 skip)"
    assert verdict_line(GATED.verdicts[1]) == (
        "fail bad g: failures < 5%: 2 of 2 went wrong, > 11.4 %, stopped after 2 of 100 runs"
    )


def test_by_case_and_all_the_table_names_what_there_is():
    for by, columns in ((By.CASE, "canary gateway case claim"), (By.ALL, "claim")):
        rules = replace(RULES, by=by)
        verdicts = tuple(group(".", "c", rules=rules).verdicts())
        out = io.StringIO()
        Console(file=out, width=300).print(gate_table(Gated(rules=rules, verdicts=verdicts)))
        assert out.getvalue().startswith(columns[:6])
        assert columns.split() == out.getvalue().splitlines()[0].split()[: len(columns.split())]


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_to_be_undecided_is_told(why):
    fates = {Why.MAX_RUNS: "." * 40, Why.UNCOUNTED: "?" * 10}
    made = group(fates.get(why, "..."), "c", most=40)
    made.hold(why, "rate_limited")
    (line,) = gate_lines(gated(made))
    words = {
        Why.MAX_RUNS: "40 runs were not enough",
        Why.UNCOUNTED: "of 10 runs only 0 tell",
        Why.HELD: "rate_limited; 68 more",
        Why.INTERRUPTED: "interrupted; 68 more",
    }
    assert words[why] in line


def test_equal_failures_are_one_remark():
    runs = [run("fail", "html", detail=f"answer {n}") for n in range(3)] + [run(), run("inconclusive", "x")]
    assert [line.plain for line in gate_remarks(runs)] == [
        "fail ×3 c g: html (translation): answer 0",
        "inconclusive ×1 c g: x: ",
    ]


def test_junit_has_a_case_a_group():
    root = ET.fromstring(gate_junit(GATED))
    assert {name: root.attrib[name] for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    found = root.findall("testsuite/testcase")
    assert [each.attrib["classname"] for each in found] == ["g.good", "g.bad", "g.short", "g.none"]
    assert [next((child.tag for child in each if child.tag != "properties"), "") for each in found] == [
        "",
        "failure",
        "error",
        "skipped",
    ]
    assert found[0].find("properties/property[@name='stopped_after']").attrib["value"] == "71 of 100 runs"
    assert found[2].find("error").attrib["type"] == "max_runs"


def test_github_is_told_of_groups():
    assert [line.partition("::")[2].partition(" ")[0] for line in gate_annotations(GATED)] == ["error", "warning"]
    assert "31 more without a failure" in gate_annotations(GATED)[1]
    rows = [line for line in gate_step_summary(GATED).splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[1:]] == ["| ❌", "| ❔", "| ✅", "| ⏭️"]


@pytest.mark.parametrize(
    ("groups", "fail_on", "allow", "code"),
    [
        ([("." * 71, "critical")], "warning", False, 0),
        ([("xx", "critical")], "critical", False, 1),
        ([("xx", "warning")], "warning", False, 1),
        ([("xx", "warning")], "critical", False, 0),
        ([("xx", "warning"), ("..", "critical")], "critical", False, 3),
        ([("xx", "critical"), ("..", "critical")], "warning", True, 1),
        ([("..", "critical")], "warning", False, 3),
        ([("..", "critical")], "warning", True, 0),
        ([("s", "critical")], "warning", False, 3),
        ([("s", "critical"), ("." * 71, "critical")], "warning", False, 0),
        ([], "warning", False, 3),
        ([], "warning", True, 0),
    ],
)
def test_exit_code(groups, fail_on, allow, code):
    its = gated(*(group(fate, "c", severity=severity) for fate, severity in groups))
    assert gate_exit_code(its, fail_on=Severity(fail_on), allow_undecided=allow) == code
