"""Plays one case: carries out the scenario's steps and keeps the exchanges as evidence."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Finding, Run, Scenario, SharedReason
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.verdict import skipped, undecided
from llm_canaries.wire.exchange import Both, Exchange, Look, Page, Play, Seen, Send, Via
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.json import WireError
from llm_canaries.wire.nonce import Draw, Drawn, noted
from llm_canaries.wire.script import MirrorGone, Script


class Withheld(Exception):
    """A step was not carried out, for one of the reasons to hold a case; the text is for people."""

    def __init__(self, reason: HoldReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Lane(Protocol):
    """Where steps go: one gateway, with its own limit of asks in flight. Either step raises Withheld."""

    async def send(self, step: Send) -> Exchange:
        """The exchange of one ask. Raises WireError where it cannot be written."""

    async def look(self, step: Look) -> Page:
        """One page."""


class Mirrored(Protocol):
    """Our mirror behind a gateway, in this process or another; both methods raise MirrorGone."""

    async def tell(self, mark: str, script: Script) -> None:
        """Has the ask that carries `mark` answered with `script`."""

    async def seen(self, mark: str) -> tuple[Seen, ...]:
        """What came under `mark`, in order of arrival."""


async def run_case(
    case: Case,
    scenario: Scenario,
    lanes: Mapping[Via, Lane],
    *,
    draw: Draw,
    now: float,
    memory: Any = None,
    mirror: Mirrored | None = None,
) -> Run:
    """The run of `case` at `now` (Unix time); `mirror` is ours, where the model leads to it."""
    if (finding := unfit(case, scenario)) is not None:
        return Run(case=case, finding=finding, started=now, answers=())
    steps, drawn = list[tuple[Exchange | Page, ...]](), list[Drawn]()
    try:
        finding = await _play(scenario.play(case, case.params, noted(draw, drawn), memory), lanes, steps, mirror)
    except WireError as error:
        finding = undecided(SharedReason.UNWRITABLE_ASK, str(error))
    except MirrorGone as error:
        finding = undecided(SharedReason.MIRROR_GONE, str(error))
    except Withheld as error:
        finding = skipped(error.reason, str(error))
    judged = _tolerant(case, finding)
    return Run(
        case=case,
        finding=judged,
        judged=judged,
        started=now,
        answers=tuple(answer for step in steps for answer in step),
        steps=tuple(map(len, steps)),
        drawn=tuple(drawn),
        remembered=memory,
    )


def unfit(case: Case, scenario: Scenario) -> Finding | None:
    """The skip of a case whose model is known not to have what the scenario needs."""
    if "vision" in scenario.needs and case.facts.vision is False:
        return skipped(SharedReason.TEXT_ONLY_MODEL, f"{case.model} takes text only")
    if "thinking" in scenario.needs and case.facts.thinking is False:
        return skipped(SharedReason.NO_THINKING, f"{case.model} does not reason")
    return None


async def _play(
    play: Play[Finding],
    lanes: Mapping[Via, Lane],
    steps: list[tuple[Exchange | Page, ...]],
    mirror: Mirrored | None,
) -> Finding:
    try:
        step = next(play)
        while True:
            each = step.steps if isinstance(step, Both) else (step,)
            tried = await asyncio.gather(*(_carry_out(one, lanes, mirror) for one in each), return_exceptions=True)
            # the answers of the others are kept where one step failed: they were paid for
            steps.append(tuple(answer for answer in tried if not isinstance(answer, BaseException)))
            for failure in tried:
                if isinstance(failure, BaseException):
                    raise failure
            step = play.send(steps[-1] if isinstance(step, Both) else steps[-1][0])
    except StopIteration as stop:
        finding: Finding = stop.value
        return finding


async def _carry_out(step: Send | Look, lanes: Mapping[Via, Lane], mirror: Mirrored | None) -> Exchange | Page:
    if isinstance(step, Look):
        return await lanes[step.via].look(step)
    if mirror is None or not step.mark:
        return await lanes[step.via].send(step)
    if step.script is not None:
        await mirror.tell(step.mark, step.script)
    exchange = await lanes[step.via].send(step)
    return replace(exchange, upstream=await mirror.seen(step.mark))


def _tolerant(case: Case, finding: Finding) -> Finding:
    """A missing endpoint is no failure where nobody said that the gateway has it."""
    if finding.reason == FaultReason.NO_ROUTE and not case.dialect_certain:
        detail = f"the gateway has no {case.dialect} endpoint ({finding.detail}); list its dialects to make it one"
        return skipped(SharedReason.NO_ENDPOINT, detail)
    return finding
