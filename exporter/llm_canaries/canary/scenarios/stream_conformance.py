"""stream-conformance: a streamed answer obeys its dialect's laws, and comes as it is made.

Readers forgive much, so a gateway may break a stream for months until a client is stricter than ours
(cliproxyapi.md 11).
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.verdict import failed, faulted, passed, starved
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.sse import Decoder
from llm_canaries.wire.stream_laws import Law, breaches

FASTEST = 20_000  # characters a second; the fastest providers make a third of it
LEAST_TEXT = 200  # characters; a shorter answer may well come in one piece
_NUMBERS = 60


class Reason(StrEnum):
    """Why a stream is not as it should be."""

    BAD_START = "bad_start"
    OUT_OF_ORDER = "out_of_order"
    NO_TERMINAL = "no_terminal"
    AFTER_TERMINAL = "after_terminal"
    FINISH_TWICE = "finish_twice"
    TEXT_MISMATCH = "text_mismatch"
    IDENTITY_CHANGED = "identity_changed"
    BUFFERED = "buffered"


REASONS: Mapping[Law, Reason] = {  # an answer without a finish is a fault of its own: truncated_stream
    Law.BAD_START: Reason.BAD_START,
    Law.OUT_OF_ORDER: Reason.OUT_OF_ORDER,
    Law.NO_TERMINAL: Reason.NO_TERMINAL,
    Law.AFTER_TERMINAL: Reason.AFTER_TERMINAL,
    Law.FINISH_TWICE: Reason.FINISH_TWICE,
    Law.TEXT_MISMATCH: Reason.TEXT_MISMATCH,
    Law.IDENTITY_CHANGED: Reason.IDENTITY_CHANGED,
}


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`cap` on tokens; `buffered`: whether an answer that comes in one piece is a failure."""

    cap: int = 1024
    buffered: bool = True


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """One answer of some length; one that came in one piece is asked for again, for a busy machine makes one too."""
    first = yield from _ask(case, params, draw)
    finding = judge(first)
    if finding.reason != Reason.BUFFERED:
        return finding
    if not params.buffered:
        return passed(finding.detail)
    second = yield from _ask(case, params, draw)
    return judge(second)


def judge(exchange: Exchange) -> Finding:
    """The finding of one streamed answer."""
    if exchange.fault is not None:
        return faulted(exchange.fault)
    assert exchange.reply is not None, "an exchange without fault has a reply"
    if (finding := starved(exchange.reply)) is not None:
        return finding
    decoder = Decoder()
    broken = breaches(exchange.send.dialect, [*decoder.feed(exchange.body), *decoder.close()])
    for breach in broken:
        if (reason := REASONS.get(breach.law)) is not None:
            return failed(reason, Domain.TRANSLATION, breach.detail)
    text = exchange.reply.text
    took = spread(exchange)
    if len(text) >= LEAST_TEXT and took is not None and took < len(text) / FASTEST:
        detail = f"{len(text)} characters within {took * 1000:.0f} ms, {exchange.duration:.1f} s after the ask"
        return failed(Reason.BUFFERED, Domain.DEPLOYMENT, detail)
    return passed()


def spread(exchange: Exchange) -> float | None:
    """Seconds from the first content to the end of the answer, None where no content came."""
    if exchange.first_content is None or not exchange.arrivals:
        return None
    return exchange.arrivals[-1][0] - exchange.first_content


def count_prompt(mark: str, start: int) -> str:
    """Asks for an answer of some length that needs no thought."""
    return (
        f"[{mark}] Write the numbers from {start} to {start + _NUMBERS - 1} in order, separated by single spaces, and "
        "nothing else."
    )


def _ask(case: Case, params: Params, draw: Draw) -> Play[Exchange]:
    mark = nonce.mark(draw)
    prompt = count_prompt(mark, 100 + draw(800))
    return (yield from send(sending(case, text_ask(case, prompt, cap=params.cap), mark, stream=True)))


def cost(case: Case, params: Params) -> Cost:
    """One ask with an answer of sixty numbers."""
    return Cost(requests=1, input_tokens=60, output_tokens=180, limit=params.cap)


SCENARIO = Scenario(name="stream-conformance", reasons=Reason, params=Params, play=play, cost=cost, ways="streamed")
