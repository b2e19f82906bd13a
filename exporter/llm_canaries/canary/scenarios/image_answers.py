"""What an answer says of an image that a tool returned: read, misread, lost, turned into text, or refused.

The answer is judged, then the input tokens against the same conversation without the image, then what the same kind of
image in a user message comes to (protocols.md D).
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Finding
from llm_canaries.canary.verdict import cut, failed, faulted, passed, starved, undecided, usage_of
from llm_canaries.wire.clip import clipped
from llm_canaries.wire.exchange import Exchange
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.message import Finish, Reply

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
    MISBOUND = "misbound"
    MODE_SPLIT = "mode_split"
    CONTROL_FAILED = "control_failed"
    UNCLASSIFIED = "unclassified"


def judge_control(case: Case, exchange: Exchange, number: str, finding: Finding) -> Finding:
    """`finding`, unless the image is not seen in a user message either: then tool results are not to blame.

    Nobody says that a model of unknown abilities must see.
    """
    if exchange.fault is not None:
        if _rejected(exchange.fault).reason not in (Reason.REJECTED_TYPE, Reason.REJECTED_MEDIA):
            return finding
        said = "it is refused in a user message as well"
    else:
        reply = exchange.reply
        assert reply is not None, "an exchange without fault has a reply"
        if starved(reply) is not None:
            return finding
        if (short := cut(number, reply)) is not None:  # the image is read, and answers are cut
            return short
        if numbers(reply.text) == [number]:
            return replace(finding, detail=f"{finding.detail}; in a user message the model reads it")
        said = "it is not read in a user message either"
    detail = f"{finding.detail}; {said}"
    if case.facts.vision:
        return failed(Reason.CONTROL_FAILED, Domain.TRANSLATION, detail, finding.measures)
    return replace(undecided(Reason.CONTROL_FAILED, detail), measures=finding.measures)


def judge(exchange: Exchange, wanted: Sequence[str]) -> Finding | None:
    """The finding where the answer alone decides, None where the numbers did not come back."""
    if exchange.fault is not None:
        return _rejected(exchange.fault)
    reply = exchange.reply
    assert reply is not None, "an exchange without fault has a reply"
    if (finding := starved(reply)) is not None:
        return finding
    found = numbers(reply.text) if len(wanted) == 1 else several(reply.text)
    if found == list(wanted):
        return passed()
    if len(wanted) == 1 and (finding := cut(wanted[0], reply)) is not None:
        return finding
    if len(found) == len(wanted) and set(found) <= set(wanted):
        detail = f"the images show {', '.join(wanted)}, the model said {', '.join(found)}"
        return failed(Reason.MISBOUND, Domain.TRANSLATION, detail)
    if reply.calls or reply.finish is Finish.FILTER:
        what = f"called {reply.calls[0].name} again" if reply.calls else f"finish reason {reply.finish_native}"
        return failed(Reason.REFUSED_OR_RECALLED, Domain.TRANSLATION, what)
    return None


def judge_unseen(exchange: Exchange, bare: int | None, size: int, count: int = 1) -> Finding:
    """What became of `count` images, by the input tokens they cost over `bare`; `size` is their length in base64."""
    reply = exchange.reply
    assert reply is not None, "judge saw a reply"
    said = "the model says it sees no image" if says_none(reply) else f"the model says {clipped(reply.text, 40)!r}"
    with_image = usage_of(exchange)
    if with_image is None or with_image.input is None or bare is None:
        if says_none(reply):
            return failed(Reason.DROPPED_SILENT, Domain.TRANSLATION, f"{said}; no usage to tell more")
        return undecided(Reason.UNCLASSIFIED, f"{said}, and there is no usage to tell why")
    cost = with_image.input - bare
    measures = {"image_input_tokens": float(cost)}
    if cost >= STRINGIFIED_LEAST * size:
        detail = f"{said}; the image was billed as text: {cost} tokens for {size} characters"
        return failed(Reason.STRINGIFIED, Domain.TRANSLATION, detail, measures)
    if cost <= NO_IMAGE_MOST * count:
        # a gateway's own label around a moved image costs tokens as well, so the count alone proves no note
        noted = cost > DROPPED_MOST * count and _OMISSION.search(reply.text) is not None
        detail = f"{said}; the image cost {cost} input tokens, too few for any image"
        return failed(Reason.PLACEHOLDER if noted else Reason.DROPPED_SILENT, Domain.TRANSLATION, detail, measures)
    detail = f"{said}, though the image cost {cost} input tokens"
    return failed(Reason.SEEN_BUT_WRONG, Domain.PROVIDER, detail, measures)


def numbers(text: str) -> list[str]:
    """The runs of four and more digits in `text`; spaced and full-width digits count as digits."""
    plain = unicodedata.normalize("NFKC", text)
    joined = re.sub(r"(?<=\d)[ \u00a0](?=\d)", "", plain)
    return re.findall(r"\d{4,}", joined)


def several(text: str) -> list[str]:
    """The runs of four and more digits in `text`, where a space stands between numbers and not within one."""
    return re.findall(r"\d{4,}", unicodedata.normalize("NFKC", text))


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
