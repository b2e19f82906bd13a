"""Covers wire/usage_laws.py against every recorded stream: one terminal usage, the last, and the one of the reply."""

import json
import os
from pathlib import Path

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Event, fold
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.usage_laws import Law, broken_laws, snapshots

BESIDE = Path(__file__).parents[2] / ".." / "shared" / "recordings"
FOLDER = Path(os.environ.get("WIRE_RECORDINGS_DIR") or BESIDE)

# No answer was ever counted: a page that says "echo", and an error in mid-stream.
UNCOUNTED = {"test_openai/test_text_response#0", "test_groq/test_tool_use_failed_error_streaming#0"}

recorded = pytest.mark.skipif(
    not FOLDER.is_dir() and not os.environ.get("CI"), reason=f"no recordings in {FOLDER}: set WIRE_RECORDINGS_DIR"
)


def events_of(name: str, body: bytes) -> list[Event]:
    decoder, reader = Decoder(), DIALECTS[name].reader()
    events = [event for frame in (*decoder.feed(body), *decoder.close()) for event in reader.feed(frame)]
    return [*events, *reader.close()]


@recorded
@pytest.mark.parametrize("name", DIALECTS)
def test_every_recorded_stream_tells_one_terminal_usage(name: str) -> None:
    streams = 0
    for line in (FOLDER / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not isinstance(row["response"], str) or row["status"] >= 400:
            continue
        events = events_of(name, row["response"].encode())
        told, reply = snapshots(events), fold(name, events)
        streams += 1
        if row["id"] in UNCOUNTED:
            assert told.terminal == ()
            continue
        assert reply is not None and reply.usage is not None, row["id"]
        assert told.terminal == (reply.usage,), row["id"]
        laws = broken_laws(reply.usage, said_something=bool(reply.content), cap=None, stream=told)
        assert not {Law.MISSING_TERMINAL_USAGE, Law.DUPLICATE_TERMINAL_USAGE, Law.USAGE_SHRANK} & set(laws), row["id"]
    assert streams >= 9
