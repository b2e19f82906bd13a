"""What a gateway made of the mirror's answer: words, calls, reasoning, finish, counts, a stream's order, and faults."""

import itertools
from collections.abc import Iterator

from msgspec.structs import replace

from llm_canaries.canary.scenarios.loopback.answers import Trial
from llm_canaries.canary.scenarios.loopback.calls import calls_differ
from llm_canaries.canary.scenarios.loopback.conversation import NO_IDS
from llm_canaries.canary.scenarios.loopback.reasons import MISSING, NOTHING, Difference, Reason, parted, shown
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Broken, PartStart, UsageSeen
from llm_canaries.wire.exchange import Exchange
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Finish, Reply
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.stream_laws import breaches

Differences = Iterator[Difference]

_COUNTS = ("input", "output", "reasoning", "cache_read", "cache_write")
COOLING = frozenset({FaultReason.COOLDOWN, FaultReason.NO_CREDENTIAL, FaultReason.RATE_LIMITED, FaultReason.OVERLOADED})


def due_reply(scripted: Reply, upstream: str, client: str) -> Reply:
    """What a client in dialect `client` may expect of a reply that the mirror says in dialect `upstream`."""
    said = _through(scripted, upstream)
    return said if upstream == client else _through(said, client)


def _through(reply: Reply, name: str) -> Reply:
    dialect = DIALECTS[name]
    own = replace(reply, dialect=name) if reply.dialect == "mirror" else reply
    return dialect.read_reply(dialect.write_reply(own).body)


def reply_differs(exchange: Exchange, scripted: Reply, upstream: str) -> Differences:
    """The differences of the answer to an ask whose scripted reply came from the mirror."""
    client = exchange.send.dialect
    came, fault = exchange.reply, exchange.fault
    if fault is not None and (came is None or fault.reason is not FaultReason.EMPTY_ANSWER):
        yield Difference(Reason.REPLY_LOST, "answer", "a reply", told(fault))
        return
    assert came is not None, "an answer without a fault has a reply"
    due = due_reply(scripted, upstream, client)
    if came.text != due.text:
        yield Difference(Reason.TEXT_CHANGED, "answer.text", *parted(due.text, came.text))
    yield from calls_differ("answer", due.calls, came.calls, ids=client not in NO_IDS and upstream not in NO_IDS)
    yield from _ids_missing(came, client)
    yield from _thoughts_differ(due, came, same=upstream == client)
    worded = due.finish is Finish.TOOL and came.finish_native == due.finish_native  # Gemini's one word, said early
    if came.finish != due.finish and not worded:
        yield Difference(Reason.FINISH_CHANGED, "answer.finish", _finish(due), _finish(came))
    if due.stop_sequence is not None and came.stop_sequence != due.stop_sequence:
        where = "answer.stop_sequence"
        yield Difference(Reason.FINISH_CHANGED, where, due.stop_sequence, came.stop_sequence or MISSING)
    yield from _usage_differs(due, came)
    if exchange.send.stream:
        yield from _opening_differs(exchange, due, upstream)
        yield from _unlawful(exchange)


def _ids_missing(came: Reply, client: str) -> Differences:
    """Where the mirror's dialect has no ids the gateway makes them, and each call needs one of its own."""
    ids = [call.id for call in came.calls]
    if client not in NO_IDS and (not all(ids) or len(set(ids)) < len(ids)):
        yield Difference(Reason.ID_CHANGED, "answer.calls", "an id for each call", ", ".join(ids) or MISSING)


def _thoughts_differ(due: Reply, came: Reply, *, same: bool) -> Differences:
    wanted, got = ("".join(each.text for each in reply.thoughts) for reply in (due, came))
    if wanted.strip() != got.strip():
        yield Difference(Reason.THOUGHT_LOST, "answer.thoughts", shown(wanted) or NOTHING, shown(got) or MISSING)
    elif same and [each.signature for each in due.thoughts] != [each.signature for each in came.thoughts]:
        yield Difference(Reason.THOUGHT_LOST, "answer.thoughts.signature", "the mirror's seal", MISSING)


