"""loopback: what a deployed gateway sent upstream, and what it made of the answer, exactly; the upstream is our mirror.

No model is asked, so nothing here is a matter of statistics: an ask goes in at the client's side and is compared with
what the mirror recorded; a scripted reply or fault comes back and is compared with what the client got. What the
other dialect cannot say (the declared losses of our own writers) is lawful to lose.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import sending
from llm_canaries.canary.canary import Case, Cost, Finding, Outcome, Scenario
from llm_canaries.canary.scenarios.loopback.answers import FAULTS, REPLIES
from llm_canaries.canary.scenarios.loopback.asks import ASKS, fitting, loop_ask
from llm_canaries.canary.scenarios.loopback.conversation import conversation_differs
from llm_canaries.canary.scenarios.loopback.downstream import COOLING, fault_differs, reply_differs, told
from llm_canaries.canary.scenarios.loopback.reasons import Difference, Reason, domain_of
from llm_canaries.canary.scenarios.loopback.settings import settings_differ
from llm_canaries.canary.verdict import failed, faulted, passed, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Play, Send, send
from llm_canaries.wire.message import Ask, Reply, Text
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.script import Script

_MOST_TOLD = 12  # differences in words


def _refuse_unknown(what: str, names: Sequence[str], known: Mapping[str, object]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{what} has no {name}; allowed: {', '.join(known)}")


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """Which `asks`, `replies` and `faults` to try, in this order; differences with a reason in `allowed` are meant.

    Faults that set a gateway's credential aside come last, and can be left out.
    """

    asks: tuple[str, ...] = tuple(ASKS)
    replies: tuple[str, ...] = tuple(REPLIES)
    faults: tuple[str, ...] = tuple(FAULTS)
    allowed: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        _refuse_unknown("asks", self.asks, ASKS)
        _refuse_unknown("replies", self.replies, REPLIES)
        _refuse_unknown("faults", self.faults, FAULTS)
        if "plain" not in self.asks:
            raise ValueError("asks has no plain, which tells whether the mirror is behind the gateway at all; add it")


class _Looped(Struct, frozen=True):
    """What came of one step: its differences, or why it never reached the mirror."""

    name: str
    differences: tuple[Difference, ...] = ()
    refused: Finding | None = None


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """Every ask, then every reply, then every fault; the first ask tells whether the mirror is there at all."""
    plain = yield from _asked(case, "plain", draw)
    if plain.refused is not None:
        return plain.refused
    done = [plain]
    for name in fitting(case, tuple(name for name in params.asks if name != "plain")):
        looped = yield from _asked(case, name, draw)
        done.append(looped)
    for name in _replies(case, params):
        looped = yield from _replied(case, name, draw)
        done.append(looped)
    untried = yield from _faulted(case, params, draw, done)
    return judged(done, untried, params.allowed)


def _asked(case: Case, name: str, draw: Draw) -> Play[_Looped]:
    """One ask, held against what the mirror recorded of it."""
    exchange = yield from send(_step(case, name, draw, Script(reply=_ok())))
    if (refused := unseen(exchange, name)) is not None:
        return _Looped(name, refused=refused)
    return _Looped(name, tuple(ask_differs(exchange, case.upstream)))


def _replied(case: Case, name: str, draw: Draw) -> Play[_Looped]:
    """One scripted reply, held against what the client got of it."""
    reply = REPLIES[name]
    exchange = yield from send(_step(case, _ASK_FOR.get(name, "plain"), draw, Script(reply=reply)))
    if (refused := unseen(exchange, name)) is not None:
        return _Looped(name, refused=refused)
    return _Looped(name, tuple(reply_differs(exchange, reply, exchange.upstream[-1].dialect)))


def _faulted(case: Case, params: Params, draw: Draw, done: list[_Looped]) -> Play[tuple[str, ...]]:
    """Every scripted fault, until the gateway has set the mirror's credential aside; the value is those untried."""
    names = [name for name in params.faults if case.stream or not FAULTS[name].streamed]
    cooled = False
    for at, name in enumerate(names):
        trial = FAULTS[name]
        exchange = yield from send(_step(case, "plain", draw, trial.script))
        if exchange.upstream:
            done.append(_Looped(name, tuple(fault_differs(exchange, trial))))
        elif cooled and exchange.fault is not None and exchange.fault.reason in COOLING:
            return tuple(names[at:])
        elif (refused := unseen(exchange, name)) is not None:
            done.append(_Looped(name, refused=refused))
        cooled = cooled or trial.cools
    return ()


