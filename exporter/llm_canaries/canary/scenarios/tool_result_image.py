"""tool-result-image: a number drawn in an image that a tool returned comes back as text.

The commonest failure is a 200 whose model never saw the image: what answers say of it is in image_answers.py.
"""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import image_round_trip, number_image, sending, user_image
from llm_canaries.canary.canary import Case, Cost, Finding, Outcome, Scenario
from llm_canaries.canary.scenarios.image_answers import Reason, judge, judge_control, judge_unseen
from llm_canaries.canary.verdict import failed, usage_of
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.nonce import Draw

BASELINE_RUNS = 12  # how often a count of the conversation without images is used; prompts of gateways change

_ONCE_MORE = frozenset({Reason.SEEN_BUT_WRONG, Reason.MISBOUND})  # what a weak model does now and then
_BLIND = frozenset(  # what a model that sees no image anywhere looks like
    {
        Reason.DROPPED_SILENT,
        Reason.PLACEHOLDER,
        Reason.SEEN_BUT_WRONG,
        Reason.REJECTED_TYPE,
        Reason.REJECTED_MEDIA,
    }
)


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`digits` in the image, `cap` on tokens.

    `parallel`: two calls in one turn, an image each. `stringified`: the result is JSON text, as Codex' view_image
    sends it in Responses (J2b). `control`: a failure is followed by the image in a user message.
    """

    digits: Annotated[int, Meta(ge=4, le=6)] = 5
    cap: int = 512
    parallel: bool = False
    stringified: bool = False
    control: bool = True


class Memory(Struct, frozen=True):
    """The input tokens that the same conversation without the images costs at `model`, good for `left` more runs."""

    model: str
    input: int
    left: int = BASELINE_RUNS


class Shown(Struct, frozen=True):
    """One round trip: what came of it, the numbers in its images, and their length in base64."""

    exchange: Exchange
    numbers: tuple[str, ...]
    size: int


def play(case: Case, params: Params, draw: Draw, memory: Memory | None) -> Play[Finding]:
    """The round trip, and once more with new numbers if it was misread; after a failure the controls."""
    finding = yield from _round_trip(case, params, draw, memory)
    if finding.reason in _ONCE_MORE:
        finding = yield from _round_trip(case, params, draw, finding.memory)
    if params.control and finding.outcome is Outcome.FAIL and finding.reason in _BLIND:
        controlled = yield from _control(case, params, draw, finding)
        if controlled.reason == finding.reason:
            controlled = yield from _other_way(case, params, draw, controlled)
        return replace(controlled, memory=finding.memory)
    return finding


def _round_trip(case: Case, params: Params, draw: Draw, memory: Memory | None) -> Play[Finding]:
    """The finding of one round trip; where the answer does not tell, what it costs without the images is looked up.

    That is asked for where nothing is remembered of this model.
    """
    shown = yield from _ask(case, params, draw)
    if (verdict := judge(shown.exchange, shown.numbers)) is not None:
        return replace(verdict, memory=memory)
    model = shown.exchange.reply.model if shown.exchange.reply is not None else ""
    if memory is not None and memory.model == model and memory.left > 0:
        known: Memory | None = replace(memory, left=memory.left - 1)
    else:
        mark, none = nonce.mark(draw), (None,) * len(shown.numbers)
        ask = image_round_trip(case, mark, none, cap=params.cap, stringified=params.stringified)
        bare = usage_of((yield from send(sending(case, ask, mark))))
        known = Memory(model, bare.input) if bare is not None and bare.input is not None else None
    finding = judge_unseen(shown.exchange, known.input if known else None, shown.size, len(shown.numbers))
    return replace(finding, memory=known)


def _other_way(case: Case, params: Params, draw: Draw, finding: Finding) -> Play[Finding]:
    """`finding`, unless the image arrives the other way, streamed or whole: then one of the two paths is to blame."""
    streams = bool(case.stream)
    shown = yield from _ask(case, params, draw, stream=not streams)
    verdict = judge(shown.exchange, shown.numbers)
    if verdict is None or verdict.outcome is not Outcome.PASS:
        return finding
    lost, kept = ("streamed", "whole") if streams else ("whole", "streamed")
    detail = f"{lost}: {finding.reason}: {finding.detail}; {kept} the model reads it"
    return failed(Reason.MODE_SPLIT, Domain.TRANSLATION, detail, finding.measures)


def _ask(case: Case, params: Params, draw: Draw, *, stream: bool | None = None) -> Play[Shown]:
    mark = nonce.mark(draw)
    wanted = [nonce.digits(draw, params.digits)]
    while params.parallel and len(wanted) < 2:
        if (other := nonce.digits(draw, params.digits)) not in wanted:
            wanted.append(other)
    images = [number_image(number, draw) for number in wanted]
    ask = image_round_trip(case, mark, images, cap=params.cap, stringified=params.stringified)
    exchange = yield from send(sending(case, ask, mark, stream=stream))
    return Shown(exchange, tuple(wanted), sum(len(image) for image in images))


def _control(case: Case, params: Params, draw: Draw, finding: Finding) -> Play[Finding]:
    """`finding` with what the same kind of image in a user message says: is it the path of tool results, or all?"""
    mark, number = nonce.mark(draw), nonce.digits(draw, params.digits)
    ask = user_image(case, mark, number_image(number, draw), cap=params.cap)
    exchange = yield from send(sending(case, ask, mark))
    return judge_control(case, exchange, number, finding)


def objection(case: Case) -> str:
    """Results whose parts are JSON text have their form in Responses alone."""
    if case.params.stringified and case.dialect != "openai_responses":
        return "`stringified` is a form of `openai_responses` alone"
    return ""


def cost(case: Case, params: Params) -> Cost:
    """One ask with one image, or two: 49 to 1,100 tokens each by model (D3)."""
    return Cost(requests=1, input_tokens=2300 if params.parallel else 1200, output_tokens=20, limit=params.cap)


SCENARIO = Scenario(
    name="tool-result-image",
    reasons=Reason,
    params=Params,
    memory=Memory,
    play=play,
    cost=cost,
    needs=frozenset({"vision"}),
    objection=objection,
)
