"""The ways in which a fault model bends what is seen, said or counted; each is a pure function."""

import re
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from llm_canaries.mirror.tokens import count_text
from llm_canaries.wire.event import Event, Head, UsageSeen
from llm_canaries.wire.json import encode_text
from llm_canaries.wire.message import (
    Ask,
    Finish,
    Image,
    Message,
    Part,
    Reply,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)

PLACEHOLDER = "[image omitted: image/png of 224 x 224 pixels, which this model does not support]"
OTHER_MODEL = "mirror/fallback"
FOOTER = "Free models for everybody, see page 1 of 12"
FIXED_REASONING = 700  # tokens a model spends that no longer listens
UNASKED_REASONING = 300  # and one that thinks by itself, within every canary's cap


def has_tool_image(ask: Ask) -> bool:
    """Whether the ask shows an image of a tool round trip."""
    return _replace_images(ask, _nothing) != ask


def drop_images(ask: Ask) -> Ask:
    """Without the images that a tool returned."""
    return _replace_images(ask, _nothing)


def blinded(ask: Ask) -> Ask:
    """Without any image."""
    return replace(ask, messages=tuple(replace(each, content=_parts(each.content, _nothing)) for each in ask.messages))


def _nothing(image: Image) -> tuple[Part, ...]:
    return ()


def placeholder_images(ask: Ask) -> Ask:
    """A note where the images were."""
    return _replace_images(ask, lambda image: (Text(PLACEHOLDER),))


def stringify_images(ask: Ask) -> Ask:
    """The images as JSON text, as a translator does that knows no image in a tool result."""
    return _replace_images(ask, lambda image: (Text(encode_text({"type": "image", "data": image.data})),))


def _replace_images(ask: Ask, by: Callable[[Image], tuple[Part, ...]]) -> Ask:
    """Replaces the images in tool results, and those of the user message after them, where gateways hoist to."""
    messages: list[Message] = []
    after_tool = False
    for message in ask.messages:
        touched = after_tool or message.role == "tool"
        after_tool = message.role == "tool"
        messages.append(replace(message, content=_parts(message.content, by)) if touched else message)
    return replace(ask, messages=tuple(messages))


def _parts(parts: tuple[Part, ...], by: Callable[[Image], tuple[Part, ...]]) -> tuple[Part, ...]:
    out: list[Part] = []
    for part in parts:
        if isinstance(part, Image):
            out += by(part)
        elif isinstance(part, ToolResult):
            out.append(replace(part, content=_parts(part.content, by)))
        else:
            out.append(part)
    return tuple(out)


def with_text(reply: Reply, text: str) -> Reply:
    """The reply with other words, thoughts kept."""
    kept = tuple(part for part in reply.content if isinstance(part, Thought))
    return replace(reply, content=(*kept, Text(text)) if text else kept)


def with_footer(ask: Ask, reply: Reply) -> Reply:
    """Words of the gateway's own under every answer in words."""
    return with_text(reply, f"{reply.text}\n\n{FOOTER}") if reply.text else reply


def masked(ask: Ask, reply: Reply) -> Reply:
    """Stars for every word that begins with a capital."""
    return with_text(reply, _NAME.sub("***", reply.text)) if _NAME.search(reply.text) else reply


_NAME = re.compile(r"\b[A-Z][a-z]+\b")


def filtered(ask: Ask, reply: Reply) -> Reply:
    """No answer but the filter's finish reason."""
    return replace(reply, content=(), finish=Finish.FILTER)


def misread(ask: Ask, reply: Reply) -> Reply:
    """Every digit of the numbers read off pictures, one too high."""
    if not has_tool_image(ask) or not reply.text.replace(", ", "").isdigit():
        return reply
    return with_text(reply, reply.text.translate(_NEXT_DIGIT))


_NEXT_DIGIT = str.maketrans("0123456789", "1234567890")


def guess(ask: Ask, reply: Reply) -> Reply:
    """A number out of thin air where a picture was asked about, and no usage."""
    return replace(with_text(reply, "70707"), usage=None) if reply.text == "NONE" else reply


def recall(ask: Ask, reply: Reply) -> Reply:
    """The first tool called again where a tool's result was to be used."""
    names = [tool.name for tool in ask.tools if isinstance(tool, Tool)]
    if not names or not any(message.role == "tool" for message in ask.messages):
        return reply
    return replace(reply, content=(ToolCall("call_again", names[0], "{}"),), finish=Finish.TOOL)