_ASK_FOR = {
    "calls": "tools",
    "no_arguments": "tools",
    "thinking": "thinking_high",
    "uncounted": "thinking_high",
    "stopped": "limits",
}


def _replies(case: Case, params: Params) -> list[str]:
    """The replies of `params` that a client of this case may get: one who cannot ask for reasoning gets none."""
    asks = {name: _ASK_FOR.get(name, "plain") for name in params.replies}
    possible = set(fitting(case, tuple(asks.values())))
    return [name for name, ask in asks.items() if ask in possible]


def _ok() -> Reply:
    return replace(REPLIES["text"], content=(Text("ok"),))


def _step(case: Case, ask: str, draw: Draw, script: Script) -> Send:
    mark = nonce.mark(draw)
    if script.reply is not None:
        script = replace(script, reply=replace(script.reply, id=f"loop-{mark}"))
    return replace(sending(case, loop_ask(case, ask, mark), mark), script=script)


def unseen(exchange: Exchange, name: str) -> Finding | None:
    """Why an ask never reached the mirror, None where it did."""
    if exchange.upstream:
        return None
    fault = exchange.fault
    if fault is None:
        model = exchange.reply.model if exchange.reply is not None else ""
        detail = f"{name}: answered by {model or 'somebody'}, and the mirror saw nothing of it"
        return failed(Reason.NOT_LOOPED, domain_of(Reason.NOT_LOOPED), detail)
    if fault.reason in COOLING:
        return undecided(Reason.COOLING, f"{name}: {told(fault)}, and the mirror saw nothing of it")
    finding = faulted(fault)
    return replace(finding, detail=f"{name} was refused before the mirror: {finding.detail}")


def ask_differs(exchange: Exchange, upstream: str) -> Iterator[Difference]:
    """The differences between an ask and what the mirror recorded of it, but for what its dialect cannot say."""
    asked, came = as_sent(exchange.send), exchange.upstream[-1]
    request = DIALECTS[came.dialect].write_ask(asked, Profile())
    due = DIALECTS[came.dialect].read_ask(request.body, request.path)
    yield from conversation_differs(asked, due, came.ask)
    yield from settings_differ(asked, due, came.ask, upstream)


def as_sent(step: Send) -> Ask:
    """The ask as its client's dialect says it."""
    assert isinstance(step.ask, Ask)
    request = DIALECTS[step.dialect].write_ask(step.ask, step.profile)
    return DIALECTS[step.dialect].read_ask(request.body, request.path)


def judged(done: Sequence[_Looped], untried: Sequence[str], allowed: Sequence[Reason]) -> Finding:
    """The finding of all that was tried: the gravest difference names it, and all of them are told."""
    told_of = [(each.name, one) for each in done for one in each.differences if one.reason not in allowed]
    told_of.sort(key=lambda pair: _RANK[pair[1].reason])
    refused = [each.refused for each in done if each.refused is not None]
    failures = [finding for finding in refused if finding.outcome is Outcome.FAIL]
    words = [*_once_each(told_of), *(finding.detail for finding in refused)]
    more = [f"and {len(words) - _MOST_TOLD} more"] if len(words) > _MOST_TOLD else []
    detail = "; ".join([*words[:_MOST_TOLD], *more])
    if untried:
        detail += f"{'; ' if detail else ''}not tried, for the gateway is cooling down: {', '.join(untried)}"
    if told_of:
        gravest = told_of[0][1].reason
        return failed(gravest, domain_of(gravest), detail, {"loop_differences": float(len(told_of))})
    if failures:
        return replace(failures[0], detail=detail)
    if refused:
        return undecided(Reason.COOLING, detail)
    return passed(detail)


def _once_each(told_of: Sequence[tuple[str, Difference]]) -> list[str]:
    """Each difference in words, with where it was found: one that is found everywhere is told once."""
    where: dict[str, list[str]] = {}
    for name, one in told_of:
        where.setdefault(str(one), []).append(name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {words}"
        for words, names in where.items()
    ]


_RANK = {reason: at for at, reason in enumerate(Reason)}


def cost(case: Case, params: Params) -> Cost:
    """One request for each ask, reply and fault; the mirror's words cost nothing."""
    faults = [name for name in params.faults if case.stream or not FAULTS[name].streamed]
    asks = len(fitting(case, params.asks)) + len(_replies(case, params)) + len(faults)
    return Cost(requests=asks, input_tokens=0, output_tokens=0)


SCENARIO = Scenario(
    name="loopback", reasons=Reason, params=Params, play=play, cost=cost, needs=frozenset({"loopback"}),
)  # fmt: skip
