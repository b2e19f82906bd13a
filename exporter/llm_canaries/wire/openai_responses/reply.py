"""Responses answers, whole, both ways (protocols.md A2, A5)."""

from collections.abc import Sequence

from llm_canaries.wire.event import Head
from llm_canaries.wire.exchange import Written
from llm_canaries.wire.json import Object, decode_object, encode, integer, kind, mapping, string, want
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Finish, Part, Refusal, Reply, Thought, ToolCall, Usage
from llm_canaries.wire.openai_responses.items import finished, read_item, settled, write_items
from llm_canaries.wire.openai_responses.parts import NAME, write_seal
from llm_canaries.wire.openai_responses.usage import read_responses_usage, write_responses_usage
from llm_canaries.wire.seal import carried

_FINISHES = {
    "incomplete/max_output_tokens": Finish.LENGTH,
    "incomplete/content_filter": Finish.FILTER,
    "failed": Finish.ERROR,
}
_NATIVE = {finish: native for native, finish in _FINISHES.items()}
_UNFINISHED = ("", "incomplete", "in_progress", "queued")


def read_reply(body: bytes) -> Reply:
    """The Reply that an answer body is. Raises WireError."""
    said = decode_object(body)
    output, usage = said.pop("output", None), said.pop("usage", None)
    want(isinstance(output, list), f"output: expected an array, got {kind(output)}")
    content = tuple(part for item in output for part in read_output_item(item))
    native = native_of(said)
    head = read_head(said)
    return Reply(
        dialect=NAME,
        id=head.id,
        model=head.model,
        created=head.created,
        content=content,
        finish=finish_of(native, content),
        finish_native=native if native not in _UNFINISHED else None,
        usage=read_responses_usage(usage) if isinstance(usage, dict) else None,
        effort=head.effort,
        extra=head.extra,
    )


def read_output_item(item: object) -> tuple[Part, ...]:
    """The parts of one item of an answer. Raises WireError where it has no type."""
    said = mapping(item)
    want(isinstance(said.get("type"), str), "output: expected objects with a type")
    return read_item(settled(said))


def read_head(said: Object) -> Head:
    """Who answers, and what the answer says beside its output, its usage and how far it has come; empties `said`."""
    reasoning = {key: value for key, value in mapping(said.pop("reasoning", None)).items() if value is not None}
    effort = reasoning.pop("effort", None)
    extra = {"reasoning": reasoning} if reasoning else {}
    if said.get("status") in ("queued", "in_progress"):
        extra["status"] = said["status"]
    if said.get("error") is not None:
        extra["error"] = said["error"]
    if (created := integer(said.get("created_at"))) is not None:
        del said["created_at"]
    id, model = string(said.pop("id", "")), string(said.pop("model", ""))
    for known in ("object", "status", "error", "incomplete_details", "output", "usage"):
        said.pop(known, None)
    effort = effort if isinstance(effort, str) else None
    return Head(dialect=NAME, id=id, model=model, created=created or 0, effort=effort, extra=said | extra)


def write_reply(reply: Reply) -> Written:
    """`reply` as an answer body."""
    losses = Losses(reply.dialect, NAME)
    items = write_items(reply.content, losses, "content", lambda thought: shown(thought, losses), whole=True)
    output = [finished(item, at, reply.id) for at, item in enumerate(items)]
    head = Head(
        dialect=reply.dialect,
        id=reply.id,
        model=reply.model,
        created=reply.created,
        effort=reply.effort,
        extra=losses.extra("reply", reply.extra),
    )
    native = native_finish(reply.finish, reply.finish_native, reply.content, losses)
    return Written(encode(write_response(head, output, native, reply.usage, losses)), losses.found)


def shown(thought: Thought, losses: Losses) -> str:
    """The seal of `thought` as a client carries it; it may have none, for the client only reads it."""
    held = thought.signature if thought.redacted is None else thought.redacted
    return write_seal(thought, carried(held, losses.source, NAME)) if held else ""


def write_response(head: Head, output: list[Object], native: str, usage: Usage | None, losses: Losses) -> Object:
    """The response object; `head.extra` is in this dialect's words. Official types want some fields of the request."""
    status, _, reason = native.partition("/")
    extra = dict(head.extra)
    status = string(extra.pop("status", None)) or status if status == "incomplete" and not reason else status
    error = extra.pop("error", None)
    if status == "failed" and error is None:
        error = {"code": "server_error", "message": "the provider ended its answer with an error"}
    if status == "incomplete" and output and output[-1].get("type") == "message":
        output = [*output[:-1], output[-1] | {"status": "incomplete"}]
    reasoning = mapping(extra.pop("reasoning", None)) | ({"effort": head.effort} if head.effort is not None else {})
    wanted: Object = {} if losses.same else {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return wanted | extra | {
        "id": head.id,
        "object": "response",
        "created_at": extra.get("created_at", head.created),
        "status": status,
        "error": error,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": head.model,
        "output": output,
        "reasoning": reasoning or None,
        "usage": None if usage is None else write_responses_usage(usage, losses),
    }


def native_of(said: Object) -> str:
    """How far an answer has come: its status, and behind a slash why it is incomplete."""
    status, reason = string(said.get("status")), string(mapping(said.get("incomplete_details")).get("reason"))
    return f"{status}/{reason}" if status == "incomplete" and reason else status


def finish_of(native: str, content: Sequence[Part]) -> Finish | None:
    """The hub's word: an answer is complete, and its content tells whether it calls or declines (A5)."""
    if native in _UNFINISHED:
        return None
    if native != "completed":
        return _FINISHES.get(native, Finish.UNKNOWN)
    if any(isinstance(part, ToolCall) for part in content):
        return Finish.TOOL
    return Finish.FILTER if any(isinstance(part, Refusal) for part in content) else Finish.STOP


def native_finish(finish: Finish | None, native: str | None, content: Sequence[Part], losses: Losses) -> str:
    """The words for `finish`: the answer's own where it spoke this dialect, else the nearest, or a loss."""
    if finish is None:
        return "incomplete"
    own = native if losses.same and native and finish_of(native, content) == finish else None
    said = own or _NATIVE.get(finish, "completed")
    if finish_of(said, content) != finish:
        losses.add("finish", f"{finish}, said as {said}")
    return said

