"""The rules' window and clocks in the state: saved in the background, taken up at start."""

import asyncio
import logging

import msgspec

from llm_canaries.rules.restore import OUTAGE_TOLERANCE, Clock
from llm_canaries.rules.snapshot import dump, read
from llm_canaries.rules.window import Window
from llm_canaries.service.rulebook import Rulebook
from llm_canaries.state.database import Database
from llm_canaries.state.errors import StateError
from llm_canaries.state.snapshots import load_snapshot, save_snapshot

CLOCKS, WINDOW, OUTPUTS = "rule_clocks", "rule_window", "rule_outputs"
CLOCKS_EVERY = 60.0  # seconds between two savings
WINDOW_EVERY = 300.0
MOST_BYTES = 64 * 2**20  # a larger window is not saved: it would be written every five minutes

log = logging.getLogger("canaries")


class RuleMemory:
    """What is kept of one rulebook after the other; the caller sees to it that nothing is evaluated meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clocks_at = self._window_at = -float("inf")

    async def restore(self, rules: Rulebook, now: float) -> None:
        """Takes up what was kept at most an hour ago; what cannot be read is as if it had not been kept."""
        clocks = await self._load(CLOCKS, now)
        if clocks is not None:
            try:
                rules.restore(msgspec.msgpack.decode(clocks, type=list[Clock]), now)
            except msgspec.DecodeError:
                log.warning("the kept clocks of rules cannot be read; `for` begins anew")
        for name, take_up in ((WINDOW, rules.restore_window), (OUTPUTS, rules.restore_outputs)):
            data = await self._load(name, now)
            history = None if data is None else await asyncio.to_thread(read, data)
            if history is not None:
                take_up(history, now)

    async def save(self, rules: Rulebook, now: float, *, all_of_it: bool = False) -> None:
        """Keeps the clocks once a minute and the window every five; `all_of_it` whatever is due."""
        if all_of_it or not 0 <= now - self._clocks_at < CLOCKS_EVERY:
            self._clocks_at = now
            await self._put(CLOCKS, now, msgspec.msgpack.encode(rules.clocks()))
        if all_of_it or not 0 <= now - self._window_at < WINDOW_EVERY:
            self._window_at = now
            for name, window in ((WINDOW, rules.window), (OUTPUTS, rules.outputs.window)):
                if window.nbytes <= MOST_BYTES:
                    await self._put(name, now, await asyncio.to_thread(_dumped, window))

    async def _load(self, name: str, now: float) -> bytes | None:
        try:
            found = await self._database.do(load_snapshot, name)
        except StateError as error:
            log.warning("%s", error)
            return None
        return found[1] if found is not None and 0 <= now - found[0] <= OUTAGE_TOLERANCE else None

    async def _put(self, name: str, now: float, data: bytes) -> None:
        try:
            await self._database.do(save_snapshot, name, now, data)
        except StateError as error:
            log.warning("the rules' history could not be kept: %s", error)


def _dumped(window: Window) -> bytes:
    return dump(window.history())
