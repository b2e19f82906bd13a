"""What is held in memory, kept as bytes: state/snapshots.py."""

import pytest

from llm_canaries.state.database import FILE, Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.snapshots import load_snapshot, read_snapshot, save_snapshot


async def test_the_last_one_is_kept(tmp_path):
    database = Database.open(tmp_path)
    assert await database.do(load_snapshot, "window") is None
    await database.do(save_snapshot, "window", 5.0, b"one")
    await database.do(save_snapshot, "window", 6.0, b"two")
    await database.do(save_snapshot, "clocks", 7.0, b"\0\xff")
    assert await database.do(load_snapshot, "window") == (6.0, b"two")
    assert read_snapshot(tmp_path / FILE, "clocks") == (7.0, b"\0\xff"), "beside whoever holds the state"
    assert read_snapshot(tmp_path / FILE, "nothing") is None
    await database.close()


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(StateError, match="does not exist"):
        read_snapshot(tmp_path / FILE, "window")
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(StateError, match="cannot be read"):
        read_snapshot(tmp_path / FILE, "window")
