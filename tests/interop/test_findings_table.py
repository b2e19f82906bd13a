"""Covers findings_table.py: what is written is read again, differences row by row, and which notes are lacking."""

from dataclasses import replace

import pytest
from findings_table import (
    FindingsTable,
    changed_rows,
    differences,
    finding,
    objections,
    read,
    shown,
    table_of,
    with_notes,
    write,
)

RUNS = [
    {"gateway": gateway, "model": f"{prefix}mirror/healthy", "canary": canary, "dialect": "openai_chat",
     "stream": stream, "outcome": outcome, "reason": reason, "fault_domain": domain}
    for gateway, prefix, canary, stream, outcome, reason, domain in [
        ("mirror", "", "known-good", False, "pass", None, None),
        ("mirror", "", "known-good", True, "pass", None, None),
        ("mirror", "", "usage-parity", None, "fail", "zero_usage", "provider"),
        ("g", "up/", "known-good", False, "pass", None, None),
        ("g", "up/", "known-good", True, "fail", "answer_cut", "translation"),
        ("g", "up/", "usage-parity", None, "fail", "zero_usage", "translation"),
        ("h", "", "known-good", False, "skip", "no_endpoint", None),
    ]
]  # fmt: skip
TABLE = table_of(RUNS, {"g": "1.0"})
CUT = ("g", "healthy", "known-good", "openai_chat")
NOTE = {"issue": "a/b#1, c.d/e-f#22", "what": "It cuts: every stream # of any length."}
NOTED = replace(TABLE, noted={CUT: ("cut",)}, notes={"cut": NOTE})


def test_a_finding_in_words():
    assert finding(RUNS[4]) == "fail answer_cut (translation)"
    assert finding(RUNS[0]) == "pass"


@pytest.mark.parametrize("table", [TABLE, NOTED, replace(NOTED, noted={CUT: ("cut", "other")})])
def test_what_is_written_is_read_again(tmp_path, table):
    path = tmp_path / "expected.yml"
    path.write_text(write(table))
    assert read(path) == table
    assert write(read(path)) == write(table)


def test_a_line_a_dialect():
    assert "        openai_chat: {whole: pass, stream: fail answer_cut (translation), note: cut}\n" in write(NOTED)


def test_differences_are_told_row_by_row():
    assert differences(TABLE, TABLE) == []
    rows = dict(TABLE.findings)
    rows[(*CUT, "stream")] = "pass"
    del rows[(*CUT, "whole")]
    rows[("new", *CUT[1:], "whole")] = "pass"
    assert differences(TABLE, FindingsTable({}, rows)) == [
        "g healthy known-good openai_chat stream: expected fail answer_cut (translation), found pass",
        "g healthy known-good openai_chat whole: expected pass, found no such row",
        "new healthy known-good openai_chat whole: expected no such row, found pass",
    ]


def test_rows_that_changed_are_those_that_both_have():
    row = (*CUT, "stream")
    assert changed_rows(TABLE, TABLE) == changed_rows(FindingsTable({}, {}), TABLE) == []
    assert changed_rows(TABLE, FindingsTable({}, {row: "pass", ("new", *row[1:]): "pass"})) == [row]


def test_notes_stay_on_rows_that_stay():
    assert with_notes(TABLE, NOTED) == NOTED
    changed = FindingsTable({}, {**TABLE.findings, (*CUT, "whole"): "fail empty_answer"})
    assert with_notes(changed, NOTED).noted == {}
    assert with_notes(changed, NOTED).notes == NOTED.notes


def test_what_a_gateway_changes_needs_a_note_and_nothing_else_has_one():
    assert objections(NOTED, "mirror") == []
    lacking = "g healthy known-good openai_chat: differs from mirror, and has no note"
    assert objections(TABLE, "mirror") == [lacking]
    usage = ("g", "healthy", "usage-parity", "openai_chat")
    assert objections(replace(NOTED, noted={usage: ("cut",)}), "mirror") == [
        lacking, "g healthy usage-parity openai_chat: is as at mirror, and has a note"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ({"issue": "somewhere", "what": "x"}, "cut: issue 'somewhere' is not owner/repository#number"),
        ({"what": "x"}, "cut: issue None is not owner/repository#number"),
        ({"issue": "none known", "what": ""}, "cut: says not what is wrong"),
    ],
)
def test_a_note_has_an_issue_and_says_what_is_wrong(note, said):
    (line,) = objections(replace(NOTED, notes={"cut": note}), "mirror")
    assert line.startswith(said)


def test_notes_and_names_belong_together():
    assert objections(replace(NOTED, notes={}), "mirror") == ["cut: no such note"]
    assert objections(replace(NOTED, notes={"cut": NOTE, "idle": NOTE}), "mirror") == ["idle: a note of no row"]


def test_people_see_what_is_changed_and_the_counts():
    text = shown(NOTED, "mirror")
    assert "stream: fail answer_cut (translation)  cut" in text
    assert "usage-parity" not in text
    assert text.endswith("g: 2 fail, 1 pass\nh: 1 skip\nmirror: 1 fail, 2 pass")
