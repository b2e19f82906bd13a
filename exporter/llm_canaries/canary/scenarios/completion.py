"""completion: people's own prompt, and what they expect of the answer."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.expectations import (
    Reason,
    Value,
    check,
    of_finish,
    of_json,
    of_status,
    of_text,
    of_time,
    of_tokens,
)
from llm_canaries.canary.verdict import faulted, passed, starved
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.message import Finish, Message, Text, Thinking
from llm_canaries.wire.nonce import Draw

_TOKENS_PER_BYTE = 0.5  # for a forecast; no text is more
Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class Params(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked, and what the answer must be; an expectation that is left out always holds.

    `system`, `effort` and `stop` sequences go along with the `prompt`, before which a mark is put; `cap` is on tokens.
    `json`: paths in the body with their values, for answers that are not streamed.
    """

    prompt: Annotated[str, Meta(min_length=1)]
    system: str = ""
    effort: str = ""
    stop: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    cap: Annotated[int, Meta(ge=1)] = 512
    status: Annotated[int, Meta(ge=200, le=599)] = 200
    json: Mapping[str, Value] = {}
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    finish: tuple[Finish, ...] = ()
    input_most: Count | None = None
    output_least: Count = 0
    output_most: Count | None = None
    reasoning_least: Count = 0
    reasoning_most: Count | None = None
    within_seconds: Annotated[float, Meta(ge=0)] = 0.0
    first_within_seconds: Annotated[float, Meta(ge=0)] = 0.0

    def __post_init__(self) -> None:
        check(self.matches, tuple(self.json))
        said = self.contains or self.lacks or self.matches or self.finish or self.counts
        if self.status >= 300 and said:
            raise ValueError(f"an answer with status {self.status} has no text, finish or tokens to look at")
        for kind, (least, most) in self.counts.items():
            if most is not None and least > most:
                raise ValueError(f"at least {least} and at most {most} {kind} tokens")
        for kind, least in (("output", self.output_least), ("reasoning", self.reasoning_least)):
            if least > self.cap:
                raise ValueError(f"at least {least} {kind} tokens do not fit under a `cap` of {self.cap}")
        if self.effort == "none" and self.reasoning_least:
            raise ValueError(f"`effort: none` switches off the {self.reasoning_least} reasoning tokens that are due")
        if Finish.TOOL in self.finish:
            raise ValueError("no tools go along, so no answer finishes with `tool`")
        if self.within_seconds and self.first_within_seconds > self.within_seconds:
            raise ValueError("the first token may not come later than the whole answer")

    @property
    def counts(self) -> Mapping[str, tuple[int, int | None]]:
        """The least and most tokens of each kind that has bounds."""
        bounds = {
            "input": (0, self.input_most),
            "output": (self.output_least, self.output_most),
            "reasoning": (self.reasoning_least, self.reasoning_most),
        }
        return {kind: (least, most) for kind, (least, most) in bounds.items() if least or most is not None}


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """One ask."""
    mark = nonce.mark(draw)
    thinking = Thinking(effort=params.effort) if params.effort else None
    ask = text_ask(case, f"[{mark}] {params.prompt}", cap=params.cap, thinking=thinking)
    ask = replace(ask, stop=params.stop)
    if params.system:
        ask = replace(ask, messages=(Message("system", (Text(params.system),)), *ask.messages))
    exchange = yield from send(sending(case, ask, mark))
    return judge(exchange, params)


def judge(exchange: Exchange, params: Params) -> Finding:
    """The first expectation that does not hold; a fault that was not expected keeps its own name."""
    fault = exchange.fault
    if fault is not None and (exchange.status != params.status or params.status < 300):
        return faulted(fault)
    if (finding := of_status(exchange.status, params.status)) is not None:
        return finding
    reply = exchange.reply
    if reply is not None and Finish.LENGTH not in params.finish and (finding := starved(reply)) is not None:
        return finding
    found = [of_json(exchange.body, params.json)]
    if reply is not None:
        found += [
            of_finish(reply.finish, reply.finish_native, params.finish),
            of_text(reply.text, params.contains, params.lacks, params.matches),
            of_tokens(reply.usage, params.counts),
        ]
    found += [
        of_time("the first of the answer came", exchange.first_content, params.first_within_seconds),
        of_time("the answer was whole", exchange.duration, params.within_seconds),
    ]
    return next((each for each in found if each is not None), passed())


def objection(case: Case) -> str:
    """One body to look into, a dialect that has stop sequences, a model that can reason where it is told to."""
    params = case.params
    if params.json and case.stream and params.status < 300:
        return "`json` looks into one body, and a streamed answer has none"
    if params.stop and case.dialect == "openai_responses":
        return "`openai_responses` has no stop sequences"
    if case.facts.thinking is False and (params.reasoning_least or params.effort not in ("", "none")):
        return f"{case.model} does not reason"
    return ""


def cost(case: Case, params: Params) -> Cost:
    """One ask, its answer as long as it may be."""
    words = len((params.system + params.prompt).encode())
    return Cost(requests=1, input_tokens=40 + int(words * _TOKENS_PER_BYTE), output_tokens=params.cap)


SCENARIO = Scenario(name="completion", reasons=Reason, params=Params, play=play, cost=cost, objection=objection)
