"""Finds out whose fault a failure at a deployed gateway is: once directly, once to our own mirror, and by the network.

The table in canary/attribution.py decides; here its evidence is gathered, once in a row of failures of one reason.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.attribution import TABLE, Again, Base, Direct, Evidence, Loop, Net, blame
from llm_canaries.canary.canary import Attributed, Case, Outcome, Run, SharedReason, Twin, Way
from llm_canaries.canary.holds import may_confirm
from llm_canaries.canary.report.evidence import moment
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.signs import direct_of, loop_of, sign_of, witnessed
from llm_canaries.config.loopback import LoopbackConfig
from llm_canaries.config.schema import Config
from llm_canaries.gateways.table import KINDS
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.service.connectivity import Connectivity
from llm_canaries.service.providers import serves, spoken_by
from llm_canaries.wire.profile import ModelFacts

Replay = Callable[[Case, Any], Awaitable[Run | None]]
"""Plays a case once with a scenario's memory; None where it is withheld."""
Control = Callable[[Case], Awaitable[Run]]
"""Plays a case once at our own mirror, without any gateway."""


class Asking(Struct, frozen=True):
    """How runs to compare with are made."""

    replay: Replay
    control: Control


class Witnesses(Struct, frozen=True, kw_only=True):
    """What runs made to compare a failure with came to: in words of the table, in sentences, and the runs.

    `where` is what people call the gateway that failed, empty where it is its name.
    """

    direct: Direct = Direct.NOT_RUN
    loop: Loop = Loop.NOT_RUN
    again: Again = Again.NOT_RUN
    base: Base = Base.NOT_RUN
    told: tuple[str, ...] = ()
    twins: tuple[Twin, ...] = ()
    where: str = ""


class Attributing:
    """The failures of one configuration; what was found in a row of failures is kept until it ends."""

    def __init__(self, config: Config, connectivity: Connectivity) -> None:
        self._config, self._connectivity = config, connectivity
        self._rows: dict[str, tuple[str, Witnesses]] = {}
        self._began: dict[str, str] = {}
        self._quickest: dict[str, float] = {}

    async def alone(self, run: Run) -> Run:
        """`run` with what its own answer and our network say of whose fault it is; nobody is asked."""
        self._note(run)
        if run.finding.outcome is not Outcome.FAIL or run.finding.fault_domain is None:
            return run
        net = await self._connectivity.behind(run)
        if net is not Net.DOWN and not self._deployed(run.case.gateway):
            return run
        return _judged(run, Witnesses(), net, self._quickest.get(run.case.gateway))

    async def of(self, run: Run, asking: Asking, *, repeat: bool) -> Run:
        """`run` with the fault domain that the evidence gives it.

        `repeat`: a failure that passed directly is tried once more at the gateway; False where confirmations do so.
        """
        if run.finding.outcome is Outcome.PASS:
            self._rows.pop(run.case.key, None)
        alone = await self.alone(run)
        if alone.attributed is None or alone.attributed.evidence.net is Net.DOWN:
            return alone
        found = await self._found(run, asking, repeat=repeat)
        return _judged(run, found, alone.attributed.evidence.net, alone.attributed.quickest)

    def stored(self, run: Run) -> None:
        """`run` has its number now; if it has the twins of a row, later failures of that row name it."""
        if run.twins and run.number:
            self._began[run.case.key] = f"that was found at the first failure of this row, run {run.number}"

    async def afterwards(self, failures: Sequence[Run], asking: Asking, known: Witnesses) -> list[Run]:
        """`failures`, all of one case for one reason and judged alone so far, with the domain that the evidence gives.

        The first of them is asked about; `known` is what is known of them already.
        """
        first = next((each for each in failures if each.attributed is not None), None)
        if first is None:
            return list(failures)
        found = await self._inquire(first, asking, repeat=True, where=known.where)
        found = replace(found, base=known.base, told=(*known.told, *found.told), where=known.where)
        where = f", run {first.number}" if first.number else ""
        told = (*found.told, f"that was found at the first of these failures{where}") if found.twins else found.told
        later, judged = replace(found, told=told, twins=()), []
        for run in failures:
            own, before = replace(run, finding=run.judged or run.finding), run.attributed
            if before is not None and before.evidence.net is not Net.DOWN:
                own = _judged(own, found if run is first else later, before.evidence.net, before.quickest)
            judged.append(own)
        return judged

    async def _found(self, run: Run, asking: Asking, *, repeat: bool) -> Witnesses:
        """What is known beside the answer: found out at the first failure of a row, and kept for those after it."""
        key, reason = run.case.key, str(run.finding.reason)
        last, before = self._rows.get(key, ("", Witnesses()))
        if last == reason:
            told = (*before.told, self._began[key], f"once more at {run.case.gateway}: failed")
            return replace(before, again=Again.FAILED, told=told)
        found = await self._inquire(run, asking, repeat=repeat)
        if found != Witnesses():
            told = tuple(each for each in found.told if not each.startswith("once more"))
            self._rows[key] = (reason, replace(found, told=told, twins=()))
            self._began[key] = f"that was found at the first failure of this row, {moment(run.started)}"
        return found

    async def _inquire(self, run: Run, asking: Asking, *, repeat: bool, where: str = "") -> Witnesses:
        """The runs to compare with; none where another ask could change the gateway's own state (DESIGN 5.5)."""
        case, scenario = run.case, SCENARIOS[run.case.scenario]
        if not may_confirm(run) or str(run.finding.reason) in scenario.slow | scenario.alone:
            return Witnesses()
        loop, twins, told = self._config.gateways[case.gateway].loopback, dict[Way, Run](), list[str]()
        itself = loop is not None and case.model in loop.models  # our own mirror has answered that already

        async def ask(way: Way, where: str, case: Case, memory: Any = None) -> None:
            made = await (asking.control(case) if way == "control" else asking.replay(case, memory))
            if made is not None:
                twins[way] = made
                same = way == "again" and made.finding.reason == run.finding.reason
                told.append(f"{where}: {'failed' if same else _came_to(made)}")

        if "direct" in scenario.compared and not itself and (name := self._twin(case)) is not None:
            await ask("direct", f"directly, through {name}", replace(case, gateway=name, twin=""))
        if repeat and direct_of(run, twins.get("direct")) is Direct.PASSED:
            await ask("again", f"once more at {where or case.gateway}", case, run.finding.memory)
        if "loopback" in scenario.compared and loop is not None:
            behind = looped_back(case, loop, self._spoken(case))
            if not itself:
                await ask("loop", f"to our own mirror, through {where or case.gateway}", behind)
            if itself or loop_of(run, twins.get("loop")) is Loop.FAILED:
                await ask("control", "at our own mirror, without any gateway", behind)
        direct, looped, again = witnessed(run, twins)
        kept = tuple(Twin(way, made) for way, made in twins.items())
        return Witnesses(direct=direct, loop=looped, again=again, told=tuple(told), twins=kept)

    def _twin(self, case: Case) -> str | None:
        """The twin of the case's gateway, where it leads the model anywhere."""
        name = self._config.gateways[case.gateway].twin
        return name if name is not None and serves(self._config.gateways[name], case.model) else None

    def _spoken(self, case: Case) -> Sequence[str]:
        """The dialects in which the case's provider can be asked, as far as the twin tells."""
        name = self._config.gateways[case.gateway].twin
        return () if name is None else spoken_by(self._config.gateways[name], case.model, read_profiles())

    def _note(self, run: Run) -> None:
        """Remembers the quickest answer of a gateway: what comes much sooner has not been to a provider."""
        for exchange in run.exchanges:
            if exchange.fault is None and exchange.send.via == "gateway":
                before = self._quickest.get(run.case.gateway, exchange.duration)
                self._quickest[run.case.gateway] = min(before, exchange.duration)

    def _deployed(self, gateway: str) -> bool:
        return KINDS[self._config.gateways[gateway].kind].deployed


