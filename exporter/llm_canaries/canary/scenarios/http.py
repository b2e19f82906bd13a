"""http: people's own request, byte for byte, or a page of the gateway, and what they expect of the response."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.expectations import (
    Reason,
    Value,
    check,
    of_headers,
    of_json,
    of_status,
    of_text,
    of_time,
)
from llm_canaries.canary.verdict import faulted, passed
from llm_canaries.wire import nonce
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Look, Page, Play, Send, look, send
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.gemini.path import write_path
from llm_canaries.wire.json import encode
from llm_canaries.wire.nonce import Draw

_KEYS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"})
_OF_A_DIALECT = frozenset(  # what says nothing of a body on a path of the user's own
    {
        FaultReason.MALFORMED_BODY,
        FaultReason.NOT_A_STREAM,
        FaultReason.UNEXPECTED_STREAM,
        FaultReason.TRUNCATED_STREAM,
        FaultReason.EMPTY_ANSWER,
        FaultReason.EMPTY_BODY,
    }
)
_MODEL, _MARK = "{model}", "{mark}"


class Params(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A `body` to send, or a page to `get`; and what the response must be.

    In both, `{model}` stands for the case's model and `{mark}` for a word that no cache has seen. A mapping as `body`
    gets `model` and `stream` where they lack; text is sent as it is. `path` is the dialect's own unless it is given.
    `header`: a pattern to find in each. `html`: a page of HTML is no failure.
    """

    body: dict[str, Any] | str = ""
    get: str = ""
    path: str = ""
    headers: Mapping[str, str] = {}
    status: Annotated[int, Meta(ge=200, le=599)] = 200
    header: Mapping[str, str] = {}
    json: Mapping[str, Value] = {}
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    within_seconds: Annotated[float, Meta(ge=0)] = 0.0
    html: bool = False
    tokens: Annotated[int, Meta(ge=0)] = 500

    def __post_init__(self) -> None:
        check((*self.matches, *self.header.values()), tuple(self.json))
        if bool(self.body) == bool(self.get):
            raise ValueError("write either a `body` to send or a page to `get`")
        if self.get and (self.path or self.headers):
            raise ValueError("`path` and `headers` go with a `body`; a page has its path in `get`")
        for name, path in (("get", self.get), ("path", self.path)):
            if path and not path.startswith("/"):
                raise ValueError(f"`{name}` begins with `/`")
        if keys := sorted(_KEYS & {name.lower() for name in self.headers}):
            raise ValueError(f"keys such as `{keys[0]}` belong to the gateway: its `api_key` or `headers`")


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """One request."""
    mark = nonce.mark(draw)
    if params.get:
        page = yield from look(Look(path=_filled(params.get, case, mark)))
        return judge(page, params)
    exchange = yield from send(request(case, params, mark))
    return judge(exchange, params)


def request(case: Case, params: Params, mark: str) -> Send:
    """The step that sends the body of `params`."""
    body = _filled(params.body, case, mark)
    keeps_model = "{" in DIALECTS[case.dialect].path  # in the path, that is
    if isinstance(body, dict) and not keeps_model:
        body = {"model": case.model} | ({"stream": True} if case.stream else {}) | body
    path = _filled(params.path, case, mark) or (write_path(case.model, bool(case.stream)) if keeps_model else "")
    return Send(
        ask=body.encode() if isinstance(body, str) else encode(body),
        dialect=case.dialect,
        stream=bool(case.stream),
        headers=params.headers,
        profile=case.profile,
        mark=mark,
        path=path,
    )


def judge(answer: Exchange | Page, params: Params) -> Finding:
    """The first expectation that does not hold; a fault that was not expected keeps its own name."""
    fault = answer.fault
    if fault is not None and answer.status is None:
        return faulted(fault)
    if fault is not None and answer.status != params.status:
        return faulted(fault)
    if (finding := of_status(answer.status, params.status)) is not None:
        return finding
    if fault is not None and params.status < 300 and not _harmless(fault.reason, params):
        return faulted(fault)
    found = (
        of_headers(answer.headers, params.header),
        of_json(answer.body, params.json),
        of_text(answer.body.decode("utf-8", "replace"), params.contains, params.lacks, params.matches),
        of_time("the response was whole", answer.duration, params.within_seconds),
    )
    return next((each for each in found if each is not None), passed())


def _harmless(reason: FaultReason, params: Params) -> bool:
    """Whether a fault under the expected status is none to whoever asks on a path of their own."""
    if reason is FaultReason.HTML:
        return params.html
    return bool(params.path) and reason in _OF_A_DIALECT


def _filled(value: Any, case: Case, mark: str) -> Any:
    """`value` with its placeholders replaced, in every text that it holds."""
    if isinstance(value, str):
        return value.replace(_MODEL, case.model).replace(_MARK, mark)
    if isinstance(value, list):
        return [_filled(each, case, mark) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, case, mark) for name, each in value.items()}
    return value


def objection(case: Case) -> str:
    """One body to look into; a page is not streamed, and our own core has none but its model list."""
    params = case.params
    if params.get and case.stream:
        return "a page that one `get`s is not streamed"
    listed = DIALECTS["openai_chat"].models_path
    if params.get and not case.deployed and params.status < 300 and params.get.partition("?")[0] != listed:
        return f"an embedded gateway has no page but `{listed}`"
    if params.json and case.stream and params.status < 300:
        return "`json` looks into one body, and a streamed answer has none"
    if isinstance(params.body, dict) and params.status < 300 and "stop" in params.body:
        return "`openai_responses` has no stop sequences" if case.dialect == "openai_responses" else ""
    return ""


def cost(case: Case, params: Params) -> Cost:
    """One request; how many tokens it takes, its author knows best."""
    return Cost(requests=1, input_tokens=0, output_tokens=0 if params.get else params.tokens)


# a body and a path of people's own are for their gateway
SCENARIO = Scenario(
    name="http",
    reasons=Reason,
    params=Params,
    play=play,
    cost=cost,
    objection=objection,
    compared=frozenset(),
)
