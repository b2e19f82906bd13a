"""What the mirror is told to answer: replies of every kind, and faults; those that set a credential aside come last."""

from collections.abc import Mapping

from msgspec import Struct

from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Finish, Part, Reply, Text, Thought, ToolCall, Usage
from llm_canaries.wire.script import Script

_SEAL = "bG9vcC1zZWFs"
_USAGE = Usage(input=1234, output=321, total_reported=1555)
_WORDS = "Größe – 日本語 🌍\n\n\"quoted\" \\ back, and\ta tab"


def _said(*content: Part, finish: Finish = Finish.STOP, usage: Usage = _USAGE, stop: str | None = None) -> Reply:
    return Reply(
        dialect="mirror", id="", model="loop", created=1_700_000_000, content=content, finish=finish, usage=usage,
        stop_sequence=stop,
    )  # fmt: skip


# the words of thoughts that cost more than they show, as summaries do, and whose cost is told in one reply alone
_PONDERED = "First I count, then I add."
_COUNTED = Usage(input=2000, output=500, reasoning=300, cache_read=1500, cache_write=0, total_reported=2500)
REPLIES: Mapping[str, Reply] = {
    "text": _said(Text(_WORDS)),
    "calls": _said(
        Text("I'll look."),
        ToolCall("call_loop01", "read_page", '{"page":12345678901234567890,"marks":["Größe","🌍"]}'),
        ToolCall("call_loop02", "read_page", '{"page":2,"area":{"left":0.1}}'),
        finish=Finish.TOOL,
    ),
    "no_arguments": _said(ToolCall("call_loop03", "note", ""), finish=Finish.TOOL),
    "thinking": _said(Thought(_PONDERED, _SEAL), Text("forty-two"), usage=_COUNTED),
    "uncounted": _said(Thought(_PONDERED, _SEAL), Text("forty-two")),
    "cut_short": _said(Text("This goes on and"), finish=Finish.LENGTH),
    "filtered": _said(Text("I cannot"), finish=Finish.FILTER),
    "stopped": _said(Text("up to here"), finish=Finish.STOP_SEQUENCE, stop="END"),
}

F = FaultReason
_MIDWAY = 4  # events: some words are out


class Trial(Struct, frozen=True, kw_only=True):
    """A fault to script, and what a client may take it for; `cools`: gateways set a credential aside after it."""

    script: Script
    lawful: frozenset[FaultReason]
    cools: bool = False
    streamed: bool = False


_BROKEN = frozenset(
    {F.OVERLOADED, F.UPSTREAM_ERROR, F.UPSTREAM_TIMEOUT, F.STREAM_ERROR, F.TRUNCATED_STREAM, F.CONNECTION_LOST}
)
_LIMITED = frozenset({F.RATE_LIMITED, F.QUOTA_EXHAUSTED, F.COOLDOWN})
_OURS = frozenset({F.AUTH, F.PERMISSION, F.BILLING, F.NO_CREDENTIAL, F.UPSTREAM_ERROR, F.OVERLOADED})
WAIT = 7.0  # seconds of Retry-After


def _fault(reason: FaultReason, status: int, message: str, wait: float | None = None) -> Script:
    return Script(fault=Fault(reason=reason, status=status, message=message, retry_after=wait))


FAULTS: Mapping[str, Trial] = {
    "bad_request": Trial(
        script=_fault(F.BAD_REQUEST, 400, "scripted: the request is not valid"),
        lawful=frozenset({F.BAD_REQUEST}),
    ),
    "stream_error": Trial(
        script=Script(
            reply=_said(Text("some words before the end")),
            fault=Fault(reason=F.OVERLOADED, message="scripted: overloaded", code="overloaded_error"),
            after=_MIDWAY,
        ),
        lawful=_BROKEN,
        streamed=True,
    ),
    "stream_cut": Trial(
        script=Script(reply=_said(Text("some words before the end")), after=_MIDWAY), lawful=_BROKEN, streamed=True
    ),
    "rate_limited": Trial(
        script=_fault(F.RATE_LIMITED, 429, "scripted: too many requests", WAIT), lawful=_LIMITED, cools=True
    ),
    "overloaded": Trial(script=_fault(F.OVERLOADED, 529, "scripted: overloaded"), lawful=_BROKEN, cools=True),
    "server_error": Trial(
        script=_fault(F.UPSTREAM_ERROR, 500, "scripted: something broke"), lawful=_BROKEN, cools=True
    ),
    "unauthorized": Trial(script=_fault(F.AUTH, 401, "scripted: the key is not valid"), lawful=_OURS, cools=True),
}
