"""known-good: a model that should work repeats what it is told to, in time."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.verdict import cut, failed, faulted, passed, starved
from llm_canaries.wire import nonce
from llm_canaries.wire.clip import clipped
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.message import Finish, Reply
from llm_canaries.wire.nonce import Draw


class Reason(StrEnum):
    """Why a known-good canary fails."""

    WRONG_ANSWER = "wrong_answer"
    STALE_ANSWER = "stale_answer"
    ODD_FINISH = "odd_finish"
    REFUSED_ANSWER = "refused_answer"
    TOO_SLOW = "too_slow"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`digits` to repeat, `cap` on tokens, `within_seconds` for the whole answer (0: no limit of its own)."""

    digits: Annotated[int, Meta(ge=4, le=12)] = 6
    cap: int = 512
    within_seconds: float = 0.0


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """One ask."""
    mark, number = nonce.mark(draw), nonce.digits(draw, params.digits)
    exchange = yield from send(sending(case, text_ask(case, echo_prompt(mark, number), cap=params.cap), mark))
    return judge(exchange, number, params)


def judge(exchange: Exchange, number: str, params: Params) -> Finding:
    """The finding of one answer to "repeat `number`"."""
    if exchange.fault is not None:
        return faulted(exchange.fault)
    reply = exchange.reply
    assert reply is not None, "an exchange without fault has a reply"
    if (finding := starved(reply)) is not None:
        return finding
    if (finding := _finish(reply)) is not None:
        return finding
    numbers = re.findall(r"\d+", unicodedata.normalize("NFKC", reply.text))
    if (finding := cut(number, reply)) is not None:
        return finding
    if numbers != [number]:
        stale = len(numbers) == 1 and len(numbers[0]) == len(number)
        reason = Reason.STALE_ANSWER if stale else Reason.WRONG_ANSWER
        domain = Domain.POLICY if stale else Domain.PROVIDER
        return failed(reason, domain, f"asked for {number}, got {clipped(reply.text)!r}")
    if params.within_seconds and exchange.duration > params.within_seconds:
        detail = f"{exchange.duration:.1f} s, allowed {params.within_seconds:g} s"
        return failed(Reason.TOO_SLOW, Domain.PROVIDER, detail)
    return passed()


def _finish(reply: Reply) -> Finding | None:
    if reply.finish is Finish.FILTER:
        return failed(Reason.REFUSED_ANSWER, Domain.POLICY, f"finish reason {reply.finish_native}")
    if reply.finish not in (Finish.STOP, Finish.STOP_SEQUENCE, Finish.LENGTH):
        domain = Domain.TRANSLATION if reply.finish_native is None else Domain.PROVIDER
        return failed(Reason.ODD_FINISH, domain, f"finish reason {reply.finish_native!r}")
    return None


def cost(case: Case, params: Params) -> Cost:
    """One short ask."""
    return Cost(requests=1, input_tokens=40, output_tokens=20, limit=params.cap)


SCENARIO = Scenario(name="known-good", reasons=Reason, params=Params, play=play, cost=cost)
