"""The table of what every recorded exchange loses in the other dialects, and how it is made.

`python tests/helpers/recorded_losses.py` writes tests/wire/recorded_losses.yml anew; the recordings are found through
WIRE_RECORDINGS_DIR. Read the difference before it is committed: a longer list is something that got lost.
"""

import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Broken, Event, Head, fold
from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Reply
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder

TABLE = Path(__file__).parents[1] / "wire" / "recorded_losses.yml"
BESIDE = Path(__file__).parents[2] / ".." / "shared" / "recordings"
FOLDER = Path(os.environ.get("WIRE_RECORDINGS_DIR") or BESIDE)

Lost: TypeAlias = tuple[str, ...]
Row: TypeAlias = dict[str, Any]
"""`kind`, and for each other dialect what the ask and the answer lose."""

HEAD = """\
# What each recorded exchange with a real provider loses, as declared, when it is written in the other three dialects;
# nothing is known of the provider. Made by `python tests/helpers/recorded_losses.py`, checked by
# tests/wire/test_recorded_losses.py. An entry of `lists` is one list of losses. A recording has its kind and, by
# target, the numbers of the lists of its ask and of its answer; 0 is no loss. A `refusal` or `page` has no answer.
"""


@cache
def recordings(name: str) -> tuple[Row, ...]:
    """The exchanges recorded in dialect `name`."""
    path = FOLDER / f"{name}.jsonl"
    return tuple(json.loads(line) for line in path.read_text().splitlines()) if path.is_file() else ()


def ask_of(name: str, row: Row) -> Ask:
    """The ask of a recording."""
    return DIALECTS[name].read_ask(json.dumps(row["request"]).encode(), row["path"])


def kind_of(name: str, row: Row) -> str:
    """What the provider answered with: a reply, a stream, a refusal, or a page that is no answer at all."""
    if row["status"] >= 400:
        return "refusal"
    if not isinstance(row["response"], str):
        return "reply"
    return "stream" if events_of(name, row) else "page"


def events_of(name: str, row: Row) -> list[Event]:
    """The events of a recorded stream, or none."""
    return read_stream(name, row["response"].encode())


def read_stream(name: str, body: bytes) -> list[Event]:
    """The events of a stream."""
    decoder, reader = Decoder(), DIALECTS[name].reader()
    events = [event for frame in (*decoder.feed(body), *decoder.close()) for event in reader.feed(frame)]
    return [*events, *reader.close()]


def reply_of(name: str, row: Row) -> Reply | None:
    """The answer of a recording as one Reply, whether it was streamed or not."""
    if kind_of(name, row) == "stream":
        return fold(name, events_of(name, row))
    try:
        return DIALECTS[name].read_reply(json.dumps(row["response"]).encode())
    except WireError:
        return None


def write_stream(target: str, events: Sequence[Event]) -> tuple[bytes, Lost]:
    """`events` written as a stream of `target`, and what it lost."""
    head = next(event for event in events if isinstance(event, Head))
    writer = DIALECTS[target].writer(head)
    body = b"".join(writer.feed(event) for event in events) + writer.close()
    return body, words(writer.losses)


def words(losses: Sequence[Loss]) -> Lost:
    """Losses in words; the same one many times is said once with its number."""
    said = [f"{loss.where}: {loss.what}" for loss in losses]
    return tuple(f"{each} ×{said.count(each)}" if said.count(each) > 1 else each for each in dict.fromkeys(said))


def lost_by(name: str, row: Row, target: str) -> tuple[Lost, Lost]:
    """What the ask and the answer of a recording lose in `target`."""
    asked, kind = words(DIALECTS[target].write_ask(ask_of(name, row), Profile()).losses), kind_of(name, row)
    if kind == "stream":
        return asked, write_stream(target, events_of(name, row))[1]
    reply = reply_of(name, row) if kind == "reply" else None
    return asked, () if reply is None else words(DIALECTS[target].write_reply(reply).losses)


def rows() -> Iterator[tuple[str, str, Row]]:
    """Every recording: its dialect, its id, and its row of the table."""
    for name in DIALECTS:
        for recorded in recordings(name):
            others = {target: lost_by(name, recorded, target) for target in DIALECTS if target != name}
            yield name, recorded["id"], {"kind": kind_of(name, recorded)} | others


def read_table() -> dict[str, dict[str, Row]]:
    """The committed table, with the lists in place of their numbers."""
    said = yaml.load(TABLE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    lists = {0: (), **{number: tuple(each) for number, each in said.pop("lists").items()}}
    return {
        name: {
            id: {key: held if key == "kind" else tuple(lists[at] for at in held) for key, held in row.items()}
            for id, row in found.items()
        }
        for name, found in said.items()
    }


def written() -> str:
    """The table as text."""
    lists: dict[Lost, int] = {(): 0}
    lines: list[str] = []
    for name, id, row in rows():
        if f"{name}:" not in lines:
            lines.append(f"{name}:")
        told = {
            key: held if key == "kind" else [lists.setdefault(each, len(lists)) for each in held]
            for key, held in row.items()
        }
        said = ", ".join(f"{key}: {held}" for key, held in told.items())
        lines.append(f"  {json.dumps(id)}: {{{said}}}")
    told_lists = [f"  {at}: {json.dumps(each, ensure_ascii=False)}" for each, at in lists.items() if at]
    return "\n".join([HEAD + "lists:", *told_lists, *lines, ""])


def is_broken(events: Sequence[Event]) -> bool:
    """Whether a stream broke off with an error."""
    return any(isinstance(event, Broken) for event in events)


if __name__ == "__main__":
    TABLE.write_text(written(), encoding="utf-8")
