"""Chat Completions streams: events in, bytes out (protocols.md A1)."""

from typing import Any

from llm_canaries.wire.event import (
    Broken,
    Delta,
    End,
    Event,
    Finished,
    Head,
    Liveness,
    OpaquePart,
    PartEnd,
    PartStart,
    Signature,
    UsageSeen,
)
from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.json import HOLE, Object, encode, quoted
from llm_canaries.wire.loss import Losses, back_under
from llm_canaries.wire.message import Finish, Usage
from llm_canaries.wire.openai_chat.parts import NAME, beside
from llm_canaries.wire.openai_chat.reply import finish_of, native_finish
from llm_canaries.wire.sse import encode_frame, holed_frame
from llm_canaries.wire.usage import write_chat_usage


class ChatWriter:
    """Events into chunks: role first, then deltas, finish, usage, [DONE]."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._tools: dict[int, int] = {}
        self._kinds: dict[int, str] = {}
        self._around: dict[int, tuple[bytes, bytes]] = {}
        self._usage: Usage | None = None
        self._losses = Losses(head.dialect, NAME)
        self._extra = self._losses.extra("reply", head.extra)
        self._message, self._choice = back_under("message", self._extra), back_under("choice", self._extra)
        self._losses.unsaid("reply", {key: self._extra.pop(key) for key in ("choices",) if key in self._extra})

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What a chat stream cannot say of the events so far."""
        return self._losses.found

    def feed(self, event: Event) -> bytes:
        """The bytes that `event` adds to the stream."""
        if type(event) is Delta:  # nearly all of a stream
            before, after = self._around.get(event.index) or self._surround(event.index)
            return before + quoted(event.text) + after
        match event:
            case Head():
                first = {"role": "assistant", "content": ""} | self._message
                return self._chunk([_choice(first) | self._choice], self._extra)
            case PartStart(index=index, kind=kind):
                self._kinds[index] = kind
                self._around.pop(index, None)
                if kind == "tool":
                    return self._start_call(event)
                self._losses.unsaid(kind, event.extra)
            case Finished(finish, native):
                return self._finish(finish, native)
            case UsageSeen(usage):
                self._usage = usage
                return b""
            case Broken(fault):
                error = {"message": fault.message, "type": fault.code or "server_error", "code": fault.code or None}
                return encode_frame(encode({"error": error}))
            case End():
                return self._end()
            case Liveness():
                return b": keep-alive\n\n"
            case Signature():
                self._losses.add("thinking", "signature")
            case OpaquePart(_, part):
                self._losses.part("content", part)
            case PartEnd():
                pass
        return b""

    def close(self) -> bytes:
        """Nothing: a stream that did not end is left cut, never tidied up."""
        return b""

    def _surround(self, index: int) -> tuple[bytes, bytes]:
        """What stands before and after each piece of part `index`."""
        said: Object
        match self._kinds.get(index, "text"):
            case "tool":
                said = {"tool_calls": [{"index": self._tools[index], "function": {"arguments": HOLE}}]}
            case "thought":
                said = {"reasoning_content": HOLE}
            case "refusal":
                said = {"refusal": HOLE}
            case _:
                said = {"content": HOLE}
        around = self._around[index] = holed_frame(self._said([_choice(said)]))
        return around

    def _start_call(self, start: PartStart) -> bytes:
        number = self._tools[start.index] = len(self._tools)
        function = {"name": start.name, "arguments": ""}
        call: Object = {"index": number, "id": start.id, "type": "function", "function": function}
        return self._delta({"tool_calls": [beside(call, "function", self._losses.extra("tool", start.extra))]})

    def _finish(self, finish: Finish, native: str) -> bytes:
        own = native if native and finish_of(native) == finish else None
        said = native_finish(finish, own)
        if finish_of(said) != finish:
            self._losses.add("finish", f"{finish}, said as {said}")
        return self._chunk([{"index": 0, "delta": {}, "finish_reason": said}])

    def _end(self) -> bytes:
        usage = b"" if self._usage is None else self._chunk([], {"usage": write_chat_usage(self._usage)})
        return usage + encode_frame("[DONE]")

    def _delta(self, delta: Object) -> bytes:
        return self._chunk([_choice(delta)])

    def _chunk(self, choices: list[Any], more: Object | None = None) -> bytes:
        return encode_frame(encode(self._said(choices) | (more or {})))

    def _said(self, choices: list[Any]) -> Object:
        head = self._head
        chunk: Object = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
            "choices": choices,
        }
        if head.effort is not None:
            chunk["reasoning_effort"] = head.effort
        return chunk


def _choice(delta: Object) -> Object:
    return {"index": 0, "delta": delta, "finish_reason": None}
