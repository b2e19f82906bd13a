"""What a loop can find, and one difference in words: the place, what it was, and what became of it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from llm_canaries.wire.clip import CUT, clipped
from llm_canaries.wire.fault import Domain


class Reason(StrEnum):
    """What a gateway changed, the gravest first: of several differences the first names the finding."""

    NOT_LOOPED = "not_looped"
    FAULT_HIDDEN = "fault_hidden"
    CUT_HIDDEN = "cut_hidden"
    REPLY_LOST = "reply_lost"
    IMAGE_LOST = "image_lost"
    DOCUMENT_LOST = "document_lost"
    CALL_LOST = "call_lost"
    RESULT_LOST = "result_lost"
    MISBOUND = "misbound"
    ID_CHANGED = "id_changed"
    ARGUMENTS_CHANGED = "arguments_changed"
    ORDER_CHANGED = "order_changed"
    TOOL_LOST = "tool_lost"
    TOOL_CHANGED = "tool_changed"
    TOOL_ADDED = "tool_added"
    CHOICE_CHANGED = "choice_changed"
    SYSTEM_LOST = "system_lost"
    SYSTEM_ADDED = "system_added"
    TEXT_CHANGED = "text_changed"
    ERROR_FLAG_LOST = "error_flag_lost"
    THINKING_CHANGED = "thinking_changed"
    THOUGHT_LOST = "thought_lost"
    LIMIT_CHANGED = "limit_changed"
    STOP_CHANGED = "stop_changed"
    MODEL_CHANGED = "model_changed"
    REASONING_ESTIMATED = "reasoning_estimated"
    USAGE_CHANGED = "usage_changed"
    FINISH_CHANGED = "finish_changed"
    STREAM_UNLAWFUL = "stream_unlawful"
    FAULT_CHANGED = "fault_changed"
    RETRY_AFTER_LOST = "retry_after_lost"
    COOLING = "cooling"


R, D = Reason, Domain
_DOMAINS: Mapping[Reason, Domain] = {
    R.NOT_LOOPED: D.ROUTING,
    R.MODEL_CHANGED: D.ROUTING,
    R.SYSTEM_ADDED: D.POLICY,
    R.TOOL_ADDED: D.POLICY,
    R.LIMIT_CHANGED: D.POLICY,
    R.RETRY_AFTER_LOST: D.POLICY,
}


def domain_of(reason: StrEnum) -> Domain:
    """Whose fault a difference is: the translation's, where it is nobody else's."""
    return _DOMAINS.get(reason, D.TRANSLATION) if isinstance(reason, Reason) else D.TRANSLATION


MISSING, NOTHING = "missing", "nothing"
_LONGEST, _LEAD = 60, 12


class Difference(Struct, frozen=True):
    """One thing that is not as it was: `where` is a path into the ask or the answer."""

    reason: Reason
    where: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.where}: {self.before} → {self.after}"


def parted(before: str, after: str) -> tuple[str, str]:
    """Two texts from shortly before where they part."""
    at = next((at for at, (one, two) in enumerate(zip(before, after, strict=False)) if one != two), None)
    start = max(0, (min(len(before), len(after)) if at is None else at) - _LEAD)
    lead = CUT if start else ""
    return (
        lead + shown(before[start:]) if before else NOTHING,
        lead + shown(after[start:]) if after else MISSING,
    )


def shown(value: object) -> str:
    """A value in a few words."""
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{clipped(text, _LONGEST)} ({len(text)} characters)"