def _judged(run: Run, found: Witnesses, net: Net, quickest: float | None) -> Run:
    """`run` with the verdict of the table."""
    case, finding = run.case, run.finding
    assert finding.fault_domain is not None
    evidence = Evidence(
        own=finding.fault_domain,
        sign=sign_of(run, quickest),
        direct=found.direct,
        loop=found.loop,
        again=found.again,
        base=found.base,
        net=net,
    )
    verdict = blame(evidence)
    run = replace(run, attributed=Attributed(evidence=evidence, quickest=quickest), twins=found.twins)
    if verdict.rule is TABLE[-1]:
        return run
    where = found.where or case.gateway
    alone = f"at {where}: failed with {finding.reason}, by itself a matter of: {finding.fault_domain}"
    others = {Net.OK: "other hosts can be reached", Net.DOWN: "other hosts cannot be reached"}.get(net)
    detail = "; ".join(each for each in (finding.detail, verdict.sentence) if each)
    because = (*finding.because, alone, *found.told, *([others] if others else []), verdict.sentence)
    judged = replace(finding, fault_domain=verdict.domain, detail=detail, because=because)
    if net is Net.DOWN:
        told = f"{finding.reason}: {detail}"
        judged = replace(judged, outcome=Outcome.INCONCLUSIVE, reason=SharedReason.OWN_NETWORK, detail=told)
    return replace(run, finding=judged)


def looped_back(case: Case, loop: LoopbackConfig, spoken: Sequence[str] = ()) -> Case:
    """The same case where our own mirror answers behind the gateway, by the door for its provider's dialect.

    `spoken` are the dialects in which the provider can be asked: each has a translator of its own in a gateway.
    """
    facts = ModelFacts(vision=loop.vision, thinking=loop.thinking)
    door = loop.doors.get(spoken[0]) if len(spoken) == 1 else None
    model = case.model if case.model in loop.models else door or loop.model
    return replace(case, model=model, upstream=loop.upstream or "", mirror="loopback", facts=facts, twin="")


def _came_to(run: Run) -> str:
    finding = run.finding
    if finding.outcome is Outcome.PASS:
        return "passed"
    words = {Outcome.FAIL: "failed with", Outcome.INCONCLUSIVE: "undecided,", Outcome.SKIP: "skipped,"}
    return f"{words[finding.outcome]} {finding.reason}" + (f": {finding.detail}" if finding.detail else "")
