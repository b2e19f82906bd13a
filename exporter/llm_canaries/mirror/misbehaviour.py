"""The public fault models: one row a way in which gateways and providers really fail (protocols.md H3)."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.mirror import bodies, calls, frames
from llm_canaries.mirror import distortions as d
from llm_canaries.wire.event import Event
from llm_canaries.wire.json import Object
from llm_canaries.wire.message import Ask, Reply


class Service(StrEnum):
    """How an answer is carried, or refused."""

    WHOLE = "whole"
    HTML = "html"
    BUSINESS_ERROR = "business_error"
    ERROR_IN_200 = "error_in_200"
    HALF_JSON = "half_json"
    BIG_BODY = "big_body"
    EMPTY = "empty"
    CUT = "cut"
    STREAM_ERROR = "stream_error"
    NOT_A_STREAM = "not_a_stream"
    UNEXPECTED_STREAM = "unexpected_stream"
    HANG = "hang"
    HANG_MIDWAY = "hang_midway"
    SLOW = "slow"
    BUFFERED = "buffered"


class Refusal(Struct, frozen=True, kw_only=True):
    """An HTTP error with a body in the provider's own words."""

    status: int
    body: Object
    headers: Mapping[str, str] = {}


class Misbehaviour(Struct, frozen=True, kw_only=True):
    """One fault model: what its model sees, what it says, how that is carried; `listed` in `/v1/models`."""

    help: str
    see: Callable[[Ask], Ask] | None = None
    say: Callable[[Ask, Reply], Reply] | None = None
    stream: Callable[[Sequence[Event]], Sequence[Event]] | None = None
    body: Callable[[Object, bool], Object] | None = None
    frames: Callable[[Sequence[bytes]], Sequence[bytes]] | None = None
    refuse: Callable[[Ask], Refusal | None] | None = None
    service: Service = Service.WHOLE
    listed: bool = True


def _refusal(status: int, message: str, *, code: str = "", headers: Mapping[str, str] | None = None) -> Any:
    error: Object = {"message": message, "type": "invalid_request_error", "code": code or None, "param": None}
    refusal = Refusal(status=status, body={"error": error}, headers=headers or {})
    return lambda ask: refusal


def _image_refusal(message: str) -> Any:
    refusal = Refusal(status=400, body={"error": {"message": message, "type": "invalid_request_error"}})
    return lambda ask: refusal if d.has_tool_image(ask) else None


M = Misbehaviour
_COOLDOWN = {
    "code": "model_cooldown",
    "message": "All credentials for this model are cooling down",
    "reset_seconds": 3600,
}

_NOT_WITH_CHATGPT = "The 'gpt-5.3-codex-spark' model is not supported when using Codex with a ChatGPT account."

