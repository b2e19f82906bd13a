"""The state as the sidecar uses it: runs, memories, spending; a state that refuses a write stops no canary."""

import sqlite3
from collections.abc import Awaitable, Collection
from typing import Any, TypeVar

from llm_canaries.canary.budget import Amount
from llm_canaries.canary.canary import Case, Finding, Outcome, Run, Scenario
from llm_canaries.canary.ledger import Availability, Ledger
from llm_canaries.config.secrets import Redactor
from llm_canaries.service.archive import HISTORY, Archive, Stored
from llm_canaries.service.board import Board
from llm_canaries.state.database import Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.runs import RunRow, runs_since
from llm_canaries.state.spending import spent_on, write_spent
from llm_canaries.wire.fault import Domain, FaultReason

T = TypeVar("T")


class Store:
    """What has been found, kept on disk; `board` counts the writes that failed."""

    def __init__(self, database: Database, board: Board) -> None:
        self.database = database
        self._archive = Archive(database)
        self._board = board
        self._failures = board.slot("llm_sidecar_state_write_failures_total")
        board.set(self._failures, 0)

    async def keep(self, run: Run, *, confirmation: bool, redactor: Redactor, url: str) -> int:
        """Stores `run` with its evidence; the value is its number, 0 where it could not be stored."""
        number = await self._try(self._archive.keep(run, redactor, url=url, confirmation=confirmation))
        return number or 0

    async def run(self, number: int) -> Stored | None:
        """The stored run of that number, with its evidence as it is stored."""
        return await self._try(self._archive.run(number))

    async def unsettled(self, limit: int) -> list[RunRow]:
        """The last runs that failed or were not decided, the newest first."""
        return await self._try(self._archive.unsettled(limit)) or []

    async def spent_on(self, day: str) -> dict[str, Amount] | None:
        """What was spent on `day`, by gateway, as far as it was written down; None where it cannot be read."""
        rows = await self._try(self.database.do(spent_on, day))
        return None if rows is None else {gateway: Amount(*row) for gateway, row in rows.items()}

    async def spend(self, gateway: str, day: str, spent: Amount) -> bool:
        """Writes down what `gateway` has cost on `day` in all; whether it is written."""

        def written(connection: sqlite3.Connection) -> bool:
            write_spent(connection, gateway, day, (spent.requests, spent.tokens, spent.nanodollars))
            return True

        return await self._try(self.database.do(written)) or False

    async def memory(self, case: Case, scenario: Scenario) -> Any:
        """What the scenario remembers of `case`, None where it does not, or in another form."""
        return await self._try(self._archive.memory(case, scenario))

    async def remember(self, case: Case, scenario: Scenario, memory: Any, redactor: Redactor) -> None:
        """Stores what the scenario remembers of `case` now."""
        await self._try(self._archive.remember(case, scenario, memory, redactor))

    async def restore(
        self,
        ledgers: dict[str, Ledger],
        keys: Collection[str],
        availability: dict[str, Availability],
        rate_limits: dict[str, Ledger],
        last_failures: dict[str, tuple[int, Finding]],
        now: float,
    ) -> None:
        """Fills the ledgers of `keys`, their last failures, and what is counted of their gateways, from stored runs."""
        rows = await self._try(self.database.do(runs_since, now - HISTORY)) or []
        for key in keys:
            ledgers[key] = Ledger()
        for row in rows:
            if row.case not in keys or row.outcome not in (Outcome.PASS, Outcome.FAIL) or row.started > now:
                continue
            failed = row.outcome == Outcome.FAIL
            ledgers[row.case].add(row.started, failed=failed, confirmation=row.confirmation)
            if failed:
                last_failures[row.case] = (row.id or 0, _finding(row))
            if not row.confirmation and row.gateway in availability:
                availability[row.gateway].add(row.started, failed=failed)
                limited = failed and row.reason == FaultReason.RATE_LIMITED
                rate_limits[row.gateway].add(row.started, failed=limited)

    async def tidy(self, now: float) -> None:
        """Forgets what is older than the history, and evidence beyond its bound; measures the file."""
        await self._try(self._archive.prune(now))
        self._board.set_named("llm_sidecar_state_bytes", self.database.size())

    async def _try(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except StateError:
            self._board.add(self._failures, 1)
            return None


def _finding(row: RunRow) -> Finding:
    domain = Domain(row.fault_domain) if row.fault_domain else None
    return Finding(outcome=Outcome(row.outcome), reason=row.reason, detail=row.detail, fault_domain=domain)
