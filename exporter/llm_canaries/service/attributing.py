"""Finds out whose fault a failure at a deployed gateway is: once directly, once to our own mirror, and by the network.

The table in canary/attribution.py decides; here its evidence is gathered, once in a row of failures of one reason.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.attribution import TABLE, Again, Direct, Evidence, Loop, Net, blame
from llm_canaries.canary.canary import Case, Outcome, Run, SharedReason
from llm_canaries.canary.holds import may_confirm
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.signs import again_of, direct_of, loop_of, sign_of
from llm_canaries.config.loopback import LoopbackConfig
from llm_canaries.config.schema import Config
from llm_canaries.gateways.table import KINDS
from llm_canaries.service.connectivity import Connectivity
from llm_canaries.service.providers import serves
from llm_canaries.wire.profile import ModelFacts

Replay = Callable[[Case, Any], Awaitable[Run | None]]
"""Plays a case once with a scenario's memory; None where it is withheld."""


class Witnesses(Struct, frozen=True, kw_only=True):
    """What runs made to compare a failure with came to: directly, to our own mirror, once more; `told` in words."""

    direct: Direct = Direct.NOT_RUN
    loop: Loop = Loop.NOT_RUN
    again: Again = Again.NOT_RUN
    told: tuple[str, ...] = ()


class Attributing:
    """The failures of one configuration; what was found in a row of failures is kept until it ends."""

    def __init__(self, config: Config, connectivity: Connectivity) -> None:
        self._config, self._connectivity = config, connectivity
        self._rows: dict[str, tuple[str, Witnesses]] = {}
        self._quickest: dict[str, float] = {}

    async def of(self, run: Run, replay: Replay, *, repeat: bool) -> Run:
        """`run` with the fault domain that the evidence gives it.

        `repeat`: a failure that passed directly is tried once more at the gateway; False where confirmations do so.
        """
        case, finding = run.case, run.finding
        self._note(run)
        if finding.outcome is Outcome.PASS:
            self._rows.pop(case.key, None)
        if finding.outcome is not Outcome.FAIL or finding.fault_domain is None:
            return run
        net = await self._connectivity.behind(run)
        if net is not Net.DOWN and not self._deployed(case.gateway):
            return run
        found = await self._found(run, replay, repeat=repeat) if net is not Net.DOWN else Witnesses()
        return self._judged(run, found, net)

    async def _found(self, run: Run, replay: Replay, *, repeat: bool) -> Witnesses:
        """What is known beside the answer: found out at the first failure of a row, and kept for those after it."""
        key, reason = run.case.key, str(run.finding.reason)
        last, before = self._rows.get(key, ("", Witnesses()))
        if last == reason:
            return replace(before, again=Again.FAILED)
        found = await self._inquire(run, replay, repeat=repeat)
        if found != Witnesses():
            self._rows[key] = (reason, found)
        return found

    async def _inquire(self, run: Run, replay: Replay, *, repeat: bool) -> Witnesses:
        """The runs to compare with; none where another ask could change the gateway's own state (DESIGN 5.5)."""
        case, scenario = run.case, SCENARIOS[run.case.scenario]
        own, told = self._config.gateways[case.gateway], list[str]()
        looped = own.loopback is not None and case.model == own.loopback.model
        if looped or not may_confirm(run) or str(run.finding.reason) in scenario.slow:
            return Witnesses()
        twin = again = loop = None
        if "direct" in scenario.compared and (name := self._twin(case)) is not None:
            twin = await replay(replace(case, gateway=name, twin=""), None)
            told += [f"directly, through {name}: {_came_to(twin)}"] if twin is not None else []
        if repeat and direct_of(run, twin) is Direct.PASSED:
            again = await replay(case, run.finding.memory)
        if "loopback" in scenario.compared and own.loopback is not None:
            loop = await replay(looped_back(case, own.loopback), None)
            told += [f"to our own mirror, through {case.gateway}: {_came_to(loop)}"] if loop is not None else []
        return Witnesses(direct=direct_of(run, twin), loop=loop_of(run, loop), again=again_of(again), told=tuple(told))

    def _judged(self, run: Run, found: Witnesses, net: Net) -> Run:
        case, finding = run.case, run.finding
        assert finding.fault_domain is not None
        verdict = blame(
            Evidence(
                own=finding.fault_domain,
                sign=sign_of(run, self._quickest.get(case.gateway)),
                direct=found.direct,
                loop=found.loop,
                again=found.again,
                net=net,
            )
        )
        if verdict.rule is TABLE[-1]:
            return run
        alone = f"at {case.gateway}: failed with {finding.reason}, by itself a matter of: {finding.fault_domain}"
        once_more = {Again.FAILED: "failed", Again.PASSED: "passed"}.get(found.again)
        others = {Net.OK: "other hosts can be reached", Net.DOWN: "other hosts cannot be reached"}.get(net)
        said = (alone, *found.told, once_more and f"once more at {case.gateway}: {once_more}", others, verdict.sentence)
        detail = "; ".join(each for each in (finding.detail, verdict.sentence) if each)
        because = (*finding.because, *(each for each in said if each))
        judged = replace(finding, fault_domain=verdict.domain, detail=detail, because=because)
        if net is Net.DOWN:
            told = f"{finding.reason}: {detail}"
            judged = replace(judged, outcome=Outcome.INCONCLUSIVE, reason=SharedReason.OWN_NETWORK, detail=told)
        return replace(run, finding=judged)

    def _twin(self, case: Case) -> str | None:
        """The twin of the case's gateway, where it leads the model anywhere."""
        name = self._config.gateways[case.gateway].twin
        return name if name is not None and serves(self._config.gateways[name], case.model) else None

    def _note(self, run: Run) -> None:
        """Remembers the quickest answer of a gateway: what comes much sooner has not been to a provider."""
        for exchange in run.exchanges:
            if exchange.fault is None and exchange.send.via == "gateway":
                before = self._quickest.get(run.case.gateway, exchange.duration)
                self._quickest[run.case.gateway] = min(before, exchange.duration)

    def _deployed(self, gateway: str) -> bool:
        return KINDS[self._config.gateways[gateway].kind].deployed


def looped_back(case: Case, loop: LoopbackConfig) -> Case:
    """The same case where our own mirror answers behind the gateway."""
    facts = ModelFacts(vision=loop.vision, thinking=loop.thinking)
    return replace(case, model=loop.model, upstream=loop.upstream or "", mirror="loopback", facts=facts, twin="")


def _came_to(run: Run) -> str:
    finding = run.finding
    if finding.outcome is Outcome.PASS:
        return "passed"
    words = {Outcome.FAIL: "failed with", Outcome.INCONCLUSIVE: "undecided,", Outcome.SKIP: "skipped,"}
    return f"{words[finding.outcome]} {finding.reason}" + (f": {finding.detail}" if finding.detail else "")
