"""Faults of a gateway's translation that no model shows: what is asked and answered is rewritten, a little wrongly."""

import json
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from llm_canaries.mirror.tokens import count_text
from llm_canaries.service.mutants.bent import Answer, Whole
from llm_canaries.wire import message as m
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Broken, End, Event, Finished, Head, UsageSeen, fold
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.json import encode
from llm_canaries.wire.sse import Decoder


def parts(by: Callable[[m.Part], m.Part | None]) -> Callable[[m.Ask], m.Ask]:
    """Bends every part of an ask, those in tools' results too; None leaves it out."""

    def bent(part: m.Part) -> m.Part | None:
        if isinstance(part, m.ToolResult):
            part = replace(part, content=tuple(new for each in part.content if (new := by(each)) is not None))
        return by(part)

    def ask(ask: m.Ask) -> m.Ask:
        messages = (
            replace(message, content=tuple(new for each in message.content if (new := bent(each)) is not None))
            for message in ask.messages
        )
        return replace(ask, messages=tuple(messages))

    return ask


def rounded(part: m.Part) -> m.Part:
    """Arguments read and written with numbers as floats."""
    if not isinstance(part, m.ToolCall):
        return part
    return replace(part, arguments=json.dumps(json.loads(part.arguments or "{}", parse_int=float)))


def without_documents(part: m.Part) -> m.Part | None:
    """Documents are left out."""
    return None if isinstance(part, m.Document) else part


def without_flags(part: m.Part) -> m.Part:
    """Results do not say that they are errors."""
    return replace(part, is_error=None) if isinstance(part, m.ToolResult) else part


def first_system(ask: m.Ask) -> m.Ask:
    """System messages after the first are left out."""
    later = [at for at, message in enumerate(ask.messages) if message.role == "system"][1:]
    return replace(ask, messages=tuple(message for at, message in enumerate(ask.messages) if at not in later))


def bare_tools(ask: m.Ask) -> m.Ask:
    """Tools without what their schemas require."""
    tools = (
        replace(tool, schema={key: value for key, value in tool.schema.items() if key != "required"})
        if isinstance(tool, m.Tool) and tool.schema else tool
        for tool in ask.tools
    )  # fmt: skip
    return replace(ask, tools=tuple(tools))


def one_tool_more(ask: m.Ask) -> m.Ask:
    """A tool of the gateway's own where any are offered."""
    own = m.Tool("web_search", "Searches the web.", {"type": "object", "properties": {}})
    return replace(ask, tools=(*ask.tools, own)) if ask.tools else ask


def as_500(send: Send, whole: Whole) -> Whole:
    """Every refusal is a 500 of the gateway's own."""
    if whole.status < 400:
        return whole
    error = {"error": {"message": "upstream failed", "type": "api_error", "code": "500"}}
    return replace(whole, status=500, pieces=(encode(error),))


Events = Sequence[Event]


def answers(reply: Callable[[m.Reply], m.Reply], stream: Callable[[Events], Events]) -> Answer:
    """Bends whole answers and the events of streams, and writes both anew; errors pass as they are."""

    def answer(send: Send, whole: Whole) -> Whole:
        dialect = DIALECTS[send.dialect]
        if whole.status != 200 or isinstance(send.ask, bytes) or send.dialect not in REWRITTEN:
            return whole
        if not whole.streamed:
            return replace(whole, pieces=(dialect.write_reply(reply(dialect.read_reply(whole.body))).body,))
        reader, decoder = dialect.reader(), Decoder()
        events = [each for frame in decoder.feed(whole.body) for each in reader.feed(frame)] + list(reader.close())
        head = next(each for each in events if isinstance(each, Head))
        writer = dialect.writer(head)
        frames = [writer.feed(each) for each in stream(events)]
        return replace(whole, pieces=tuple(frame for frame in (*frames, writer.close()) if frame))

    return answer


REWRITTEN = frozenset({"openai_chat", "anthropic_messages"})


def uncached(reply: m.Reply) -> m.Reply:
    """Counts without what was read from a cache."""
    return reply if reply.usage is None else replace(reply, usage=replace(reply.usage, cache_read=None))


def uncached_stream(events: Events) -> Events:
    """The same of a stream."""
    return [UsageSeen(replace(each.usage, cache_read=None)) if isinstance(each, UsageSeen) else each for each in events]


def estimated(reply: m.Reply) -> m.Reply:
    """Reasoning counted by the words of the thought, whatever the provider counts (protocols.md B5)."""
    usage, shown = reply.usage, count_text("".join(thought.text for thought in reply.thoughts))
    return replace(reply, usage=replace(usage, reasoning=shown)) if usage is not None and shown else reply


def estimated_stream(events: Events) -> Events:
    """The same of a stream, whose usage comes after its words."""
    reply = fold("", events)
    shown = count_text("".join(thought.text for thought in reply.thoughts)) if reply is not None else 0
    if not shown:
        return events
    return [UsageSeen(replace(each.usage, reasoning=shown)) if isinstance(each, UsageSeen) else each for each in events]


