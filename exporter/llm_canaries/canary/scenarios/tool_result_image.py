"""tool-result-image: a number drawn in an image that a tool returned comes back as text.

The commonest failure is a 200 whose model never saw the image, so the answer is judged, then the input
tokens against the same conversation without the image (protocols.md D).
"""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from llm_canaries.canary.asks import image_round_trip, number_image, sending
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.verdict import cut, failed, faulted, passed, starved, undecided, usage_of
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.message import Finish, Reply
from llm_canaries.wire.nonce import Draw

DROPPED_MOST = 8  # more input tokens than without the image, and still nothing was sent for it
NO_IMAGE_MOST = 45  # the cheapest real image is billed 49 (protocols.md D3)
STRINGIFIED_LEAST = 0.2  # input tokens per base64 character, when billed as text (D2)


class Reason(StrEnum):
    """Why the image canary fails (D2), and when it cannot tell."""

    DROPPED_SILENT = "dropped_silent"
    PLACEHOLDER = "placeholder"
    STRINGIFIED = "stringified"
    SEEN_BUT_WRONG = "seen_but_wrong"
    REJECTED_TYPE = "rejected_type"
    REJECTED_MEDIA = "rejected_media"
    ID_MISMATCH = "id_mismatch"
    ORDER = "order"
    REFUSED_OR_RECALLED = "refused_or_recalled"
    UNCLASSIFIED = "unclassified"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`digits` in the image, `cap` on tokens."""

    digits: Annotated[int, Meta(ge=4, le=6)] = 5
    cap: int = 512


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """The round trip; after a failure its twin without the image, and once more with a new number if it was misread."""
    first, number, size = yield from _ask(case, params, draw)
    verdict = judge(first, number)
    if verdict is not None:
        return verdict
    mark = nonce.mark(draw)
    bare = yield from send(sending(case, image_round_trip(case, mark, None, cap=params.cap), mark))
    finding = judge_unseen(first, bare, size)
    if finding.reason != Reason.SEEN_BUT_WRONG:
        return finding
    second, number, _ = yield from _ask(case, params, draw)
    return judge(second, number) or finding


def _ask(case: Case, params: Params, draw: Draw) -> Play[tuple[Exchange, str, int]]:
    mark, number = nonce.mark(draw), nonce.digits(draw, params.digits)
    image = number_image(number, draw)
    exchange = yield from send(sending(case, image_round_trip(case, mark, image, cap=params.cap), mark))
    return exchange, number, len(image)


def judge(exchange: Exchange, number: str) -> Finding | None:
    """The finding where the answer alone decides, None where the number did not come back."""
    if exchange.fault is not None:
        return _rejected(exchange.fault)
    reply = exchange.reply
    assert reply is not None, "an exchange without fault has a reply"
    if (finding := starved(reply)) is not None:
        return finding
    if numbers(reply.text) == [number]:
        return passed()
    if (finding := cut(number, reply)) is not None:
        return finding
    if reply.calls or reply.finish is Finish.FILTER:
        what = f"called {reply.calls[0].name} again" if reply.calls else f"finish reason {reply.finish_native}"
        return failed(Reason.REFUSED_OR_RECALLED, Domain.TRANSLATION, what)
    return None


def judge_unseen(exchange: Exchange, bare: Exchange, size: int) -> Finding:
    """What became of the image, by the input tokens it cost; `size` is its length in base64."""
    reply = exchange.reply
    assert reply is not None, "judge saw a reply"
    said = "the model says it sees no image" if says_none(reply) else f"the model says {reply.text[:40]!r}"
    with_image, without = usage_of(exchange), usage_of(bare)
    if with_image is None or without is None or with_image.input is None or without.input is None:
        if says_none(reply):
            return failed(Reason.DROPPED_SILENT, Domain.TRANSLATION, f"{said}; no usage to tell more")
        return undecided(Reason.UNCLASSIFIED, f"{said}, and there is no usage to tell why")
    cost = with_image.input - without.input
    measures = {"image_input_tokens": float(cost)}
    if cost >= STRINGIFIED_LEAST * size:
        detail = f"{said}; the image was billed as text: {cost} tokens for {size} characters"
        return failed(Reason.STRINGIFIED, Domain.TRANSLATION, detail, measures)
    if cost <= NO_IMAGE_MOST:
        # a gateway's own label around a moved image costs tokens as well, so the count alone proves no note
        noted = cost > DROPPED_MOST and _OMISSION.search(reply.text) is not None
        detail = f"{said}; the image cost {cost} input tokens, too few for any image"
        return failed(Reason.PLACEHOLDER if noted else Reason.DROPPED_SILENT, Domain.TRANSLATION, detail, measures)
    detail = f"{said}, though the image cost {cost} input tokens"
    return failed(Reason.SEEN_BUT_WRONG, Domain.PROVIDER, detail, measures)


def numbers(text: str) -> list[str]:
    """The runs of four and more digits in `text`; spaced and full-width digits count as digits."""
    plain = unicodedata.normalize("NFKC", text)
    joined = re.sub(r"(?<=\d)[ \u00a0](?=\d)", "", plain)
    return re.findall(r"\d{4,}", joined)


def says_none(reply: Reply) -> bool:
    """Whether the answer opens with the agreed word for seeing nothing."""
    return re.match(r"\W*NONE\b", reply.text, re.IGNORECASE) is not None


_OMISSION = re.compile(
    r"omitted|removed|stripped|placeholder|not support|unsupported|(?:can(?:no|')t|unable to) (?:see|view)",
    re.IGNORECASE,
)


_REJECTIONS: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    (Reason.ORDER, re.compile(r"preceding message|must be followed by tool|roles? must alternate")),
    (Reason.ID_MISMATCH, re.compile(r"tool_call_id|tool_use_id|tool_use ids")),
    (
        Reason.REJECTED_MEDIA,
        re.compile(r"could not process image|media type|media_type|base64|image_too|too small|invalid_image"),
    ),
    (Reason.REJECTED_TYPE, re.compile(r"image|content type|role 'tool'|messages\[|input\[")),
)


def _rejected(fault: Fault) -> Finding:
    """A 400 speaks of the image, the order or the ids; a request too large is an image billed as text."""
    if fault.reason is FaultReason.TOO_LARGE:
        return failed(Reason.STRINGIFIED, Domain.TRANSLATION, fault.message)
    if fault.reason is FaultReason.BAD_REQUEST:
        words = fault.message.lower().replace("`", "")
        for reason, pattern in _REJECTIONS:
            if pattern.search(words):
                return failed(reason, Domain.TRANSLATION, f"HTTP {fault.status}: {fault.message}")
    return faulted(fault)


def cost(case: Case, params: Params) -> Cost:
    """One ask with one image: 49 to 1,100 tokens by model (D3)."""
    return Cost(requests=1, input_tokens=1200, output_tokens=20)


SCENARIO = Scenario(
    name="tool-result-image", reasons=Reason, params=Params, play=play, cost=cost, needs=frozenset({"vision"})
)
