"""Messages answers, whole, both ways (protocols.md A3, A5)."""

from collections.abc import Mapping

from llm_canaries.wire.anthropic_messages.parts import NAME, read_blocks, write_block, write_thought
from llm_canaries.wire.exchange import Written
from llm_canaries.wire.json import Object, WireError, decode_object, encode, kind, mapping, string
from llm_canaries.wire.loss import Losses
from llm_canaries.wire.message import Finish, Part, Reply, Thought
from llm_canaries.wire.seal import carried
from llm_canaries.wire.usage import read_messages_usage, write_messages_usage

FINISHES: Mapping[str, Finish] = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL,
    "refusal": Finish.FILTER,
    "pause_turn": Finish.PAUSE,
}
_UNKNOWN = Finish.UNKNOWN  # looking a member up in its class runs Python code

_NATIVE: Mapping[Finish, str] = {
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL: "tool_use",
    Finish.FILTER: "refusal",
    Finish.PAUSE: "pause_turn",
}


def read_reply(body: bytes) -> Reply:
    """The Reply that an answer body is. Raises WireError."""
    said = decode_object(body)
    if not isinstance(said.get("content"), list):
        raise WireError(f"content: expected an array, got {kind(said.get('content'))}")
    native, usage = said.pop("stop_reason", None), said.pop("usage", None)
    for known in ("type", "role"):
        said.pop(known, None)
    return Reply(
        dialect=NAME,
        id=string(said.pop("id", "")),
        model=string(said.pop("model", "")),
        content=tuple(_unsealed(part) for part in read_blocks(said.pop("content"), "content")),
        finish=finish_of(native),
        finish_native=string(native) or None,
        stop_sequence=string(said.pop("stop_sequence", None)) or None,
        usage=read_messages_usage(usage) if isinstance(usage, dict) else None,
        effort=effort_of(said),
        extra=said,
    )


def write_reply(reply: Reply) -> Written:
    """`reply` as an answer body."""
    losses = Losses(reply.dialect, NAME)
    own = reply.finish_native if finish_of(reply.finish_native) == reply.finish else None
    native = None if reply.finish is None else native_finish(reply.finish, own)
    if finish_of(native) != reply.finish:
        losses.add("finish", f"{reply.finish}, said as {native}")
    said: Object = {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [block for part in reply.content if (block := _write_part(part, losses)) is not None],
        "stop_reason": native,
        "stop_sequence": reply.stop_sequence,
    }
    if reply.usage is not None:
        said["usage"] = write_messages_usage(reply.usage)
    if reply.effort is not None:
        said["output_config"] = {"effort": reply.effort}
    return Written(encode(losses.extra("reply", reply.extra) | said), losses.found)


def finish_of(native: object) -> Finish | None:
    """The hub's word for a stop_reason; UNKNOWN for one nobody documented, None for none."""
    return FINISHES.get(native, _UNKNOWN) if isinstance(native, str) and native else None


def native_finish(finish: Finish, native: str | None = None) -> str:
    """The stop_reason for `finish`; `native` wins where Messages already has the word."""
    return native or _NATIVE.get(finish, "end_turn")


def effort_of(said: Object) -> str | None:
    """The reasoning level an answer says was applied (`output_config.effort`), where a gateway says so."""
    output = mapping(said.get("output_config"))
    effort = output.pop("effort", None)
    if "output_config" in said and not output:
        del said["output_config"]
    return effort if isinstance(effort, str) else None


def _unsealed(part: Part) -> Part:
    """`part`, where a seal of no letters counts as none: streams and gateways send one to hold its place."""
    return Thought(part.text, extra=part.extra) if isinstance(part, Thought) and part.signature == "" else part


def _write_part(part: Part, losses: Losses) -> Object | None:
    """An answer may show reasoning without a seal: the client only reads it."""
    if not isinstance(part, Thought):
        return write_block(part, "content", losses)
    held = part.signature if part.redacted is None else part.redacted
    seal = carried(held, losses.source, NAME) if held else ""
    return write_thought(part, seal) | losses.extra("content", part.extra)
