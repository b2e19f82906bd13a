"""Messages to one receiver through Apprise: one at a time, each in a thread that neither the loop nor the exit awaits.

A thread cannot be stopped, so an attempt that ran out of time may still arrive. The next attempt therefore waits for it
first, and takes its success for the message it carried: nothing is sent twice for being slow, and nothing overtakes.
"""

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from llm_canaries.alerts.receivers import Outcome, Receiver, Sent, understood, without_secrets

if TYPE_CHECKING:
    from apprise import Apprise

_TONE: Final = {  # what Apprise calls the type of a message: some services give it a colour
    "opened": "warning",
    "escalated": "failure",
    "eased": "warning",
    "resolved": "success",
}


class _Trip(Struct, frozen=True):
    """An attempt on its way, and the ticket of its message."""

    ticket: int
    result: "Future[Sent]"


class Courier:
    """Carries messages to one receiver; `send` is not called again before it returned."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._notifier: Apprise | None = None  # kept, for it spaces its messages as its service wants
        self._under_way: _Trip | None = None

    async def send(self, title: str, body: str, *, kind: str = "", ticket: int = 0) -> Sent:
        """One attempt, within the receiver's timeout; messages with the same `ticket`, if not 0, are the same one."""
        before = self._under_way
        if before is not None:
            late = await self._end_of(before)
            if late is None:
                return Sent(Outcome.TIMEOUT, "the attempt before this one still hangs")
            if ticket and before.ticket == ticket and late.outcome is Outcome.SUCCESS:
                return late
        trip = _Trip(ticket, Future())
        trip.result.set_running_or_notify_cancel()  # from here on no waiter can cancel it
        thread = threading.Thread(
            target=self._carry, args=(trip.result, title, body, kind), name=f"notify {self.receiver.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return Sent(Outcome.FAILURE, "the system has no thread left")
        self._under_way = trip
        sent = await self._end_of(trip)
        return sent or Sent(Outcome.TIMEOUT, f"not accepted within {self.receiver.timeout:g} s")

    async def _end_of(self, trip: _Trip) -> Sent | None:
        """What became of an attempt; None if that takes longer than the receiver's timeout."""
        try:
            async with asyncio.timeout(self.receiver.timeout):
                sent = await asyncio.wrap_future(trip.result)
        except TimeoutError:
            return None
        self._under_way = None
        return sent

    def _carry(self, result: "Future[Sent]", title: str, body: str, kind: str) -> None:
        """Sends, in a thread of its own; whatever breaks, the waiting side is told."""
        sent = Sent(Outcome.FAILURE, "the notification library broke")
        try:
            self._notifier = self._notifier or understood(self.receiver)
            if self._notifier is None:
                sent = Sent(Outcome.NOMATCH, "the URL is not understood")
            else:
                sent = _notify(self._notifier, self.receiver, title, body, kind)
        finally:
            result.set_result(sent)


async def send(receiver: Receiver, title: str, body: str) -> Sent:
    """One attempt to one receiver, on its own."""
    return await Courier(receiver).send(title, body)


def _notify(notifier: "Apprise", receiver: Receiver, title: str, body: str, kind: str) -> Sent:
    """Sends and waits; the service's own words say why it failed."""
    result = notifier.notify(
        body=body, title=title, notify_type=_TONE.get(kind, "info"), body_format="text", interpret_escapes=False
    )
    outcome = Outcome(result.status.name.lower())
    if outcome is Outcome.SUCCESS:
        return Sent(outcome)
    words = " ".join(entry.message for entry in result.logs())
    return Sent(outcome, without_secrets(receiver, words) or "refused without a word")
