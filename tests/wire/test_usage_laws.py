"""Covers wire/usage_laws.py: every invariant of one usage and of the stream that told it (protocols.md B2, B3)."""

from collections.abc import Sequence

import pytest

from llm_canaries.wire.event import Delta, End, Event, Finished, Head, UsageSeen
from llm_canaries.wire.message import Finish, Reply, Text, Thought, Usage
from llm_canaries.wire.usage_laws import Law, Snapshots, broken_laws, snapshots, unexplained_output


@pytest.mark.parametrize(
    ("usage", "laws"),
    [
        (Usage(), ()),
        (Usage(input=5, output=7, reasoning=7, cache_read=3, cache_write=2, total_reported=12), ()),
        (Usage(input=5, output=7, total_reported=0), (Law.TOTAL_MISMATCH_SHORT,)),
        (Usage(input=5, output=7, total_reported=109), (Law.TOTAL_MISMATCH_HIDDEN_REASONING,)),
        (Usage(input=5, total_reported=1), ()),
        (Usage(input=5, output=7, reasoning=8), (Law.REASONING_OVER_OUTPUT,)),
        (Usage(input=5, cache_read=3, cache_write=3), (Law.CACHE_OVER_INPUT,)),
        (Usage(cache_read=3), ()),
        (Usage(input=5, output=0), (Law.OUTPUT_ZERO,)),
        (Usage(input=0, output=7), (Law.INPUT_ZERO,)),
        (Usage(input=5, output=100), ()),
        (Usage(input=5, output=117), (Law.OUTPUT_OVER_CAP,)),
        (Usage(broken=("total_tokens",)), (Law.INVALID_COUNT,)),
        (Usage(input=0, output=0, total_reported=0), (Law.OUTPUT_ZERO, Law.INPUT_ZERO)),
    ],
)
def test_laws(usage: Usage, laws: tuple[Law, ...]) -> None:
    assert broken_laws(usage, said_something=True, cap=100) == laws


def test_laws_know_what_was_asked_and_said() -> None:
    assert broken_laws(Usage(input=5, output=0), said_something=False, cap=None) == ()
    assert broken_laws(Usage(input=5, output=10**9), said_something=True, cap=None) == ()
    assert broken_laws(Usage(input=5, output=11), said_something=True, cap=10, slack=0) == (Law.OUTPUT_OVER_CAP,)


FINISHED = Finished(Finish.STOP, "stop")


def stream(*counts: int | None, dialect: str = "openai_chat") -> list[Event]:
    """An answer whose usage counts `counts` of output; None is where it finishes."""
    told: list[Event] = [
        FINISHED if count is None else UsageSeen(Usage(input=5, output=count)) for count in counts
    ]
    return [Head(dialect=dialect, id="", model="m"), Delta(0, "ok"), *told, End()]


@pytest.mark.parametrize(
    ("counts", "laws"),
    [
        ((None, 7), ()),
        ((1, None, 7), ()),
        ((1, 3, 7, None, 7), ()),
        ((None, 7, 7), ()),
        ((None,), (Law.MISSING_TERMINAL_USAGE,)),
        ((7, None), (Law.MISSING_TERMINAL_USAGE,)),
        ((None, 7, 8), (Law.DUPLICATE_TERMINAL_USAGE,)),
        ((None, 8, 7), (Law.DUPLICATE_TERMINAL_USAGE,)),
        ((9, None, 7), (Law.USAGE_SHRANK,)),
        ((1, 9, None, 7), (Law.USAGE_SHRANK,)),
        ((9, None, 8, 7), (Law.DUPLICATE_TERMINAL_USAGE, Law.USAGE_SHRANK)),
    ],
)
def test_laws_of_a_stream(counts: Sequence[int | None], laws: tuple[Law, ...]) -> None:
    told = snapshots(stream(*counts))
    usage = Usage(input=5, output=7)
    assert broken_laws(usage, said_something=True, cap=None, stream=told) == laws
    assert broken_laws(usage, said_something=True, cap=None) == ()


def test_counts_of_gemini_rise_and_fall() -> None:
    told = snapshots(stream(419, 28, None, 7, dialect="gemini"))
    assert told.swinging
    assert broken_laws(Usage(input=5, output=7), said_something=True, cap=None, stream=told) == ()


def test_a_stream_that_never_finished_has_no_terminal_usage() -> None:
    assert snapshots(stream(1, 2)) == Snapshots(way=(Usage(input=5, output=1), Usage(input=5, output=2)))
    assert snapshots(()) == Snapshots()
    assert broken_laws(Usage(), said_something=True, cap=None, stream=Snapshots()) == (Law.MISSING_TERMINAL_USAGE,)


SUMMARY = "First I count, then I add."  # 26 bytes


@pytest.mark.parametrize(
    ("reasoning", "output", "left"),
    [
        (8, 400, 400 - 8 - 6 - 16),
        (26, 400, 400 - 26 - 6 - 16),
        (27, 400, None),  # more than its words can be: the provider's own
        (320, 330, None),
        (8, 8 + 6 + 16 + 64, None),  # within the quanta that some models count in
        (8, 8 + 6 + 16 + 65, 65),
        (0, 400, None),
        (None, 400, None),
    ],
)
def test_a_count_of_the_visible_thought_leaves_output_unexplained(
    reasoning: int | None, output: int, left: int | None
) -> None:
    usage = Usage(input=9, output=output, reasoning=reasoning)
    assert unexplained_output(thinker(usage)) == left


def thinker(usage: Usage | None, thought: str = SUMMARY, text: str = "123456", finish: Finish = Finish.STOP) -> Reply:
    content = (Thought(thought, "seal"), Text(text)) if thought else (Text(text),)
    return Reply(dialect="openai_chat", id="1", model="m", content=content, finish=finish, usage=usage)


ESTIMATED = Usage(input=9, output=400, reasoning=8)


@pytest.mark.parametrize(
    "reply",
    [
        thinker(None),
        thinker(Usage(input=9, reasoning=8)),
        thinker(ESTIMATED, thought=""),  # nothing shows that the count could be of
        thinker(ESTIMATED, text=""),
        thinker(ESTIMATED, finish=Finish.LENGTH),
        thinker(ESTIMATED, finish=Finish.TOOL),  # calls have frames of their own
        thinker(Usage(input=9, output=130, reasoning=100), thought="a thought that shows whole " * 15),
    ],
)
def test_what_cannot_be_told_of_a_count_of_reasoning(reply: Reply) -> None:
    assert unexplained_output(reply) is None


@pytest.mark.parametrize(("dialect", "told"), [("gemini", True), ("openai_chat", False)])
def test_what_a_client_reads_after_an_early_end_counts(dialect: str, told: bool) -> None:
    """CLIProxyAPI's streams for Gemini clients say STOP at their head and the usage at their end."""
    usage = Usage(input=21, output=2, total_reported=23)
    head = Head(dialect=dialect, id="", model="m")
    seen = snapshots([head, Finished(Finish.STOP, "stop"), End(), Delta(0, "542387"), UsageSeen(usage)])
    assert seen.terminal == ((usage,) if told else ())
