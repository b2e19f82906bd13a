"""One stored run with its evidence, as the state has it and as JSON; what cannot be read is told, not lost."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from llm_canaries.canary.evidence.pack import Unreadable, unpack
from llm_canaries.canary.evidence.value import Evidence
from llm_canaries.state.runs import RunRow


class Kept(Struct, frozen=True, kw_only=True):
    """A stored run; without `evidence`, `text` is what an older version kept, and `problem` says why that is all."""

    row: RunRow
    evidence: Evidence | None = None
    text: str = ""
    problem: str = ""


GONE = "its evidence is no longer kept: that of failures has a bound in bytes, of passes only each case's last is kept"


def read_kept(row: RunRow, stored: bytes | str | None) -> Kept:
    """The run `row` with its evidence, as the state has it."""
    if stored is None:
        skip = row.outcome == "skip"
        return Kept(row=row, problem="nothing was asked, so there is no evidence" if skip else GONE)
    if isinstance(stored, str):
        return Kept(row=row, text=stored, problem="its evidence is the text that an older version wrote")
    try:
        return Kept(row=row, evidence=unpack(stored))
    except Unreadable as error:
        return Kept(row=row, problem=f"its evidence cannot be read: {error}")


def kept_json(kept: Kept) -> bytes:
    """`{"id": …, …, "evidence": {…}|text|null, "problem": …}`: the run's own columns, then its evidence."""
    row = {name: getattr(kept.row, name) for name in kept.row.__struct_fields__}
    return msgspec.json.encode(row | {"evidence": kept.evidence or kept.text or None, "problem": kept.problem})


def read_kept_json(text: bytes) -> Kept:
    """What `kept_json` wrote. Raises ValueError."""
    try:
        said = msgspec.json.decode(text, type=_Said)
        row = msgspec.json.decode(text, type=RunRow)
        if isinstance(said.evidence, str):
            return Kept(row=row, text=said.evidence, problem=said.problem)
        evidence = msgspec.convert(said.evidence, Evidence | None)
    except msgspec.DecodeError as error:
        raise ValueError(f"no stored run: {error}") from None
    return Kept(row=row, evidence=evidence, problem=said.problem)


def rows_json(rows: Sequence[RunRow]) -> bytes:
    """`{"runs": […]}`."""
    return msgspec.json.encode({"runs": rows})


def read_rows_json(text: bytes) -> list[RunRow]:
    """What `rows_json` wrote. Raises ValueError."""
    try:
        return msgspec.json.decode(text, type=dict[str, list[RunRow]])["runs"]
    except (msgspec.DecodeError, KeyError) as error:
        raise ValueError(f"no list of runs: {error}") from None


class _Said(Struct):
    evidence: dict[str, object] | str | None = None
    problem: str = ""
