"""Covers mirror/records.py: found by mark, bounded, the oldest forgotten first."""

import pytest

from llm_canaries.mirror.records import MOST_MARKS, MOST_OF_ONE, Records
from llm_canaries.wire.exchange import Seen
from llm_canaries.wire.message import Ask, Message, Text
from llm_canaries.wire.nonce import MARK_LENGTH, MARK_PREFIX, Draw, mark


def named(number: int) -> str:
    letters = f"{number:0{MARK_LENGTH}d}".translate(str.maketrans("0123456789", "abcdefghij"))
    return MARK_PREFIX + letters


def seen(*words: str) -> Seen:
    ask = Ask(dialect="openai_chat", model="m", messages=(Message("user", (Text("x"),)),))
    return Seen(dialect="openai_chat", model="m", stream=False, ask=ask, body=" ".join(words).encode())


def test_found_by_mark(draw: Draw) -> None:
    records, one, two = Records(), mark(draw), mark(draw)
    first, second = seen(f"[{one}] hello"), seen(one, two)
    records.add(first)
    records.add(second)
    assert records.of(one) == (first, second)
    assert records.of(two) == (second,)
    assert records.of("cnry-zzzzzzzzzz") == () and records.of("") == ()


def test_a_mark_said_twice_counts_once() -> None:
    records = Records()
    records.add(seen(named(1), named(1)))
    assert len(records.of(named(1))) == 1


def test_without_a_mark_forgotten() -> None:
    records = Records()
    for word in ("hello", "cnry-", "cnry-abc", "CNRY-abcdefghij", "cnry-ABCDEFGHIJ", "cnry-0123456789"):
        records.add(seen(word))
        assert records.of(word) == ()


def test_oldest_mark_forgotten_first() -> None:
    records = Records()
    for number in range(MOST_MARKS):
        records.add(seen(named(number)))
    records.add(seen(named(0)))  # seen again: the oldest no more
    records.add(seen(named(MOST_MARKS)))
    assert records.of(named(1)) == ()
    assert len(records.of(named(0))) == 2
    assert len(records.of(named(2))) == 1 and len(records.of(named(MOST_MARKS))) == 1


def test_one_body_with_many_marks_is_bounded() -> None:
    records = Records()
    records.add(seen(*(named(number) for number in range(MOST_MARKS + 500))))
    assert sum(1 for number in range(MOST_MARKS + 500) if records.of(named(number))) == MOST_MARKS


def test_many_under_one_mark_are_bounded() -> None:
    records = Records()
    for number in range(MOST_OF_ONE + 5):
        records.add(seen(named(1), str(number)))
    assert len(records.of(named(1))) == MOST_OF_ONE


def test_bodies_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_canaries.mirror.records.MOST_BYTES", 100)
    records = Records()
    for number in range(5):
        records.add(seen(named(number), "x" * 20))
    assert [bool(records.of(named(number))) for number in range(5)] == [False, False, False, True, True]
    records.add(seen(named(9), "x" * 200))
    assert records.of(named(9)) == () and records.of(named(4)) == (), "one that is too large leaves nothing"
    records.add(seen(named(1)))
    assert len(records.of(named(1))) == 1
