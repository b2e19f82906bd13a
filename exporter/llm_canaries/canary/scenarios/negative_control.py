"""negative-control: what must fail does fail, so that the passes of the other canaries mean something.

A gateway that answers under any name, or out of a cache, makes every other canary green (peers.md B 4). Deliberately
wrong asks cool a provider's credential (cliproxyapi.md 4.5), so only our own mirror is asked for a model that does
not exist, or with a wrong key; a picture without a number does no harm anywhere.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import echo_prompt, image_round_trip, number_image, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.scenarios.image_answers import numbers
from llm_canaries.canary.verdict import failed, faulted, passed, skipped, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain, FaultReason
from llm_canaries.wire.nonce import Draw

UNKNOWN = "-unknown"  # what makes a model's name one that does not exist
_REFUSALS = frozenset(
    {
        FaultReason.MODEL_NOT_FOUND,
        FaultReason.MODEL_NOT_SUPPORTED,
        FaultReason.BAD_REQUEST,
        FaultReason.NO_ROUTE,
        FaultReason.PERMISSION,
        FaultReason.NO_CREDENTIAL,
    }
)
_REFUSED_KEYS = frozenset({FaultReason.AUTH, FaultReason.PERMISSION, FaultReason.NO_CREDENTIAL})
_HEAD = 33  # bytes of a PNG before its pixels: signature and IHDR
Companion = Literal["unknown_model", "corrupt_image", "wrong_key"]


class Reason(StrEnum):
    """What a companion that must fail came to instead."""

    VACUOUS = "vacuous"
    UNPROVEN = "unproven"
    NO_COMPANION = "no_companion"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """Which `companions` to send; `cap` on tokens.

    `unknown_model` goes to our own mirror alone, `wrong_key` where it is built in: no credential of anybody's is put at
    risk.
    """

    companions: tuple[Companion, ...] = ("unknown_model", "corrupt_image", "wrong_key")
    cap: int = 512

    def __post_init__(self) -> None:
        if not self.companions:
            raise ValueError("there is no companion; write at least one under `companions`")


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """A sound ask, which tells whether the mirror is behind the gateway, then each companion that may be sent."""
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    ask = text_ask(case, echo_prompt(mark, number), cap=params.cap)
    sound = yield from send(sending(case, ask, mark))
    if sound.fault is not None:
        return faulted(sound.fault)
    findings: list[Finding] = []
    if "unknown_model" in params.companions and sound.upstream:
        unknown = replace(ask, model=case.model + UNKNOWN)
        answer = yield from send(sending(case, unknown, mark))
        findings.append(judge_unknown(answer, unknown.model))
    if "wrong_key" in params.companions and sound.upstream and case.mirror == "built-in":
        answer = yield from send(replace(sending(case, ask, mark), via="wrong_key"))
        findings.append(judge_wrong_key(answer))
    if "corrupt_image" in params.companions and case.facts.vision is not False:
        finding = yield from _corrupt_image(case, params, draw)
        findings += [finding] if finding is not None else []
    return worst(findings)


def worst(findings: Sequence[Finding]) -> Finding:
    """The companion that did not fail, else the one whose failure proves nothing, else a pass that names all."""
    for reason in (Reason.VACUOUS, Reason.UNPROVEN):
        if found := [finding for finding in findings if finding.reason == reason]:
            return found[0]
    if not findings:
        return skipped(Reason.NO_COMPANION, "no companion may be sent here: the upstream is not our mirror")
    return passed("; ".join(finding.detail for finding in findings))


def judge_unknown(exchange: Exchange, model: str) -> Finding:
    """The finding of an ask for a model that does not exist."""
    if exchange.fault is None:
        said = exchange.reply.model if exchange.reply else ""
        detail = f"asked for {model}, which does not exist, and {said or 'some model'} answered"
        return failed(Reason.VACUOUS, Domain.ROUTING, detail)
    if exchange.fault.reason not in _REFUSALS:
        return undecided(Reason.UNPROVEN, f"asked for {model}: {exchange.fault.reason.value}, which any model may meet")
    return passed(f"a model that does not exist is refused ({exchange.fault.reason.value})")


def judge_wrong_key(exchange: Exchange) -> Finding:
    """The finding of an ask with a key that our mirror does not know."""
    if exchange.fault is None:
        return failed(Reason.VACUOUS, Domain.POLICY, "an ask with a wrong key was answered")
    if exchange.fault.reason not in _REFUSED_KEYS:
        return undecided(Reason.UNPROVEN, f"a wrong key: {exchange.fault.reason.value}, which any key may meet")
    return passed(f"a wrong key is refused ({exchange.fault.reason.value})")


def _corrupt_image(case: Case, params: Params, draw: Draw) -> Play[Finding | None]:
    """A number in a picture, then the same words with a picture that no longer holds it; None where it is not read."""
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    image = number_image(number, draw)
    shown = yield from send(sending(case, image_round_trip(case, mark, (image,), cap=params.cap), mark))
    if shown.reply is None or shown.fault is not None or numbers(shown.reply.text) != [number]:
        return None  # the image canary's matter
    ask = image_round_trip(case, mark, (corrupted(image),), cap=params.cap)
    answer = yield from send(sending(case, ask, mark))
    return judge_corrupt(answer, number)


def judge_corrupt(exchange: Exchange, number: str) -> Finding:
    """The finding of an ask whose picture does not show the `number` that the one before did."""
    fault = exchange.fault
    if fault is None and exchange.reply is not None and numbers(exchange.reply.text) == [number]:
        detail = f"{number} was read off a picture that does not hold it: the answer is that of the ask before"
        return failed(Reason.VACUOUS, Domain.POLICY, detail)
    if fault is not None and fault.reason not in _REFUSALS:
        return undecided(Reason.UNPROVEN, f"a corrupt picture: {fault.reason.value}, which any picture may meet")
    return passed("a corrupt picture is not read")


def corrupted(image: str) -> str:
    """A base64 PNG whose pixels are overwritten: its head is sound, and no decoder can find the number."""
    head = _HEAD // 3 * 4
    return image[:head] + "A" * (len(image) - head - 4) + image[-4:]


def objection(case: Case) -> str:
    """A picture for a model that sees."""
    if case.params.companions == ("corrupt_image",) and case.facts.vision is False:
        return f"{case.model} takes text only"
    return ""


def cost(case: Case, params: Params) -> Cost:
    """A text ask, and for each companion what it takes."""
    images = 2 if "corrupt_image" in params.companions and case.facts.vision is not False else 0
    keyed = "wrong_key" in params.companions and case.mirror == "built-in"
    texts = 1 + ("unknown_model" in params.companions) + keyed
    asks = images + texts
    read = 40 * texts + 1200 * images
    return Cost(requests=asks, input_tokens=read, output_tokens=20 * asks, limit=asks * params.cap)


# a control says something of its own gateway; and no provider is asked wrongly to find out more
SCENARIO = Scenario(
    name="negative-control",
    reasons=Reason,
    params=Params,
    play=play,
    cost=cost,
    objection=objection,
    compared=frozenset(),
)
