"""`canaries serve`: starts everything in order, keeps it going, reloads it, and stops it without losing a run."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version

from aiohttp import web

from llm_canaries.canary.attribution import Net
from llm_canaries.config.problems import ConfigError
from llm_canaries.config.twins import host_of
from llm_canaries.gateways.table import KINDS
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.server.listening import listening
from llm_canaries.proxy.server.log import server_log
from llm_canaries.service.alerting import TICK, Alerting
from llm_canaries.service.app import Sidecar
from llm_canaries.service.board import Board
from llm_canaries.service.collector import collector_paused, quieten_collector
from llm_canaries.service.http import Web, standby_app
from llm_canaries.service.query import answering
from llm_canaries.service.settings import Settings, read_settings, state_folder
from llm_canaries.service.store import Store
from llm_canaries.state.database import Database
from llm_canaries.state.errors import Locked
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look
from llm_canaries.wire.nonce import Draw

LIVENESS_EVERY = 30.0
TIDY_EVERY = 3600.0
STANDBY_EVERY = 5.0  # seconds between two tries for the lock of the state
DRAIN = 3.0  # seconds that runs under way get when the program stops

log = logging.getLogger("canaries")


class Server:
    """The whole program; `stop` ends it."""

    def __init__(self, path: str | None, environ: Mapping[str, str], clock: Clock, draw: Draw) -> None:
        self._path, self._environ, self._clock, self._draw = path, environ, clock, draw
        self.board = Board()
        self.stop = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._reloading = asyncio.Lock()
        self.sidecar: Sidecar | None = None
        self.alerting: Alerting | None = None

    async def run(self) -> None:
        """Serves until `stop`. Raises ConfigError, StateError, or OSError where the address is taken."""
        settings = read_settings(self._path, self._environ)
        self._on_signals()
        self._loaded(self._clock.wall())
        self.board.set_named("llm_sidecar_build_info", 1, version=version("llm-canaries"))
        async with AsyncExitStack() as stack:
            database = await self._database(settings)
            if database is None:
                return
            stack.push_async_callback(database.close)
            await self._run(settings, database, stack)

    async def reload(self) -> str:
        """Parses the configuration aside and swaps it in whole; the problems, empty where there are none."""
        async with self._reloading:
            try:
                settings = read_settings(self._path, self._environ)
                assert self.sidecar is not None and self.alerting is not None
                with collector_paused():
                    rules = await asyncio.to_thread(self.alerting.parse, settings)
                plant = await self.sidecar.build(settings)
            except ConfigError as error:
                return self._refused("\n".join(str(problem) for problem in error.problems))
            except OSError as error:
                return self._refused(str(error))
            gone = await self.sidecar.swap(plant)
            await self.alerting.replace(settings, rules, gone)
            self.sidecar.reschedule()
            self._loaded(self._clock.wall())
            log.info("reloaded cases=%d", len(plant.cases))
            return ""

    def _refused(self, told: str) -> str:
        """The configuration before stays in force; the value is for whoever asked to reload."""
        self.board.set_named("llm_sidecar_config_last_reload_successful", 0)
        log.error("reload refused, the configuration before it stays in force:\n%s", told)
        return told + "\n"

    async def _database(self, settings: Settings) -> Database | None:
        """The state, once this is the active instance; None where the program was stopped as a standby."""
        folder = state_folder(settings.config, self._environ)
        async with AsyncExitStack() as standby:
            standing_by = False
            while not self.stop.is_set():
                try:
                    database = await asyncio.to_thread(Database.open, folder)
                except Locked as error:
                    if not standing_by:
                        log.warning("standing by: %s", error)
                        self.board.set_named("llm_sidecar_active", 0)
                        await self._listen(settings.config.server.listen, standby_app(self.board), standby)
                    standing_by = True
                    await _within(STANDBY_EVERY, self.stop)
                    continue
                self.board.set_named("llm_sidecar_active", 1)
                return database
        return None

    async def _run(self, settings: Settings, database: Database, stack: AsyncExitStack) -> None:
        store = Store(database, self.board)
        self.sidecar = sidecar = Sidecar(self.board, store, self._clock, self._draw)
        self.alerting = alerting = Alerting(sidecar, database, self._clock, self._draw)
        rules = await asyncio.to_thread(alerting.parse, settings)
        await sidecar.swap(await sidecar.build(settings))
        stack.push_async_callback(sidecar.close)
        await alerting.start(settings, rules)
        stack.push_async_callback(alerting.close)
        pages = Web(sidecar, reload=self.reload, alerts=alerting.shown, incidents=alerting.open)
        app = pages.app()
        app.router.add_get("/api/v1/query", answering(alerting.ask))
        where = await self._listen(settings.config.server.listen, app, stack)
        alerting.where = where
        await store.tidy(self._clock.wall())
        await alerting.tick()
        sidecar.begin()
        pages.ready = True
        quieten_collector()
        cases = len(sidecar.plant.cases) if sidecar.plant else 0
        log.info("ready url=%s cases=%d state=%s", where, cases, database.file)
        await self._keep_going(sidecar, alerting, store)
        log.info("stopping")
        await sidecar.drain(DRAIN)

    async def _keep_going(self, sidecar: Sidecar, alerting: Alerting, store: Store) -> None:
        async def tidy() -> None:
            await store.tidy(self._clock.wall())

        loops = [
            asyncio.create_task(_every(TICK, alerting.tick)),
            asyncio.create_task(_every(LIVENESS_EVERY, self._liveness, at_once=True)),
            asyncio.create_task(_every(TIDY_EVERY, tidy)),
            asyncio.create_task(self._reload_when_asked()),
        ]
        stopped = asyncio.create_task(self.stop.wait())
        try:
            done, _ = await asyncio.wait([*loops, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a loop ends only by an error, which is told and ends the program
        finally:
            for task in [*loops, stopped]:
                task.cancel()
            await asyncio.gather(*loops, stopped, return_exceptions=True)

    async def _liveness(self) -> None:
        """Asks every deployed gateway for its model list: any answer below 500 is a sign of life."""
        assert self.sidecar is not None
        plant = self.sidecar.plant
        if plant is None:
            return
        await plant.connectivity.look_again()
        for name, config in plant.settings.config.gateways.items():
            alive, net = True, Net.UNKNOWN
            if KINDS[config.kind].deployed:
                page = await plant.lanes[name]["gateway"].look(Look(path=DIALECTS["openai_chat"].models_path))
                alive = page.status is not None and page.status < 500
                net = await plant.connectivity.blames(host_of(config.url or ""), page.fault)
            if self.sidecar.plant is plant and net is not Net.DOWN:  # else it stays what it was
                self.sidecar.gateway_metrics.up(name, config.kind, alive=alive)

    async def _listen(self, address: str, app: web.Application, stack: AsyncExitStack) -> str:
        host, _, port = address.rpartition(":")
        runner = web.AppRunner(app, access_log=None, logger=server_log(), shutdown_timeout=0.5)
        return await stack.enter_async_context(listening(runner, host.strip("[]"), int(port)))

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)

    async def _reload_when_asked(self) -> None:
        """Any number of signals while one reload is under way are one more reload."""
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            await self.reload()

    def _loaded(self, now: float) -> None:
        self.board.set_named("llm_sidecar_config_last_reload_successful", 1)
        self.board.set_named("llm_sidecar_config_last_reload_success_timestamp_seconds", now)


async def _every(seconds: float, work: Callable[[], Awaitable[None]], *, at_once: bool = False) -> None:
    """Does `work` in a fixed rhythm; a slow turn does not shift the later ones."""
    loop = asyncio.get_running_loop()
    due = loop.time() + (0.0 if at_once else seconds)
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        await work()
        due = max(due + seconds, loop.time())


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
