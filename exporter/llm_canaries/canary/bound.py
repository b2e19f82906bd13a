"""The most that one ask may cost before it is sent, and what it did cost once it is answered.

A token is at least one byte of text. A picture is taken at what the largest canary picture costs anywhere; a gateway
that bills its base64 as text is found out by its first answer (see service/meter.py).
"""

from collections.abc import Iterable

from llm_canaries.canary.canary import Cost
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.json import WireError, decode_object, mapping
from llm_canaries.wire.message import Document, Image, Part, ToolResult

WITHOUT_CAP = 4096  # output tokens where an ask names no limit; Messages is told the same number
PICTURE = 1600  # tokens; protocols put small pictures at 150 to 1300
FRAME = 64  # tokens that a provider's own template puts around a conversation
_CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

# no answer came in time, and somebody may have worked on one
_LATE = frozenset(
    {
        FaultReason.FIRST_BYTE_TIMEOUT,
        FaultReason.TOTAL_TIMEOUT,
        FaultReason.CONNECTION_LOST,
        FaultReason.UPSTREAM_TIMEOUT,
    }
)


def bound(send: Send) -> Cost:
    """The most that `send` may cost. Raises WireError where it cannot be written."""
    if isinstance(send.ask, bytes):
        return Cost(1, len(send.ask) + FRAME, _cap(send.ask))
    ask = send.ask
    body = DIALECTS[send.dialect].write_ask(ask, send.profile).body
    files = [part.data or "" for turn in ask.messages for part in _parts(turn.content)]
    cap = WITHOUT_CAP if ask.max_tokens is None else ask.max_tokens
    budget = ask.thinking.budget or 0 if ask.thinking is not None else 0  # a translation adds it to the cap
    return Cost(1, len(body) - sum(map(len, files)) + PICTURE * len(files) + FRAME, cap + budget)


def cost_of_answer(exchange: Exchange, most: Cost) -> Cost:
    """What the ask cost: as counted; nothing where it was refused; `most` where nobody counted to the end."""
    usage = exchange.reply.usage if exchange.reply is not None else None
    fault = exchange.fault
    if fault is not None:
        answered = exchange.status is not None and exchange.status < 400
        if not answered and usage is None and fault.reason not in _LATE:
            return Cost(1, 0, 0)
        return Cost(1, usage.input or most.input_tokens if usage else most.input_tokens, most.output_tokens)
    if usage is None or not (usage.input or usage.output):
        return most
    said = exchange.reply is not None and bool(exchange.reply.content)
    made = most.output_tokens if usage.output is None or (said and not usage.output) else usage.output
    return Cost(1, usage.input or most.input_tokens, made)


def _parts(content: Iterable[Part]) -> Iterable[Image | Document]:
    """The pictures and files among `content`, those inside tool results too."""
    for part in content:
        if isinstance(part, ToolResult):
            yield from _parts(part.content)
        elif isinstance(part, Image | Document):
            yield part


def _cap(body: bytes) -> int:
    """The limit on output that people's own body names."""
    try:
        said = decode_object(body)
    except WireError:
        return WITHOUT_CAP
    named = [said.get(name) for name in _CAPS] + [mapping(said.get("generationConfig")).get("maxOutputTokens")]
    return max((each for each in named if isinstance(each, int) and each > 0), default=WITHOUT_CAP)
