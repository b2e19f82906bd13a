"""The ways in which a fault model bends the order of a stream's frames; each takes and gives them one event a piece."""

import re
from collections.abc import Sequence

from llm_canaries.wire.json import WireError, decode_object, encode
from llm_canaries.wire.sse import Decoder, encode_frame

_OUTPUT = re.compile(rb'("completion_tokens":)\d+')

_CALL_START = re.compile(
    rb'"type":"content_block_start".*"type":"tool_use"'
    rb'|"type":"response\.output_item\.added".*"type":"function_call"'
    rb'|"tool_calls":\[\{[^}]*"id":"'
    rb'|"functionCall"'
)


def split(stream: bytes) -> list[bytes]:
    """A stream as its events, each with its blank line."""
    return [event + b"\n\n" for event in stream.split(b"\n\n") if event]


def without_last(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream without its terminal event."""
    return frames[:-1]


def with_more(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream with its last event but one said again after the terminal one."""
    return [*frames, *frames[-2:-1]]


def begun_twice(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream with its first event twice."""
    return [frames[0], *frames]


def without_call_starts(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream without what opens a tool call and names it; Gemini says a call in one event, which is gone."""
    return [frame for frame in frames if _CALL_START.search(frame) is None]


def finished_early(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream with the fourth and the third event from its end changed over."""
    if len(frames) < 4:
        return frames
    return [*frames[:-4], frames[-3], frames[-4], *frames[-2:]]


def finished_twice(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream with a second finish of another kind right after the first."""
    out: list[bytes] = []
    for frame in frames:
        out.append(frame)
        for native, other in ((b'"finish_reason":"stop"', b'"finish_reason":"length"'),
                              (b'"stop_reason":"end_turn"', b'"stop_reason":"max_tokens"'),
                              (b'"finishReason":"STOP"', b'"finishReason":"MAX_TOKENS"')):  # fmt: skip
            if native in frame:
                out.append(frame.replace(native, other))
    return out


def counted_twice(frames: Sequence[bytes]) -> Sequence[bytes]:
    """The stream with its chat usage said before in other numbers, as where a gateway adds its own estimate."""
    out: list[bytes] = []
    for frame in frames:
        guess = _OUTPUT.sub(rb"\g<1>7777", frame)
        out += [guess, frame] if guess != frame else [frame]
    return out


def with_changing_id(frames: Sequence[bytes]) -> Sequence[bytes]:
    """Every event under an id of its own, where the dialect says one in each."""
    return [_renamed(frame, at) for at, frame in enumerate(frames)]


def _renamed(frame: bytes, at: int) -> bytes:
    events = Decoder().feed(frame)
    try:
        said = decode_object(events[0].data) if events else {}
    except WireError:
        said = {}
    names = [name for name in ("id", "responseId") if isinstance(said.get(name), str)]
    said |= {name: f"{said[name]}-{at}" for name in names}
    return encode_frame(encode(said), events[0].event) if names else frame
