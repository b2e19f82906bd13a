"""Opens the gateways of an order of cases and plays runs there; no scheduler, no server of its own."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Run, Scenario
from llm_canaries.canary.run import Lane, run_case
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.schema import Config
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.gateway import Gateway
from llm_canaries.service.assembly import Assembly, assemble
from llm_canaries.service.attributing import Asking, Attributing, Replay, Witnesses
from llm_canaries.service.client_env import Surround, in_environment
from llm_canaries.service.connectivity import Connectivity
from llm_canaries.service.control import at_own_mirror
from llm_canaries.service.lane import Lanes, in_flight, lanes
from llm_canaries.wire.exchange import Via
from llm_canaries.wire.nonce import Draw


class Order(Struct, frozen=True, kw_only=True):
    """What to run: the cases of `config`, how often, and how many at once at one gateway (None: as is kind).

    `bend` stands between the cases and every gateway: how a fault is put into a core that has none. `attribution`:
    whether failures are asked about by other ways; `afterwards`: by `Playing.asked_about` alone, not run by run.
    `wait`: seconds in all that each gateway is waited for while it wants no asks; None where that is not heeded, for
    such answers were ordered. `keeper` keeps the runs, and is closed when they have ended. `paid` makes of the ways to
    a case's gateway those on which each step is paid for.
    """

    config: Config
    cases: Sequence[Case]
    repeat: int = 1
    concurrency: int | None = None
    bend: Callable[[Gateway], Gateway] = lambda gateway: gateway
    attribution: bool = False
    afterwards: bool = False
    wait: float | None = None
    keeper: "Keeping | None" = None
    paid: Callable[[Case, Lanes], Mapping[Via, Lane]] = lambda case, ways: ways


class Keeping(Protocol):
    """Where runs and memories are kept; a refusal is its own matter."""

    async def memory(self, case: Case, scenario: Scenario) -> Any:
        """What the scenario remembers of `case`, None where it does not."""

    async def keep(self, run: Run, scenario: Scenario) -> int:
        """The number under which `run` is kept, 0 where it is not."""

    async def amend(self, run: Run) -> None:
        """The run that is kept under the number of `run` is to be this one."""

    async def close(self) -> None:
        """Nothing more is to be kept."""


@asynccontextmanager
async def playing(
    order: Order,
    *,
    clock: Clock,
    redact: Callable[[str], str],
    report: Callable[[Run], None] = lambda run: None,
    learn: Callable[[str], None] = lambda secret: None,
) -> AsyncIterator["Playing"]:
    """The gateways of the order's cases, open for runs."""
    async with AsyncExitStack() as stack:
        if order.keeper is not None:
            stack.push_async_callback(order.keeper.close)
        wanted = {case.gateway for case in order.cases}
        assembly = await assemble(stack, order.config, wanted, clock, learn)
        ways = lanes(assembly, clock, concurrency=order.concurrency, bend=order.bend)
        attributing = Attributing(order.config, Connectivity(order.config, clock)) if order.attribution else None
        surround = partial(in_environment, config=order.config, clock=clock, learn=learn)
        yield Playing(order, assembly, ways, clock, redact, report, surround, attributing)


class Playing:
    """Gateways at work: plays runs of cases."""

    def __init__(
        self,
        order: Order,
        assembly: Assembly,
        ways: Mapping[str, Lanes],
        clock: Clock,
        redact: Callable[[str], str],
        report: Callable[[Run], None],
        surround: Surround,
        attributing: Attributing | None,
    ) -> None:
        self._order, self._assembly, self._ways = order, assembly, ways
        self._clock, self._redact, self._report = clock, redact, report
        self._surround, self._attributing, self._keeper = surround, attributing, order.keeper

    def width(self, gateway: str) -> int:
        """How many asks `gateway` gets at once."""
        return in_flight(self._assembly, gateway, self._order.concurrency)

    async def run(self, case: Case, draw: Draw, memory: Any) -> Run:
        """One run, kept and reported, with secrets taken out of its finding.

        Without `memory` it goes on from what is remembered.
        """
        scenario = SCENARIOS[case.scenario]
        if memory is None and self._keeper is not None:
            memory = await self._keeper.memory(case, scenario)
        run = await self.once(case, draw, memory)
        if self._attributing is not None and self._order.afterwards:
            run = await self._attributing.alone(run)
        elif self._attributing is not None:
            run = await self._attributing.of(run, self._asking(self._replaying(draw), draw), repeat=True)
        number = await self._keeper.keep(run, scenario) if self._keeper is not None else 0
        run = replace(run, number=number)
        if self._attributing is not None:
            self._attributing.stored(run)
        safe = self._told(run)
        self._report(safe)
        return safe

    async def asked_about(self, failures: Sequence[Run], replay: Replay, draw: Draw, known: Witnesses) -> list[Run]:
        """`failures`, all of one case for one reason, with whose fault it is; the first is asked about by `replay`."""
        if self._attributing is None:
            return list(failures)
        judged = await self._attributing.afterwards(failures, self._asking(replay, draw), known)
        for run in judged:
            if run.number and self._keeper is not None:
                await self._keeper.amend(run)
        return [self._told(run) for run in judged]

    async def once(self, case: Case, draw: Draw, memory: Any) -> Run:
        """One run, neither kept nor reported."""
        async with self._surround(case, self._ways[case.gateway]) as (case, ways):
            return await run_case(
                case,
                SCENARIOS[case.scenario],
                self._order.paid(case, ways),
                draw=draw,
                now=self._clock.wall(),
                memory=memory,
                mirror=self._assembly.mirror_behind(case.gateway, case.model),
            )

    def _replaying(self, draw: Draw) -> Replay:
        return lambda case, memory: self.once(case, draw, memory)

    def _asking(self, replay: Replay, draw: Draw) -> Asking:
        return Asking(replay, partial(at_own_mirror, clock=self._clock, draw=draw))

    def _told(self, run: Run) -> Run:
        finding = run.finding
        because = tuple(self._redact(each) for each in finding.because)
        return replace(run, finding=replace(finding, detail=self._redact(finding.detail), because=because))
