"""Answers of a provider as bytes: whole, as streams, and as HTTP, in any dialect."""

import json

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Head, unfold
from llm_canaries.wire.message import Ask, Finish, Message, Part, Reply, Text, Usage

USAGE = Usage(input=11, output=7)


def reply(dialect: str, *content: Part, finish: Finish = Finish.STOP, usage: Usage | None = USAGE) -> Reply:
    """A small reply in `dialect`'s own words."""
    native = {"openai_chat": "stop", "openai_responses": "completed", "anthropic_messages": "end_turn"}
    return Reply(
        dialect=dialect,
        id="r1",
        model="m",
        created=1,
        content=content or (Text("hello"),),
        finish=finish,
        finish_native=native.get(dialect, "STOP") if finish is Finish.STOP else None,
        usage=usage,
    )


def whole(dialect: str, *content: Part, **more: object) -> bytes:
    """A reply as one body."""
    return DIALECTS[dialect].write_reply(reply(dialect, *content, **more)).body  # type: ignore[arg-type]


def streamed(dialect: str, *content: Part, **more: object) -> bytes:
    """A reply as a stream."""
    events = unfold(reply(dialect, *content, **more))  # type: ignore[arg-type]
    assert isinstance(events[0], Head)
    writer = DIALECTS[dialect].writer(events[0])
    return b"".join(writer.feed(event) for event in events) + writer.close()


def http(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> tuple[bytes, ...]:
    """One HTTP answer with its length, headers with `_` for `-`."""
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join((*lines, "", "")).encode() + body,)


def sse(*pieces: bytes | float | str) -> tuple[bytes | float | str, ...]:
    """One HTTP answer that streams `pieces` as chunks and ends well, unless a piece says otherwise."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(each), each) if isinstance(each, bytes) else each for each in pieces]
    return (head, *chunks, b"0\r\n\r\n")


def error(message: str = "no", **more: object) -> bytes:
    """OpenAI's error body."""
    return json.dumps({"error": {"message": message, "type": "x", "param": None, "code": None} | more}).encode()


def ask(dialect: str, *, stream: bool = False, model: str = "m") -> Ask:
    """A small ask."""
    turn = Message("user", (Text("hello"),))
    return Ask(dialect=dialect, model=model, messages=(turn,), stream=stream, include_usage=True, max_tokens=50)
