"""The state as the sidecar uses it: runs, memories, spending; a state that refuses a write stops no canary."""

import sqlite3
from collections.abc import Callable, Collection
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from llm_canaries.canary.budget import Amount, day_of
from llm_canaries.canary.canary import Case, Outcome, Run, Scenario
from llm_canaries.canary.ledger import Availability, Ledger
from llm_canaries.canary.report.evidence import evidence
from llm_canaries.config.secrets import Redactor
from llm_canaries.service.board import Board
from llm_canaries.state.database import Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.incidents import prune_incidents
from llm_canaries.state.memory import load_memory, save_memory
from llm_canaries.state.runs import RunRow, add_run, prune, read_run, runs_since
from llm_canaries.state.spending import prune_spending, spent_on, write_spent
from llm_canaries.wire.fault import FaultReason

MEMORY_VERSION = "1"
HISTORY = 30 * 86400.0  # seconds of runs kept
MOST_EVIDENCE = 64 * 1024 * 1024  # bytes of evidence kept

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """What has been found, kept on disk; `board` counts the writes that failed."""

    def __init__(self, database: Database, board: Board) -> None:
        self.database = database
        self._board = board
        self._failures = board.slot("llm_sidecar_state_write_failures_total")
        board.set(self._failures, 0)

    async def keep(self, run: Run, *, confirmation: bool, redactor: Redactor) -> int:
        """Stores `run`, with evidence unless it passed; the value is its number, 0 where it could not be stored."""
        text = None
        if run.finding.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            text = evidence(run, redactor, redactor.redact_headers)
        number = await self._try(add_run, _row(run, redactor, confirmation=confirmation), text)
        return number or 0

    async def run(self, number: int) -> tuple[RunRow, str | None] | None:
        """The stored run of that number, with its evidence."""
        return await self._try(read_run, number)

    async def spent_on(self, day: str) -> dict[str, Amount] | None:
        """What was spent on `day`, by gateway, as far as it was written down; None where it cannot be read."""
        rows = await self._try(spent_on, day)
        return None if rows is None else {gateway: Amount(*row) for gateway, row in rows.items()}

    async def spend(self, gateway: str, day: str, spent: Amount) -> bool:
        """Writes down what `gateway` has cost on `day` in all; whether it is written."""

        def written(connection: sqlite3.Connection) -> bool:
            write_spent(connection, gateway, day, (spent.requests, spent.tokens, spent.nanodollars))
            return True

        return await self._try(written) or False

    async def memory(self, case: Case, scenario: Scenario) -> Any:
        """What the scenario remembers of `case`, None where it does not, or in another form."""
        if scenario.memory is None:
            return None
        data = await self._try(load_memory, scenario.name, MEMORY_VERSION, case.key)
        try:
            return None if data is None else msgspec.json.decode(data, type=scenario.memory)
        except msgspec.DecodeError:
            return None

    async def remember(self, case: Case, scenario: Scenario, memory: Any) -> None:
        """Stores what the scenario remembers of `case` now."""
        if scenario.memory is not None and memory is not None:
            await self._try(save_memory, scenario.name, MEMORY_VERSION, case.key, msgspec.json.encode(memory))

    async def restore(
        self,
        ledgers: dict[str, Ledger],
        keys: Collection[str],
        availability: dict[str, Availability],
        rate_limits: dict[str, Ledger],
        now: float,
    ) -> None:
        """Fills the ledgers of `keys`, and what is counted of their gateways, from the stored runs."""
        rows = await self._try(runs_since, now - HISTORY) or []
        for key in keys:
            ledgers[key] = Ledger()
        for row in rows:
            if row.case not in keys or row.outcome not in (Outcome.PASS, Outcome.FAIL) or row.started > now:
                continue
            failed = row.outcome == Outcome.FAIL
            ledgers[row.case].add(row.started, failed=failed, confirmation=row.confirmation)
            if not row.confirmation and row.gateway in availability:
                availability[row.gateway].add(row.started, failed=failed)
                limited = failed and row.reason == FaultReason.RATE_LIMITED
                rate_limits[row.gateway].add(row.started, failed=limited)

    async def tidy(self, now: float) -> None:
        """Forgets what is older than the history, and evidence beyond its bound; measures the file."""
        await self._prune(now)
        self._board.set_named("llm_sidecar_state_bytes", self.database.size())

    async def _prune(self, now: float) -> None:
        def old(connection: sqlite3.Connection) -> int:
            prune_incidents(connection, before=now - HISTORY)
            prune_spending(connection, before=day_of(now - HISTORY))
            return prune(connection, before=now - HISTORY, most_evidence=MOST_EVIDENCE)

        await self._try(old)

    async def _try(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> T | None:
        try:
            return await self.database.do(function, *arguments, **named)
        except StateError:
            self._board.add(self._failures, 1)
            return None


def _row(run: Run, redactor: Redactor, *, confirmation: bool) -> RunRow:
    case, finding = run.case, run.finding
    first = run.exchanges[0] if run.exchanges else None
    return RunRow(
        case=case.key,
        canary=case.canary,
        scenario=case.scenario,
        gateway=case.gateway,
        model=case.model,
        dialect=case.dialect,
        stream=case.stream_word,
        severity=case.severity.value,
        started=run.started,
        outcome=finding.outcome.value,
        reason=str(finding.reason),
        fault_domain=finding.fault_domain.value if finding.fault_domain else None,
        detail=redactor(finding.detail),
        confirmation=confirmation,
        latency=run.latency,
        ttft=first.first_content if first else None,
        tokens=run.tokens,
    )
