"""Chat Completions answers, whole, both ways (protocols.md A1, A5)."""

from collections.abc import Mapping, Sequence

from llm_canaries.wire.exchange import Written
from llm_canaries.wire.json import Object, WireError, decode_object, encode, integer, items, kind, mapping, string
from llm_canaries.wire.loss import Losses, back_under
from llm_canaries.wire.message import Finish, Opaque, Part, Refusal, Reply, Text, Thought, ToolCall
from llm_canaries.wire.openai_chat.parts import NAME, is_call, read_calls, read_content, write_call
from llm_canaries.wire.openai_chat.turns import out_of_place
from llm_canaries.wire.usage import chat_usage_of, read_chat_usage, write_chat_usage

FINISHES: Mapping[str, Finish] = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL,
    "function_call": Finish.TOOL,
    "content_filter": Finish.FILTER,
    "error": Finish.ERROR,  # OpenRouter's word
}

_SILENCE = Text("")
_CHOICE = frozenset({"index", "message", "delta", "finish_reason"})
_MESSAGE = frozenset({"role", "content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call"})
_MESSAGE |= {"annotations"}
_UNKNOWN = Finish.UNKNOWN  # looking a member up in its class runs Python code

_NATIVE: Mapping[Finish, str] = {
    Finish.LENGTH: "length",
    Finish.TOOL: "tool_calls",
    Finish.FILTER: "content_filter",
    Finish.ERROR: "error",
}


def read_reply(body: bytes) -> Reply:
    """The Reply that an answer body is; an answer without choices has no content. Raises WireError."""
    said = decode_object(body)
    choices = said.pop("choices", None)
    if not isinstance(choices, list):
        raise WireError(f"choices: expected an array, got {kind(choices)}")
    choice = mapping(choices[0]) if choices else {}
    native = choice.get("finish_reason")
    usage = chat_usage_of(said)
    said.pop("object", None)
    said.pop("usage", None)
    message = mapping(choice.get("message"))
    beside = _told("choice", choice, _CHOICE) | _told("message", message, _MESSAGE)
    if len(choices) > 1:
        beside["choices"] = choices[1:]
    return Reply(
        dialect=NAME,
        id=string(said.pop("id", "")),
        model=string(said.pop("model", "")),
        created=integer(said.pop("created", 0)) or 0,
        content=_read_message(message),
        finish=finish_of(native),
        finish_native=string(native) or None,
        usage=None if usage is None else read_chat_usage(usage),
        effort=effort_of(said),
        extra=said | beside if beside else said,
    )


def write_reply(reply: Reply) -> Written:
    """`reply` as an answer body."""
    losses = Losses(reply.dialect, NAME)
    message = _write_message(reply.content, losses)
    native = native_of(reply)
    if finish_of(native) != reply.finish:
        losses.add("finish", f"{reply.finish}, said as {native}")
    extra = losses.extra("reply", reply.extra)
    message = back_under("message", extra) | message
    beside = {"logprobs": None} | back_under("choice", extra)
    choice = {"index": 0, "message": message} | beside | {"finish_reason": native}
    said: Object = {
        "id": reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [choice, *items(extra.pop("choices", None))],
    }
    if reply.usage is not None:
        said["usage"] = write_chat_usage(reply.usage)
    if reply.effort is not None:
        said["reasoning_effort"] = reply.effort
    return Written(encode(extra | said), losses.found)


def finish_of(native: object) -> Finish | None:
    """The hub's word for a finish_reason; UNKNOWN for one nobody documented, None for none."""
    return FINISHES.get(native, _UNKNOWN) if isinstance(native, str) and native else None


def native_of(reply: Reply) -> str | None:
    """The finish_reason of `reply`: its own word where it spoke chat, else the nearest."""
    if reply.finish is None:
        return None
    own = reply.finish_native if reply.finish_native and finish_of(reply.finish_native) == reply.finish else None
    return native_finish(reply.finish, own)


def native_finish(finish: Finish, native: str | None = None) -> str:
    """The finish_reason for `finish`; `native` wins where chat already has the word."""
    return native or _NATIVE.get(finish, "stop")


def effort_of(said: Object) -> str | None:
    """The reasoning level an answer says was applied, where a provider says so."""
    effort = said.pop("reasoning_effort", None)
    return effort if isinstance(effort, str) else None


def _told(name: str, said: Object, known: frozenset[str]) -> Object:
    """The fields of `said` that are not `known` and say something, as `under` names them."""
    found: Object = {}
    for key, value in said.items():
        if value is not None and key not in known:
            found[f"{name}.{key}"] = value  # a comprehension costs more than all else here
    return found


def _write_message(parts: Sequence[Part], losses: Losses) -> Object:
    message: Object = {"role": "assistant", "content": None, "refusal": None}
    words: list[str] = []
    for part in parts:
        match part:
            case Text(text, extra):
                words.append(text)
                losses.unsaid("content", extra)
            case Refusal(text, extra):
                message["refusal"] = (message["refusal"] or "") + text
                losses.unsaid("content", extra)
            case Thought(text, signature, redacted, extra):
                losses.unsaid("thinking", extra)
                message["reasoning_content"] = message.get("reasoning_content", "") + text
                if redacted or signature:  # chat has no word for it
                    losses.add("thinking", "signature")
            case ToolCall() | Opaque() if isinstance(part, ToolCall) or is_call(part):
                message.setdefault("tool_calls", []).append(write_call(part, losses))
            case Opaque(dialect, {"annotation": annotation}) if dialect == NAME:
                message.setdefault("annotations", []).append(annotation)
            case Opaque(dialect, {"function_call": called}) if dialect == NAME:
                message["function_call"] = called
            case _:
                losses.part("content", part)
    if words:
        message["content"] = "".join(words)
    if out_of_place(parts):
        losses.add("content", "order of parts")
    return message


def _read_message(message: Object) -> tuple[Part, ...]:
    parts: list[Part] = []
    thought = string(message.get("reasoning_content")) or string(message.get("reasoning"))
    if thought:
        parts.append(Thought(thought))
    if isinstance(content := message.get("content"), str):
        parts += (Text(content),) if content else ()
    elif content is not None:
        parts += [part for part in read_content(content, "message.content") if part != _SILENCE]
    if refusal := string(message.get("refusal")):
        parts.append(Refusal(refusal))
    if (calls := message.get("tool_calls")) is not None:
        parts += read_calls(calls, "message.tool_calls")
    if (called := message.get("function_call")) and isinstance(called, dict):
        parts.append(Opaque(NAME, {"function_call": called}))
    if annotations := message.get("annotations"):
        parts += [Opaque(NAME, {"annotation": each}) for each in items(annotations)]
    return tuple(parts)