def recounted(by: Callable[[m.Usage], m.Usage]) -> Callable[[Events], Events]:
    """Streams that count otherwise at their end."""

    def stream(events: Events) -> Events:
        last = max((at for at, each in enumerate(events) if isinstance(each, UsageSeen)), default=-1)
        return [
            UsageSeen(by(each.usage)) if isinstance(each, UsageSeen) and at == last else each
            for at, each in enumerate(events)
        ]

    return stream


def whole_as_is(reply: m.Reply) -> m.Reply:
    """Answers in one body are sound."""
    return reply


def output_alone(usage: m.Usage) -> m.Usage:
    """Of a stream's last usage the output alone is kept (B5, `delta_lost`)."""
    return m.Usage(input=0, output=usage.output, reasoning=usage.reasoning, total_reported=usage.output)


def summed(usage: m.Usage) -> m.Usage:
    """The usages at the start and at the end of a stream are added up (B5, `double_count`)."""
    read, made = (usage.input or 0) * 2, (usage.output or 0) + 1
    return replace(usage, input=read, output=made, total_reported=read + made)


def cache_beside(reply: m.Reply) -> m.Reply:
    """What was read from a cache is counted beside an input that includes it already (B5, `cache_semantics`)."""
    return reply if reply.usage is None else replace(reply, usage=_beside(reply.usage))


def _beside(usage: m.Usage) -> m.Usage:
    read = (usage.input or 0) + (usage.cache_read or 0)
    return replace(usage, input=read, total_reported=read + (usage.output or 0))


def turned(reply: m.Reply) -> m.Reply:
    """The calls of a turn in another order."""
    calls = iter(reply.calls[::-1])
    return replace(reply, content=tuple(next(calls) if isinstance(p, m.ToolCall) else p for p in reply.content))


def never_short(reply: m.Reply) -> m.Reply:
    """An answer that the limit cut ends as if it were whole."""
    return replace(reply, finish=m.Finish.STOP, finish_native=None) if reply.finish is m.Finish.LENGTH else reply


def never_short_stream(events: Events) -> Events:
    """The same of a stream."""
    cut = Finished(m.Finish.STOP, "")
    return [cut if isinstance(each, Finished) and each.finish is m.Finish.LENGTH else each for each in events]


def smoothed(send: Send, whole: Whole) -> Whole:
    """An error in the middle of a stream becomes its proper end: cliproxyapi.md 11, "error object mid stream"."""
    dialect = DIALECTS[send.dialect]
    if not whole.streamed or isinstance(send.ask, bytes):
        return whole
    reader, decoder = dialect.reader(), Decoder()
    events = [each for frame in decoder.feed(whole.body) for each in reader.feed(frame)]
    if not any(isinstance(each, Broken) for each in events):
        return whole
    head = next(each for each in events if isinstance(each, Head))
    writer = dialect.writer(head)
    kept = [each for each in events if not isinstance(each, Broken | End)]
    frames = [writer.feed(each) for each in (*kept, Finished(m.Finish.STOP, ""), End())]
    return replace(whole, pieces=tuple(frame for frame in (*frames, writer.close()) if frame))


ASKS: Mapping[str, tuple[str, Callable[[m.Ask], m.Ask]]] = {
    "round-numbers": ("numbers in arguments pass through floats", parts(rounded)),
    "drop-documents": ("documents are dropped", parts(without_documents)),
    "drop-error-flag": ("a tool's failure is passed on as a success", parts(without_flags)),
    "drop-late-system": ("a system message in mid-conversation is dropped", first_system),
    "drop-stop": ("stop sequences are dropped", lambda ask: replace(ask, stop=())),
    "bare-tools": ("tools lose which arguments they require", bare_tools),
    "own-tool": ("a tool of the gateway's own is offered", one_tool_more),
}
ANSWERS: Mapping[str, tuple[str, Answer]] = {
    "all-errors-500": ("every refusal becomes a 500", as_500),
    "smooth-stream-error": ("an error in mid-stream becomes a proper end", smoothed),
    "drop-cache-counts": ("tokens read from a cache are not told", answers(uncached, uncached_stream)),
    "delta-lost": ("a stream's last usage says the output alone", answers(whole_as_is, recounted(output_alone))),
    "double-count": ("the usages of a stream are added up", answers(whole_as_is, recounted(summed))),
    "cache-beside": ("what a cache gave is counted twice", answers(cache_beside, recounted(_beside))),
    "turn-calls": ("the calls of a turn come in another order", answers(turned, list)),
    "hide-length": ("an answer cut by its limit finishes as if whole", answers(never_short, never_short_stream)),
    "estimate-reasoning": (
        "reasoning is counted by the words that show, not by the provider", answers(estimated, estimated_stream)
    ),
}
