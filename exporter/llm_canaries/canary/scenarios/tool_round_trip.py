"""tool-round-trip: calls survive with their ids, arguments and finish reason, and each result reaches its own call.

Two tools are called in one turn with a number each, and return a number each; what comes back is compared with what
was said (protocols.md H1, rows "parallel calls", "args" and "tool_choice").
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from llm_canaries.canary.asks import sending
from llm_canaries.canary.canary import Case, Cost, Finding, Scenario
from llm_canaries.canary.verdict import failed, faulted, passed, starved, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.clip import clipped
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain, FaultReason
from llm_canaries.wire.json import WireError, decode
from llm_canaries.wire.message import Ask, Finish, Message, Part, Reply, Text, Tool, ToolCall, ToolChoice, ToolResult
from llm_canaries.wire.nonce import Draw

_DIGITS = 6
_SCHEMA = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
TOOLS = tuple(Tool(name, "Records a code and returns a number.", _SCHEMA) for name in ("record_a", "record_b"))
_FIRST, _SECOND = (tool.name for tool in TOOLS)


class Reason(StrEnum):
    """Why the round trip fails, and when it cannot tell."""

    NO_CALL = "no_call"
    CALL_LOST = "call_lost"
    ONE_CALL = "one_call"
    NAME_CHANGED = "name_changed"
    ID_MISSING = "id_missing"
    ID_REPEATED = "id_repeated"
    ARGUMENTS_LOST = "arguments_lost"
    ARGUMENTS_BROKEN = "arguments_broken"
    ARGUMENTS_CHANGED = "arguments_changed"
    FINISH_NOT_TOOL = "finish_not_tool"
    RESULT_LOST = "result_lost"
    MISBOUND = "misbound"
    CALLED_AGAIN = "called_again"
    CHOICE_IGNORED = "choice_ignored"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """`cap` on tokens; `choices`: whether `tool_choice` is tried as well, which takes two more asks."""

    cap: int = 512
    choices: bool = True


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """The calls, their results, then tool_choice `none` and a named tool."""
    mark = nonce.mark(draw)
    codes = (nonce.digits(draw, _DIGITS), nonce.digits(draw, _DIGITS))
    asked = Message("user", (Text(call_prompt(mark, codes)),))
    called = yield from send(sending(case, _ask(case, (asked,), params), mark))
    if (finding := judge_calls(called, codes)) is not None:
        return finding
    answered, numbers = called, dict[str, str]()
    turns: tuple[Message, ...] = (asked,)
    while (calls := _next_calls(answered, numbers)) and (finding := judge_calls(answered, codes)) is None:
        numbers |= {call.name: nonce.digits(draw, _DIGITS) for call in calls}
        turns = (*turns, Message("assistant", calls), _results(calls, numbers))
        answered = yield from send(sending(case, _ask(case, turns, params), mark))
    if finding is not None:
        return finding
    wanted = tuple(numbers[tool.name] for tool in TOOLS if tool.name in numbers)
    if (finding := judge_answer(answered, wanted)) is not None:
        return finding
    if params.choices and (finding := (yield from _choices(case, params, draw))) is not None:
        return finding
    if len(numbers) == 1:
        return undecided(Reason.ONE_CALL, f"two calls were asked for, {next(iter(numbers))} alone came")
    return passed()


def _next_calls(exchange: Exchange, returned: Mapping[str, str]) -> tuple[ToolCall, ...]:
    """The calls of tools that have not returned yet: some models call one at a time, and wait for each."""
    calls = exchange.reply.calls if exchange.reply is not None else ()
    fresh = all(call.name not in returned for call in calls)
    return calls if fresh and (not returned or {call.name for call in calls} < {tool.name for tool in TOOLS}) else ()


def judge_calls(exchange: Exchange, codes: tuple[str, str]) -> Finding | None:
    """What is wrong with the calls, None where nothing is; a model that calls one tool at a time is not wrong."""
    if (detail := _lost(exchange)) is not None:
        return _said(Reason.CALL_LOST, detail)
    if (finding := _unanswered(exchange)) is not None:
        return finding
    assert exchange.reply is not None
    reply, calls = exchange.reply, exchange.reply.calls
    if not calls:
        return _said(Reason.NO_CALL, f"no tool was called; the model said {clipped(reply.text)!r}")
    offered = {tool.name for tool in TOOLS}
    if strange := [call.name for call in calls if call.name not in offered]:
        return _said(Reason.NAME_CHANGED, f"called {strange[0]!r}, which was not offered")
    if not all(call.id for call in calls):
        return _said(Reason.ID_MISSING, "a call came without an id")
    if len({call.id for call in calls}) < len(calls):
        return _said(Reason.ID_REPEATED, f"two calls with the id {calls[0].id!r}")
    for call in calls:
        if (finding := _arguments(call, codes[0] if call.name == _FIRST else codes[1])) is not None:
            return finding
    early = reply.dialect == "gemini" and reply.finish_native == "STOP"  # its only word, said before the calls came
    if reply.finish is not Finish.TOOL and not early:
        return _said(Reason.FINISH_NOT_TOOL, f"tools were called, and the finish reason is {reply.finish_native!r}")
    return None


def _lost(exchange: Exchange) -> str | None:
    """How an answer shows that it held calls: it finishes for them, or one has no name because its start is gone."""
    reply, fault = exchange.reply, exchange.fault
    if reply is None or (fault is not None and fault.reason is not FaultReason.EMPTY_ANSWER):
        return None
    if not reply.calls and reply.finish is Finish.TOOL:
        return f"finish reason {reply.finish_native!r}, and no call in the answer"
    if any(not call.name for call in reply.calls):
        return "a call without a name: what opens it in the stream is gone"
    return None


def judge_answer(exchange: Exchange, wanted: Sequence[str]) -> Finding | None:
    """What is wrong with the answer to the results, None where the numbers came back in the order asked for."""
    if (finding := _unanswered(exchange)) is not None:
        return finding
    assert exchange.reply is not None
    reply = exchange.reply
    if reply.calls:
        return _said(Reason.CALLED_AGAIN, f"{reply.calls[0].name} was called again, though it had returned")
    text = unicodedata.normalize("NFKC", reply.text)
    found = [number for number in re.findall(r"\d+", text) if number in wanted]
    if missing := [number for number in wanted if number not in found]:
        return _said(Reason.RESULT_LOST, f"a tool returned {missing[0]}, the model said {clipped(reply.text)!r}")
    if list(dict.fromkeys(found)) != list(wanted):
        return _said(Reason.MISBOUND, f"the tools returned {', '.join(wanted)}, the model said {', '.join(found)}")
    return None


def _choices(case: Case, params: Params, draw: Draw) -> Play[Finding | None]:
    """tool_choice: `none` calls nothing, a named tool is the one that is called."""
    for choice, allowed in ((ToolChoice("none"), ()), (ToolChoice("tool", _SECOND), (_SECOND,))):
        mark = nonce.mark(draw)
        codes = (nonce.digits(draw, _DIGITS), nonce.digits(draw, _DIGITS))
        words = call_prompt(mark, codes) if choice.mode == "none" else f"[{mark}] The code is {codes[1]}."
        ask = _ask(case, (Message("user", (Text(words),)),), params, choice)
        exchange = yield from send(sending(case, ask, mark))
        if (finding := _unanswered(exchange)) is not None:
            return finding
        assert exchange.reply is not None
        if (names := tuple(dict.fromkeys(call.name for call in exchange.reply.calls))) != allowed:
            told = ", ".join(names) or "nothing"
            return _said(Reason.CHOICE_IGNORED, f"tool_choice {choice.name or choice.mode}, and {told} was called")
    return None


def call_prompt(mark: str, codes: tuple[str, str]) -> str:
    """Asks for both calls at once, and for the numbers that come of them."""
    return (
        f"[{mark}] Call {_FIRST} and {_SECOND} now, both in this one turn. Give {_FIRST} the code {codes[0]} and give "
        f"{_SECOND} the code {codes[1]}. Once the tools have returned, reply with only the numbers that they "
        f"returned, that of {_FIRST} first."
    )


def _ask(case: Case, turns: tuple[Message, ...], params: Params, choice: ToolChoice | None = None) -> Ask:
    return Ask(
        dialect=case.dialect,
        model=case.model,
        messages=turns,
        tools=TOOLS,
        tool_choice=choice,
        max_tokens=params.cap,
        include_usage=True,
    )


def _results(calls: Sequence[ToolCall], numbers: Mapping[str, str]) -> Message:
    parts: tuple[Part, ...] = tuple(
        ToolResult(call.id, (Text(f"The number is {numbers[call.name]}."),)) for call in calls
    )
    return Message("tool", parts)


def _arguments(call: ToolCall, code: str) -> Finding | None:
    try:
        said = decode(call.arguments or "{}")
    except WireError as error:
        return _said(Reason.ARGUMENTS_BROKEN, f"{call.name}: {error}: {clipped(call.arguments)}")
    if not isinstance(said, dict):
        return _said(Reason.ARGUMENTS_BROKEN, f"{call.name}: not an object: {clipped(call.arguments)}")
    if "code" not in said:
        return _said(Reason.ARGUMENTS_LOST, f"{call.name} was to be given {code}, and got {clipped(call.arguments)}")
    if str(said["code"]) != code:
        detail = f"{call.name} was to be given {code}, and got {clipped(str(said['code']))}"
        return failed(Reason.ARGUMENTS_CHANGED, Domain.PROVIDER, detail)
    return None


def _unanswered(exchange: Exchange) -> Finding | None:
    if exchange.fault is not None:
        return faulted(exchange.fault)
    reply: Reply | None = exchange.reply
    assert reply is not None, "an exchange without fault has a reply"
    return starved(reply)


def _said(reason: Reason, detail: str) -> Finding:
    return failed(reason, Domain.TRANSLATION, detail)


def cost(case: Case, params: Params) -> Cost:
    """Five asks with two tools each where calls are made one at a time, three of them answered with calls."""
    asks = 5 if params.choices else 3
    return Cost(requests=asks, input_tokens=220 * asks, output_tokens=60 * asks, limit=asks * params.cap)


SCENARIO = Scenario(name="tool-round-trip", reasons=Reason, params=Params, play=play, cost=cost)
