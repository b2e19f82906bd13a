"""The sidecar: cases on a schedule, what they find on the board, in the state, and at the receivers.

One event loop; the state has a thread of its own. A reload builds the new gateways aside and swaps them whole.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress

from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Finding, Outcome, Run
from llm_canaries.canary.holds import HoldReason, Holds, holds_after, listing, may_confirm
from llm_canaries.canary.ledger import Availability, Ledger
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.withheld import asks_directly, held
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.price import prices_of
from llm_canaries.service.board import Board
from llm_canaries.service.gateway_metrics import GatewayMetrics
from llm_canaries.service.loop_end import LoopEnd
from llm_canaries.service.plant import Plant, build
from llm_canaries.service.recorder import Recorder
from llm_canaries.service.schedule import Schedule
from llm_canaries.service.sending import Sending
from llm_canaries.service.settings import Settings, url_of
from llm_canaries.service.spending import Spending
from llm_canaries.service.store import Store
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.nonce import Draw

log = logging.getLogger("canaries")

CONFIRM_AFTER = 15.0  # seconds from a failure to the run that confirms it: three within a minute
CLOCK_STEP = 5.0  # seconds that the wall clock may differ from the monotonic one between two looks
RETIRE_AFTER = 120.0  # seconds that runs of the configuration before get to end


class Sidecar:
    """The running program, but for its web server, rules and notifications."""

    def __init__(self, board: Board, store: Store, clock: Clock, draw: Draw) -> None:
        self.board, self.store, self.clock, self.draw = board, store, clock, draw
        self.ledgers: dict[str, Ledger] = {}
        self.availability: dict[str, Availability] = {}
        self.rate_limits: dict[str, Ledger] = {}
        self.last_runs: dict[str, tuple[int, Run]] = {}
        self.last_failures: dict[str, tuple[int, Finding]] = {}
        self.holds = Holds()
        self.recorder = Recorder(board, clock.wall())
        self.gateway_metrics = GatewayMetrics(board)
        self.spending = Spending(store, board, clock)
        self.sending = Sending(self.spending, self.holds, self.recorder, self.gateway_metrics, clock, draw)
        self.schedule = Schedule(self.due, clock.wall)
        self.plant: Plant | None = None
        self._loop_end = LoopEnd(clock)
        self._offset = clock.wall() - clock.monotonic()
        self._retired: list[AsyncExitStack] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._under_way: set[asyncio.Task[None]] = set()

    async def build(self, settings: Settings) -> Plant:
        """The plant of `settings`, with nothing of it running yet. Raises OSError where the mirror cannot listen."""
        return await build(settings, self.clock, self._loop_end)

    async def swap(self, plant: Plant) -> list[Case]:
        """Makes `plant` the one in force; the cases that are gone."""
        before, self.plant = self.plant, plant
        self.recorder.prices = prices_of(plant.settings.config.prices)
        await self.spending.adopt(plant.settings.config, plant.assembly.mirrored, plant.cases)
        gone = [case for key, case in before.cases.items() if key not in plant.cases] if before else []
        for key in (case.key for case in gone):
            assert before is not None
            self.recorder.forget(before.cases[key])
            self.ledgers.pop(key, None)
            self.last_runs.pop(key, None)
            self.last_failures.pop(key, None)
        for name in plant.assembly.gateways:
            self.availability.setdefault(name, Availability())
            self.rate_limits.setdefault(name, Ledger())
        fresh = {key for key in plant.cases if key not in self.ledgers}
        if fresh:
            await self.store.restore(
                self.ledgers, fresh, self.availability, self.rate_limits, self.last_failures, self.clock.wall()
            )
        self.recorder.introduce(plant.cases.values())
        if before is not None:
            plant.connectivity.up = before.connectivity.up
            self._retired.append(before.stack)
            self._later(self._clear_away(), RETIRE_AFTER)
        self.refresh()
        return gone

    def begin(self) -> None:
        """Starts the schedule of the plant in force."""
        assert self.plant is not None
        self.schedule.start()
        self.reschedule()

    def reschedule(self) -> None:
        """Brings the schedule in line with the plant in force."""
        assert self.plant is not None
        self.schedule.replace(list(self.plant.cases.values()), self.plant.assembly.mirrored, self.clock.wall())

    async def due(self, key: str, at: float) -> None:
        """Runs the case `key`, due at `at` (Unix time); it goes on even when the caller is cancelled."""
        lag = self.board.histogram("llm_sidecar_schedule_lag_seconds")
        lag.observe(max(0.0, self.clock.wall() - at))
        task = self._set_out(key, confirmation=False)
        with suppress(asyncio.CancelledError):  # the schedule has stopped; the run is drain's matter
            await asyncio.wait({task})

    async def drain(self, seconds: float) -> None:
        """Waits for runs under way, at most `seconds`, then ends them; what has ended is recorded."""
        self.schedule.stop()
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def close(self) -> None:
        """Closes what the plant, and those before it, hold open."""
        await self._clear_away()
        if self.plant is not None:
            await self.plant.stack.aclose()
        await self._loop_end.close()

    async def _clear_away(self) -> None:
        while self._retired:
            await self._retired.pop(0).aclose()

    def check_clock(self) -> None:
        """Reckons the schedule anew where the wall clock was set; runs, ledgers and holds stay as they are."""
        offset = self.clock.wall() - self.clock.monotonic()
        step, self._offset = offset - self._offset, offset
        if abs(step) > CLOCK_STEP:
            log.warning("the wall clock was set by %+.0f s; the schedule is reckoned anew", step)
            self.schedule.anew()
            self.reschedule()

    def refresh(self) -> None:
        """Everything that changes by time alone: windows, holds, resets, breakers."""
        if self.plant is None:
            return
        now, monotonic = self.clock.wall(), self.clock.monotonic()
        for key, case in self.plant.cases.items():
            if (ledger := self.ledgers.get(key)) is not None:
                self.recorder.stands(case, ledger, now)
            self.recorder.held(case, self.held(case, now))
        for name, gateway in self.plant.assembly.gateways.items():
            self.recorder.available(name, self.availability[name], now)
            self.recorder.rate_limited(name, self.rate_limits[name], now)
            if isinstance(gateway, Core):
                self.gateway_metrics.breakers(name, gateway.breakers, monotonic, now)
                self.gateway_metrics.credentials(name, gateway.standings(), monotonic)
        self.gateway_metrics.refresh(now)
        if (up := self.plant.connectivity.up) is not None:
            self.board.set_named("llm_sidecar_network_up", float(up))
        self.spending.refresh(now)
        self.board.set_named("llm_sidecar_runs_in_flight", len(self._under_way))

    def held(self, case: Case, now: float) -> Mapping[HoldReason, float]:
        """What withholds runs of `case`, each with its end (Unix time)."""
        return {**self.spending.held(case, now), **held(self.holds, case, now)}

    async def _run(self, key: str, *, confirmation: bool) -> None:
        plant = self.plant
        case = plant.cases.get(key) if plant else None
        if plant is None or case is None:
            return
        if not await self._may_run(plant, case, confirmation=confirmation):
            return
        memory = await self.store.memory(case, SCENARIOS[case.scenario])
        run = await self.sending.play(plant, case, memory)
        await self.store.remember(case, SCENARIOS[case.scenario], run.finding.memory, plant.settings.redactor)
        try:
            run = await plant.attributing.of(run, self.sending.comparing(plant, case), repeat=False)
        finally:  # a program that stops meanwhile has a run all the same
            if self.plant is not None and key in self.plant.cases:
                await self._record(case, run, confirmation=confirmation)
        failed = run.finding.outcome is Outcome.FAIL and key in self.ledgers
        gentle = may_confirm(run) and not asks_directly(case)  # who asks directly asks once
        if failed and self.ledgers[key].unconfirmed and gentle:
            self._later(self._confirm(key), CONFIRM_AFTER)

    async def _may_run(self, plant: Plant, case: Case, *, confirmation: bool) -> bool:
        """Whether nothing withholds the case; a confirmation that something withholds is given up."""
        last = self.ledgers[case.key].last_decided if case.key in self.ledgers else None
        holds = await self.sending.holds_on(plant, case, last, extra=confirmation)
        if holds and not confirmation:
            self.recorder.withheld(case, holds)
        return not holds

    async def _record(self, case: Case, run: Run, *, confirmation: bool) -> None:
        now, finding = self.clock.wall(), run.finding
        ledger = self.ledgers.setdefault(case.key, Ledger())
        if finding.outcome.decided:
            failed = finding.outcome is Outcome.FAIL
            ledger.add(run.started, failed=failed, confirmation=confirmation)
            if not confirmation:
                self.availability[case.gateway].add(run.started, failed=failed)
                limited = failed and finding.reason == FaultReason.RATE_LIMITED
                self.rate_limits[case.gateway].add(run.started, failed=limited)
        self.recorder.ran(run, confirmation=confirmation)
        self.recorder.stands(case, ledger, now)
        self.gateway_metrics.answered(run, now)
        for hold in holds_after(run, now):
            self.holds.add(hold)
        if (ids := listing(run)) is not None:
            self.holds.saw(case.gateway, ids)
        assert self.plant is not None
        settings = self.plant.settings
        url = url_of(settings.config, case.gateway)
        number = await self.store.keep(run, confirmation=confirmation, redactor=settings.redactor, url=url)
        self.plant.attributing.stored(replace(run, number=number))
        self.last_runs[case.key] = (number, replace(run, twins=()))  # what they came to is in its finding
        if finding.outcome is Outcome.FAIL:
            self.last_failures[case.key] = (number, finding)

    def _set_out(self, key: str, *, confirmation: bool) -> asyncio.Task[None]:
        """A run as a task of its own, which `drain` waits for."""
        task = asyncio.create_task(self._run(key, confirmation=confirmation))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _confirm(self, key: str) -> None:
        self._set_out(key, confirmation=True)

    def _later(self, work: Coroutine[None, None, None], delay: float) -> None:
        async def wait() -> None:
            try:
                await asyncio.sleep(delay)
            except asyncio.CancelledError:
                work.close()
                raise
            await work

        task = asyncio.create_task(wait())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