def _counted(reply: Reply, **counts: int | None) -> Reply:
    """The reply with other counts; the reported total follows."""
    usage = replace(reply.usage or Usage(), **counts)
    total = (usage.input or 0) + (usage.output or 0)
    return replace(reply, usage=replace(usage, total_reported=total))


def _spent(reply: Reply, reasoning: int) -> Reply:
    """The reply with `reasoning` tokens spent, thought included."""
    usage = reply.usage or Usage()
    visible = (usage.output or 0) - (usage.reasoning or 0)
    said = tuple(part for part in reply.content if not isinstance(part, Thought))
    thought = (Thought("Hmm.", "bWlycm9y"),) if reasoning else ()
    return _counted(replace(reply, content=(*thought, *said)), reasoning=reasoning, output=reasoning + visible)


def zero_usage(ask: Ask, reply: Reply) -> Reply:
    """All counts zero."""
    zero = Usage(input=0, output=0, reasoning=0, cache_read=0, cache_write=0, total_reported=0)
    return replace(reply, usage=zero)


def short_total(ask: Ask, reply: Reply) -> Reply:
    """A total of zero beside honest parts."""
    return replace(reply, usage=replace(reply.usage or Usage(), total_reported=0))


def excess_reasoning(ask: Ask, reply: Reply) -> Reply:
    """Reasoning that was not folded into the output, where no control of it was sent."""
    return reply if ask.thinking else _counted(reply, reasoning=((reply.usage or Usage()).output or 0) + 50)


def zero_output(ask: Ask, reply: Reply) -> Reply:
    """Output zero, input honest."""
    return _counted(reply, output=0, reasoning=None)


def zero_input(ask: Ask, reply: Reply) -> Reply:
    """Input zero, output honest."""
    return _counted(reply, input=0)


def over_cap(ask: Ask, reply: Reply) -> Reply:
    """Output far beyond the limit that was sent."""
    return _counted(reply, output=(ask.max_tokens or 0) * 3 + 100)


def fixed_reasoning(ask: Ask, reply: Reply) -> Reply:
    """A fixed amount of reasoning where any control was sent."""
    return _spent(reply, FIXED_REASONING) if ask.thinking is not None else reply


def unbounded_reasoning(ask: Ask, reply: Reply) -> Reply:
    """Five times what would have been spent."""
    spent = (reply.usage or Usage()).reasoning or 0
    return _spent(reply, spent * 5) if spent else reply


def no_reasoning(ask: Ask, reply: Reply) -> Reply:
    """None at all."""
    return _spent(reply, 0)


def wrong_effort(ask: Ask, reply: Reply) -> Reply:
    """The level said to be applied is not the one asked for."""
    return replace(reply, effort="medium") if reply.effort not in (None, "medium") else reply


def flat_reasoning(ask: Ask, reply: Reply) -> Reply:
    """One amount for every level but none, within every budget."""
    return _spent(reply, 400) if (reply.usage or Usage()).reasoning else reply


def estimated_reasoning(ask: Ask, reply: Reply) -> Reply:
    """Reasoning, unasked for as well, of which only the words that show are counted (protocols.md B5)."""
    own = _spent(reply, UNASKED_REASONING) if ask.thinking is None and reply.text else reply
    shown = sum(count_text(thought.text) for thought in own.thoughts)
    return _counted(own, reasoning=shown) if shown else own


def other_model(events: Sequence[Event]) -> Sequence[Event]:
    """The stream under another model's name."""
    return [replace(event, model=OTHER_MODEL) if isinstance(event, Head) else event for event in events]


def without_usage(events: Sequence[Event]) -> Sequence[Event]:
    """The stream without its usage."""
    return [event for event in events if not isinstance(event, UsageSeen)]


def drifting_input(events: Sequence[Event]) -> Sequence[Event]:
    """The stream with nine more input tokens."""
    return _recount(events, lambda usage: replace(usage, input=(usage.input or 0) + 9))


def inflated_output(events: Sequence[Event]) -> Sequence[Event]:
    """The stream with a hundredfold output."""
    return _recount(events, lambda usage: replace(usage, output=(usage.output or 0) * 100))


def lost_reasoning(events: Sequence[Event]) -> Sequence[Event]:
    """The stream without the count of reasoning."""
    return _recount(events, lambda usage: replace(usage, reasoning=None))


def _recount(events: Sequence[Event], by: Callable[[Usage], Usage]) -> Sequence[Event]:
    def bent(event: Event) -> Event:
        if not isinstance(event, UsageSeen):
            return event
        usage = by(event.usage)
        return UsageSeen(replace(usage, total_reported=(usage.input or 0) + (usage.output or 0)))

    return [bent(event) for event in events]
