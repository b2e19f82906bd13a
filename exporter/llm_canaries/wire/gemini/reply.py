"""generateContent answers, whole, both ways (protocols.md A4, A5)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from llm_canaries.wire.event import Broken, OpaquePart, fold
from llm_canaries.wire.exchange import Written
from llm_canaries.wire.gemini.finish import finish_of, native_finish
from llm_canaries.wire.gemini.names import NAME
from llm_canaries.wire.gemini.parts import write_parts
from llm_canaries.wire.gemini.reader import CANDIDATE, USAGE, GeminiReader
from llm_canaries.wire.gemini.seals import wrapped
from llm_canaries.wire.gemini.usage import write_usage
from llm_canaries.wire.json import Object, WireError, decode_object, encode, items, kind, mapping, string, want
from llm_canaries.wire.loss import Losses, back_under
from llm_canaries.wire.message import Reply, Thought

_LAST_SECOND = 253_402_300_799  # of the year 9999: Google's instants have four digits


def read_reply(body: bytes) -> Reply:
    """The Reply that an answer body is, read as a stream of one chunk: both fold to the same. Raises WireError."""
    said = decode_object(body)
    candidates = said.get("candidates")
    want(candidates is None or isinstance(candidates, list), f"candidates: expected an array, got {kind(candidates)}")
    # an empty list is left out of Google's JSON: an answer that says nothing has a usage at least
    answers = candidates is not None or any(isinstance(said.get(key), dict) for key in ("promptFeedback", USAGE))
    want(answers, "candidates: expected an array")
    reader = GeminiReader()
    events = [*reader.chunk(said, whole=True), *reader.close()]
    reply = fold(NAME, events)
    if reply is None or any(isinstance(event, Broken) for event in events):
        raise WireError("an error, where an answer was expected")
    beside = [event.part.block for event in events if isinstance(event, OpaquePart) and event.index < 0]
    return replace(reply, extra={key: value for each in (reply.extra, *beside) for key, value in each.items()})


def write_reply(reply: Reply) -> Written:
    """`reply` as an answer body."""
    losses = Losses(reply.dialect, NAME)
    extra = losses.extra("reply", reply.extra)
    around, details = back_under(CANDIDATE, extra), back_under(USAGE, extra)
    others = extra.pop("candidates", None)
    said: Object = head_of(reply.id, reply.model, reply.created)
    if not is_blocked(extra, reply.finish_native) or reply.content:
        said["candidates"] = [around | _write_candidate(reply, losses), *items(others)]
    if reply.usage is not None:
        said["usageMetadata"] = write_usage(reply.usage, details, losses)
    if reply.effort is not None:
        losses.add("reply", f"effort {reply.effort}")
    return Written(encode(said | extra), losses.found)


def head_of(id: str, model: str, created: int) -> Object:
    """What says which answer this is, as far as it is known."""
    said = {"responseId": id, "modelVersion": model, "createTime": _instant(created)}
    return {key: value for key, value in said.items() if value}


def is_blocked(extra: Object, native: str | None) -> bool:
    """Whether the ask was refused before any candidate: the reason is in `promptFeedback` then."""
    return bool(native) and string(mapping(extra.get("promptFeedback")).get("blockReason")) == native


def finish_word(reply: Reply, losses: Losses) -> str | None:
    """The finishReason of `reply`, and a loss where it says something else."""
    if reply.finish is None:
        return None
    calls = bool(reply.calls)
    native = native_finish(reply.finish, reply.finish_native, calls)
    if finish_of(native, calls) != reply.finish:
        losses.add("finish", f"{reply.finish}, said as {native}")
    return native


def candidate(parts: Sequence[Object], native: str | None = None) -> Object:
    """A candidate of `parts`, finished where there is a reason."""
    said: Object = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    return said if native is None else said | {"finishReason": native}


def _write_candidate(reply: Reply, losses: Losses) -> Object:
    def seal_of(part: Thought) -> tuple[str | None, bool]:
        return wrapped(part, losses.source), True

    return candidate(write_parts(reply.content, "content", losses, seal_of), finish_word(reply, losses))


def _instant(created: int) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if 0 < created <= _LAST_SECOND else ""
