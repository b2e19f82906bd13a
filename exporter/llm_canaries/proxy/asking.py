"""One ask under way: from a client's bytes, over one attempt or several, to the answer that is passed on.

A retry happens only before a byte of an answer was passed on, and none is hidden: every attempt is listed.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.proxy.answer import CoreAnswer, Trial, Tried
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import LIMITED, Conduct
from llm_canaries.proxy.gateway import Limits, Unanswered
from llm_canaries.proxy.hearing import Wish, hear, hear_raw, refuse, usage_of
from llm_canaries.proxy.peek import Asked, peek_ask
from llm_canaries.proxy.retry import Next, follows
from llm_canaries.proxy.routes import WORKLOAD, Found
from llm_canaries.proxy.signature import OURS
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.translate import Order, Pair, translate_ask
from llm_canaries.proxy.transport import Stale, Transport
from llm_canaries.proxy.ways import Way, Ways
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.quota_reading import read_quota

STALE = "stale_connection"  # a connection kept alive had been closed: no fault of the provider's
ABANDONED = "abandoned"  # whoever asked did not wait for the end
_TICK = 0.01  # seconds by which a timer may come before its time


class Means(Struct, frozen=True, kw_only=True):
    """All that asks of one core share."""

    ways: Ways
    transports: Mapping[str, Transport]
    limits: Limits
    clock: Clock
    draw: Draw
    sleep: Callable[[float], Awaitable[None]]
    traffic: Traffic | None


class Asking:
    """The answer to one ask, as a context: leaving it ends the attempt that the answer came from."""

    def __init__(
        self,
        means: Means,
        find: Callable[[str, str], Found],
        send: Send,
        conduct: Conduct,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._means, self._find, self._send, self._conduct = means, find, send, conduct
        self._later = later
        self._started = means.clock.monotonic()
        self._tried = Tried(means.clock, kept=conduct.raw)
        self._answer: CoreAnswer | None = None

    async def __aenter__(self) -> CoreAnswer:
        """The answer, begun. Raises Unanswered for a canary where none begins, WireError where it is no ask."""
        send, dialect = self._send, DIALECTS[self._send.dialect]
        if isinstance(send.ask, bytes):
            body, path = send.ask, send.path or dialect.path
        else:
            written = dialect.write_ask(send.ask, send.profile)
            body, path = written.body, written.path
        try:
            self._answer = await self._answered(body, path)
        except WireError as error:
            if self._conduct.raw:
                raise
            self._answer = refuse(send.dialect, body, Fault(reason=FaultReason.BAD_REQUEST, message=str(error)))
        self._answer.tried = self._tried
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            await self._answer.close()
        trial = self._tried.trial
        if self._later is not None and trial is not None and trial.heard and trial.fault is None and not trial.over:
            trial.ended = self._means.clock.monotonic()
            self._later(self._finish)
        else:
            self._finish()

    async def _answered(self, body: bytes, path: str) -> CoreAnswer:
        asked = peek_ask(self._send.dialect, body, path)
        found = self._find(asked.model, _workload(self._send))
        if not found.routes:
            fault = Fault(reason=FaultReason.MODEL_NOT_FOUND, message=f"no provider serves the model {asked.model}")
            return refuse(self._send.dialect, body, fault)
        job = _Job(body, path, asked, found)
        return await (self._once(job) if self._conduct.raw else self._insist(job))

    async def _once(self, job: "_Job") -> CoreAnswer:
        """The first attempt, whatever comes of it (DESIGN 5.7)."""
        clock = self._means.clock
        way = self._means.ways.probe(job.found.routes[0], clock.monotonic(), clock.wall())
        return await self._try(way, job)

    async def _insist(self, job: "_Job") -> CoreAnswer:
        """The answer of whoever can give one, within the attempts and the time there are."""
        retries, sleep = self._conduct.retries, self._means.sleep
        hard, soft = set[tuple[str, str]](), set[tuple[str, str]]()
        failed, rounds, hint = None, 0, math.inf
        for _ in range(retries.attempts):
            way = self._choose(job, hard | soft)
            if way is None and soft:
                rounds += 1
                wait = retries.wait(rounds, hint, self._means.draw)
                if wait >= self._left():
                    break
                await sleep(wait)
                soft, hint = set(), math.inf
                way = self._choose(job, hard)
            if way is None or (failed is not None and self._left() <= 0):
                break
            failed = await self._attempt(way, job)
            trial = self._tried.trial
            if trial is None or trial.fault is None or (after := follows(trial.fault)) is Next.NOBODY:
                return failed
            (hard if after is Next.OTHER else soft).add(way.key)
            if after is Next.SAME:
                hint = min(hint, trial.wait)
        if failed is not None:
            return failed
        clock = self._means.clock
        fault = self._means.ways.refusal(job.found.routes, clock.monotonic(), clock.wall())
        if self._means.traffic is not None:
            for name in dict.fromkeys(route.provider.name for route in job.found.routes):
                self._means.traffic.refused(name, fault.reason)
        return refuse(self._send.dialect, job.body, fault)

    def _choose(self, job: "_Job", spent: set[tuple[str, str]]) -> Way | None:
        """Whom to ask next; before anybody was asked the safety valve opens one of the closed ways."""
        ways, clock = self._means.ways, self._means.clock
        now, wall = clock.monotonic(), clock.wall()
        way = ways.choose(job.found.routes, now, wall, spent)
        return way if way is not None or self._tried.over else ways.due_first(job.found.routes, now, wall)

    async def _attempt(self, way: Way, job: "_Job") -> CoreAnswer:
        """One attempt for a client: what breaks off before it began is an error in the client's dialect."""
        try:
            answer = await self._try(way, job)
        except Unanswered as error:
            fault = replace(error.fault, message=f"{way.provider.name}: {error.fault.message}")
            answer = refuse(self._send.dialect, job.body, fault)
        trial = self._tried.trial
        if trial is not None and trial.heard and trial.fault is not None:
            self._finish()
        return answer

    async def _try(self, way: Way, job: "_Job") -> CoreAnswer:
        """One attempt, and another where its connection was stale. Raises Unanswered, WireError."""
        means, provider, send = self._means, way.provider, self._send
        spoken = send.dialect if send.dialect in provider.dialects else provider.dialects[0]
        pair, found = Pair(send.dialect, spoken), job.found
        order = Order(
            body=job.body, path=job.path, asked=job.asked.model, model=way.model, thinking=found.thinking
        )
        request = translate_ask(pair, order, provider.profile)
        key = means.ways.secret(way, means.clock.monotonic())
        auth = DIALECTS[spoken].auth(key) if key else ()
        own = (item for item in send.headers.items() if not item[0].lower().startswith(OURS))
        headers = (*request.headers, *auth, *own)
        wish = Wish(
            sent=job.body, stream=job.asked.stream, counted=means.traffic is not None, now=means.clock.wall()
        )
        for again in (True, False):
            trial = self._tried.trial = Trial(way, pair, request, means.clock.monotonic())
            means.ways.started(way, trial.started)
            try:
                answer = trial.answer = await means.transports[provider.name].send(
                    "POST", request.path, headers, request.body, math.inf if self._conduct.raw else self._left()
                )
                return hear_raw(trial, answer, wish) if self._conduct.raw else await hear(trial, answer, wish)
            except Unanswered as error:
                trial.fault, trial.heard = error.fault, True
                trial.reason = STALE if again and isinstance(error, Stale) else ""
                self._finish()
                if trial.reason != STALE:
                    raise Unanswered(error.fault, tuple(self._tried.over)) from None
            except BaseException:
                self._finish()
                raise
        raise AssertionError("the second attempt ends one way or the other")

    def _left(self) -> float:
        """Seconds until the whole answer is due."""
        return self._started + self._means.limits.total - self._means.clock.monotonic()

    def _finish(self) -> None:
        """Ends the attempt under way: breakers, credentials and traffic learn what it taught."""
        trial, means = self._tried.trial, self._means
        if trial is None or trial.over:
            return
        trial.over = True
        if trial.answer is not None:
            trial.answer.close()
        now = trial.ended or means.clock.monotonic()
        if not trial.heard and self._left() <= _TICK:
            message = f"not whole within {means.limits.total:g} s"
            trial.fault, trial.heard = Fault(reason=FaultReason.TOTAL_TIMEOUT, message=message), True
        if not trial.heard:
            trial.reason = ABANDONED
        if trial.fault is not None:
            trial.fault = _with_hint(trial.fault, trial, means.clock.wall())
        unproven = trial.reason in (STALE, ABANDONED) or self._send.rehearsed
        trial.wait = means.ways.finished(trial.way, trial.fault, now, abandoned=unproven)
        attempt = trial.attempt(now, kept=self._tried.kept)
        self._tried.over.append(attempt)
        if means.traffic is not None and not unproven:
            means.traffic.attempted(attempt.provider, attempt)
            if (usage := trial.usage or usage_of(trial)) is not None:
                means.traffic.used(attempt.provider, usage, trial.way.model)


class _Job(Struct, frozen=True):
    """A client's body, where it was sent to, what it asks for, and who serves that."""

    body: bytes
    path: str
    asked: Asked
    found: Found


def _workload(send: Send) -> str:
    """The workload that an ask says it belongs to, empty where it says none."""
    return next((value for name, value in send.headers.items() if name.lower() == WORKLOAD), "")


def _with_hint(fault: Fault, trial: Trial, now: float) -> Fault:
    """A limit's fault with the time that the quota headers name, where the fault names none."""
    if fault.reason not in LIMITED or fault.retry_after is not None or trial.answer is None:
        return fault
    quotas = read_quota(trial.answer.headers, now)
    resets = [quota.reset_at for quota in quotas if quota.exhausted and quota.reset_at is not None]
    return replace(fault, retry_after=max(0.0, max(resets) - now)) if resets else fault
