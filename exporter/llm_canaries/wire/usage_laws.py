"""The laws that a usage obeys, alone and in the stream that told it (protocols.md B2, I1 to I9)."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import takewhile

from msgspec import Struct

from llm_canaries.wire.event import End, Event, Finished, Head, UsageSeen
from llm_canaries.wire.message import Finish, Reply, Usage

SWINGING = frozenset({"gemini"})
"""Dialects whose snapshots rise and fall on the way (B3)."""
UNENDED = frozenset({"gemini"})
"""Dialects whose streams end with the connection, and with no event."""


class Law(StrEnum):
    """The invariants of B2, named for what is wrong when one is broken."""

    TOTAL_MISMATCH_SHORT = "total_mismatch_short"
    TOTAL_MISMATCH_HIDDEN_REASONING = "total_mismatch_hidden_reasoning"
    REASONING_OVER_OUTPUT = "reasoning_over_output"
    CACHE_OVER_INPUT = "cache_over_input"
    OUTPUT_ZERO = "output_zero"
    INPUT_ZERO = "input_zero"
    INVALID_COUNT = "invalid_count"
    OUTPUT_OVER_CAP = "output_over_cap"
    MISSING_TERMINAL_USAGE = "missing_terminal_usage"
    DUPLICATE_TERMINAL_USAGE = "duplicate_terminal_usage"
    USAGE_SHRANK = "usage_shrank"


class Snapshots(Struct, frozen=True):
    """The usages that one stream told, in order: those on the way, and those with or after the finish.

    What comes after the dialect's terminal event is not among them, for nobody reads on (B5, `usage_after_done`).
    Gemini has none: its clients read until the connection ends, also after a finishReason that came too early.
    `swinging`: counts on the way may be higher than the last, as Gemini's are.
    """

    way: tuple[Usage, ...] = ()
    terminal: tuple[Usage, ...] = ()
    swinging: bool = False


def snapshots(events: Sequence[Event]) -> Snapshots:
    """The usages that `events` tell."""
    speaker = next((event.dialect for event in events if isinstance(event, Head)), "")
    if speaker not in UNENDED:
        events = list(takewhile(lambda event: not isinstance(event, End), events))
    end = next((at for at, event in enumerate(events) if isinstance(event, Finished)), len(events))
    way, terminal = (
        tuple(event.usage for event in part if isinstance(event, UsageSeen)) for part in (events[:end], events[end:])
    )
    return Snapshots(way, terminal, speaker in SWINGING)


def broken_laws(
    usage: Usage, *, said_something: bool, cap: int | None, slack: int = 16, stream: Snapshots | None = None
) -> tuple[Law, ...]:
    """Which invariants a usage breaks; `said_something`: text, tool or reasoning came; `cap` is the limit sent.

    `stream` holds the usages of a stream that was asked to tell them.
    """
    output, total = usage.output, usage.total_reported
    known = usage.input is not None and output is not None
    whole = (usage.input or 0) + (output or 0)
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    checks: Iterable[tuple[Law, bool]] = (
        (Law.INVALID_COUNT, bool(usage.broken)),
        (Law.TOTAL_MISMATCH_SHORT, known and total is not None and total < whole),
        (Law.TOTAL_MISMATCH_HIDDEN_REASONING, known and total is not None and total > whole),
        (Law.REASONING_OVER_OUTPUT, output is not None and (usage.reasoning or 0) > output),
        (Law.CACHE_OVER_INPUT, usage.input is not None and cached > usage.input),
        (Law.OUTPUT_ZERO, output == 0 and said_something),
        (Law.INPUT_ZERO, usage.input == 0),
        (Law.OUTPUT_OVER_CAP, cap is not None and output is not None and output > cap + slack),
    )
    broken = tuple(law for law, is_broken in checks if is_broken)
    return broken if stream is None else broken + _stream_laws(stream)


QUANTUM = 64  # some models count reasoning in multiples of it (C5)


def unexplained_output(reply: Reply, *, slack: int = 16) -> int | None:
    """The output that a count of reasoning leaves unexplained where it is that of the visible thought, else None.

    No text is more tokens than bytes. A count within the bytes of the thought that shows, in a finished answer whose
    output is more than that count and the bytes of its words by as much again, is of the summary and not of what was
    spent (B5, `reasoning_estimated`). A thought that shows whole explains its output, however it was counted.
    """
    usage = reply.usage
    if usage is None or usage.output is None or not usage.reasoning or reply.finish is not Finish.STOP:
        return None
    thought = sum(len(part.text.encode()) for part in reply.thoughts)
    if not reply.text or usage.reasoning > thought:
        return None
    left = usage.output - usage.reasoning - len(reply.text.encode()) - slack
    return left if left > max(usage.reasoning, QUANTUM) else None


def _stream_laws(stream: Snapshots) -> tuple[Law, ...]:
    """I8 and I9: one terminal usage, said again only word for word, and no count on the way above it."""
    if not stream.terminal:
        return (Law.MISSING_TERMINAL_USAGE,)
    last = stream.terminal[-1]
    peak = max((usage.output or 0 for usage in stream.way), default=0)
    checks = (
        (Law.DUPLICATE_TERMINAL_USAGE, any(usage != last for usage in stream.terminal)),
        (Law.USAGE_SHRANK, not stream.swinging and peak > (last.output or 0)),
    )
    return tuple(law for law, is_broken in checks if is_broken)
