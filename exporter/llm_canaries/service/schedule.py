"""When cases run: APScheduler, with start times splayed instead of jitter, and no run ever dropped (DESIGN 5.17)."""

import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from llm_canaries.canary.canary import Case

MIRROR_WITHIN = 5.0  # seconds after ready within which every case at our own mirror has begun


class Schedule:
    """One job a case; `run` is told the case's key and when it was due; `now` tells Unix time."""

    def __init__(self, run: Callable[[str, float], Awaitable[None]], now: Callable[[], float]) -> None:
        self._run, self._now = run, now
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._first: dict[str, float] = {}

    def start(self) -> None:
        """Begins to run jobs."""
        self._scheduler.start()

    def stop(self) -> None:
        """No further job begins; those under way are their runner's matter."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def anew(self) -> None:
        """Forgets every due time: the wall clock was set, and what is due was reckoned by the old one."""
        self._scheduler.remove_all_jobs()
        self._first.clear()

    def due_times(self) -> dict[str, float]:
        """When each case runs next (Unix time)."""
        return {job.id: job.next_run_time.timestamp() for job in self._scheduler.get_jobs()}

    def replace(self, cases: Sequence[Case], mirrored: frozenset[str], now: float) -> None:
        """Makes `cases` the schedule: a case that stays with its interval keeps its clock."""
        wanted = {case.key: case for case in cases}
        for job in self._scheduler.get_jobs():
            case = wanted.get(job.id)
            if case is None or job.kwargs["every"] != case.every:
                job.remove()
            else:
                del wanted[job.id]
        for key, case in wanted.items():
            first = now + splay(case, mirrored)
            self._first[key] = first
            start = datetime.fromtimestamp(first, UTC)
            trigger = IntervalTrigger(seconds=case.every, start_date=start, timezone=UTC)
            arguments = {"key": key, "every": case.every}
            # without next_run_time a start that has just passed would wait a whole interval
            self._scheduler.add_job(
                self._fire, trigger, kwargs=arguments, id=key, next_run_time=start, replace_existing=True
            )

    async def _fire(self, key: str, every: float) -> None:
        now = self._now()
        first = self._first.get(key, now)
        await self._run(key, first + max(0.0, (now - first) // every) * every)


def splay(case: Case, mirrored: frozenset[str]) -> float:
    """Seconds from ready to a case's first run: over the interval at a deployed gateway, at once at our mirror.

    The same case gets the same share of its interval at every start.
    """
    share = (zlib.crc32(case.key.encode()) % 1000) / 1000
    return share * (MIRROR_WITHIN if case.gateway in mirrored else case.every)
