"""Judges a run again offline: the scenario is played with the recorded draws, and answered with the recorded bytes.

Bytes are read by today's readers and judged by today's scenario: that is how a changed judge is checked.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.attribution import TABLE, Blame, blame
from llm_canaries.canary.canary import Case, Finding, Run, Scenario, Way
from llm_canaries.canary.evidence.judgement import said
from llm_canaries.canary.evidence.keep import digest
from llm_canaries.canary.evidence.value import Evidence, KeptAnswer, KeptAttempt, KeptExchange, KeptPage, KeptSeen
from llm_canaries.canary.run import Lane, run_case
from llm_canaries.canary.signs import sign_of, witnessed
from llm_canaries.config.secrets import Redactor
from llm_canaries.wire.answer import Received, read_answer, read_page
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Attempt, Exchange, Look, Page, Request, Seen, Send, Via
from llm_canaries.wire.json import WireError
from llm_canaries.wire.nonce import Draw


class Unreplayable(Exception):
    """A run that cannot be judged again from what is kept of it; the text says why."""


class Replayed(Struct, frozen=True, kw_only=True):
    """What today's judge says, in `run`; `unused` recorded answers it did not ask for."""

    run: Run
    unused: int

    @property
    def finding(self) -> Finding:
        """The finding, as one is kept."""
        return said(self.run.finding, Redactor(()))


async def replay(evidence: Evidence, scenarios: Mapping[str, Scenario]) -> Replayed:
    """What today's judge says of the bytes of `evidence`; nothing is sent, and no twin decides. Raises Unreplayable."""
    told = recorded(evidence, scenarios)
    lane = _Recorded(evidence)
    ways: Mapping[Via, Lane] = dict.fromkeys(get_args(Via), lane)
    draw, started = _played(evidence.drawn), evidence.started
    run = await run_case(told.case, told.scenario, ways, draw=draw, now=started, memory=told.memory)
    return Replayed(run=run, unused=lane.left)


async def replay_twins(
    evidence: Evidence, scenarios: Mapping[str, Scenario]
) -> tuple[Mapping[Way, Run], tuple[str, ...]]:
    """What today's judge says of each twin of `evidence`, and why those are taken as recorded that it cannot judge."""
    found, left = dict[Way, Run](), list[str]()
    for twin in evidence.twins:
        try:
            found[twin.way] = (await replay(twin.run, scenarios)).run
        except Unreplayable as error:
            left.append(f"{twin.name}: {error}")
            found[twin.way] = Run(
                case=twin.run.case, finding=twin.run.judged, started=twin.run.started, answers=()
            )
    return found, tuple(left)


def attributed_again(evidence: Evidence, run: Run, twins: Mapping[Way, Run]) -> Blame | None:
    """The verdict of today's table on a replayed run and its replayed twins; None where it has nothing to go by.

    What no twin shows any more, the network among it, is taken as recorded.
    """
    if evidence.attributed is None or run.finding.fault_domain is None:
        return None
    known = replace(
        evidence.attributed.evidence,
        own=run.finding.fault_domain,
        sign=sign_of(run, evidence.attributed.quickest),
    )
    if twins:
        direct, loop, again = witnessed(run, twins)
        known = replace(known, direct=direct, loop=loop, again=again)
    verdict = blame(known)
    return None if verdict.rule is TABLE[-1] else verdict


class Recorded(Struct, frozen=True):
    """What a run was made of: the case as its scenario takes it, and the memory that went in."""

    case: Case
    scenario: Scenario
    memory: Any


def recorded(evidence: Evidence, scenarios: Mapping[str, Scenario]) -> Recorded:
    """What to play again. Raises Unreplayable where the scenario is gone, or takes it no more."""
    scenario = scenarios.get(evidence.case.scenario)
    if scenario is None:
        raise Unreplayable(f"there is no scenario {evidence.case.scenario} any more")
    params = _typed(evidence.case.params, scenario.params, "its parameters are")
    memory = _typed(evidence.remembered, scenario.memory, "what it remembered is")
    return Recorded(replace(evidence.case, params=params), scenario, memory)


def differences(before: Finding, after: Finding) -> list[str]:
    """What of the judgement differs, a line each; the words of the detail are no judgement."""
    pairs = {
        "outcome": (before.outcome.value, after.outcome.value),
        "reason": (before.reason or "none", after.reason or "none"),
        "fault domain": (before.fault_domain or "none", after.fault_domain or "none"),
    }
    for name in sorted({*before.measures, *after.measures}):
        pairs[name] = (str(before.measures.get(name, "absent")), str(after.measures.get(name, "absent")))
    return [f"{name}: {old}, now {new}" for name, (old, new) in pairs.items() if old != new]


