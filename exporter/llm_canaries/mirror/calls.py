"""The ways in which a fault model bends tools: the calls it makes, and the results it is shown."""

from collections.abc import Callable

from msgspec.structs import replace

from llm_canaries.wire.message import Ask, Finish, Message, Part, Reply, Text, ToolCall, ToolResult


def renamed(ask: Ask, reply: Reply) -> Reply:
    """Every call under a name that was not offered."""
    return _calls(reply, lambda call: replace(call, name=f"proxy_{call.name}"))


def first_only(ask: Ask, reply: Reply) -> Reply:
    """The calls but for the first are gone."""
    late = reply.calls[1:]
    return replace(reply, content=tuple(part for part in reply.content if part not in late))


def without_arguments(ask: Ask, reply: Reply) -> Reply:
    """Every call with an empty object."""
    return _calls(reply, lambda call: replace(call, arguments="{}"))


def broken_arguments(ask: Ask, reply: Reply) -> Reply:
    """Every call with half of its arguments."""
    return _calls(reply, lambda call: replace(call, arguments=call.arguments[: len(call.arguments) // 2]))


def changed_arguments(ask: Ask, reply: Reply) -> Reply:
    """Every digit of the arguments a zero."""
    zeros = str.maketrans("123456789", "0" * 9)
    return _calls(reply, lambda call: replace(call, arguments=call.arguments.translate(zeros)))


def without_ids(ask: Ask, reply: Reply) -> Reply:
    """Every call without an id."""
    return _calls(reply, lambda call: replace(call, id=""))


def one_id(ask: Ask, reply: Reply) -> Reply:
    """Every call with the same id."""
    return _calls(reply, lambda call: replace(call, id="call_0"))


def stopped(ask: Ask, reply: Reply) -> Reply:
    """A turn of calls that finishes as words do."""
    return replace(reply, finish=Finish.STOP) if reply.calls else reply


def lost(ask: Ask, reply: Reply) -> Reply:
    """A turn of calls without its calls, which still finishes for them."""
    return replace(reply, content=(Text("I will call the tools."),)) if reply.calls else reply


def swapped_results(ask: Ask) -> Ask:
    """Each run of results with the first call's result in the last one's place, and the other way round."""

    def swapped(parts: tuple[Part, ...]) -> tuple[Part, ...]:
        results = [part for part in parts if isinstance(part, ToolResult)]
        shown = [part.content for part in reversed(results)]
        return tuple(replace(part, content=content) for part, content in zip(results, shown, strict=True))

    return _results(ask, swapped)


def without_results(ask: Ask) -> Ask:
    """Every result without its words; what else it shows stays."""

    def emptied(parts: tuple[Part, ...]) -> tuple[Part, ...]:
        return tuple(
            replace(part, content=tuple(each for each in part.content if not isinstance(each, Text)))
            for part in parts
            if isinstance(part, ToolResult)
        )

    return _results(ask, emptied)


def _results(ask: Ask, by: Callable[[tuple[Part, ...]], tuple[Part, ...]]) -> Ask:
    def bent(message: Message) -> Message:
        return replace(message, content=by(message.content)) if message.role == "tool" else message

    return replace(ask, messages=tuple(bent(message) for message in ask.messages))


def _calls(reply: Reply, by: Callable[[ToolCall], ToolCall]) -> Reply:
    parts = [by(part) if isinstance(part, ToolCall) else part for part in reply.content]
    return replace(reply, content=tuple(parts))