def _finish(reply: Reply) -> str:
    return f"{reply.finish.value} ({reply.finish_native})" if reply.finish is not None else NOTHING


def _usage_differs(due: Reply, came: Reply) -> Differences:
    if due.usage is None:
        return
    for name in _COUNTS:
        wanted, got = getattr(due.usage, name), getattr(came.usage, name) if came.usage is not None else None
        where = f"answer.usage.{name}"
        if name == "reasoning" and got and got != wanted and (not wanted or got <= _thought_bytes(due)):
            yield Difference(Reason.REASONING_ESTIMATED, where, shown(wanted), shown(got))
        elif wanted and wanted != got:
            yield Difference(Reason.USAGE_CHANGED, where, str(wanted), shown(got))


def _thought_bytes(reply: Reply) -> int:
    """The most tokens that the words of a reply's thoughts can be, in any tokenizer."""
    return sum(len(each.text.encode()) for each in reply.thoughts)


def _opening_differs(exchange: Exchange, due: Reply, upstream: str) -> Differences:
    """Messages count the input as they begin, which a gateway between two that speak it has only to pass on.

    Others are not told before the end, and open with zeros by right (protocols.md B5, `start_zero`).
    """
    if not (exchange.send.dialect == upstream == "anthropic_messages") or due.usage is None:
        return
    told_at_once = itertools.takewhile(lambda event: not isinstance(event, PartStart), exchange.events)
    first = next((event.usage.input for event in told_at_once if isinstance(event, UsageSeen)), None)
    if first != due.usage.input:
        where = "stream.message_start.usage.input"
        yield Difference(Reason.USAGE_CHANGED, where, shown(due.usage.input), shown(first))


def _unlawful(exchange: Exchange) -> Differences:
    try:
        decoder = Decoder()
        frames = [*decoder.feed(exchange.body), *decoder.close()]
        for breach in breaches(exchange.send.dialect, frames):
            yield Difference(Reason.STREAM_UNLAWFUL, f"stream.{breach.law.value}", "a lawful stream", breach.detail)
    except WireError as error:
        yield Difference(Reason.STREAM_UNLAWFUL, "stream", "a lawful stream", str(error))


def fault_differs(exchange: Exchange, trial: Trial) -> Differences:
    """The differences of the answer to an ask whose scripted fault came from the mirror."""
    script, came = trial.script, exchange.fault
    cut = script.reply is not None and script.fault is None
    scripted = "the stream's end after some words" if cut else told(script.fault)
    if came is None:
        reason = Reason.CUT_HIDDEN if cut else Reason.FAULT_HIDDEN
        yield Difference(reason, "answer", scripted, f"a whole answer, HTTP {exchange.status}")
        return
    in_200 = script.reply is None and (exchange.status or 0) < 400
    if in_200 and exchange.status is not None and not _told_in_stream(exchange):
        yield Difference(Reason.FAULT_HIDDEN, "answer.status", scripted, f"HTTP {exchange.status}: {told(came)}")
    elif came.reason not in trial.lawful:
        yield Difference(Reason.FAULT_CHANGED, "answer", scripted, told(came))
    wait = script.fault.retry_after if script.fault is not None else None
    if wait is not None and (came.retry_after is None or came.retry_after < wait - 1):
        got = NOTHING if came.retry_after is None else f"{came.retry_after:g} s"
        yield Difference(Reason.RETRY_AFTER_LOST, "answer.retry-after", f"{wait:g} s", got)


def _told_in_stream(exchange: Exchange) -> bool:
    """Whether a stream, whose status is said before its provider is asked, tells the fault in its dialect's way."""
    return any(isinstance(event, Broken) for event in exchange.events)


def told(fault: Fault | None) -> str:
    """A fault in a few words."""
    if fault is None:
        return NOTHING
    status = f"HTTP {fault.status} " if fault.status else ""
    return f"{status}{fault.reason.value}" + (f" ({shown(fault.message)})" if fault.message else "")