class _Recorded:
    """Where the steps go: to the recorded answers, one after the other."""

    def __init__(self, evidence: Evidence) -> None:
        self._answers = iter(evidence.answers)
        self._checked = not evidence.params_masked
        self.left = len(evidence.answers)

    async def send(self, step: Send) -> Exchange:
        """The recorded answer, read anew. Raises Unreplayable, and WireError where the ask cannot be written."""
        kept = self._next(step)
        assert isinstance(kept, KeptExchange)
        received = Received(
            sent=kept.sent.data,
            status=kept.status,
            headers=kept.headers,
            body=kept.body.data,
            cut=kept.broken_off,
            arrivals=kept.arrivals,
            duration=kept.duration,
            attempts=tuple(_attempt(each) for each in kept.attempts),
            losses=kept.losses,
            translated=kept.thinking.translated,
            fault=kept.broke,
        )
        exchange = read_answer(step, received, kept.at)
        needed = exchange.fault is None or exchange.fault != kept.broke  # what broke off is judged by that alone
        _whole(kept, needed=needed)
        return replace(exchange, upstream=tuple(_seen(each) for each in kept.upstream))

    async def look(self, step: Look) -> Page:
        """The recorded page, read anew. Raises Unreplayable."""
        kept = self._next(step)
        assert isinstance(kept, KeptPage)
        _whole(kept, needed=kept.broke is None)
        received = Received(
            sent=b"",
            status=kept.status,
            headers=kept.headers,
            body=kept.body.data,
            duration=kept.duration,
            fault=kept.broke,
        )
        return read_page(step, received, kept.at)

    def _next(self, step: Send | Look) -> KeptAnswer:
        kept = next(self._answers, None)
        if kept is None:
            if isinstance(step, Send) and not isinstance(step.ask, bytes):
                DIALECTS[step.dialect].write_ask(step.ask, step.profile)  # nothing came because nothing could be sent
            raise Unreplayable(f"it takes a step that was not recorded: {_named(step)}")
        self.left -= 1
        before, now = _named(kept), _named(step)
        if before != now:
            raise Unreplayable(f"step {kept.step} is another than recorded: {now}, recorded: {before}")
        if self._checked and kept.digest != digest(step):
            raise Unreplayable(f"step {kept.step} asks something else than recorded ({now})")
        return kept


def _named(step: Send | Look | KeptAnswer) -> str:
    """A step in words, before it was answered or as it is kept with its answer."""
    if isinstance(step, Send | KeptExchange):
        how = "streamed" if step.stream else "whole"
        return f"asks in {step.dialect}, {how}, mark {step.mark or 'none'} ({step.via})"
    return f"reads {step.path} ({step.via})"


def _whole(kept: KeptAnswer, *, needed: bool) -> None:
    """Raises Unreplayable where bytes that decide are not kept."""
    where = f"the answer of step {kept.step}"
    if kept.body.withheld:
        raise Unreplayable(f"{where} was withheld: it held a secret in pieces")
    if needed and not kept.body.whole:
        raise Unreplayable(f"{where} was cut: {kept.body.cut} of {kept.body.size} bytes are not kept")
    for seen in kept.upstream if isinstance(kept, KeptExchange) else ():
        if not seen.body.whole:
            raise Unreplayable(f"what the mirror saw in step {kept.step} was cut: {seen.body.cut} bytes are not kept")


def _attempt(kept: KeptAttempt) -> Attempt:
    request = None
    if kept.request is not None:
        request = Request(path=kept.request.path, headers=(), body=kept.request.body.data)
    return Attempt(
        provider=kept.provider,
        credential=kept.credential,
        status=kept.status,
        duration=kept.duration,
        reason=kept.reason,
        request=request,
    )


def _seen(kept: KeptSeen) -> Seen:
    body = kept.body.data
    try:
        ask = DIALECTS[kept.dialect].read_ask(body, kept.path)
    except (WireError, KeyError) as error:
        raise Unreplayable(f"what the mirror saw cannot be read: {error}") from None
    return Seen(dialect=kept.dialect, model=kept.model, stream=kept.stream, ask=ask, body=body, path=kept.path)


def _played(drawn: tuple[str, ...]) -> Draw:
    """A draw that says the recorded numbers again. Raises Unreplayable where others are drawn."""
    numbers: Iterator[tuple[int, str]] = iter(enumerate(drawn, 1))

    def draw(below: int) -> int:
        at, text = next(numbers, (0, ""))
        bound, _, number = text.partition(":")
        if not at:
            raise Unreplayable("it goes on where the recorded run had come to its end")
        if int(bound, 16) != below:
            raise Unreplayable(f"draw {at} is another than recorded: a number of {below.bit_length()} bits")
        return int(number, 16)

    return draw


def _typed(value: Any, kind: type[Struct] | None, what: str) -> Any:
    if kind is None or value is None:
        return None
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise Unreplayable(f"{what} of another version: {error}") from None
