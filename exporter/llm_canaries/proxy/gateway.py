"""The one seam where I/O is swapped: what a gateway is to whoever asks it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from llm_canaries.wire.exchange import Attempt, Look, Loss, Send
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Thinking


class Limits(Struct, frozen=True, kw_only=True):
    """How long and how much: seconds to connect, to the first byte, between bytes, in all; bytes of body."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 30.0
    total: float = 120.0
    body: int = 8 * 1024 * 1024


class Unanswered(Exception):
    """No whole answer came; the fault says why, `attempts` who was tried where no answer began."""

    def __init__(self, fault: Fault, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(f"{fault.reason}: {fault.message}")
        self.fault = fault
        self.attempts = attempts


class Answering(Protocol):
    """An answer that is arriving; `sent` is what the gateway was given, in the client's dialect."""

    @property
    def sent(self) -> bytes:
        """The request body."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Headers:
        """The headers as received."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every try at a provider, where the gateway tells."""

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the gateway's own translation could not say, where it tells."""

    @property
    def translated(self) -> Thinking | None:
        """The reasoning that the gateway asked the provider for, where it tells."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Unanswered where it breaks off."""


class Gateway(Protocol):
    """A system that asks are sent to: the embedded core or a deployed gateway, the same to a scenario."""

    limits: Limits

    def open(self, send: Send) -> AbstractAsyncContextManager[Answering]:
        """Sends one ask. Raises Unanswered where no answer begins, WireError where the ask cannot be written."""

    def look(self, look: Look) -> AbstractAsyncContextManager[Answering]:
        """Reads one page. Raises Unanswered where no answer begins."""
