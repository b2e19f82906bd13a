"""The outbox: every flip is stored with its messages in one transaction, then delivered to each receiver in order.

At least once: a message leaves the outbox when its receiver took it, so a process that dies between the two sends it
again. One task a receiver; nothing overtakes, and a receiver that hangs or fails delays only itself.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, Final, ParamSpec, TypeVar

from llm_canaries.alerts.courier import Courier
from llm_canaries.alerts.incident import Incident
from llm_canaries.alerts.receivers import Outcome, Receiver, Sent
from llm_canaries.alerts.rows import Told, delivery_rows, incident_row, incidents_of
from llm_canaries.proxy.clock import Clock
from llm_canaries.state.database import Database, StateError
from llm_canaries.state.incidents import (
    DeliveryRow,
    IncidentRow,
    bury,
    delivered,
    next_due,
    open_incidents,
    pending,
    postpone,
    record_flip,
)
from llm_canaries.wire.nonce import Draw

FIRST_WAIT: Final = 1.0  # seconds; doubles with every failure, and a uniform part of it is waited
LONGEST_WAIT: Final = 300.0
QUIET: Final = 5.0  # after a failure a new flip wakes a receiver no sooner: a storm of flips is no storm of attempts
DEAD_AFTER: Final = 24 * 3600.0
FEWEST_ATTEMPTS: Final = 5  # a machine that slept through the day gets these first
GRACE: Final = 0.5  # how long a stop waits for messages under way
STATE_WAIT: Final = 1.0  # until the state is tried again

OnResult = Callable[[str, str], None]
P = ParamSpec("P")
T = TypeVar("T")


class Outbox:
    """Stores flips and delivers them to `receivers`; `on_result(receiver, outcome)` hears of every attempt."""

    def __init__(
        self,
        database: Database,
        receivers: Mapping[str, Receiver],
        *,
        clock: Clock,
        draw: Draw,
        on_result: OnResult,
    ) -> None:
        self._database = database
        self._receivers = dict(receivers)
        self._clock = clock
        self._draw = draw
        self._on_result = on_result
        self._news = {name: asyncio.Event() for name in receivers}
        self._stopping = asyncio.Event()
        self._under_way: set[asyncio.Timeout] = set()

    async def open_incidents(self) -> dict[str, Incident]:
        """The incidents that a former process left open."""
        return incidents_of(await self._database.do(open_incidents))

    async def post(self, told: Sequence[Told]) -> None:
        """Stores flips and their messages, all or none, and wakes who has something to deliver. Raises StateError."""
        now = self._clock.wall()
        entries = [(incident_row(each.flip), delivery_rows(each, self._receivers, now)) for each in told]
        await self._database.do(_record, entries)
        for _, deliveries in entries:
            for row in deliveries:
                self._news[row.receiver].set()

    async def run(self) -> None:
        """Delivers until `stop`; what receivers that are no longer configured had waiting is buried."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._bury_strangers())
            for receiver in self._receivers.values():
                tasks.create_task(self._deliver(Courier(receiver)))

    def stop(self) -> None:
        """Ends `run` within a second; what is not delivered by then waits in the state."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        for news in self._news.values():
            news.set()
        for limit in self._under_way:
            limit.reschedule(asyncio.get_running_loop().time() + GRACE)

    async def _deliver(self, courier: Courier) -> None:
        """Delivers what waits for one receiver, the oldest first, until stopped."""
        name = courier.receiver.name
        news = self._news[name]
        while not self._stopping.is_set():
            news.clear()
            row = await self._insist(next_due, name)
            if row is None:
                await news.wait()
                continue
            wait = min(row.next_at - self._clock.wall(), LONGEST_WAIT)  # the clock may have stepped back
            if row.attempts and wait > 0:
                await _within(min(wait, QUIET), self._stopping)
                await _within(wait - QUIET, news)
            if not self._stopping.is_set():
                await self._attempt(courier, row)

    async def _attempt(self, courier: Courier, row: DeliveryRow) -> None:
        """One attempt and its consequence; one that a stop cuts off is made again by the next process."""
        assert row.id is not None
        try:
            async with asyncio.timeout(None) as limit:
                self._under_way.add(limit)
                try:
                    sent = await courier.send(row.title, row.body, kind=row.kind, ticket=row.id)
                finally:
                    self._under_way.discard(limit)
        except TimeoutError:
            return
        self._on_result(row.receiver, sent.outcome.value)
        now = self._clock.wall()
        if sent.outcome is Outcome.SUCCESS:
            await self._insist(delivered, row.id, now)
        elif _hopeless(row, sent, now):
            self._on_result(row.receiver, Outcome.DEAD.value)
            await self._insist(bury, row.id, sent.error)
        else:
            await self._insist(postpone, row.id, now + self._backoff(row.attempts), sent.error)

    def _backoff(self, attempts: int) -> float:
        """Seconds until the next attempt, after `attempts` before the last: full jitter below a doubling bound."""
        bound = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts, 16))
        return self._draw(int(bound * 1000) + 1) / 1000

    async def _bury_strangers(self) -> None:
        """Buries what waits for receivers that no configuration names any more."""
        for name in await self._insist(pending) or {}:
            while name not in self._receivers and not self._stopping.is_set():
                row = await self._insist(next_due, name)
                if row is None or row.id is None:
                    break
                self._on_result(name, Outcome.DEAD.value)
                await self._insist(bury, row.id, "the receiver is no longer configured")

    async def _insist(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> T | None:
        """What the state answers, tried until it does; None once stopped.

        So a message that was taken is not sent again for a disk that was full at that moment.
        """
        while True:
            try:
                return await self._database.do(function, *arguments, **named)
            except StateError:
                if self._stopping.is_set():
                    return None
                await _within(STATE_WAIT, self._stopping)


def _record(connection: sqlite3.Connection, entries: Sequence[tuple[IncidentRow, tuple[DeliveryRow, ...]]]) -> None:
    for incident, deliveries in entries:
        record_flip(connection, incident, deliveries)


def _hopeless(row: DeliveryRow, sent: Sent, now: float) -> bool:
    """Whether no further attempt is made."""
    if sent.outcome is Outcome.NOMATCH:
        return True
    return now - row.created >= DEAD_AFTER and row.attempts + 1 >= FEWEST_ATTEMPTS


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Returns after `seconds`, or when the event is set."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
