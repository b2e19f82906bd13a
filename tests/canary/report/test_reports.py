import io
import json
from xml.etree import ElementTree as ET

from plays import case, chat
from rich.console import Console
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.report.github import annotations, step_summary
from llm_canaries.canary.report.json import json_report
from llm_canaries.canary.report.junit import junit_report
from llm_canaries.canary.report.rows import summary
from llm_canaries.canary.report.table import COLUMNS, remarks, table_report
from llm_canaries.canary.scenarios.known_good import SCENARIO

NASTY = 'a|b <c> "d" %41 \x00 \x1b[31m\nnew, line: & ]]> 💥'
RUNS = [
    run("pass", stream=None),
    run("fail", "html", detail=NASTY, gateway="h"),
    run("inconclusive", "counts_absent", detail="no counts"),
    run("skip", "text_only_model"),
]
KEYS = [
    "canary",
    "scenario",
    "gateway",
    "model",
    "dialect",
    "stream",
    "outcome",
    "reason",
    "fault_domain",
    "severity",
    "latency_seconds",
    "tokens",
]


def exchange(text="123456", usage=None):
    its = case(SCENARIO)
    return chat(sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa"), text, usage=usage)


def test_json_has_exactly_the_keys_of_the_contract():
    said = json.loads(json_report(RUNS))
    assert list(said) == ["runs"]
    assert [list(each) for each in said["runs"]] == [KEYS] * 4
    assert said["runs"][0]["stream"] is None
    assert said["runs"][0]["reason"] is None
    assert said["runs"][1]["fault_domain"] == "translation"


def test_tokens_are_added_over_exchanges_and_latency_is_the_first_s():
    usage = {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}
    (said,) = json.loads(json_report([run(answers=[exchange(usage=usage), exchange(usage=usage)])]))["runs"]
    assert said["tokens"] == {"input": 40, "output": 8}
    assert said["latency_seconds"] == 0.2


def test_junit_is_xml_whatever_strangers_say():
    root = ET.fromstring(junit_report(RUNS))
    assert root.attrib["tests"] == "4"
    assert {suite.attrib["name"]: suite.attrib["failures"] for suite in root} == {"g": "0", "h": "1"}
    (failure,) = root.iter("failure")
    assert failure.attrib["type"] == "html"
    assert "💥" in failure.attrib["message"]
    assert "\x00" not in failure.attrib["message"]
    assert len(list(root.iter("error"))) == len(list(root.iter("skipped"))) == 1


def test_github_annotations_are_one_line_each_and_cannot_be_broken_out_of():
    error, warning = annotations(RUNS)
    assert error.startswith("::error title=c%3A html::h m openai_chat stream=false (translation): a|b")
    assert "%2541" in error and "%0A" in error and "\n" not in error
    assert warning.startswith("::warning ")


def test_step_summary_is_a_table_with_failures_first():
    lines = step_summary(RUNS).splitlines()
    assert lines[0] == "### canaries: 1 passed, 1 failed, 1 inconclusive, 1 skipped"
    rows = [line for line in lines if line.startswith("| ") and "canary" not in line]
    assert [row.split("|")[1].strip() for row in rows] == ["❌", "❔", "✅", "⏭️"]


def test_table_shows_every_column_uncut_and_takes_no_words_for_markup():
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(table_report([run("fail", "html", model="[bold]m[/bold]")]))
    head, row = console.export_text().splitlines()[:2]
    assert head.split() == list(COLUMNS)
    assert row.split()[:7] == ["c", "g", "[bold]m[/bold]", "openai_chat", "false", "fail", "html"]


def test_remarks_tell_equal_failures_once():
    same = [run("fail", "html", detail="x"), run("fail", "html", detail="x"), run("fail", "html", detail="y")]
    assert [str(line) for line in remarks(same)] == [
        "fail c m: html (translation): x",
        "fail c m: html (translation): y",
    ]


def test_summary_of_nothing():
    assert summary([]) == "nothing ran"
