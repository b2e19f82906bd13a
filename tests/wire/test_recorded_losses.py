"""Covers every arrow against 497 exchanges with real providers: what is lost is in the committed table, and no more is.

The table is tests/wire/recorded_losses.yml; tests/helpers/recorded_losses.py makes it. What the declared losses do not
name is looked for in the raw JSON on both sides, without our readers (tests/helpers/inventory.py).
"""

import json
import os
from collections import Counter
from functools import cache
from typing import Any

import pytest
from inventory import Held, inventory
from recorded_losses import (
    FOLDER,
    Lost,
    Row,
    ask_of,
    events_of,
    is_broken,
    kind_of,
    lost_by,
    read_stream,
    read_table,
    recordings,
    reply_of,
    words,
    write_stream,
    written,
)

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import fold
from llm_canaries.wire.profile import Profile

COUNT = 497
ARROWS = [(source, target) for source in DIALECTS for target in DIALECTS if source != target]
LABEL = "Returned by tool call "
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir() and not os.environ.get("CI"), reason=f"no recordings in {FOLDER}: set WIRE_RECORDINGS_DIR"
)
table = cache(read_table)


def test_every_recording_has_its_row() -> None:
    found = {name: [row["id"] for row in recordings(name)] for name in DIALECTS}
    assert sum(map(len, found.values())) == COUNT
    assert {name: list(table().get(name, {})) for name in DIALECTS} == found
    kinds = Counter(row["kind"] for held in table().values() for row in held.values())
    assert kinds == {"reply": 445, "stream": 41, "refusal": 10, "page": 1}


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_what_is_lost_is_what_the_table_says(source: str, target: str) -> None:
    different = []
    for row in recordings(source):
        told = table()[source][row["id"]]
        assert kind_of(source, row) == told["kind"], row["id"]
        for sort, now, then in zip(("ask", "answer"), lost_by(source, row, target), told[target], strict=True):
            if now != then:
                more, less = [x for x in now if x not in then], [x for x in then if x not in now]
                different.append(f"{row['id']}, {sort}: now lost {more}, no longer lost {less}")
    assert not different, "\n".join([*different, "python tests/helpers/recorded_losses.py writes the table anew"])


def test_the_table_is_as_it_is_made() -> None:
    assert read_table() == table()
    assert written().count("\n") < 1500


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_an_ask_holds_after_the_arrow_what_it_held_before(source: str, target: str) -> None:
    for row in recordings(source):
        request = DIALECTS[target].write_ask(ask_of(source, row), Profile())
        lost = words(request.losses)
        compare(row, inventory(source, row["request"]), inventory(target, json.loads(request.body)), lost)


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_an_answer_holds_after_the_arrow_what_it_held_before(source: str, target: str) -> None:
    seen = 0
    for row in recordings(source):
        reply = reply_of(source, row)
        if reply is None:
            assert kind_of(source, row) in ("refusal", "page")
            continue
        whole = DIALECTS[target].write_reply(reply)
        held = inventory(target, json.loads(whole.body))
        before = row["response"] if isinstance(row["response"], dict) else whole_of(source, row)
        compare(row, inventory(source, before), held, words(whole.losses))
        seen += 1
    assert seen > 90


@pytest.mark.parametrize(("source", "target"), ARROWS)
def test_a_stream_says_after_the_arrow_what_the_whole_answer_says(source: str, target: str) -> None:
    for row in recordings(source):
        if kind_of(source, row) != "stream":
            continue
        events, reply = events_of(source, row), reply_of(source, row)
        assert reply is not None
        body, _ = write_stream(target, events)
        again = fold(target, read_stream(target, body))
        whole = DIALECTS[target].read_reply(DIALECTS[target].write_reply(reply).body)
        assert again is not None
        assert (again.text, again.finish) == (whole.text, whole.finish) or is_broken(events)
        assert [(call.id, call.name, call.arguments) for call in again.calls] == [
            (call.id, call.name, call.arguments) for call in whole.calls
        ]
        assert "".join(each.text for each in again.thoughts) == "".join(each.text for each in whole.thoughts)
        assert again.usage == whole.usage


def whole_of(source: str, row: Row) -> dict[str, Any]:
    """A stream as one answer of its own dialect: that it says what the lines say is proven elsewhere."""
    reply = reply_of(source, row)
    assert reply is not None
    said: dict[str, Any] = json.loads(DIALECTS[source].write_reply(reply).body)
    return said


def compare(row: Row, before: Held, after: Held, lost: Lost) -> None:
    """What `before` held `after` holds, but for what `lost` names."""
    where, told = row["id"], Counter[str]()
    for each in lost:
        what, _, many = each.partition(": ")[2].partition(" ×")
        told["opaque" if what.startswith("opaque") else what.partition(" with")[0]] += int(many or 1)
    assert told["opaque"] >= len(before.unknown), (where, before.unknown, lost)
    assert not after.unknown, (where, after.unknown)
    assert sorted(plain(after.words)) == sorted(plain(before.words)), (where, lost)
    if "order of parts" not in told:
        assert plain(after.words) == plain(before.words), where
    assert after.thoughts == before.thoughts or any(what.startswith("thinking") for what in told), (where, lost)
    if "tool arguments that are not a JSON object" not in told:
        assert len(after.calls) == len(before.calls)
        for one, other in zip(before.calls, after.calls, strict=True):
            assert one[1:] == other[1:], where
            assert one.id in ("", other.id), where
    assert len(after.results) == len(before.results), where
    for (id, text), (found_id, found) in zip(before.results, after.results, strict=True):
        assert id in ("", found_id), where
        assert found == text, (where, lost)
    missing = Counter(before.files) - Counter(after.files)
    assert missing.total() <= told["document"] + told["image"] + told["opaque"] - len(before.unknown), (where, lost)
    assert not Counter(after.files) - Counter(before.files), where


def plain(text: str) -> str:
    """`text` without the labels that bind hoisted pictures to their calls."""
    while LABEL in text:
        before, _, after = text.partition(LABEL)
        text = before + after.partition(":")[2]
    return text
