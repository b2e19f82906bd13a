"""The table gateway × model × canary × dialect × way → finding, as tests/interop/expected.yml keeps it.

Notes are written by hand: what a gateway does wrong, and the issue upstream. Each hangs on the rows it explains, and
stays there while they stay the same.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HEAD = """\
# What real gateways make of the mirror: gateway → model of the mirror → canary → dialect of the client → finding.
# `mirror` is the mirror asked without any gateway. What a gateway changes of that has a note. Failures say whose fault
# they are held to be. Written by `make interop UPDATE=1`, which keeps the notes of rows that stay; notes are by hand.
"""
_ABSENT = "no such row"
_WAYS = {False: "whole", True: "stream", None: "both"}
_ISSUE = re.compile(r"none known|not a fault|[\w.-]+/[\w.-]+#\d+(?:, [\w.-]+/[\w.-]+#\d+)*")

Place = tuple[str, str, str, str]  # gateway, model, canary, dialect
Row = tuple[str, str, str, str, str]  # and the way: whole, stream or both


@dataclass(frozen=True)
class FindingsTable:
    """Findings by row, the note on each place that has one, and the notes by name."""

    versions: Mapping[str, str]
    findings: Mapping[Row, str]
    noted: Mapping[Place, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def table_of(runs: Iterable[Mapping[str, Any]], versions: Mapping[str, str]) -> FindingsTable:
    """The rows of `canaries run --json`; a model is known by the mirror's name for it."""
    rows = {
        (run["gateway"], run["model"].rpartition("mirror/")[2], run["canary"], run["dialect"], _WAYS[run["stream"]]): (
            finding(run)
        )
        for run in runs
    }
    return FindingsTable(versions, rows)


def finding(run: Mapping[str, Any]) -> str:
    """`pass`, `skip no_list`, `fail answer_cut (translation)` and so on."""
    domain = f"({run['fault_domain']})" if run["fault_domain"] else ""
    return " ".join(part for part in (run["outcome"], run["reason"], domain) if part)


