"""Answers drawn at random, as every speaker could give them, and their way through a stream."""

import json

from hypothesis import strategies as st

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Broken, End, Event, Head, fold, unfold
from llm_canaries.wire.message import Finish, Opaque, Part, Refusal, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.sse import Decoder, Frame

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(NAMES, JSONS, max_size=3).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
)
SEALS = st.from_regex(r"[A-Za-z0-9+/]{8}", fullmatch=True)  # base64, as all makers' are
PARTS: st.SearchStrategy[Part] = st.one_of(
    WORDS.map(Text),
    st.builds(Thought, WORDS, st.none() | SEALS),
    SEALS.map(lambda data: Thought(redacted=data)),
    WORDS.map(Refusal),
    st.builds(ToolCall, NAMES, NAMES, ARGUMENTS),
)
COUNTS = st.integers(0, 10_000)
ODD = {"oddField": {"a": [1, None]}}


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage that breaks no law."""
    read, write = draw(st.none() | COUNTS), draw(st.none() | COUNTS)
    whole, output = draw(COUNTS) + (read or 0) + (write or 0), draw(COUNTS)
    reasoning = draw(st.none() | st.integers(0, output))
    return Usage(input=whole, output=output, reasoning=reasoning, cache_read=read, cache_write=write)


NATIVE = {
    "openai_chat": ["stop", "length", "tool_calls", "content_filter", "error", "network_error"],
    "openai_responses": ["completed", "incomplete/max_output_tokens", "incomplete/content_filter", "failed", "odd"],
    "anthropic_messages": ["end_turn", "stop_sequence", "max_tokens", "tool_use", "refusal", "pause_turn", "new_word"],
    "gemini": ["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "NEW_REASON"],
}
CANON = {"completed": Finish.STOP, "incomplete/max_output_tokens": Finish.LENGTH, "failed": Finish.ERROR,
         "incomplete/content_filter": Finish.FILTER,
         "stop": Finish.STOP, "end_turn": Finish.STOP, "stop_sequence": Finish.STOP_SEQUENCE, "length": Finish.LENGTH,
         "max_tokens": Finish.LENGTH, "tool_calls": Finish.TOOL, "tool_use": Finish.TOOL, "error": Finish.ERROR,
         "content_filter": Finish.FILTER, "refusal": Finish.FILTER, "pause_turn": Finish.PAUSE, "STOP": Finish.STOP,
         "MAX_TOKENS": Finish.LENGTH, "SAFETY": Finish.FILTER, "OTHER": Finish.ERROR}  # fmt: skip


@st.composite
def replies(draw: st.DrawFn, speaker: str, *, odd: bool = False) -> Reply:
    """An answer of `speaker`; an `odd` one holds blocks and fields that only its own dialect knows."""
    parts = PARTS | st.just(Opaque(speaker, {"type": "odd", "n": 1})) if odd else PARTS
    native, content = draw(st.sampled_from(NATIVE[speaker])), tuple(draw(st.lists(parts, max_size=5)))
    # Gemini's turns all end alike, and so do those of Responses
    calls = native in ("STOP", "completed") and any(isinstance(part, ToolCall) for part in content)
    declined = native == "completed" and any(isinstance(part, Refusal) for part in content)
    return Reply(
        dialect=speaker,
        id=draw(NAMES),
        model=draw(NAMES),
        created=draw(COUNTS),
        content=content,
        finish=Finish.TOOL if calls else Finish.FILTER if declined else CANON.get(native, Finish.UNKNOWN),
        finish_native=native,
        stop_sequence="END" if native == "stop_sequence" else None,
        usage=draw(usages()),
        effort=draw(st.sampled_from([None, "low"])),
        extra=ODD if odd else {},
    )


def streamed(name: str, reply: Reply) -> bytes:
    """`reply` as a stream of dialect `name`."""
    events = unfold(reply)
    assert isinstance(events[0], Head)
    writer = DIALECTS[name].writer(events[0])
    return b"".join(writer.feed(event) for event in events) + writer.close()


def frames_of(body: bytes) -> list[Frame]:
    """The frames of a whole stream."""
    decoder = Decoder()
    return [*decoder.feed(body), *decoder.close()]


def read(name: str, body: bytes) -> Reply:
    """What a whole stream of dialect `name` adds up to."""
    reader, events = DIALECTS[name].reader(), list[Event]()
    for frame in frames_of(body):
        events += reader.feed(frame)
    events += reader.close()
    assert isinstance(events[-1], End | Broken)  # Responses ends with an error where others say why they finished
    reply = fold(name, events)
    assert reply is not None
    return reply
