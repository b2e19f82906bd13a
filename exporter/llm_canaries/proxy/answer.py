"""What the core answers, and the one attempt behind each part of it."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.translate import JSON, Pair, asked_thinking
from llm_canaries.proxy.transport import HttpAnswer
from llm_canaries.proxy.ways import Way
from llm_canaries.wire.exchange import Attempt, Loss, Request
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Thinking, Usage

_HOPS = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"})


class CoreAnswer:
    """An answer of the core, arriving. `whole` is the body where it is known whole.

    `attempts` and `losses` grow while it arrives; they are final once the ask is over. `tried` tells them.
    """

    __slots__ = ("_body", "headers", "sent", "status", "tried", "whole")

    def __init__(
        self, sent: bytes, status: int, headers: Headers, body: bytes | AsyncGenerator[bytes, None]
    ) -> None:
        self.sent, self.status, self.headers = sent, status, headers
        self.whole = body if isinstance(body, bytes) else None
        self._body = None if isinstance(body, bytes) else body
        self.tried: Tried | None = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every try at a provider so far."""
        return self.tried.attempts if self.tried is not None else ()

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the translations, there and back, could not say so far."""
        trial = self.tried.trial if self.tried is not None else None
        return trial.losses if trial is not None else ()

    @property
    def translated(self) -> Thinking | None:
        """The reasoning that the provider was asked for; read when somebody wants to know."""
        trial = self.tried.trial if self.tried is not None else None
        return asked_thinking(trial.pair.provider, trial.request) if trial is not None else None

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Unanswered."""
        return once(self.whole or b"") if self._body is None else self._body

    async def close(self) -> None:
        """Ends the body, read or not."""
        if self._body is not None:
            await self._body.aclose()


class Streaming(Protocol):
    """A provider's stream becoming a client's: see streams.Guarded and streams.Crossing."""

    fault: Fault | None

    @property
    def usage(self) -> Usage | None:
        """What the stream said of usage."""

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the client's dialect could not say so far."""

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on of `chunk`. Raises Unanswered."""

    def close(self, now: float) -> bytes:
        """The last bytes of a stream that the provider ended."""

    def abort(self, fault: Fault) -> bytes:
        """The last bytes of a stream that broke off."""


class Trial:
    """One attempt: who is asked with what since when, and what came of it."""

    def __init__(self, way: Way, pair: Pair, request: Request, started: float) -> None:
        self.way, self.pair, self.request, self.started = way, pair, request, started
        self.answer: HttpAnswer | None = None
        self.fault: Fault | None = None
        self.heard = False  # the end of the answer came, or why it never will
        self.over = False
        self.reason = ""
        self.wait = 0.0  # seconds for which its credential is set aside
        self.ended = 0.0  # when the answer was passed on, where its account is made up later
        self.usage: Usage | None = None
        self.unread: bytes | None = None  # an answer passed on as it was, whose usage nobody has read yet
        self.losses: tuple[Loss, ...] = request.losses

    def attempt(self, now: float, *, kept: bool = False) -> Attempt:
        """The attempt as it stands at `now` (monotonic seconds); `kept`: with what the provider was sent."""
        fault = self.fault
        return Attempt(
            provider=self.way.provider.name,
            credential=self.way.credential.alias,
            status=self.answer.status if self.answer is not None else None,
            duration=now - self.started,
            reason=self.reason or (fault.reason if fault is not None else ""),
            request=self.request if kept else None,
        )


class Tried:
    """The attempts of one ask: those that are `over`, and the one under way.

    Of a canary's ask the requests are `kept`; what a client's were turned into is let go with each of them.
    """

    __slots__ = ("clock", "kept", "over", "trial")

    def __init__(self, clock: Clock, *, kept: bool) -> None:
        self.clock, self.kept = clock, kept
        self.over: list[Attempt] = []
        self.trial: Trial | None = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All of them as they stand."""
        trial = self.trial
        if trial is None or trial.over:
            return tuple(self.over)
        return (*self.over, trial.attempt(self.clock.monotonic(), kept=self.kept))


def client_headers(headers: Headers, kind: str | None = None) -> Headers:
    """A provider's headers without what speaks of length and framing; `kind` is the content type of another body."""
    gone = _HOPS if kind is None else _HOPS | {"content-type"}
    kept = tuple(pair for pair in headers if pair[0].lower() not in gone)
    return kept if kind is None else (*kept, ("content-type", kind))


def json_headers(retry_after: float | None) -> Headers:
    """The headers of an error that the core itself says."""
    return JSON if retry_after is None else (*JSON, ("retry-after", str(max(0, -int(-retry_after // 1)))))


async def once(body: bytes) -> AsyncGenerator[bytes, None]:
    """A body in one piece."""
    yield body