def read(path: Path) -> FindingsTable:
    """The table in a file."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    findings: dict[Row, str] = {}
    noted: dict[Place, tuple[str, ...]] = {}
    for gateway, models in said["findings"].items():
        for model, canaries in models.items():
            for canary, dialects in canaries.items():
                for dialect, ways in dialects.items():
                    place = (gateway, model, canary, dialect)
                    if note := ways.pop("note", None):
                        noted[place] = tuple(note) if isinstance(note, list) else (note,)
                    findings |= {(*place, way): found for way, found in ways.items()}
    return FindingsTable(said["versions"], findings, noted, said["notes"] or {})


def write(table: FindingsTable) -> str:
    """The file of a table, a line for each dialect."""
    lines = [HEAD + "versions:", *(f"  {name}: {_quoted(value)}" for name, value in table.versions.items()), "notes:"]
    for name, note in sorted(table.notes.items()):
        lines += [f"  {name}:", *(f"    {key}: {_quoted(value)}" for key, value in note.items())]
    lines.append("findings:")
    before: tuple[str, ...] = ("", "", "")
    for place, ways in sorted(_by_place(table).items()):
        for depth in range(3):
            if before[: depth + 1] != place[: depth + 1]:
                lines.append("  " * (depth + 1) + f"{place[depth]}:")
                before = (*place[: depth + 1], "", "", "")[:3]
        said = ", ".join(f"{way}: {found}" for way, found in sorted(ways.items(), reverse=True))
        names = table.noted.get(place, ())
        note = f", note: {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}" if names else ""
        lines.append(f"        {place[3]}: {{{said}{note}}}")
    return "\n".join(lines) + "\n"


def differences(expected: FindingsTable, found: FindingsTable) -> list[str]:
    """One line a row that is not as expected."""
    rows = sorted({*expected.findings, *found.findings})
    pairs = ((row, expected.findings.get(row, _ABSENT), found.findings.get(row, _ABSENT)) for row in rows)
    return [f"{' '.join(row)}: expected {was}, found {now}" for row, was, now in pairs if was != now]


def changed_rows(before: FindingsTable, found: FindingsTable) -> list[Row]:
    """The rows of both tables that differ."""
    return [row for row, text in found.findings.items() if before.findings.get(row, text) != text]


def with_notes(found: FindingsTable, before: FindingsTable) -> FindingsTable:
    """`found` with the notes of `before` on the places whose rows all stayed as they were."""
    old, new = _by_place(before), _by_place(found)
    noted = {place: names for place, names in before.noted.items() if new.get(place) == old.get(place)}
    return FindingsTable(found.versions, found.findings, noted, before.notes)


def changed_by_gateway(table: FindingsTable, direct: str) -> Iterator[Place]:
    """The places where a gateway makes something else of an answer than it is at `direct`; a skip makes nothing."""
    for place, ways in _by_place(table).items():
        own = {way: table.findings.get((direct, *place[1:], way), "") for way in ways}
        if place[0] != direct and any(
            _judged(found) != _judged(own[way]) and not found.startswith("skip") for way, found in ways.items()
        ):
            yield place


def objections(table: FindingsTable, direct: str) -> list[str]:
    """What the notes lack: one on each place that a gateway changes and on no other, an issue, and what is wrong."""
    changed = set(changed_by_gateway(table, direct))
    used = {name for names in table.noted.values() for name in names}
    return [
        *(f"{' '.join(place)}: differs from {direct}, and has no note" for place in sorted(changed - set(table.noted))),
        *(f"{' '.join(place)}: is as at {direct}, and has a note" for place in sorted(set(table.noted) - changed)),
        *(f"{name}: no such note" for name in sorted(used - set(table.notes))),
        *(f"{name}: a note of no row" for name in sorted(set(table.notes) - used)),
        *(f"{name}: issue {note.get('issue')!r} is not owner/repository#number, `none known` or `not a fault`"
          for name, note in sorted(table.notes.items()) if not _ISSUE.fullmatch(note.get("issue") or "")),
        *(f"{name}: says not what is wrong" for name, note in sorted(table.notes.items()) if not note.get("what")),
    ]  # fmt: skip


def shown(table: FindingsTable, direct: str) -> str:
    """For people: the places that gateways change, each with its notes, and the count of every gateway's outcomes."""
    lines = [_COLUMNS.format("gateway", "model", "canary", "dialect", "finding")]
    for place in sorted(changed_by_gateway(table, direct)):
        ways = {row[4]: text for row, text in table.findings.items() if row[:4] == place}
        said = ", ".join(f"{way}: {text}" for way, text in sorted(ways.items(), reverse=True))
        lines.append(_COLUMNS.format(*place, f"{said}  {' '.join(table.noted.get(place, ()))}"))
    outcomes = Counter((row[0], text.partition(" ")[0]) for row, text in table.findings.items())
    for gateway in sorted({row[0] for row in table.findings}):
        counts = ", ".join(f"{n} {word}" for (name, word), n in sorted(outcomes.items()) if name == gateway)
        lines.append(f"{gateway}: {counts}")
    return "\n".join(lines)


_COLUMNS = "{:<23} {:<18} {:<18} {:<18} {}"


def _by_place(table: FindingsTable) -> dict[Place, dict[str, str]]:
    places: dict[Place, dict[str, str]] = {}
    for (*place, way), found in table.findings.items():
        gateway, model, canary, dialect = place
        places.setdefault((gateway, model, canary, dialect), {})[way] = found
    return places


def _judged(found: str) -> str:
    """A finding without whose fault it is."""
    return found.partition(" (")[0]


def _quoted(value: str) -> str:
    return yaml.safe_dump(value, width=10**6, allow_unicode=True).removesuffix("\n...\n").removesuffix("\n")
