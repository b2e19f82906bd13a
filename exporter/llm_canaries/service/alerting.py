"""From rules to receivers: what fires becomes incidents, their flips are stored with their messages, then delivered."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from llm_canaries.alerts.heartbeat import Heartbeat
from llm_canaries.alerts.incident import Flip, Incident, advance
from llm_canaries.alerts.outbox import Outbox
from llm_canaries.alerts.receivers import Outcome, check, receivers_of
from llm_canaries.alerts.rows import Told
from llm_canaries.alerts.text import Facts, body, title
from llm_canaries.canary.canary import Case, Finding
from llm_canaries.canary.explain import Page, read_pages
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.transport import new_session
from llm_canaries.rules.promql.parse import parse
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import Vector
from llm_canaries.service.app import Sidecar
from llm_canaries.service.recorder import case_labels
from llm_canaries.service.rule_files import read_groups
from llm_canaries.service.rule_memory import RuleMemory
from llm_canaries.service.rulebook import Evaluated, Rulebook
from llm_canaries.service.settings import Settings
from llm_canaries.state.database import Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.incidents import dropped, pending
from llm_canaries.wire.nonce import Draw

TICK = 15.0  # seconds between two samples for the rules (DESIGN 4)

log = logging.getLogger("canaries")


class Alerting:
    """Rules, incidents and deliveries of one sidecar."""

    def __init__(self, sidecar: Sidecar, database: Database, clock: Clock, draw: Draw) -> None:
        self._sidecar, self._database, self._clock, self._draw = sidecar, database, clock, draw
        self._board = sidecar.board
        self._rules: Rulebook | None = None
        self._incidents: dict[str, Incident] = {}
        self._outbox: Outbox | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._pages: Mapping[str, Page] = read_pages()
        self.where = "http://127.0.0.1:9877"
        self._removed: list[dict[str, str]] = []
        self._buried: dict[str, int] | None = None
        self._ticking = asyncio.Lock()
        self._memory = RuleMemory(database)
        self._receives = False

    def parse(self, settings: Settings) -> Rulebook | None:
        """The rules of `settings`, None where a Prometheus evaluates them. Raises ConfigError for any problem.

        It takes a second for thousands of rules, and touches nothing: the caller has a thread for it.
        """
        source = settings.source or "embedded default"
        problems = [
            Problem(source, 1, f"receiver `{name}`: the URL {wrong}")
            for name, receiver in receivers_of(settings.config).items()
            if (wrong := check(receiver.url)) is not None
        ]
        rules = None
        if settings.config.rules.evaluate:
            try:
                rules = Rulebook(read_groups(settings.config.rules), TICK, self._clock.monotonic)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return rules

    async def start(self, settings: Settings, rules: Rulebook | None) -> None:
        """Takes up the incidents a former process left open, and begins to deliver."""
        await self._deliver_to(settings)
        if self._outbox is not None:
            self._incidents = await self._outbox.open_incidents()
        self._rules = rules
        if rules is not None:
            await self._memory.restore(rules, self._clock.wall())

    async def replace(self, settings: Settings, rules: Rulebook | None, gone: list[Case]) -> None:
        """Puts new rules and receivers in force; incidents of cases that are gone close as removed."""
        async with self._ticking:
            if rules is not None and self._rules is not None:
                rules.take_over(self._rules)
            self._rules = rules
            self._removed = [case_labels(case) for case in gone]
            await self._stop_delivering()
            await self._deliver_to(settings)
        await self.tick()

    async def tick(self) -> None:
        """One evaluation of all rules, and what follows from it."""
        self._sidecar.check_clock()
        self._sidecar.refresh()
        async with self._ticking:
            self._revive()
            now = self._clock.wall()
            found = await self._evaluate(now)
            removed = self._is_removed if self._rules is not None else lambda labels: True
            after, flips = advance(
                self._incidents, found.firings, unknown=found.unknown, removed=removed, now=now
            )
            if await self._post(flips):
                self._incidents = after
                self._removed = []
            await self._count()
            if self._rules is not None:
                await self._memory.save(self._rules, now)

    async def _evaluate(self, now: float) -> Evaluated:
        """What the rules say at `now`; in a thread, so that no probe waits for them."""
        rules = self._rules
        if rules is None:
            return Evaluated([], frozenset())
        rules.sample(self._board, now)
        found = await asyncio.to_thread(rules.evaluate, now)
        rules.report(self._board)
        for problem in found.problems:
            log.warning("rule %s of group %s failed: %s", problem.rule, problem.group, problem.message)
        return found

    async def ask(self, expression: str) -> tuple[float, Vector]:
        """What an expression is at the last sample, and when that was. Raises Refused and EvaluationError."""
        plan = parse(expression)
        async with self._ticking:
            if self._rules is None:
                raise EvaluationError("no rules are evaluated here, so nothing is sampled")
            now = self._clock.wall()
            return now, await asyncio.to_thread(self._rules.ask(now).vector, plan)

    def shown(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing, for people."""
        return self._rules.shown() if self._rules is not None else []

    def open(self) -> list[tuple[Incident, Facts]] | None:
        """The open incidents with what is known of them; None where a Prometheus evaluates the rules."""
        if self._rules is None:
            return None
        return [(incident, self._facts(incident)) for incident in self._incidents.values()]

    async def close(self) -> None:
        """Stops delivering; what waits, waits in the state, and so does what the rules know."""
        await self._stop_delivering()
        async with self._ticking:
            if self._rules is not None:
                await self._memory.save(self._rules, self._clock.wall(), all_of_it=True)

    async def _post(self, flips: tuple[Flip, ...]) -> bool:
        """Whether the flips are stored; if not, the same flips come again at the next evaluation."""
        if not flips:
            return True
        assert self._outbox is not None
        told = [Told(flip, title(flip), body(flip, self._facts(flip.incident))) for flip in flips]
        try:
            await self._outbox.post(told)
        except StateError as error:
            log.error("flips could not be stored and will be tried again: %s", error)
            return False
        for each in told:
            log.warning("%s %s", each.flip.kind.value, each.title)
        return True

    def _facts(self, incident: Incident) -> Facts:
        """What the ledger and the last run know of the case that the incident is about."""
        key, case = self._case(incident.labels)
        if case is None:
            return Facts()
        ledger = self._sidecar.ledgers.get(key)
        tally = ledger.tally("recent", self._clock.wall()) if ledger is not None else None
        number, finding = self._telling(key) if tally is None or tally.failures else self._last(key)
        reason = str(finding.reason) if finding is not None else ""
        page = self._pages.get(reason)
        return Facts(
            failures=tally.failures if tally is not None else None,
            runs=tally.runs if tally is not None else None,
            lower=tally.lower if tally is not None else None,
            reason=reason,
            domain=str(finding.fault_domain or "") if finding is not None else "",
            why=finding.because[-1] if finding is not None and finding.because else "",
            first_step=page.check[0] if page is not None else "",
            evidence_command=f"canaries evidence {number} --url {from_here(self.where)}" if number else "",
        )

    def _telling(self, key: str) -> tuple[int, Finding | None]:
        """The number and the finding of the case's last failure, or of its last run where none is known."""
        return self._sidecar.last_failures.get(key) or self._last(key)

    def _last(self, key: str) -> tuple[int, Finding | None]:
        number, run = self._sidecar.last_runs.get(key, (0, None))
        return number, run.finding if run is not None else None

    def _case(self, labels: Mapping[str, str]) -> tuple[str, Case | None]:
        """The first case that the labels are about; labels that name no canary are about a gateway or more."""
        plant = self._sidecar.plant
        if plant is None or "canary" not in labels:
            return "", None
        for key, case in plant.cases.items():
            if all(labels.get(name, value) == value for name, value in case_labels(case).items()):
                return key, case
        return "", None

    def _is_removed(self, labels: Mapping[str, str]) -> bool:
        return any(all(labels.get(name) == value for name, value in gone.items()) for gone in self._removed)

    async def _deliver_to(self, settings: Settings) -> None:
        config = settings.config
        for name in config.receivers:
            for outcome in Outcome:
                self._sent(name, outcome.value, 0)
        self._receives = bool(config.receivers)  # with none, delivering ends at once
        self._outbox = Outbox(
            self._database, receivers_of(config), clock=self._clock, draw=self._draw, on_result=self._sent
        )
        self._tasks = [asyncio.create_task(self._outbox.run())]
        if config.heartbeat is not None:
            beat = config.heartbeat
            self._tasks.append(asyncio.create_task(self._beat(beat.url.get_secret_value(), beat.every)))

    async def _stop_delivering(self) -> None:
        if self._outbox is not None:
            self._outbox.stop()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _beat(self, url: str, every: float) -> None:
        async with new_session() as session:
            await Heartbeat(session, url, every=every, well=lambda: not self._incidents).run()

    def _revive(self) -> None:
        """Starts delivering anew where it ended by an error: a message must not wait for somebody to look."""
        if self._outbox is not None and self._receives and self._tasks and self._tasks[0].done():
            error = None if self._tasks[0].cancelled() else self._tasks[0].exception()
            log.error("deliveries had ended and are started anew: %r", error)
            self._tasks[0] = asyncio.create_task(self._outbox.run())

    def _sent(self, receiver: str, outcome: str, count: int = 1) -> None:
        slot = self._board.slot("llm_sidecar_notifications_total", receiver=receiver, outcome=outcome)
        self._board.add(slot, count)

    async def _count(self) -> None:
        for level in ("warning", "critical"):
            count = sum(incident.level == level for incident in self._incidents.values())
            self._board.set_named("llm_sidecar_incidents", count, level=level)
        try:
            waiting = await self._database.do(pending)
            buried = await self._database.do(dropped)
        except StateError:
            return
        for name, number in buried.items():
            if self._buried is not None and number > self._buried.get(name, 0):
                slot = self._board.slot("llm_sidecar_notifications_total", receiver=name, outcome="dead")
                self._board.add(slot, number - self._buried.get(name, 0))
        self._buried = buried
        now = self._clock.wall()
        plant = self._sidecar.plant
        for name in plant.settings.config.receivers if plant is not None else ():
            count, oldest = waiting.get(name, (0, now))
            self._board.set_named("llm_sidecar_notification_pending", count, receiver=name)
            self._board.set_named("llm_sidecar_notification_oldest_seconds", max(0.0, now - oldest), receiver=name)


def from_here(where: str) -> str:
    """The address of a server as it is asked on the same machine: nobody is asked at "any address"."""
    return where.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
