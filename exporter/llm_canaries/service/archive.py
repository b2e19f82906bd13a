"""Runs, their evidence and what scenarios remember, in a state on disk; the sidecar and the gate keep the same way."""

import sqlite3
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from llm_canaries.canary.budget import day_of
from llm_canaries.canary.canary import Case, Outcome, Run, Scenario
from llm_canaries.canary.evidence.judgement import cleaned, plain
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.evidence.pack import pack
from llm_canaries.config.secrets import Redactor
from llm_canaries.service.settings import Settings, url_of
from llm_canaries.state.database import Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.incidents import prune_incidents
from llm_canaries.state.memory import load_memory, save_memory
from llm_canaries.state.runs import RunRow, add_run, amend_run, prune, read_run, unsettled
from llm_canaries.state.spending import prune_spending

MEMORY_VERSION = "1"
HISTORY = 30 * 86400.0  # seconds of runs kept
MOST_EVIDENCE = 64 * 1024 * 1024  # bytes of evidence kept of runs that failed or were not decided
PASSING = 86400.0  # seconds that the evidence of each case's last other run is kept

Stored = tuple[RunRow, bytes | str | None]


class Archive:
    """What has been found, in `database`. Every method raises StateError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def keep(self, run: Run, redactor: Redactor, *, url: str, confirmation: bool) -> int:
        """The number under which `run` is stored, with its evidence; `url` is its gateway's.

        Secrets are taken out on the state's own thread, as all that takes long.
        """

        def stored(connection: sqlite3.Connection) -> int:
            row, evidence = _row(run, redactor, confirmation=confirmation), None
            if run.answers or run.finding.outcome is not Outcome.SKIP:
                kept = evidence_of(run, redactor, program=program(), url=url, confirmation=confirmation)
                evidence = pack(kept)
            return add_run(connection, row, evidence, lasting=run.finding.outcome in _LASTING)

        return await self.database.do(stored)

    async def amend(self, run: Run, redactor: Redactor, *, url: str) -> None:
        """What is stored under the number of `run` is this run from now on."""

        def stored(connection: sqlite3.Connection) -> None:
            kept = evidence_of(run, redactor, program=program(), url=url)
            amend_run(connection, run.number, _row(run, redactor, confirmation=False), pack(kept))

        await self.database.do(stored)

    async def run(self, number: int) -> Stored | None:
        """The stored run of that number, with its evidence as it is stored."""
        return await self.database.do(read_run, number)

    async def unsettled(self, limit: int) -> list[RunRow]:
        """The last runs that failed or were not decided, the newest first."""
        return await self.database.do(unsettled, limit)

    async def memory(self, case: Case, scenario: Scenario) -> Any:
        """What the scenario remembers of `case`, None where it does not, or in another form."""
        if scenario.memory is None:
            return None
        data = await self.database.do(load_memory, scenario.name, MEMORY_VERSION, case.key)
        try:
            return None if data is None else msgspec.json.decode(data, type=scenario.memory)
        except msgspec.DecodeError:
            return None

    async def remember(self, case: Case, scenario: Scenario, memory: Any, redactor: Redactor) -> None:
        """Stores what the scenario remembers of `case` now, without secrets that a gateway put among its names."""
        if scenario.memory is not None and memory is not None:
            data = msgspec.json.encode(cleaned(plain(memory), redactor))
            await self.database.do(save_memory, scenario.name, MEMORY_VERSION, case.key, data)

    async def prune(self, now: float) -> None:
        """Forgets what is older than the history, and evidence beyond its bounds."""

        def old(connection: sqlite3.Connection) -> None:
            prune_incidents(connection, before=now - HISTORY)
            prune_spending(connection, before=day_of(now - HISTORY))
            prune(connection, before=now - HISTORY, most_evidence=MOST_EVIDENCE, passing_before=now - PASSING)

        await self.database.do(old)


class Keeper:
    """An archive for the runs of a gate: a state that refuses costs evidence, never a verdict, and is told once."""

    def __init__(
        self, archive: Archive, settings: Settings, now: Callable[[], float], tell: Callable[[str], None]
    ) -> None:
        self._archive, self._settings, self._now, self._tell = archive, settings, now, tell
        self._told = False

    async def memory(self, case: Case, scenario: Scenario) -> Any:
        """What the scenario remembers of `case`, None where it does not."""
        try:
            return await self._archive.memory(case, scenario)
        except StateError as error:
            self._refused(error)
            return None

    async def keep(self, run: Run, scenario: Scenario) -> int:
        """The number under which `run` is stored, 0 where it could not be; what it remembers is stored as well."""
        url = url_of(self._settings.config, run.case.gateway)
        try:
            redactor = self._settings.redactor
            await self._archive.remember(run.case, scenario, run.finding.memory, redactor)
            return await self._archive.keep(run, redactor, url=url, confirmation=False)
        except StateError as error:
            self._refused(error)
            return 0

    async def amend(self, run: Run) -> None:
        """What is stored under the number of `run` is this run from now on."""
        url = url_of(self._settings.config, run.case.gateway)
        try:
            await self._archive.amend(run, self._settings.redactor, url=url)
        except StateError as error:
            self._refused(error)

    async def close(self) -> None:
        """Forgets what is too old or too much, and closes the state."""
        try:
            await self._archive.prune(self._now())
        except StateError as error:
            self._refused(error)
        await self._archive.database.close()

    def _refused(self, error: StateError) -> None:
        if not self._told:
            self._tell(str(error))
        self._told = True


_LASTING = frozenset({Outcome.FAIL, Outcome.INCONCLUSIVE})


@cache
def program() -> str:
    """The version of the program."""
    return version("llm-canaries")


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