MISBEHAVIOURS: Mapping[str, Misbehaviour] = {
    "healthy": M(help="answers as it should"),
    # images in tool results
    "drop-image": M(help="images of a tool round trip vanish", see=d.drop_images),
    "placeholder-image": M(help="images of a tool round trip become a note", see=d.placeholder_images),
    "stringify-image": M(help="images of a tool round trip become base64 text", see=d.stringify_images),
    "misread-image": M(help="the image is seen and misread", say=d.misread),
    "blind-guess": M(
        help="images vanish, the model makes a number up, and nothing is counted", see=d.drop_images, say=d.guess
    ),
    "blind": M(help="images vanish wherever they stand", see=d.blinded),
    "recall-tool": M(help="the tool is called again instead of an answer", say=d.recall),
    "reject-image": M(
        help="400 for an image in a tool result",
        refuse=_image_refusal("Image URLs are only allowed for messages with role 'user', not role 'tool'."),
    ),
    "reject-media": M(help="400 for the image itself", refuse=_image_refusal("Could not process image: unsupported")),
    "reject-id": M(help="400 for the tool call id", refuse=_image_refusal("tool_call_id does not match any tool call")),
    "reject-order": M(
        help="400 for the order of messages",
        refuse=_image_refusal("Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"),
    ),
    # tools
    "drop-tools": M(help="the tools offered vanish", see=lambda ask: replace(ask, tools=(), tool_choice=None)),
    "lost-calls": M(help="a turn of calls comes without them, and finishes as if they were there", say=calls.lost),
    "no-call-start": M(help="streams lack the events that open a call", frames=frames.without_call_starts),
    "rename-tools": M(help="tools are called by other names", say=calls.renamed),
    "one-call": M(help="of two calls in one turn, the first alone comes", say=calls.first_only),
    "drop-arguments": M(help="calls come without their arguments", say=calls.without_arguments),
    "broken-arguments": M(help="arguments are cut in the middle", say=calls.broken_arguments),
    "changed-arguments": M(help="arguments hold other values", say=calls.changed_arguments),
    "no-call-id": M(help="calls come without an id", say=calls.without_ids),
    "one-call-id": M(help="all calls of a turn have one id", say=calls.one_id),
    "stop-with-calls": M(help="a turn of calls finishes as if it were none", say=calls.stopped),
    "swap-results": M(help="the results of two calls are mixed up", see=calls.swapped_results),
    "drop-results": M(help="what tools returned vanishes", see=calls.without_results),
    "ignore-choice": M(help="tool_choice is ignored", see=lambda ask: replace(ask, tool_choice=None)),
    # streams
    "double-start": M(help="streams begin twice", frames=frames.begun_twice),
    "early-finish": M(help="streams say more after they finished", frames=frames.finished_early),
    "double-finish": M(help="streams finish twice, for two reasons", frames=frames.finished_twice),
    "no-end": M(help="streams lack their terminal event", frames=frames.without_last),
    "late-event": M(help="streams go on after their terminal event", frames=frames.with_more),
    "other-end": M(help="the end of a stream says other words than its pieces", body=bodies.other_end),
    "changing-id": M(help="every chunk has another id", frames=frames.with_changing_id),
    "buffered": M(help="streams come in one piece at the end", service=Service.BUFFERED),
    # usage
    "zero-usage": M(help="usage fields are there, all zero", say=d.zero_usage),
    "no-usage": M(help="no usage at all", say=lambda ask, reply: replace(reply, usage=None)),
    "no-terminal-usage": M(help="streams end without usage", stream=d.without_usage),
    "short-total": M(help="total below its parts", say=d.short_total),
    "hidden-total": M(help="total above its parts", body=bodies.hidden_total),
    "excess-reasoning": M(help="more reasoning than output", say=d.excess_reasoning),
    "excess-cache": M(help="more cached than input", body=bodies.excess_cache),
    "zero-output": M(help="output tokens zero with text there", say=d.zero_output),
    "zero-input": M(help="input tokens zero", say=d.zero_input),
    "text-usage": M(help="token counts as words", body=bodies.text_usage),
    "over-cap": M(help="more output than the limit sent", say=d.over_cap),
    "drifting-input": M(help="streams count other input", stream=d.drifting_input),
    "inflated-stream": M(help="streams count hundredfold output", stream=d.inflated_output),
    "split-model": M(help="streams are answered by another model", stream=d.other_model),
    "lost-reasoning": M(help="streams lose the reasoning count", stream=d.lost_reasoning),
    "estimated-reasoning": M(help="of reasoning only the words that show are counted", say=d.estimated_reasoning),
    "shrinking-usage": M(help="message_delta counts less than message_start", body=bodies.shrinking),
    "double-usage": M(help="streams end with two usages that differ", frames=frames.counted_twice),
    # thinking
    "ignore-thinking": M(help="always the same reasoning, whatever was asked", say=d.fixed_reasoning),
    "unbounded-thinking": M(help="reasoning beyond any budget", say=d.unbounded_reasoning),
    "no-thinking": M(help="never reasons", say=d.no_reasoning),
    "wrong-effort": M(help="says it applied another level", say=d.wrong_effort),
    "flat-thinking": M(help="the same reasoning at every level but none", say=d.flat_reasoning),
    # listing and eligibility
    "not-listed": M(help="callable, but not in the list", listed=False),
    "not-callable": M(
        help="listed, but refused",
        refuse=_refusal(400, "The 'not-callable' model is not supported when using Codex with a ChatGPT account."),
    ),
    "not-callable-detail": M(
        help="the same in ChatGPT's own words",
        refuse=lambda ask: Refusal(status=400, body={"detail": _NOT_WITH_CHATGPT}),
    ),
    "ineligible": M(
        help="neither listed nor callable",
        listed=False,
        refuse=_refusal(400, "The requested model is not supported", code="model_not_supported"),
    ),
    "aliased": M(help="another model answers", say=lambda ask, reply: replace(reply, model=d.OTHER_MODEL)),
    "catch-all": M(help="answers under any name, also one that does not exist"),
    "catch-all-unknown": M(help="the name that does not exist", listed=False),
    "suspended": M(
        help="no credential is left",
        refuse=_refusal(503, "auth_unavailable: no auth available (providers=mirror, model=suspended)"),
    ),
    "cooling": M(
        help="the gateway's own cooldown", refuse=lambda ask: Refusal(status=429, body={"error": _COOLDOWN})
    ),
    "quota-exhausted": M(
        help="the quota is used up",
        refuse=_refusal(429, "You exceeded your current quota", code="insufficient_quota"),
    ),
    # answers
    "wrong-answer": M(help="says something else", say=lambda ask, reply: d.with_text(reply, "I cannot do that.")),
    "empty-answer": M(help="no content, finished", say=lambda ask, reply: d.with_text(reply, "")),
    "stale-answer": M(help="a cached answer to somebody else", say=lambda ask, reply: d.with_text(reply, "739152")),
    "footer": M(help="an advertisement is put under every answer", say=d.with_footer),
    "masked-words": M(help="a guardrail masks what it takes for a name", say=d.masked),
    "filtered-answer": M(help="a filter takes the answer away", say=d.filtered),
    "odd-finish": M(help="a finish reason nobody documented", body=bodies.odd_finish),
    # transport
    "html-200": M(help="a login page with status 200", service=Service.HTML),
    "business-error-200": M(help="an error envelope with status 200", service=Service.BUSINESS_ERROR),
    "error-in-200": M(help="an error object with status 200", service=Service.ERROR_IN_200),
    "half-json": M(help="half a JSON body", service=Service.HALF_JSON),
    "big-body": M(help="50 MB of answer", service=Service.BIG_BODY),
    "empty-200": M(help="an empty body with status 200", service=Service.EMPTY),
    "stream-cut": M(help="streams end in the middle", service=Service.CUT),
    "stream-error": M(help="streams turn into an error", service=Service.STREAM_ERROR),
    "not-a-stream": M(help="one JSON body where a stream was asked for", service=Service.NOT_A_STREAM),
    "always-stream": M(help="a stream where one JSON body was asked for", service=Service.UNEXPECTED_STREAM),
    "rate-limited": M(
        help="429 with a time to wait",
        refuse=_refusal(429, "Rate limit reached", code="rate_limit_exceeded", headers={"retry-after": "7"}),
    ),
    "forbidden": M(help="403", refuse=_refusal(403, "You are not allowed to use this model")),
    "unpaid": M(help="402", refuse=_refusal(402, "Payment required")),
    "not-acceptable": M(help="406, as iFlow answers what it gates", refuse=_refusal(406, "Not Acceptable")),
    "request-timeout": M(help="408", refuse=_refusal(408, "stream disconnected before completion")),
    "too-large": M(help="413", refuse=_refusal(413, "Request too large")),
    "bad-request": M(help="400 for something else", refuse=_refusal(400, "Unsupported parameter: 'max_tokens'")),
    "server-error": M(help="500", refuse=_refusal(500, "The server had an error")),
    "upstream-timeout": M(help="504", refuse=_refusal(504, "Upstream timed out")),
    "overloaded": M(help="503 from the provider", refuse=_refusal(503, "The engine is overloaded")),
    "unauthorized": M(help="401", refuse=_refusal(401, "Incorrect API key provided", code="invalid_api_key")),
    "slow": M(help="answers after two seconds", service=Service.SLOW),
    "hang": M(help="never answers", service=Service.HANG),
    "hang-midway": M(help="streams stand still in the middle", service=Service.HANG_MIDWAY),
}
